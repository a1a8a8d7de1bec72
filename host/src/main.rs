//! The program `holdfast`: see `command`.

use std::process::ExitCode;

fn main() -> ExitCode {
    holdfast::command::run()
}
