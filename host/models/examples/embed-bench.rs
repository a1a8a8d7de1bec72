//! Prints what embedding costs here: load time, milliseconds for each kind of text, resident memory.
//!
//! `cargo run -p holdfast-models --example embed-bench [model folder]`; without a folder, `HOLDFAST_MODEL_DIR`. CPU time
//! is the thread's own, so a busy machine does not spoil it.

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use holdfast_models::{Embedder, TokenCounter, Vocabulary};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).or_else(|| std::env::var_os("HOLDFAST_MODEL_DIR"));
    let folder = PathBuf::from(folder.ok_or("name the model's folder")?);
    println!("before load: {}", memory());
    let begin = (Instant::now(), cpu());
    let embedder = Embedder::load(&folder)?;
    println!("load: {:.0} ms, {:.0} ms of CPU", ms(begin.0.elapsed()), ms(cpu() - begin.1));
    println!("after load: {}", memory());

    let words = "the quick brown fox jumps over a lazy dog while my sister paints another sunrise ";
    let cut = |count: usize| words.split(' ').cycle().take(count).collect::<Vec<_>>().join(" ");
    let turns: Vec<String> = (0..32).map(|n| cut(8 + (n * 7) % 60)).collect();
    for (name, texts, rounds) in [
        ("20 tokens", vec![cut(18)], 40),
        ("50 words", vec![cut(50)], 40),
        ("256 tokens", vec![cut(300)], 20),
        ("32 turns", turns, 5),
    ] {
        measure(&embedder, name, &texts, rounds)?;
    }
    println!("after use: {}", memory());
    for vocabulary in [Vocabulary::O200kBase, Vocabulary::Cl100kBase] {
        let begin = cpu();
        let count = TokenCounter::new(vocabulary).count(words);
        let spent = ms(cpu() - begin);
        println!("{} counts {count} tokens after {spent:.0} ms of CPU", vocabulary.name());
    }
    Ok(())
}

fn measure(
    embedder: &Embedder,
    name: &str,
    texts: &[String],
    rounds: usize,
) -> Result<(), Box<dyn Error>> {
    embedder.embed(texts)?;
    let mut wall = Vec::new();
    let mut own = Vec::new();
    for _ in 0..rounds {
        let begin = (Instant::now(), cpu());
        embedder.embed(texts)?;
        wall.push(begin.0.elapsed());
        own.push(cpu() - begin.1);
    }
    let mut tokens = 0;
    for text in texts {
        tokens += embedder.tokens(text)?;
    }
    let (wall, own) = (median(wall), median(own));
    println!("{name} ({tokens} tokens): p50 {wall:.1} ms, {own:.1} ms of CPU");
    Ok(())
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().map_or(f64::NAN, ms)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// CPU time of this thread, as Linux tells it; zero elsewhere.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default())
}

fn memory() -> String {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let lines = text.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"));
    lines.collect::<Vec<_>>().join(" ").replace('\t', " ")
}
