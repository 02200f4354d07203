//! `brinekey`: make and keep keys, and say whom to trust.

use std::process::ExitCode;

fn main() -> ExitCode {
    brine_cli::brinekey(std::env::args_os())
}
