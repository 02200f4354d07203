//! The command line of `brinekey ca` and `brinekey issue`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::help::arranged;
use super::value::parse_context;
use super::when::{When, parse_duration};
use super::{PassphraseArgs, PermissionArgs};

/// Make a key that certifies the keys of others
///
/// It is a key like any other, which nobody trusts as a signer by itself. Whoever trusts it as an authority believes the
/// certificates that "brinekey issue" makes with it. Such certificates are those of OpenSSH, and "ssh-keygen -s" issues
/// them as well. Asks for a passphrase if there is a terminal.
#[derive(Args, Debug)]
pub struct Ca {
    /// The name of the key
    #[arg(value_name = "NAME", default_value = "ca")]
    pub name: String,

    /// Leave the key unencrypted, without asking for a passphrase
    #[arg(long, conflicts_with_all = ["passphrase_file", "passphrase_fd"])]
    pub no_passphrase: bool,

    /// Write one line of JSON instead of the public key
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,

    #[command(flatten)]
    pub permissions: PermissionArgs,
}

pub(super) const CA_EXAMPLES: &str = "\
Examples:
  Make the key of an authority, and trust it for a team:
    $ brinekey ca team
    $ brinekey trust add team team --authority '*@example.com' -c 'release/*'";

/// Certify a key: say whose it is, until when, and for which contexts
///
/// Writes an OpenSSH certificate. "brine sign" finds it beside the key and puts it into what it signs; whoever trusts the
/// authority then believes the signer without having the key. Certificates say no more than the authority may: its own
/// limits in the trust file hold as well.
#[derive(Args, Debug)]
#[command(mut_args = arranged(&COMMON))]
pub struct Issue {
    /// The public key: its OpenSSH text, a file, or a name in the key store
    #[arg(value_name = "KEY")]
    pub key: String,

    /// Whose key it is (can be repeated)
    #[arg(short, long = "name", value_name = "NAME", required = true)]
    pub names: Vec<String>,

    /// Certify with this key: a name in the key store or a key file
    ///
    /// A key that has a certificate itself hands on what it may do if that certificate was made with --delegate, to names
    /// below its own: alice to alice/ci. A key in the trust file does if its entry has "may-issue = true".
    #[arg(short = 'k', long = "with", value_name = "CA", default_value = "ca")]
    pub issuer: String,

    /// Limit the certificate to contexts like this; * matches anything but a slash (can be repeated)
    ///
    /// Signatures without a context are then refused. Without this, the limits of the authority alone hold.
    #[arg(short, long = "context", value_name = "GLOB", value_parser = parse_context)]
    pub contexts: Vec<String>,

    /// Let the certificate end after this time, like 90d or 1h
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration,
        required_unless_present = "until", conflicts_with = "until")]
    pub valid_for: Option<Duration>,

    /// Let the certificate end at this time
    ///
    /// WHEN is a date like 2026-12-31 (midnight here), a time like 2026-12-31T12:00Z, or counts from now: 30d,
    /// 12h, "7d ago", now.
    #[arg(long, value_name = "WHEN", value_parser = When::parse, allow_hyphen_values = true)]
    pub until: Option<When>,

    /// Let the key issue certificates for what it may do itself
    #[arg(long)]
    pub delegate: bool,

    /// What to call the certificate; the default is the first name
    #[arg(long, value_name = "TEXT", value_parser = parse_context)]
    pub id: Option<String>,

    /// The number of the certificate, by which it can be revoked; the default is a random one
    #[arg(long, value_name = "N")]
    pub serial: Option<u64>,

    /// Write to FILE; the default is KEY-cert.pub beside the key; "-" is standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Replace a certificate that is there
    #[arg(short, long)]
    pub force: bool,

    /// Describe the certificate on standard error as a line of JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,

    #[command(flatten)]
    pub permissions: PermissionArgs,
}

/// The options that the short help shows.
const COMMON: [&str; 5] = ["names", "issuer", "contexts", "valid_for", "output"];

pub(super) const ISSUE_EXAMPLES: &str = "\
Examples:
  Certify alice's key for jobs, for 90 days:
    $ brinekey issue ./alice.pub --with team --name alice \\
        --context 'jobs/*' --for 90d

  Let a CI job sign for alice, with her key, for an hour:
    $ brinekey issue ./ci.pub --with ~/.ssh/id_ed25519 \\
        --name alice/ci --context jobs/nightly --for 1h";
