//! From the command line to the exit status.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{ArgMatches, Parser};
use signal_hook::consts::signal::SIGXFSZ;
use signal_hook::low_level::emulate_default_handler;

use crate::args::brine::{Brine, BrineVerb};
use crate::args::brinekey::BrineKey;
use crate::report::exit::Status;
use crate::report::{JsonPlace, console, mistyped, typed};
use crate::reporter::Reporter;
use crate::verbs;
use crate::world::core_dumps;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;

/// Runs `brine` with the arguments of the process.
#[must_use]
pub fn brine(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<_> = arguments.collect();
    let lacks_command = ends_in_separator(&arguments);
    run::<Brine>("brine", &arguments, |mut parsed, json| {
        match &mut parsed.verb {
            BrineVerb::Recv(args) => args.lacks_command = lacks_command,
            BrineVerb::Verify(args) => args.lacks_command = lacks_command,
            BrineVerb::Work(args) => args.lacks_command = lacks_command,
            _ => {}
        }
        verbs::brine(parsed, json)
    })
}

/// Runs `brinekey` with the arguments of the process.
#[must_use]
pub fn brinekey(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    run::<BrineKey>("brinekey", &arguments.collect::<Vec<_>>(), verbs::brinekey)
}

fn run<P: Parser>(
    program: &'static str,
    arguments: &[OsString],
    verb: impl FnOnce(P, Option<JsonPlace>) -> Status,
) -> ExitCode {
    console::set_program(program);
    core_dumps::forbid();
    survive_file_limits();
    let json = JsonPlace::asked(program, arguments);
    if json == Some(JsonPlace::Stderr) {
        console::set_json_only();
    }
    let status = match parse::<P>(arguments) {
        Ok(parsed) => verb(parsed, json),
        Err(found) => match found.kind() {
            ErrorKind::DisplayVersion if !stands_alone(arguments) => {
                let mistake = mistyped::version_failure(program);
                Reporter::without_file(json).finish(Err(mistake))
            }
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => show(&found),
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => help_instead(&found),
            _ => {
                let mistake = mistyped::failure(program, &found, arguments);
                Reporter::without_file(json).finish(Err(mistake))
            }
        },
    };
    if let Status::Signalled(signal) = status {
        // Whoever started this program, such as a shell that runs a script, is to see the same end.
        let _ = emulate_default_handler(signal.into());
    }
    status.into()
}

/// Returns whether nothing follows the `--`. In a script that is a variable without a value, which clap does not see.
fn ends_in_separator(arguments: &[OsString]) -> bool {
    let separator = arguments.iter().position(|argument| argument == "--");
    separator.is_some_and(|at| at.saturating_add(1) == arguments.len())
}

/// Returns whether the version was asked for, and nothing else.
fn stands_alone(arguments: &[OsString]) -> bool {
    matches!(arguments, [_, asked] if asked == "-V" || asked == "--version")
}

/// Parses the command line, and remembers which verb was typed.
fn parse<P: Parser>(arguments: &[OsString]) -> Result<P, clap::Error> {
    let mut command = P::command();
    let parsed = command.try_get_matches_from_mut(arguments).and_then(|mut matches| {
        typed::set_verb(verb_of(&matches));
        P::from_arg_matches_mut(&mut matches)
    });
    parsed.map_err(|error| error.format(&mut command))
}

/// Returns the names of the verb that was typed.
fn verb_of(matches: &ArgMatches) -> Vec<String> {
    let mut names = Vec::new();
    let mut next = matches.subcommand();
    while let Some((name, inner)) = next {
        names.push(name.to_owned());
        next = inner.subcommand();
    }
    names
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

/// Lets a write beyond the limit on the size of files (`ulimit -f`) fail, as on a full disk, where SIGXFSZ would end
/// the process: in the middle of a record, and before what was written is committed.
///
/// The signal is caught and not ignored, because that ends with `exec`. So jobs are ended by it as ever.
fn survive_file_limits() {
    // Where it cannot be caught, the process ends by it, as others do.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}
