//! What `brine completions` takes.

use clap::{Args, ValueEnum};

/// Write the completions for a shell to standard output
#[derive(Args, Debug)]
pub struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,

    /// The program to complete
    #[arg(value_enum, value_name = "PROGRAM", default_value_t)]
    pub program: Program,
}

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  Complete both programs in bash:
    $ brine completions bash > ~/.local/share/bash-completion/completions/brine
    $ brine completions bash brinekey > ~/.local/share/bash-completion/completions/brinekey";

/// A shell with completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// One of the two programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Program {
    /// brine
    #[default]
    Brine,
    /// brinekey
    Brinekey,
}
