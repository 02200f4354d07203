//! The verbs of `brine`.

mod completions;
mod inspect;
mod sign;
mod sign_stream;
mod verify;

use super::args::brine::{Brine, Verb};
use super::failure::Failure;
use super::report::Report;

/// Does what was typed.
pub(super) fn run(parsed: Brine) -> Result<Report, Failure> {
    match parsed.verb {
        Verb::Sign(args) => sign::run(&args).map(|()| Report::Silent),
        Verb::Verify(args) => verify::run(&args),
        Verb::Inspect(args) => inspect::run(&args).map(|()| Report::Silent),
        Verb::Completions(args) => completions::run(&args).map(|()| Report::Silent),
    }
}
