//! The command line of `brinekey trust`.

use std::path::PathBuf;

use brine_keys::Fingerprint;
use clap::{Args, Subcommand};

use super::PermissionArgs;
use super::help::first_of;
use super::value::{parse_context, parse_fingerprint, parse_reason};
use super::when::When;

/// Manage the trust file
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum TrustVerb {
    /// Trust a key under a name
    #[command(after_long_help = TRUST_ADD_EXAMPLES, after_help = first_of(TRUST_ADD_EXAMPLES))]
    Add(TrustAdd),
    /// List the trusted signers
    #[command(after_long_help = TRUST_LIST_EXAMPLES, after_help = first_of(TRUST_LIST_EXAMPLES))]
    List(TrustList),
    /// Refuse a key from now on, under any name
    #[command(after_long_help = TRUST_REVOKE_EXAMPLES, after_help = first_of(TRUST_REVOKE_EXAMPLES))]
    Revoke(TrustRevoke),
    /// Remove a signer or an authority
    #[command(after_long_help = TRUST_REMOVE_EXAMPLES, after_help = first_of(TRUST_REMOVE_EXAMPLES))]
    Remove(TrustRemove),
    /// Take signed revocations and rotations
    #[command(after_long_help = TRUST_UPDATE_EXAMPLES, after_help = first_of(TRUST_UPDATE_EXAMPLES))]
    Update(TrustUpdate),
    /// Check whether signatures of a key would be accepted
    #[command(after_long_help = TRUST_CHECK_EXAMPLES, after_help = first_of(TRUST_CHECK_EXAMPLES))]
    Check(TrustCheck),
}

/// Trust a key under a name
///
/// Shows the fingerprint of the key, to be compared with what its owner says: "brinekey show" tells them. Comments in
/// the trust file are kept.
#[derive(Args, Debug)]
pub struct TrustAdd {
    /// The name of the signer
    #[arg(value_name = "NAME")]
    pub name: String,

    /// The public key: its OpenSSH text, a file, or a name in the key store
    #[arg(value_name = "KEY")]
    pub key: String,

    /// Refuse any other key than the one with this fingerprint
    ///
    /// Takes a whole fingerprint of OpenSSH, SHA256:..., or the 64 hex digits of a key id. Spaces and hyphens do not
    /// count.
    #[arg(long, value_name = "FINGERPRINT", value_parser = parse_fingerprint)]
    pub expect: Option<Fingerprint>,

    /// Trust the signer only for contexts like this; * matches anything but a slash (can be repeated)
    ///
    /// Signatures without a context are then refused.
    #[arg(short = 'c', long = "context", value_name = "GLOB")]
    pub contexts: Vec<String>,

    /// Let the signer issue certificates for names below its own, for what it may do itself
    ///
    /// "brinekey issue" makes such certificates: alice can hand on what she may sign to alice/ci, for an hour.
    #[arg(long, conflicts_with = "authority")]
    pub may_issue: bool,

    /// Trust KEY as an authority: believe the certificates that it issues to names like this (can be repeated)
    ///
    /// PATTERN is one of OpenSSH: * matches anything, ? one character, and ! before a pattern excludes names. The key
    /// signs nothing itself then. The limits of this command hold for all that it certifies.
    #[arg(long, value_name = "PATTERN")]
    pub authority: Vec<String>,

    /// Refuse everybody whom this authority certifies until a list of what it revokes has been taken
    ///
    /// "brinekey revoke --with" makes lists, and "brinekey trust update" takes them.
    #[arg(long, requires = "authority")]
    pub needs_revocations: bool,

    /// Trust the signer from this time on
    ///
    /// WHEN is a date like 2026-12-31 (midnight here), a time like 2026-12-31T12:00Z, or counts from now: 30d,
    /// 12h, "7d ago", now.
    #[arg(long, value_name = "WHEN", value_parser = When::parse, allow_hyphen_values = true)]
    pub not_before: Option<When>,

    /// Trust the signer until this time
    ///
    /// WHEN is a date like 2026-12-31 (midnight here), a time like 2026-12-31T12:00Z, or counts from now: 30d,
    /// 12h, "7d ago", now.
    #[arg(long, value_name = "WHEN", value_parser = When::parse, allow_hyphen_values = true)]
    pub not_after: Option<When>,

    /// Write the new entry as one line of JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub file: TrustFile,
}

const TRUST_ADD_EXAMPLES: &str = "\
Examples:
  From a file, with the fingerprint that alice reads aloud:
    $ brinekey trust add alice ./alice.pub \\
        --expect 'bbXp uKG6 zhzd mnxq 256T lqzF BzRl 2f6O Og72 2cYN bU8'

  From a message:
    $ brinekey trust add alice \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI...\"

  An authority that vouches for everybody of the team, for two contexts:
    $ brinekey trust add team ./team.pub --authority '*@example.com' \\
        -c 'jobs/*' -c 'release/*'";

/// List the trusted signers
///
/// Shows the name, the OpenSSH fingerprint and the state of each entry, and what it is limited to.
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
    $ brinekey trust list

  The names of those who are trusted now:
    $ brinekey trust list --json | jq -r 'select(.state == \"trusted\") | .name'";

