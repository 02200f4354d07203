//! The command line of `brinekey trust`.

use std::path::PathBuf;

use brine_core::Timestamp;
use clap::{Args, Subcommand};

use super::value::{parse_context, parse_time};

/// Manage the trust file
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum TrustVerb {
    /// Trust a key under a name
    #[command(after_long_help = TRUST_ADD_EXAMPLES)]
    Add(TrustAdd),
    /// List the trusted signers
    #[command(after_long_help = TRUST_LIST_EXAMPLES)]
    List(TrustList),
    /// Remove a signer
    #[command(after_long_help = TRUST_REMOVE_EXAMPLES)]
    Remove(TrustRemove),
    /// Check whether signatures of a key would be accepted
    #[command(after_long_help = TRUST_CHECK_EXAMPLES)]
    Check(TrustCheck),
}

/// Trust a key under a name
///
/// Comments in the trust file are kept.
#[derive(Args, Debug)]
pub struct TrustAdd {
    /// The name of the signer
    #[arg(value_name = "NAME")]
    pub name: String,

    /// The public key: its OpenSSH text, a file, or a name in the key store
    #[arg(value_name = "KEY")]
    pub key: String,

    /// Trust the signer only for contexts like this; * matches anything but a slash (can be repeated)
    ///
    /// Signatures without a context are then refused.
    #[arg(short = 'c', long = "context", value_name = "GLOB")]
    pub contexts: Vec<String>,

    /// Trust the signer from this time on
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub not_before: Option<Timestamp>,

    /// Trust the signer until this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub not_after: Option<Timestamp>,

    #[command(flatten)]
    pub file: TrustFile,
}

const TRUST_ADD_EXAMPLES: &str = "\
Examples:
  From a file:
    $ brinekey trust add alice ./alice.pub

  From a message:
    $ brinekey trust add alice \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI...\"";

/// List the trusted signers
#[derive(Args, Debug)]
pub struct TrustList {
    /// Write one line of JSON for each signer
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub file: TrustFile,
}

const TRUST_LIST_EXAMPLES: &str = "\
Examples:
  All signers, and their limits:
    $ brinekey trust list";

/// Remove a signer
///
/// Removes every entry with this name or key. To record that a key must not be trusted any more, give its entry
/// a revoked-at time in the trust file instead.
#[derive(Args, Debug)]
pub struct TrustRemove {
    /// The signer's name, its key id in hex, or the text of its public key
    #[arg(value_name = "SIGNER")]
    pub signer: String,

    #[command(flatten)]
    pub file: TrustFile,
}

const TRUST_REMOVE_EXAMPLES: &str = "\
Examples:
  By name:
    $ brinekey trust remove alice";

/// Check whether signatures of a key would be accepted
///
/// Exits with 0 if they would, and with 5 and the reason if not.
#[derive(Args, Debug)]
pub struct TrustCheck {
    /// The public key: its OpenSSH text, a file, or a name
    #[arg(value_name = "KEY")]
    pub key: String,

    /// The context of the signature; without it, a signature without a context
    #[arg(short, long, value_name = "TEXT", value_parser = parse_context)]
    pub context: Option<String>,

    /// Judge as of this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub now: Option<Timestamp>,

    /// Refuse all keys in FILE, which has one OpenSSH public key a line
    #[arg(long, value_name = "FILE")]
    pub revoked: Option<PathBuf>,

    #[command(flatten)]
    pub file: TrustFile,
}

const TRUST_CHECK_EXAMPLES: &str = "\
Examples:
  Check a signature of alice for one context:
    $ brinekey trust check ./alice.pub --context reports/daily";

/// The trust file.
#[derive(Args, Clone, Debug, Default)]
pub struct TrustFile {
    /// Use this trust file instead of the default one
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
}
