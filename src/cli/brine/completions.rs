//! `brine completions`.

use clap::CommandFactory as _;
use clap_complete::{Shell as Generator, generate};

use crate::cli::args::brine::{Brine, Completions, Program, Shell};
use crate::cli::args::brinekey::BrineKey;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::whole_file::Access;

pub(super) fn run(args: &Completions) -> Result<(), Failure> {
    let (mut command, name) = match args.program {
        Program::Brine => (Brine::command(), "brine"),
        Program::Brinekey => (BrineKey::command(), "brinekey"),
    };
    let shell = match args.shell {
        Shell::Bash => Generator::Bash,
        Shell::Zsh => Generator::Zsh,
        Shell::Fish => Generator::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut command, name, &mut script);
    Output::stdout().write(Access::Ordinary, |output| output.write_all(&script))
}
