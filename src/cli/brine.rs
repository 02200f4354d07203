//! The verbs of `brine`.

mod blocks;
mod completions;
mod detached;
mod in_order;
mod inspect;
mod inspect_records;
mod once;
mod records;
mod reject;
mod release_records;
mod replay;
mod scan;
mod sign;
mod sign_records;
mod sign_stream;
mod verify;
mod verify_detached;
mod verify_large;
mod verify_records;
mod verify_stream;

use super::args::brine::{Brine, Verb};
use super::failure::Failure;
use super::report::{Report, ReportOptions, Reporter, SayWho};

/// Plans how to report, before anything is done. That it cannot be planned is to be reported, too.
pub(super) fn reporter(parsed: &Brine) -> (Reporter, Result<(), Failure>) {
    let Verb::Verify(args) = &parsed.verb else { return (Reporter::default(), Ok(())) };
    let say_who = match (args.verbose, args.quiet) {
        (true, _) => SayWho::Always,
        (false, true) => SayWho::Never,
        (false, false) => SayWho::AtTerminal,
    };
    let options = ReportOptions { json: args.json, file: args.report.clone(), say_who };
    match Reporter::plan(options, args.output.as_deref(), &verify::reads(args)) {
        Ok(reporter) => (reporter, Ok(())),
        Err(failure) => (Reporter::without_file(args.json), Err(failure)),
    }
}

/// Does what was typed.
pub(super) fn run(parsed: Brine) -> Result<Report, Failure> {
    match parsed.verb {
        Verb::Sign(args) => sign::run(&args).map(|()| Report::Silent),
        Verb::Verify(args) => verify::run(&args),
        Verb::Inspect(args) => inspect::run(&args).map(|()| Report::Silent),
        Verb::Replay(args) => replay::run(&args).map(|()| Report::Silent),
        Verb::Scan(args) => scan::run(&args),
        Verb::Completions(args) => completions::run(&args).map(|()| Report::Silent),
    }
}
