//! The verbs of `brine`.

mod blocks;
mod completions;
mod detached;
mod in_order;
mod inspect;
mod inspect_records;
mod once;
mod policy;
mod records;
mod reject;
mod release_records;
mod replay;
mod run;
mod scan;
mod sign;
mod sign_job;
mod sign_records;
mod sign_stream;
mod verify;
mod verify_detached;
mod verify_large;
mod verify_records;
mod verify_stream;

use std::path::PathBuf;

use super::args::brine::{Brine, Verb};
use super::failure::Failure;
use super::report::{Report, ReportOptions, Reporter, SayWho};

/// Plans how to report, before anything is done. That it cannot be planned is to be reported, too.
pub(super) fn reporter(parsed: &Brine) -> (Reporter, Result<(), Failure>) {
    let options = |json, report: &Option<PathBuf>, verbose, quiet| {
        let say_who = match (verbose, quiet) {
            (true, _) => SayWho::Always,
            (false, true) => SayWho::Never,
            (false, false) => SayWho::AtTerminal,
        };
        ReportOptions { json, file: report.clone(), say_who }
    };
    let (options, outputs, reads) = match &parsed.verb {
        Verb::Verify(args) => (
            options(args.json, &args.report, args.verbose, args.quiet),
            vec![args.output.as_deref()],
            verify::reads(args),
        ),
        Verb::Run(args) => (
            options(args.json, &args.report, args.verbose, args.quiet),
            vec![args.output.as_deref(), args.partial_output.as_deref()],
            run::reads(args),
        ),
        Verb::Completions(_)
        | Verb::Inspect(_)
        | Verb::Policy(_)
        | Verb::Replay(_)
        | Verb::Scan(_)
        | Verb::Sign(_) => return (Reporter::default(), Ok(())),
    };
    let json = options.json;
    match Reporter::plan(options, &outputs, &reads) {
        Ok(reporter) => (reporter, Ok(())),
        Err(failure) => (Reporter::without_file(json), Err(failure)),
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
        Verb::Run(args) => run::run(&args),
        Verb::Policy(args) => policy::run(&args.verb).map(|()| Report::Silent),
        Verb::Completions(args) => completions::run(&args).map(|()| Report::Silent),
    }
}
