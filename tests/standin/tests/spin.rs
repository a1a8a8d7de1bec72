//! The transcripts on a real `spin`, where one is on the PATH.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod install;

use holdfast_http_tests::{Player, root};
use holdfast_servers::Rclone;
use install::{files, key, variables};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running `spin up`, ended when it is dropped.
struct Spin(Child);

impl Drop for Spin {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn every_transcript_plays_on_spin() {
    let there = Command::new("spin").arg("--version").stdout(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        println!("skipped: no `spin` is on the PATH, and this test runs the transcripts on it");
        return;
    }
    let store = Rclone::start();
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let mut command = Command::new("spin");
    command.args(["up", "--from", "spin.toml", "--listen", &port.to_string()]).current_dir(root());
    for (name, value) in variables(&store) {
        command.env(format!("SPIN_VARIABLE_{}", name.to_uppercase()), value);
    }
    let mut spin = Spin(command.spawn().unwrap());
    let begun = Instant::now();
    while TcpStream::connect(port).is_err() {
        assert!(spin.0.try_wait().unwrap().is_none(), "spin up ended: see its messages above");
        assert!(begun.elapsed() < Duration::from_secs(120), "spin up does not listen");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    let player = Player::new(&format!("http://{port}"), &key().reveal());
    files().iter().for_each(|file| player.play(file));
}
