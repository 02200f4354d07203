//! The commands of both programs, and how they and their arguments are called.

use std::ffi::OsString;

use clap::{Arg, Command, CommandFactory as _};

use super::listed;
use crate::args::brine::Brine;
use crate::args::brinekey::BrineKey;

/// Returns both programs with all their verbs, this one first.
pub(super) fn programs(first: &str) -> [Command; 2] {
    let mut programs = [Brine::command(), BrineKey::command()];
    programs.iter_mut().for_each(Command::build);
    programs.sort_by_key(|program| program.get_name() != first);
    programs
}

/// Returns the verb that was typed, as far as there is one.
///
/// The programs have no options with values before the verb, so the verb is the first word.
pub(super) fn innermost<'a>(program: &'a Command, typed: &[OsString]) -> &'a Command {
    let mut command = program;
    // The help of a verb is that of the same verb: `brine help trust add`.
    let first = if typed.get(1).is_some_and(|word| word == "help") { 2 } else { 1 };
    for word in typed.iter().skip(first) {
        match command.find_subcommand(word).filter(|verb| is_own(verb)) {
            Some(verb) => command = verb,
            None => break,
        }
    }
    command
}

/// Returns the verbs of a command, and theirs.
pub(super) fn verbs_below(command: &Command) -> Vec<&Command> {
    let below = |verb| std::iter::once(verb).chain(verbs_below(verb));
    command.get_subcommands().filter(|verb| is_own(verb)).flat_map(below).collect()
}

/// Returns whether a verb is not the one that clap adds.
fn is_own(verb: &Command) -> bool {
    verb.get_name() != "help"
}

/// Returns what is typed for a command, as in `brinekey trust add`.
pub(super) fn path_of(command: &Command) -> &str {
    command.get_bin_name().unwrap_or(command.get_name())
}

/// Returns the usage of a command in one line.
pub(super) fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    usage.trim_start_matches("Usage: ").lines().next().unwrap_or_default().to_owned()
}

/// Returns how an argument is called that clap shows as in `--now <WHEN>`, `[FILE]` or `<--lines|--null>`.
pub(super) fn argument_name(command: &Command, displayed: &str) -> String {
    if let Some(argument) = command.get_arguments().find(|argument| is_shown(argument, displayed)) {
        return typed_as(argument);
    }
    let group = command.get_groups().find_map(|group| {
        let members = group
            .get_args()
            .filter_map(|id| command.get_arguments().find(|argument| argument.get_id() == id));
        let members: Vec<_> = members.collect();
        let shown: Vec<_> = members.iter().map(ToString::to_string).collect();
        (displayed == format!("<{}>", shown.join("|")))
            .then(|| members.into_iter().map(typed_as).collect::<Vec<_>>())
    });
    group.map_or_else(|| displayed.to_owned(), |members| listed(&members, "or"))
}

fn is_shown(argument: &Arg, displayed: &str) -> bool {
    if argument.is_positional() {
        let inner = displayed.trim_end_matches("...").trim_matches(['<', '>', '[', ']']);
        return displayed.starts_with(['<', '[']) && inner == typed_as(argument);
    }
    argument.to_string() == displayed
}

/// Returns what is typed for an argument: `--now` or `FILE`.
pub(super) fn typed_as(argument: &Arg) -> String {
    let short = || argument.get_short().map(|short| format!("-{short}"));
    let name =
        || argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let long = argument.get_long().map(|long| format!("--{long}"));
    long.or_else(short).or_else(name).unwrap_or_else(|| argument.get_id().to_string())
}

/// Returns whether a command has this option, typed as in `--now` or `-p`.
pub(super) fn has_option(command: &Command, typed: &str) -> bool {
    command.get_arguments().any(|argument| match typed.strip_prefix("--") {
        Some(long) => argument.get_long() == Some(long),
        None => {
            let short = argument.get_short().map(|short| format!("-{short}"));
            short.as_deref() == Some(typed)
        }
    })
}
