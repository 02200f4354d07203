//! What `brine cosign` takes.

use std::path::PathBuf;

use clap::Args;

use super::PassphraseArgs;
use super::help::arranged;
use super::judge::JudgeArgs;

/// Add a signature to an envelope of several signers
///
/// Verifies the envelope first, as "brine verify" does: whoever cosigns says the same as those who signed, and should know
/// who they are. That it still has too few signatures is no matter. Touches neither the content nor the other signatures.
/// Only what was signed with several keys or with --cosignable can be cosigned.
#[derive(Args, Debug)]
#[command(mut_args = arranged(&COMMON))]
pub struct Cosign {
    /// The envelope; "-" or nothing is standard input; with -d, the file that was signed
    #[arg(value_name = "FILE")]
    pub input: Option<PathBuf>,

    /// Sign with KEY: a name in the key store, a key file, or agent:NAME
    #[arg(short, long, value_name = "KEY", default_value = "default")]
    pub key: String,

    /// Write to FILE, whole or not at all; "-" is standard output
    #[arg(short, long, value_name = "FILE", conflicts_with = "detached")]
    pub output: Option<PathBuf>,

    /// Cosign FILE.sig, the signature beside FILE, in its place
    #[arg(short, long, requires = "input")]
    pub detached: bool,

    /// Cosign a job instead of data
    #[arg(long, conflicts_with = "detached")]
    pub job: bool,

    /// Print nothing on success
    #[arg(short, long)]
    pub quiet: bool,

    /// Say what was cosigned as a line of JSON on standard error, which then has nothing else
    #[arg(long)]
    pub json: bool,

    #[command(flatten, next_help_heading = "Verification")]
    pub judge: JudgeArgs,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

/// The options that the short help shows.
const COMMON: [&str; 5] = ["key", "output", "detached", "context", "signers"];

pub(super) const COSIGN_EXAMPLES: &str = "\
Examples:
  Two people release a file; the second sees what the first signed:
    $ brine sign -d --cosignable -k alice -c release/1 release.tar
    $ brine cosign -d -k bob -c release/1 --signer alice release.tar
    $ brine verify -d -c release/1 --require 2 release.tar";
