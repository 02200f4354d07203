//! `brine`: sign what you serialise, and get it back only from those you trust.

use std::process::ExitCode;

fn main() -> ExitCode {
    brine::cli::brine(std::env::args_os())
}
