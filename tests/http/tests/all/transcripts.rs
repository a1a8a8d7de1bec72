//! The transcripts: the same files give the same answers with the host's own index and models and with the portable ones.

use holdfast_http_tests::{Player, Running, by_meaning, by_words, portable, transcripts};
use std::path::Path;

fn player(running: &Running) -> Player {
    Player::new(&running.host.url, &running.host.key)
}

fn needs_an_embedder(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("meaning"))
}

#[test]
fn every_transcript_plays_on_the_native_host() {
    let running = by_words();
    for file in transcripts().iter().filter(|file| !needs_an_embedder(file)) {
        player(&running).play(file);
    }
    let Some(running) = by_meaning() else { return };
    for file in transcripts().iter().filter(|file| needs_an_embedder(file)) {
        player(&running).play(file);
    }
}

#[test]
fn every_transcript_plays_with_the_portable_components() {
    let running = portable();
    let model = std::env::var_os("HOLDFAST_NO_MODEL").is_none();
    for file in transcripts().iter().filter(|file| model || !needs_an_embedder(file)) {
        player(&running).play(file);
    }
}
