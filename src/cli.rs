//! The two programs: what was typed, the world around them, and how they end.
//!
//! `args` holds what was typed; `resolve` opens and reads what it names; each verb has a file under
//! `brine/` or `brinekey/`; `report` says how it went, and `exit` is the one table of statuses.

pub mod args;
pub mod exit;
pub mod spool;

mod brine;
mod brinekey;
mod clock;
mod counts;
mod failure;
mod home;
mod input;
mod output;
mod passphrase;
mod progress;
mod reads;
mod report;
mod resolve;
mod whole_file;

use std::ffi::OsString;
use std::num::NonZero;
use std::process::ExitCode;

use clap::Parser;

use self::exit::Status;
use self::failure::Failure;
use self::report::{Report, Reporter};
use crate::stream::MAX_THREADS;

/// Runs `brine` with the arguments of the process.
#[must_use]
pub fn brine(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    run::<args::brine::Brine>("brine", arguments, |parsed| {
        let (reporter, planned) = brine::reporter(&parsed);
        reporter.finish(planned.and_then(|()| brine::run(parsed)))
    })
}

/// Runs `brinekey` with the arguments of the process.
#[must_use]
pub fn brinekey(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    run::<args::brinekey::BrineKey>("brinekey", arguments, |parsed| {
        Reporter::default().finish(brinekey::run(parsed).map(|()| Report::Silent))
    })
}

fn run<P: Parser>(
    program: &'static str,
    arguments: impl Iterator<Item = OsString>,
    verb: impl FnOnce(P) -> Status,
) -> ExitCode {
    report::set_program(program);
    forbid_core_dumps();
    let status = match P::try_parse_from(arguments) {
        Ok(parsed) => verb(parsed),
        Err(help_or_error) => print_clap(&help_or_error),
    };
    status.into()
}

/// How many threads to work with: as many as were asked for, else one for each processor.
fn threads(asked: Option<NonZero<usize>>) -> usize {
    let available = || std::thread::available_parallelism().map_or(1, NonZero::get);
    asked.map_or_else(available, NonZero::get).min(MAX_THREADS)
}

/// Prints what clap has to say: help and versions to stdout, errors to stderr.
fn print_clap(message: &clap::Error) -> Status {
    if message.use_stderr() {
        report::usage(&message.render().to_string());
        return Status::Usage;
    }
    match message.print() {
        Ok(()) => Status::Done,
        Err(error) => {
            let failure = Failure::io("standard output", error);
            report::complain(&failure);
            failure.status()
        }
    }
}

/// Keeps secrets out of core files.
///
/// A limit of 1 byte and not of 0: Linux ignores the limit when cores are piped to a program, except
/// for this value, which it takes as a refusal (`core(5)`; `fs/coredump.c`). `PR_SET_DUMPABLE` would
/// do the same, and make `/dev/stdin` and `/dev/fd` unreadable to anyone but root.
fn forbid_core_dumps() {
    let one = rustix::process::Rlimit { current: Some(1), maximum: Some(1) };
    // A hard limit of 0 cannot be raised. Then no core is written to a file, and whether one is piped
    // is for the program that it is piped to.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, one);
}
