//! `brine completions`.
//!
//! clap_complete is not used. Its static scripts know no names of keys and signers. Its dynamic engine is unstable, and
//! in bash it puts candidates on the line as they are: a name with `$(…)` in it would run when the line is entered.

mod candidates;
mod command_place;
mod known_names;

use clap::CommandFactory as _;
use serde::Serialize;

use self::candidates::Candidates;
use self::command_place::CommandPlace;
use crate::args::brine::Brine;
use crate::args::brinekey::BrineKey;
use crate::args::completions::{Completions, Program, Shell};
use crate::report::console::json_line;
use crate::report::{Failure, Outcome};
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;

pub(super) fn run(args: &Completions) -> Result<Outcome, Failure> {
    let output = Output::stdout(&mut OverwriteGuard::default())?;
    if args.words.is_empty() {
        output.print(&script(args.shell, args.program))?;
        return Ok(Outcome::Described(described(args)));
    }
    let mut command = match args.program {
        Program::Brine => Brine::command(),
        Program::Brinekey => BrineKey::command(),
    };
    command.build();
    let words: Vec<_> = args.words.iter().map(|word| word.to_string_lossy()).collect();
    let candidates = CommandPlace::find(&command, &words).map(Candidates::at);
    output.print(&candidates.unwrap_or_default().to_string())?;
    Ok(Outcome::Described(described(args)))
}

/// Says for programs what was written.
fn described(args: &Completions) -> String {
    let shell = match args.shell {
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
    };
    json_line(&CompletionsLine { schema: SCHEMA, shell, program: name_of(args.program) })
}

#[derive(Serialize)]
struct CompletionsLine {
    schema: &'static str,
    shell: &'static str,
    program: &'static str,
}

const fn name_of(program: Program) -> &'static str {
    match program {
        Program::Brine => "brine",
        Program::Brinekey => "brinekey",
    }
}

/// Returns the script for a shell, which calls `brine completions` again.
fn script(shell: Shell, program: Program) -> String {
    let template = match shell {
        Shell::Bash => include_str!("completions/script.bash"),
        Shell::Zsh => include_str!("completions/script.zsh"),
        Shell::Fish => include_str!("completions/script.fish"),
    };
    template.replace("PROGRAM", name_of(program))
}

/// The version of the line's form; docs/json.md describes it.
const SCHEMA: &str = "brine.completions/1";
