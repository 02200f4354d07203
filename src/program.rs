//! From the command line to the exit status.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use clap::error::ErrorKind;
use signal_hook::consts::signal::SIGXFSZ;

use crate::args::brine::Brine;
use crate::args::brinekey::BrineKey;
use crate::report::exit::Status;
use crate::report::{Failure, console, mistyped};
use crate::verbs;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;

/// Runs `brine` with the arguments of the process.
#[must_use]
pub fn brine(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    run::<Brine>("brine", arguments, verbs::brine)
}

/// Runs `brinekey` with the arguments of the process.
#[must_use]
pub fn brinekey(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    run::<BrineKey>("brinekey", arguments, verbs::brinekey)
}

fn run<P: Parser>(
    program: &'static str,
    arguments: impl Iterator<Item = OsString>,
    verb: impl FnOnce(P) -> Status,
) -> ExitCode {
    console::set_program(program);
    forbid_core_dumps();
    survive_file_limits();
    let typed: Vec<_> = arguments.collect();
    let status = match P::try_parse_from(&typed) {
        Ok(parsed) => verb(parsed),
        Err(found) => match found.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => show(&found),
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => help_instead(&found),
            _ => refuse(&mistyped::failure(program, &found, &typed)),
        },
    };
    status.into()
}

/// Says what is wrong with what was typed.
fn refuse(failure: &Failure) -> Status {
    console::complain(failure);
    failure.status()
}

/// Shows the help where nothing was asked for. There is no result.
fn help_instead(help: &clap::Error) -> Status {
    // Nothing can be said about a standard error that is closed.
    let _ = console::write_to_stderr(help.render().to_string().as_bytes());
    Status::Usage
}

/// Prints what was asked for, help or version.
fn show(message: &clap::Error) -> Status {
    let printed = Output::stdout(&mut OverwriteGuard::default()).and_then(|output| {
        if output.is_terminal() {
            // In the colours that the terminal has.
            return message.print().map_err(|error| output.failed(error));
        }
        output.print(&message.render().to_string())
    });
    printed.err().map_or(Status::Done, |failure| {
        console::complain(&failure);
        failure.status()
    })
}

/// Keeps secrets out of core files.
///
/// A limit of 1 byte and not of 0: Linux ignores the limit when cores are piped to a program, except
/// for this value, which it takes as a refusal (`core(5)`; `fs/coredump.c`). `PR_SET_DUMPABLE` would
/// do the same, and make `/dev/stdin` and `/dev/fd` unreadable to anyone but root.
fn forbid_core_dumps() {
    let one = rustix::process::Rlimit { current: Some(1), maximum: Some(1) };
    // A hard limit of 0 cannot be raised. Then no core is written to a file, and the program that cores are
    // piped to decides about those.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, one);
}

/// Lets a write beyond the limit on the size of files (`ulimit -f`) fail, as on a full disk, where SIGXFSZ would end
/// the process: in the middle of a record, and before what was written is committed.
///
/// The signal is caught and not ignored, because that ends with `exec`. So jobs are ended by it as ever.
fn survive_file_limits() {
    // Where it cannot be caught, the process ends by it, as others do.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}
