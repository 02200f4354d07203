//! `brine completions`.

use clap::CommandFactory as _;
use clap_complete::{Shell as Generator, generate};

use crate::args::brine::Brine;
use crate::args::brinekey::BrineKey;
use crate::args::completions::{Completions, Program, Shell};
use crate::report::Failure;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::whole_file::Access;

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
    Output::stdout(&mut OverwriteGuard::default())?
        .write(Access::Ordinary, |output| output.write_all(&script))
}