/// Refuse a key from now on, under any name
///
/// Signatures of a revoked key are refused, whenever they were made. The key is revoked in each of its entries, whose
/// comments are kept, and cannot be added again. A key without an entry gets one that revokes it. An earlier
/// revocation is never postponed.
#[derive(Args, Debug)]
pub struct TrustRevoke {
    /// The signer's name, its fingerprint or key id, or its public key: the OpenSSH text, or a file
    #[arg(value_name = "SIGNER")]
    pub signer: String,

    #[command(flatten)]
    pub which: WhichKey,

    /// Why, for those whom the key's signatures are refused to
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    pub reason: Option<String>,

    /// Refuse the key from this time on, instead of now
    ///
    /// WHEN is a date like 2026-12-31 (midnight here), a time like 2026-12-31T12:00Z, or counts from now: 30d,
    /// 12h, "7d ago", now.
    #[arg(long, value_name = "WHEN", value_parser = When::parse, allow_hyphen_values = true)]
    pub at: Option<When>,

    /// Write the key's entries as one line of JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub file: TrustFile,
}

const TRUST_REVOKE_EXAMPLES: &str = "\
Examples:
  Alice has lost her laptop:
    $ brinekey trust revoke alice --reason 'laptop stolen'

  A key that has leaked, and that nobody has trusted here:
    $ brinekey trust revoke ./leaked.pub";

/// Remove a signer or an authority
///
/// Removes every entry with this name or key, and says where the same key is still trusted. A revoked key stays
/// revoked: its last entry is removed only with --force. To have a key refused, revoke it instead.
#[derive(Args, Debug)]
pub struct TrustRemove {
    /// The signer's name, its fingerprint or key id, or its public key: the OpenSSH text, or a file
    #[arg(value_name = "SIGNER")]
    pub signer: String,

    #[command(flatten)]
    pub which: WhichKey,

    /// Remove entries without which a revoked key would be an unknown one, too
    #[arg(short, long)]
    pub force: bool,

    /// Write the removed entries as one line of JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub file: TrustFile,
}

const TRUST_REMOVE_EXAMPLES: &str = "\
Examples:
  By name:
    $ brinekey trust remove alice

  One of two keys that alice has:
    $ brinekey trust remove alice \\
        --key SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8";

/// Take signed revocations and rotations
///
/// Takes a list of revoked keys if its signer may revoke them and it is newer than the one that is kept here. It is kept
/// beside the trust file, and every signature by these keys is refused from then on. A rotation adds the new key beside the old
/// one, with the same names and limits, after you have agreed at the terminal, or with --expect.
#[derive(Args, Debug)]
pub struct TrustUpdate {
    /// The statements: files, or directories with files NAME.revocation and NAME.rotation; "-" is standard input
    #[arg(value_name = "FILE|DIR", required = true)]
    pub inputs: Vec<PathBuf>,

    /// Follow the rotation to the key with this fingerprint without asking; its owner tells it
    ///
    /// Takes a whole fingerprint of OpenSSH, SHA256:..., or the 64 hex digits of a key id. Spaces and hyphens do not
    /// count.
    #[arg(long, value_name = "FINGERPRINT", value_parser = parse_fingerprint)]
    pub expect: Option<Fingerprint>,

    /// Write one line of JSON for each statement
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub file: TrustFile,
}

const TRUST_UPDATE_EXAMPLES: &str = "\
Examples:
  Fetch the list of an authority every day:
    $ curl -fsS https://example.com/team.revocation | brinekey trust update -

  Follow alice to her new key, whose fingerprint she reads aloud:
    $ brinekey trust update alice.rotation \\
        --expect 'bbXp uKG6 zhzd mnxq 256T lqzF BzRl 2f6O Og72 2cYN bU8'";

/// Which key is meant, where a signer has several.
#[derive(Args, Clone, Debug, Default)]
pub struct WhichKey {
    /// Only the key with this fingerprint or key id, where the signer has several
    #[arg(long, value_name = "FINGERPRINT", value_parser = parse_fingerprint)]
    pub key: Option<Fingerprint>,

    /// All keys of the signer
    #[arg(long, conflicts_with = "key")]
    pub all: bool,
}

/// Check whether signatures of a key would be accepted
///
/// Exits with 0 if they would, and with 5 and the reason if not.
#[derive(Args, Debug)]
pub struct TrustCheck {
    /// The public key: its OpenSSH text, a file, a name, or the fingerprint of a trusted key
    #[arg(value_name = "KEY")]
    pub key: String,

    /// The context of the signature; without it, a signature without a context
    #[arg(short, long, value_name = "TEXT", value_parser = parse_context)]
    pub context: Option<String>,

    /// Judge as of another time
    ///
    /// WHEN is a date like 2026-12-31 (midnight here), a time like 2026-12-31T12:00Z, or counts from now: 30d,
    /// 12h, "7d ago", now.
    #[arg(long, value_name = "WHEN", value_parser = When::parse, allow_hyphen_values = true)]
    pub now: Option<When>,

    /// Refuse all keys in FILE: one OpenSSH public key a line, or a list by ssh-keygen -k
    #[arg(long, value_name = "FILE")]
    pub revoked: Option<PathBuf>,

    /// Write one line of JSON
    #[arg(long)]
    pub json: bool,

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

    #[command(flatten)]
    pub permissions: PermissionArgs,
}
