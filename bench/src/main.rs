//! Measures Holdfast side by side with what it is held against, on this machine, and writes `bench/results.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement that cannot go on says so and ends"
)]

mod distance;
mod fill;
mod fresh;
mod guest;
mod journal;
mod machine;
mod memory;
mod retrieve;
mod runtimes;
mod sessions;
mod sets;
mod spread;
mod start;
mod store;
mod table;

use clap::Parser;
use holdfast_faults::{Api, Installation, model_is_there};
use std::path::Path;
use table::{Figure, Table};

/// Measures Holdfast in ratios, in one run, and writes `bench/results.md`.
#[derive(Parser)]
struct Line {
    /// A smoke run: 10,000 messages at most and few repetitions.
    #[arg(long)]
    quick: bool,
    /// Only the figures of this kind, printed and not written.
    #[arg(long, value_parser = ["journal", "distance", "sessions", "sets"])]
    only: Option<String>,
    /// Print only: leave `bench/results.md` as it is.
    #[arg(long)]
    print_only: bool,
    /// Only the runtimes side by side: native, portable, stand-in. Prints.
    #[arg(long)]
    runtimes: bool,
}

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// Repetitions of a call.
    pub calls: usize,
    /// Starts of a host.
    pub starts: usize,
    /// Messages of the larger user.
    pub many: Option<usize>,
    /// Seconds of load on the trivial route, at each number of connections.
    pub seconds: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let line = Line::parse();
    let sizes = match line.quick {
        true => Sizes { calls: 60, starts: 3, many: None, seconds: 2 },
        false => Sizes { calls: 400, starts: 9, many: Some(100_000), seconds: 8 },
    };
    let mut table = Table::new(line.quick);
    if line.runtimes {
        runtimes::measure(sizes, &mut table).await;
        println!("{}", table.page());
        return;
    }
    if let Some(only) = &line.only {
        match only.as_str() {
            "journal" => journal::measure(sizes, &mut table).await,
            "distance" => distance::measure(sizes, &mut table).await,
            "sessions" => sessions::measure(sizes, &mut table).await,
            _ => sets::measure(sizes, &mut table).await,
        }
        println!("{}", table.page());
        return;
    }
    journal::measure(sizes, &mut table).await;
    distance::measure(sizes, &mut table).await;
    sessions::measure(sizes, &mut table).await;
    sets::measure(sizes, &mut table).await;
    without_model(sizes, &mut table).await;
    if model_is_there() {
        with_model(sizes, &mut table).await;
    } else {
        table.note("The embedding model is not there: what needs it was not measured.");
    }
    runtimes::measure(sizes, &mut table).await;
    guest::measure(sizes.seconds, &mut table).await;
    let page = table.page();
    if line.print_only {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("results.md");
    std::fs::write(&path, page).expect("write results.md");
}

async fn without_model(sizes: Sizes, table: &mut Table) {
    let installation = Installation::embedded();
    let host = installation.start();
    store::against_a_raw_put(&host, sizes, table).await;
    host.kill();
    start::cold(&installation, sizes, "without the model", 300.0, table).await;
}

async fn with_model(sizes: Sizes, table: &mut Table) {
    let installation = Installation::embedded().with_model(true);
    let host = installation.start();
    store::with_the_embedder(&Api::of(&host), sizes, table).await;
    host.kill();
    start::cold(&installation, sizes, "with the model", 1000.0, table).await;

    let few = fill::User { name: "few", messages: 10_000, batch: 100 };
    let limits = retrieve::Limits { rehydrate: Some(1000.0), retrieve: 5.0 };
    of_a_user(&installation, few, limits, sizes, table).await;
    if let Some(messages) = sizes.many {
        let many = fill::User { name: "many", messages, batch: 1000 };
        let limits = retrieve::Limits { rehydrate: None, retrieve: 15.0 };
        of_a_user(&installation, many, limits, sizes, table).await;
    }
}

async fn of_a_user(
    installation: &Installation,
    user: fill::User,
    limits: retrieve::Limits,
    sizes: Sizes,
    table: &mut Table,
) {
    let host = installation.start();
    fill::fill(&Api::of(&host), user).await;
    host.kill();
    let host = installation.start();
    let api = Api::of(&host);
    start::first_answer(&api).await;
    let idle = memory::resident(host.id());
    if user.name == "few" {
        table.add(Figure::aim("resident memory, idle, with the model", idle, "MiB", 220.0));
    }
    retrieve::rehydrate(&api, user, limits, table).await;
    let grown = (memory::resident(host.id()) - idle) * 10_000.0 / user.messages as f64;
    let what = format!("memory for 10,000 messages, of {} loaded", user.messages);
    table.add(Figure::aim(what, grown, "MiB", 40.0));
    retrieve::measure(&api, user, limits, sizes, table).await;
}
