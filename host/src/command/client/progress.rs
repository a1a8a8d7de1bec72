//! How far long work has come.

use super::Client;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// On a terminal: bytes of a total, or what goes on without one. Else, and for programs, nothing.
pub(super) fn bar(client: &Client<'_>, total: Option<u64>) -> ProgressBar {
    let (bar, style) = match total {
        Some(total) => {
            let style = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {wide_msg}";
            (ProgressBar::new(total), style)
        }
        None => (ProgressBar::new_spinner(), "{spinner} {elapsed} {wide_msg}"),
    };
    if client.target.json {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
