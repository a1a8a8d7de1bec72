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
                // Where two requests create a folder at once its lists may leave out for so long what it stored, else for 5 minutes.
                "--dir-cache-time=1s".to_owned(),
                data.display().to_string(),
            ];
            server.launch(arguments.into())
        })
    }
}
