//! Runs the embedded store as a process of its own: `embedded-s3 <data folder> [address]`.
//!
//! Prints `listening on http://<address>` when it serves; ends in good order at SIGTERM or
//! Ctrl-C. The keys are `HOLDFAST_S3_ACCESS_KEY` and `HOLDFAST_S3_SECRET_KEY`, else
//! `holdfast` and `holdfast-secret`; the bucket `holdfast` is made.

use std::error::Error;
use std::net::SocketAddr;

use holdfast_store::{Settings, serve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let data_dir = arguments.next().ok_or("usage: embedded-s3 <data folder> [address]")?.into();
    let listen: SocketAddr = arguments.next().as_deref().unwrap_or("127.0.0.1:0").parse()?;
    let variable = |name, otherwise: &str| std::env::var(name).unwrap_or(otherwise.to_owned());
    let settings = Settings {
        data_dir,
        buckets: vec!["holdfast".to_owned()],
        access_key: variable("HOLDFAST_S3_ACCESS_KEY", "holdfast"),
        secret_key: variable("HOLDFAST_S3_SECRET_KEY", "holdfast-secret"),
        listen,
    };
    let running = serve(settings).await?;
    println!("listening on http://{}", running.address());
    told_to_stop().await?;
    running.shutdown().await;
    Ok(())
}

#[cfg(unix)]
async fn told_to_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}

#[cfg(not(unix))]
async fn told_to_stop() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
