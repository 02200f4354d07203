//! Which verb was typed, and whose trust, for hints that fit them.

use std::path::PathBuf;
use std::sync::OnceLock;

use clap::{Command, CommandFactory as _};

use crate::args::brine::Brine;
use crate::args::brinekey::BrineKey;

/// Keeps the names of the verb, as in `trust` and `add`. Nothing is known of it while the command line is read.
pub(crate) fn set_verb(names: Vec<String>) {
    VERB.get_or_init(|| names);
}

/// Whom a command line names to be believed, in place of the trust file at home.
#[derive(Debug)]
pub(crate) enum TypedTrust {
    File(PathBuf),
    Keys,
}

/// Keeps what was typed about trust.
pub(crate) fn set_trust(trust: TypedTrust) {
    TRUST.get_or_init(|| trust);
}

/// Returns what was typed about trust, if anything was.
pub(super) fn trust() -> Option<&'static TypedTrust> {
    TRUST.get()
}

/// Returns the verb that was typed, as clap knows it.
pub(super) fn verb() -> Option<Command> {
    let program = match super::console::program() {
        "brinekey" => BrineKey::command(),
        _ => Brine::command(),
    };
    find(program, VERB.get()?)
}

/// Returns a verb of a program, with all that can be typed to it.
pub(super) fn find(mut program: Command, names: &[String]) -> Option<Command> {
    program.build();
    let mut found = &program;
    for name in names {
        found = found.find_subcommand(name)?;
    }
    Some(found.clone())
}

static VERB: OnceLock<Vec<String>> = OnceLock::new();

static TRUST: OnceLock<TypedTrust> = OnceLock::new();
