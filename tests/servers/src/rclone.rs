//! `rclone serve s3`: checks signatures and ignores conditions, as Wasabi does. Buckets are folders.

use crate::binary::find;
use crate::process::{Server, free_ports, insist};

/// `rclone serve s3` over a local folder.
pub struct Rclone;

impl Rclone {
    /// A running server. An object's file is `folder()/data/<bucket>/<key>`.
    ///
    /// # Panics
    /// When it is not installed (with the command that installs it) or does not start (with its log).
    pub fn start() -> Server {
        // It forgets what it makes of a folder that two requests create at once: for so long its lists leave out what is there.
        Self::remembering_folders_for("1ms")
    }

    /// As [`start`](Self::start), and it remembers folders as it does by itself: to be measured, where no two requests
    /// create a folder at once.
    ///
    /// # Panics
    /// As `start`.
    pub fn as_it_comes() -> Server {
        Self::remembering_folders_for("5m")
    }

    fn remembering_folders_for(time: &str) -> Server {
        insist(|| {
            let [port] = free_ports();
            let server = Server::new(find("rclone", "HOLDFAST_RCLONE"), port);
            let data = server.folder().join("data");
            std::fs::create_dir_all(&data).expect("a data folder");
            let arguments = [
                "serve".to_owned(),
                "s3".to_owned(),
                format!("--addr=127.0.0.1:{port}"),
                format!("--auth-key={},{}", server.access_key, server.secret_key),
                format!("--config={}", server.folder().join("rclone.conf").display()),
                format!("--cache-dir={}", server.folder().join("cache").display()),
                "--vfs-cache-mode=off".to_owned(),
                format!("--dir-cache-time={time}"),
                data.display().to_string(),
            ];
            server.launch(arguments.into())
        })
    }
}
