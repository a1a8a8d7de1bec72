//! The runtime alone, for measurements: `bare <spin.toml> <address>` serves the manifest, and `/native` beside it.

use anyhow::{Context, Result};
use futures::FutureExt;
use holdfast::app::Hooks;
use holdfast::http::Extras;
use holdfast::manifest::Manifest;
use holdfast::metrics::Metrics;
use holdfast::pool::Answer;
use holdfast::{App, Server, Settings};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [manifest, address] = arguments.as_slice() else {
        anyhow::bail!("usage: bare <spin.toml> <address>")
    };
    holdfast::log::start(holdfast::log::Form::Text, "warn")?;
    let settings = Settings {
        listen: address.parse().context("the address")?,
        cache_dir: Some(std::env::temp_dir().join("holdfast-bare")),
        ..Settings::default()
    };
    let metrics = Arc::new(Metrics::default());
    let manifest = Manifest::read(Path::new(manifest), &BTreeMap::new())?;
    let app = App::load(manifest, &settings, &Hooks::default(), &metrics)?;
    let mut extras = Extras::default();
    let native = |_| async { http::Response::new(Answer::whole("hello")) }.boxed();
    extras.native.insert("/native".into(), Arc::new(native));
    let server = Server::bind(settings, app, metrics, extras).await?;
    println!("{}", server.address());
    server.serve(async { drop(tokio::signal::ctrl_c().await) }).await;
    Ok(())
}
