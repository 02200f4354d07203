//! The command line of `brinekey revoke` and `brinekey rotate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::help::arranged;
use super::value::parse_reason;
use super::when::{When, parse_duration};
use super::{PassphraseArgs, PermissionArgs};

/// The options that the short help shows.
const COMMON: [&str; 5] = ["issuer", "successor", "reason", "valid_for", "output"];

/// State that keys are believed no more
///
/// Writes a signed list of revoked keys, for everybody who trusts its signer: they take it with "brinekey trust update". A
/// key revokes itself, and an authority the keys of those for whom it may vouch. A list goes on where the one before it
/// ended, so that keys are added to it; without KEY it gets a new number and a new expiry. What is on a list never comes
/// off it.
#[derive(Args, Debug)]
#[command(mut_args = arranged(&COMMON))]
pub struct Revoke {
    /// The keys: each an OpenSSH public key, a file, or a name; the private half of one that revokes itself
    #[arg(value_name = "KEY", required_unless_present = "issuer")]
    pub keys: Vec<String>,

    /// Sign with this key, that of an authority; without it, KEY revokes itself
    #[arg(short = 'k', long = "with", value_name = "CA", requires = "valid_for")]
    pub issuer: Option<String>,

    /// Why, for those whom signatures are refused to
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    pub reason: Option<String>,

    /// When the keys were lost; it is shown, and changes nothing: all of their signatures are refused
    ///
    /// WHEN is a date like 2026-12-31 (midnight here), a time like 2026-12-31T12:00Z, or counts from now: 30d,
    /// 12h, "7d ago", now.
    #[arg(long, value_name = "WHEN", value_parser = When::parse, allow_hyphen_values = true)]
    pub lost: Option<When>,

    /// Have verifiers want a newer list after this time, like 30d; a key that revokes itself needs none
    ///
    /// From then on they believe nobody for whom the authority vouches.
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration, requires = "issuer")]
    pub valid_for: Option<Duration>,

    /// The list: it is read if it is there, and replaced; "-" is standard output, for a key that revokes itself
    ///
    /// The default is NAME.revocation beside the key that signs it.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Describe the list on standard error as a line of JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,

    #[command(flatten)]
    pub permissions: PermissionArgs,
}

pub(super) const REVOKE_EXAMPLES: &str = "\
Examples:
  An authority takes back what it said of bob's key, and renews its list every month:
    $ brinekey revoke ./bob.pub --with team --for 40d --reason 'laptop stolen'
    $ brinekey revoke --with team --for 40d

  A key that was lost says so itself, to all who trust it:
    $ brinekey revoke default -o alice.revocation";

/// State which key comes after a key
///
/// Writes a statement that both keys sign. Whoever trusts the old key takes it with "brinekey trust update", which asks a
/// person first: a thief of the old key can make such a statement, too. A key has one successor, so that verifiers
/// refuse a second one.
#[derive(Args, Debug)]
#[command(mut_args = arranged(&COMMON))]
pub struct Rotate {
    /// The key before: a name, a file, or agent:NAME
    #[arg(value_name = "KEY", default_value = "default")]
    pub key: String,

    /// The key that comes after it: a name, a file, or agent:NAME
    #[arg(long = "to", value_name = "KEY")]
    pub successor: String,

    /// How long the statement can be taken
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration, default_value = "90d")]
    pub valid_for: Duration,

    /// Write to FILE; the default is NAME.rotation beside the key before; "-" is standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Replace a statement that is there
    #[arg(short, long)]
    pub force: bool,

    /// Describe the statement on standard error as a line of JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,

    #[command(flatten)]
    pub permissions: PermissionArgs,
}

pub(super) const ROTATE_EXAMPLES: &str = "\
Examples:
  A new key, which others follow after they have compared its fingerprint:
    $ brinekey gen new
    $ brinekey rotate default --to new -o alice.rotation
    $ brinekey show new

  Then use it by default:
    $ brinekey rename default old && brinekey rename new default";
