//! The vectors are the reference model's, and a text's vector is its own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::fs;
use std::path::Path;

use holdfast_models::{Embedder, ModelError, files};
use support::{embedder, model_dir, words};

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[test]
fn the_vectors_are_those_of_the_reference() {
    let Some(embedder) = embedder() else { return };
    let golden: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("golden_minilm.json")).unwrap();
    assert!(golden.len() >= 15);
    for case in golden {
        let text = case["text"].as_str().unwrap();
        let vector = embedder.embed(&[text.to_owned()]).unwrap().remove(0);
        for (place, expected) in case["v8"].as_array().unwrap().iter().enumerate() {
            let difference = f64::from(vector[place]) - expected.as_f64().unwrap();
            assert!(difference.abs() < 1e-4, "{text:?}: component {place} is off by {difference}");
        }
    }
}

#[test]
fn vectors_are_unit_vectors_of_the_named_space() {
    let Some(embedder) = embedder() else { return };
    assert_eq!(embedder.space(), "minilm-l6-v2/f32/384/cos/t256/spk1");
    for text in ["", " ", "x", "Ana: we met in Lisbon", "日本語", "👩‍👩‍👧 \u{0} \u{202e}"]
    {
        let vector = embedder.embed(&[text.to_owned()]).unwrap().remove(0);
        assert_eq!(vector.len(), embedder.dimensions());
        assert!((cosine(&vector, &vector) - 1.0).abs() < 1e-5, "{text:?}");
    }
    assert!(embedder.embed(&[]).unwrap().is_empty());
}

#[test]
fn a_vector_does_not_depend_on_the_company_of_its_text() {
    let Some(embedder) = embedder() else { return };
    let texts: Vec<String> = (0..12).map(|n| words(1 + n * n, n)).collect();
    let together = embedder.embed(&texts).unwrap();
    for (text, vector) in texts.iter().zip(&together) {
        assert_eq!(&embedder.embed(std::slice::from_ref(text)).unwrap()[0], vector, "{text}");
    }
    let reversed: Vec<String> = texts.iter().rev().cloned().collect();
    let backwards = embedder.embed(&reversed).unwrap();
    assert!(backwards.iter().rev().eq(&together));
}

#[test]
fn the_same_call_gives_the_same_bits_also_on_two_threads() {
    let Some(embedder) = embedder() else { return };
    let texts = [words(60, 3), words(9, 1)];
    let first = embedder.embed(&texts).unwrap();
    let others = std::thread::scope(|scope| {
        let calls = [0, 1].map(|_| scope.spawn(|| embedder.embed(&texts).unwrap()));
        calls.map(|call| call.join().unwrap())
    });
    assert!(others.iter().all(|other| other == &first));
}

#[test]
fn texts_are_cut_at_256_tokens_and_not_at_128() {
    let Some(embedder) = embedder() else { return };
    assert_eq!(embedder.tokens(&words(200, 0)).unwrap(), 202);
    assert_eq!(embedder.tokens(&words(1000, 0)).unwrap(), 256);
    // With its two marks, a text of 126 words is the first 128 tokens, one of 254 words the first 256.
    let tail = "zebra ".repeat(74);
    let texts = [format!("{} {tail}", words(126, 0)), words(126, 0), words(254, 0), words(900, 0)];
    let [long, its_128, its_256, endless] = embedder.embed(&texts).unwrap().try_into().unwrap();
    assert!(cosine(&long, &its_128) < 0.99, "what follows the 128th token must count");
    assert_eq!(its_256, endless, "what follows the 256th token must not");
}

#[test]
fn a_megabyte_in_one_text_costs_no_more_than_its_first_tokens() {
    let Some(embedder) = embedder() else { return };
    let texts = ["a".repeat(1 << 20), words(200_000, 0), "é".repeat(1 << 19)];
    assert_eq!(embedder.embed(&texts).unwrap().len(), 3);
}

#[test]
fn meaning_is_near_without_a_shared_word() {
    let Some(embedder) = embedder() else { return };
    let texts = ["What pets does she own?", "I adopted a kitten", "The invoice is due on Friday"];
    let [question, near, far] =
        embedder.embed(&texts.map(str::to_owned)).unwrap().try_into().unwrap();
    assert!(cosine(&question, &near) > cosine(&question, &far) + 0.1);
}

fn copy_with_one_bit_flipped(from: &Path, into: &Path, name: &str) {
    for file in files::FILES {
        let mut bytes = fs::read(from.join(file.name)).unwrap();
        if file.name == name {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
        fs::write(into.join(file.name), bytes).unwrap();
    }
}

#[test]
fn a_corrupted_model_is_refused_with_what_to_do() {
    let Some(dir) = model_dir() else { return };
    for name in files::FILES.map(|file| file.name) {
        let copy = tempfile::tempdir().unwrap();
        copy_with_one_bit_flipped(&dir, copy.path(), name);
        let error = Embedder::load(copy.path()).err().unwrap();
        assert!(matches!(error, ModelError::File(files::FileFault::Corrupt(_))), "{error}");
        let message = error.to_string();
        assert!(
            message.contains(name) && message.contains("delete it and fetch it again"),
            "{message}"
        );
    }
}

#[test]
fn a_missing_model_is_named() {
    let empty = tempfile::tempdir().unwrap();
    let message = Embedder::load(empty.path()).err().unwrap().to_string();
    assert!(message.contains("is missing: fetch it"), "{message}");
}
