//! What judges an envelope, and where its verdict goes: the same options for every verb that verifies.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::PermissionArgs;
use super::value::{parse_context, parse_count, parse_file};
use super::when::{When, parse_duration};

/// What judges an envelope.
#[derive(Args, Clone, Debug, Default)]
pub struct JudgeArgs {
    #[command(flatten)]
    pub trust: TrustArgs,

    /// Accept only the signer of this name in the trust file (can be repeated)
    ///
    /// Of an envelope with several signatures, each name that is given needs one of its own.
    #[arg(long = "signer", value_name = "NAME")]
    pub signers: Vec<String>,

    /// Accept only what so many persons signed
    ///
    /// Two keys of one name are one person, two names of one key are, and all for whom the same authority vouches. The
    /// trust file can say how many a context needs.
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub require: Option<NonZero<usize>>,

    /// Require a signature for this context
    ///
    /// Signer and verifier must name the same context, or both none.
    #[arg(short, long, value_name = "TEXT", value_parser = parse_context)]
    pub context: Option<String>,

    /// Refuse signatures older than this, like 90s, 12h or 7d
    ///
    /// Age counts from the time that the signer states to the time of release, by this machine's clock. There is
    /// no leeway.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub max_age: Option<Duration>,

    /// Judge as of another time; the verdict says so
    ///
    /// WHEN is a date like 2026-12-31 (midnight here), a time like 2026-12-31T12:00Z, or counts from now: 30d,
    /// 12h, "7d ago", now. With "--now 30d", it tells whether the signature will still be good in 30 days.
    #[arg(long, value_name = "WHEN", value_parser = When::parse, allow_hyphen_values = true)]
    pub now: Option<When>,

    /// Verify the bytes of FILE as well; they were signed together with the payload
    #[arg(long, value_name = "FILE", value_parser = parse_file())]
    pub aad: Option<PathBuf>,

    /// Accept envelopes without a CBOR tag, too
    #[arg(long)]
    pub untagged: bool,

    /// Accept envelopes inside the CBOR tags 61 (a CWT) and 55799 (CBOR), too
    #[arg(long)]
    pub outer_tags: bool,

    /// Try up to N trusted keys, instead of 16, if an envelope names none of them
    ///
    /// Keys are tried in the order of -p or of the trust file.
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub try_keys: Option<NonZero<usize>>,
}

/// Whom to believe.
#[derive(Args, Clone, Debug, Default)]
pub struct TrustArgs {
    /// Trust KEY (can be repeated)
    ///
    /// KEY is the text of an OpenSSH public key; or a file, if it has a slash in it or ends in .key, .pub or
    /// .pem; or a name in the trust file or the key store. Replaces the default trust file.
    #[arg(short = 'p', long = "public-key", value_name = "KEY")]
    pub public_keys: Vec<String>,

    /// Trust the signers in FILE, a trust.toml or an OpenSSH allowed_signers file
    ///
    /// Replaces the default trust file. With -p, only those keys are trusted: FILE then says which keys the
    /// names stand for, and keys that it revokes stay revoked. A regular file is read again when it changes, also
    /// while records or a stream flow. One that no longer parses stops the work.
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,

    /// Refuse all keys in FILE: one OpenSSH public key a line, or a list by ssh-keygen -k
    #[arg(long, value_name = "FILE")]
    pub revoked: Option<PathBuf>,

    #[command(flatten)]
    pub permissions: PermissionArgs,
}

/// Where the verdict goes.
#[derive(Args, Clone, Debug, Default)]
pub struct VerdictArgs {
    /// Write the verdict, and nothing else, to standard error as a line of JSON
    ///
    /// Where several files are verified, there is a line for each.
    #[arg(long)]
    pub json: bool,

    /// Write the verdict to FILE as a line of JSON
    #[arg(long, value_name = "FILE", value_parser = parse_file())]
    pub report: Option<PathBuf>,

    /// Say who signed, even where standard error is not a terminal
    ///
    /// What a job writes to standard error is shown while it runs.
    #[arg(short, long)]
    pub verbose: bool,

    /// Print no progress and no warnings, and nothing on success
    ///
    /// What a job writes to standard error is not shown either.
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
}
