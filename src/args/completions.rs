//! What `brine completions` takes.

use std::ffi::OsString;

use clap::{Args, ValueEnum};

/// Write the completions for a shell to standard output
///
/// The script asks "brine completions" for what fits while somebody types: verbs and options, names of keys and
/// signers, and contexts of the trust file.
#[derive(Args, Debug)]
pub struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,

    /// The program to complete
    #[arg(value_enum, value_name = "PROGRAM", default_value_t)]
    pub program: Program,

    /// Say on standard error what was written, as a line of JSON
    #[arg(long)]
    pub json: bool,

    /// Instead of the script, list what can complete the last of these words
    ///
    /// This is what the script calls. The first line says what fits besides: "words" (nothing), "files" or
    /// "commands". Then comes a candidate a line, with a tab and a description where there is one.
    #[arg(last = true, value_name = "WORD")]
    pub words: Vec<OsString>,
}

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  Complete both programs in bash:
    $ mkdir -p ~/.local/share/bash-completion/completions
    $ cd ~/.local/share/bash-completion/completions
    $ brine completions bash > brine
    $ brine completions bash brinekey > brinekey

  In zsh, from a directory that fpath names before compinit runs:
    $ brine completions zsh > ~/.zsh/_brine
    $ brine completions zsh brinekey > ~/.zsh/_brinekey

  In fish:
    $ brine completions fish > ~/.config/fish/completions/brine.fish
    $ brine completions fish brinekey > ~/.config/fish/completions/brinekey.fish";

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
