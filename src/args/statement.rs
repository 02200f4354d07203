//! The command line of `brinekey revoke` and `brinekey rotate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::help::arranged;
use super::value::parse_loss_reason;
use super::when::{When, parse_duration};
use super::{PassphraseArgs, PermissionArgs};

/// The options that the short help shows.
const COMMON: [&str; 5] = ["issuer", "successor", "reason", "valid_for", "output"];

/// Revoke keys for everybody who trusts the signer
///
/// Writes a signed list of revoked keys. Others take it with "brinekey trust update". A key can revoke itself; an authority
/// can revoke the keys of those for whom it may vouch. With --with, a list that is there is continued: keys are added to
/// it, and without KEY it only gets a new number and a new expiry. A key never comes off a list.
#[derive(Args, Debug)]
#[command(mut_args = arranged(&COMMON))]
pub struct Revoke {
    /// The keys to revoke: OpenSSH public keys, files or names; without --with, the private key that revokes itself
    #[arg(value_name = "KEY", required_unless_present = "issuer")]
    pub keys: Vec<String>,

    /// Sign with the key of an authority; without it, KEY revokes itself
    #[arg(short = 'k', long = "with", value_name = "CA", requires = "valid_for")]
    pub issuer: Option<String>,

    /// The reason, shown where a signature is refused
    #[arg(long, value_name = "TEXT", value_parser = parse_loss_reason, requires = "keys")]
    pub reason: Option<String>,

    /// When the keys were lost: shown, and nothing more, since all of their signatures are refused
    ///
    /// WHEN is a date like 2026-12-31 (midnight here), a time like 2026-12-31T12:00Z, or counts from now: 30d,
    /// 12h, "7d ago", now.
    #[arg(long, value_name = "WHEN", value_parser = When::parse, allow_hyphen_values = true, requires = "keys")]
    pub lost: Option<When>,

    /// How long the list is valid, like 30d
    ///
    /// After that, verifiers believe nobody whom this authority certifies until they have a newer list. A key that revokes
    /// itself needs no end.
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration, requires = "issuer")]
    pub valid_for: Option<Duration>,

    /// Write the list to FILE; an authority's list that is there is continued
    ///
    /// The default is NAME.revocation beside the key that signs it, and NAME.itself.revocation for a key that revokes itself,
    /// for which "-" is standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Revoke the keys on this list, too, which another authority has made
    ///
    /// A new authority takes over with it what the old one has revoked, whose key is in the key store or the trust file.
    #[arg(long, value_name = "FILE", requires = "issuer")]
    pub also: Option<PathBuf>,

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
  An authority revokes bob's key, and renews its list every month:
    $ brinekey revoke ./bob.pub --with team --for 40d --reason 'laptop stolen'
    $ brinekey revoke --with team --for 40d

  Made in advance and kept elsewhere, for the day on which the key is lost:
    $ brinekey revoke default -o alice.revocation";

/// Announce the successor of a key
///
/// Writes a statement that both keys sign. Whoever trusts the old key takes it with "brinekey trust update", which asks
/// first, because a thief of the old key can write one, too. A key has one successor; verifiers refuse a second one.
#[derive(Args, Debug)]
#[command(mut_args = arranged(&COMMON))]
pub struct Rotate {
    /// The old key: a name, a file, or agent:NAME
    #[arg(value_name = "KEY", default_value = "default")]
    pub key: String,

    /// The new key: a name, a file, or agent:NAME
    #[arg(long = "to", value_name = "KEY")]
    pub successor: String,

    /// How long others can take the statement
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration, default_value = "90d")]
    pub valid_for: Duration,

    /// Write to FILE; the default is NAME.rotation beside the old key; "-" is standard output
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
