//! The portable models held to what they stand in for: the vocabulary's own counts, the library's own words, the model's own vectors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use holdfast_models::files::{TOKENIZER, WEIGHTS, read_verified};
use holdfast_models::{TokenCounter, Vocabulary};
use holdfast_static::{Table, count, make, split};
use std::path::Path;

fn native() -> TokenCounter {
    TokenCounter::new(Vocabulary::O200kBase)
}

/// Texts of everything that a splitter tells apart, the same every time.
fn texts() -> Vec<String> {
    const PARTS: &[&str] = &[
        "The quick",
        " brown",
        "fox",
        "'s",
        "'LL",
        "'d",
        "it'sabc",
        " 42",
        "1234567",
        "٣٤",
        "…",
        "?!",
        " //",
        "/",
        "\n",
        "\r\n",
        "\n\n/",
        " ",
        "   ",
        "\t",
        "é",
        "ÀB",
        "Straße",
        "お誕生日",
        "Привет мир",
        "\u{3000}",
        "🙂",
        "👩‍👩‍👧",
        "<|endoftext|>",
        "</message 7f>",
        "qzxjv",
        "HTTPServer",
        "camelCase",
        "snake_case",
        "don't",
        "ſ",
        "'ſabc",
        "e\u{301}",
        "العربية",
        "ไทย",
        " A",
        "I",
        "\u{ad}",
        "\u{200b}",
        "x²",
        "½",
        "antidisestablishmentarianism",
        " electroencephalographically",
    ];
    let mut seed = 11_u64;
    let mut next = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap()
    };
    let mut texts: Vec<String> = (0..20_000)
        .map(|_| (0..next() % 12).map(|_| PARTS[next() % PARTS.len()]).collect())
        .collect();
    texts.extend((0..5_000).map(|_| {
        let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap());
        (0..1 + next() % 20).map(|_| letter(next())).collect::<String>()
    }));
    texts.extend((0..5_000).map(|_| {
        let any = |n: usize| char::from_u32(u32::try_from(n % 0x3_0000).unwrap()).unwrap_or('x');
        (0..1 + next() % 12).map(|_| any(next())).collect::<String>()
    }));
    texts
}

#[test]
fn a_count_is_never_below_the_vocabularys() {
    let native = native();
    for text in texts() {
        let (own, exact) = (count(&text), native.count(&text));
        assert!(own >= exact, "{own} < {exact}: {text:?}");
    }
}

#[test]
fn every_listed_word_is_one_token_as_it_stands_and_every_pair_is_one() {
    let native = native();
    for word in include_str!("../../../crates/static/src/words.txt").lines() {
        assert_eq!(native.count(word), 1, "{word:?}");
    }
    let bpe = &bpe_openai::o200k_base().bpe;
    for pair in include_bytes!("../../../crates/static/src/pairs.bin").as_chunks::<2>().0 {
        assert_eq!(bpe.count(pair), 1, "{pair:?}");
    }
}

#[test]
fn a_count_of_english_prose_is_not_far_above_the_vocabularys() {
    let native = native();
    let prose = include_str!("../../../README.md");
    let talk = "We fly to Lisbon on 3 May, window seats please. My bread never rises, the yeast must be dead. I adopted a kitten!";
    let ratio = |text: &str| count(text) as f64 / native.count(text) as f64;
    println!(
        "counts above the vocabulary's: talk {:.2}, a README {:.2}",
        ratio(talk),
        ratio(prose)
    );
    assert!(ratio(talk) < 1.3, "{}", ratio(talk));
    assert!(ratio(prose) < 2.0, "{}", ratio(prose));
}

#[test]
fn words_are_those_of_the_library() {
    let Some(dir) = support::model_dir() else { return };
    let bytes = read_verified(&dir, &TOKENIZER).unwrap();
    let tokenizer = tokenizers::Tokenizer::from_bytes(bytes).unwrap();
    use tokenizers::{Normalizer, OffsetReferential, OffsetType, PreTokenizer};
    let mut different = 0;
    for text in texts() {
        let mut own = Vec::new();
        split(&text, |word| own.push(word.to_owned()));
        let mut normalized = tokenizers::NormalizedString::from(text.as_str());
        tokenizer.get_normalizer().unwrap().normalize(&mut normalized).unwrap();
        let mut pieces = tokenizers::PreTokenizedString::from(normalized);
        tokenizer.get_pre_tokenizer().unwrap().pre_tokenize(&mut pieces).unwrap();
        let splits = pieces.get_splits(OffsetReferential::Normalized, OffsetType::Byte);
        let library: Vec<String> = splits.into_iter().map(|(word, _, _)| word.to_owned()).collect();
        if own != library {
            different += 1;
            println!("{text:?}\n  {own:?}\n  {library:?}");
        }
    }
    // Of 30,000 texts; those that differ hold rare marks of other scripts.
    assert!(different < 600, "{different} texts are split otherwise");
}

#[test]
fn near_texts_have_near_vectors_and_every_vector_has_length_1() {
    let Some(dir) = support::model_dir() else { return };
    let bytes = table(&dir);
    let table = Table::read(&bytes).unwrap();
    assert_eq!(table.dimensions(), 384);
    assert!(table.rows() > 29_000 && bytes.len() < 13 << 20, "{} {}", table.rows(), bytes.len());
    let cosine = |a: &str, b: &str| -> f32 {
        table.embed(a).iter().zip(table.embed(b)).map(|(a, b)| a * b).sum()
    };
    for (text, near, far) in [
        (
            "user: I adopted a kitten called Miso",
            "my cat and other pets",
            "unpaid bills for the house",
        ),
        (
            "user: The invoice for the roof repair is overdue",
            "unpaid bills for the house",
            "my cat",
        ),
        ("user: We sail on Sunday if the wind is good", "boats and the weather", "my cat"),
    ] {
        assert!(cosine(text, near) > cosine(text, far) + 0.05, "{text}");
    }
    for text in texts().iter().take(2_000) {
        let length = table.embed(text).iter().map(|v| v * v).sum::<f32>();
        assert!((length - 1.0).abs() < 1e-4, "{text:?} {length}");
    }
}

fn table(dir: &Path) -> Vec<u8> {
    let (weights, tokenizer) = (read_verified(dir, &WEIGHTS), read_verified(dir, &TOKENIZER));
    make(&weights.unwrap(), &tokenizer.unwrap()).unwrap()
}
