//! `brine completions`.
//!
//! clap_complete is not used. Its static scripts know no names of keys and signers. Its dynamic engine is unstable, and
//! in bash it puts candidates on the line as they are: a name with `$(…)` in it would run when the line is entered.

mod candidates;
mod command_place;
mod known_names;

use clap::CommandFactory as _;

use self::candidates::Candidates;
use self::command_place::CommandPlace;
use crate::args::brine::Brine;
use crate::args::brinekey::BrineKey;
use crate::args::completions::{Completions, Program, Shell};
use crate::report::Failure;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;

pub(super) fn run(args: &Completions) -> Result<(), Failure> {
    let output = Output::stdout(&mut OverwriteGuard::default())?;
    if args.words.is_empty() {
        return output.print(&script(args.shell, args.program));
    }
    let mut command = match args.program {
        Program::Brine => Brine::command(),
        Program::Brinekey => BrineKey::command(),
    };
    command.build();
    let words: Vec<_> = args.words.iter().map(|word| word.to_string_lossy()).collect();
    let candidates = CommandPlace::find(&command, &words).map(Candidates::at);
    output.print(&candidates.unwrap_or_default().to_string())
}

/// Returns the script for a shell, which calls `brine completions` again.
fn script(shell: Shell, program: Program) -> String {
    let template = match shell {
        Shell::Bash => include_str!("completions/script.bash"),
        Shell::Zsh => include_str!("completions/script.zsh"),
        Shell::Fish => include_str!("completions/script.fish"),
    };
    let name = match program {
        Program::Brine => "brine",
        Program::Brinekey => "brinekey",
    };
    template.replace("PROGRAM", name)
}
