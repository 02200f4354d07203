//! What `brine sign` takes.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use brine_core::Algorithm;
use brine_core::hash::HashAlgorithm;
use clap::{Args, ValueEnum};

use super::help::arranged;
use super::record::{BatchArgs, RecordArgs, RefusalArgs, and_records, record_groups};
use super::run::JobArgs;
use super::value::{
    parse_content_type, parse_context, parse_count, parse_file, parse_segment_size,
};
use super::when::{When, parse_pause};
use super::{PassphraseArgs, PermissionArgs};

/// Sign FILE or standard input
///
/// Writes one envelope (a COSE_Sign1) if the input fits a segment, which is 1 MiB by default. Writes a
/// stream of signed segments if the input is larger. A stream can have any size.
#[derive(Args, Debug)]
#[command(groups = record_groups(), mut_args = arranged(&COMMON))]
pub struct Sign {
    /// The file to sign; "-" or nothing is standard input; several files with --detached
    #[arg(value_name = "FILE")]
    pub inputs: Vec<PathBuf>,

    /// Sign with KEY: a name in the key store, a key file, or agent:NAME (can be repeated)
    ///
    /// Several keys sign one envelope (a COSE_Sign), each for itself, and verifiers say how many have to.
    ///
    /// KEY is a file if it has a slash in it or ends in .key or .pem, as in ~/.ssh/id_ed25519; "-" is standard input.
    /// Otherwise it is a name in the key store. agent:NAME is a key in the SSH agent, by its comment, its fingerprint or
    /// its public key, and agent: the only one there. The public half of such a key signs by itself, too.
    #[arg(short, long = "key", value_name = "KEY", default_value = "default")]
    pub keys: Vec<String>,

    /// Write an envelope that others can cosign, also with one key
    ///
    /// An envelope of one signer stays one: "brine cosign" adds signatures to what was signed with several keys, or with
    /// this.
    #[arg(long, conflicts_with_all = and_records(["flush_after"]))]
    pub cosignable: bool,

    /// Sign that the envelope is refused without any one of these signatures
    #[arg(long, conflicts_with_all = and_records(["flush_after", "plain"]))]
    pub needs_all: bool,

    /// Write to FILE, whole or not at all; "-" is standard output, even a terminal
    ///
    /// FILE is made beside its name and then takes it. A pipe, a device, and an open descriptor such as
    /// /dev/stdout or /dev/fd/3 are written in place, from where they are.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Write the signature of each FILE to FILE.sig beside it
    ///
    /// Leaves the payload out, and writes the signature of standard input to standard output. Signs the whole input
    /// if it fits a segment, and its digest if it is larger. A FILE.sig that is there is replaced only with --force.
    /// Goes on past a FILE that fails: the exit status is that of the first.
    #[arg(short, long, conflicts_with_all = and_records([]))]
    pub detached: bool,

    /// With -d, replace FILE.sig; a private key is never replaced
    #[arg(short, long, requires = "detached")]
    pub force: bool,

    /// Write text instead of binary
    #[arg(short, long, conflicts_with_all = and_records([]))]
    pub armor: bool,

    #[command(flatten)]
    pub statement: StatementArgs,

    /// Sign the bytes of FILE as well; verifiers need the same file
    #[arg(long, value_name = "FILE", value_parser = parse_file())]
    pub aad: Option<PathBuf>,

    /// The algorithm identifier to write; the algorithm is always Ed25519
    #[arg(long, value_enum, value_name = "ALG", default_value_t)]
    pub alg: Alg,

    /// Write only algorithm, key id and content type: the smallest envelope, and reproducible
    #[arg(long, conflicts_with_all = ["context", "expires", "not_before", "batch"])]
    pub plain: bool,

    /// Write one envelope of any size up to 64 GiB, never a stream
    ///
    /// Input over 4 MiB is copied to a temporary file first, in the directory that TMPDIR names. Implied
    /// by --armor (up to 256 MiB) and --plain. With --detached, signs a large file whole instead of its
    /// digest: this is slower, and other COSE software can verify it.
    #[arg(long, conflicts_with_all = and_records([]))]
    pub single: bool,

    /// The length of a stream's segments, like 64KiB or 1MiB, at most 4MiB
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = parse_segment_size)]
    pub segment_size: usize,

    /// The hash of a stream's segments, and of files that -d signs by their digest
    #[arg(long, value_enum, value_name = "HASH", default_value_t)]
    pub hash: Hash,

    /// Write a stream, and close a segment when its first byte has waited this long, like 1s
    ///
    /// Use it for pipes that stay open, as with "tail -f".
    #[arg(long, value_name = "DURATION", value_parser = parse_pause,
        conflicts_with_all = and_records(["single", "plain", "armor", "detached"]))]
    pub flush_after: Option<Duration>,

    /// The number of threads that hash and sign; by default one for each processor, at most 16
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub threads: Option<NonZero<usize>>,

    /// Print no progress and no warnings
    #[arg(short, long)]
    pub quiet: bool,

    /// Say what was signed as a line of JSON on standard error, which then has nothing else
    ///
    /// There is a line for each file, and one for all records.
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,

    #[command(flatten)]
    pub permissions: PermissionArgs,

    #[command(flatten, next_help_heading = "Jobs")]
    pub job: JobArgs,

    #[command(flatten, next_help_heading = "Records")]
    pub records: RecordArgs,

    #[command(flatten, next_help_heading = "Records")]
    pub batch: BatchArgs,

    #[command(flatten, next_help_heading = "Records")]
    pub refusals: RefusalArgs,
}

/// What a signature states, whatever it is of.
#[derive(Args, Clone, Debug)]
pub struct StatementArgs {
    /// Sign for one purpose; verifiers must name the same context
    #[arg(short, long, value_name = "TEXT", value_parser = parse_context)]
    pub context: Option<String>,

    /// State what the payload is: a media type, or the number of a CoAP content format
    #[arg(long = "type", value_name = "TYPE", value_parser = parse_content_type)]
    pub content_type: Option<String>,

    /// Let the signature expire, at a time or after a duration like 7d
    ///
    /// WHEN is a date like 2026-12-31 (midnight here), a time like 2026-12-31T12:00Z, or counts from now: 30d,
    /// 12h, "7d ago", now. A duration counts from the moment of signing, when the input has arrived; of a stream, when
    /// its first segment has. A stream that is still being read when it expires is refused from there on. Clocks may
    /// differ by up to a minute: the signature is refused a minute after WHEN.
    #[arg(long, value_name = "WHEN", value_parser = When::parse, allow_hyphen_values = true)]
    pub expires: Option<When>,

    /// Let the signature become valid later, at a time or after a duration
    ///
    /// WHEN is a date like 2026-12-31 (midnight here), a time like 2026-12-31T12:00Z, or counts from now: 30d,
    /// 12h, "7d ago", now. Clocks may differ by up to a minute: the signature is accepted a minute before WHEN.
    #[arg(long, value_name = "WHEN", value_parser = When::parse, allow_hyphen_values = true)]
    pub not_before: Option<When>,
}

/// The options that the short help shows.
const COMMON: [&str; 6] = ["keys", "context", "expires", "output", "detached", "armor"];

pub(super) const SIGN_EXAMPLES: &str = "\
Examples:
  Sign a pickle for one purpose, for a week:
    $ brine sign --context jobs/nightly --expires 7d job.pkl -o job.pkl.brine

  Sign files of any size with an SSH key, each to FILE.sig beside it:
    $ brine sign -d -k ~/.ssh/id_ed25519 *.tar

  Sign a file of any size with a key in the SSH agent, which asks at most once:
    $ brine sign -d -k agent:me@laptop image.iso

  Sign a release with two keys, each asked for its passphrase:
    $ brine sign -d -k alice -k bob --context release/1 release.tar

  Put a signed message on a queue:
    $ set -o pipefail
    $ brine sign --type application/json < order.json \\
        | redis-cli -x XADD orders '*' m

  Sign each line that a program writes, as it comes:
    $ set -o pipefail
    $ ./events | brine sign --lines --batch 256 | kcat -P -b host -t events";

/// The algorithm identifier in the envelope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Alg {
    /// -8, which most COSE libraries understand
    #[default]
    Eddsa,
    /// -19, fully specified (RFC 9864)
    Ed25519,
}

/// The hash of content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Hash {
    /// The fastest; its identifier is for private use
    #[default]
    Blake3,
    /// Has a registered identifier, for other COSE software
    Sha256,
}

impl From<Hash> for HashAlgorithm {
    fn from(hash: Hash) -> Self {
        match hash {
            Hash::Blake3 => Self::Blake3,
            Hash::Sha256 => Self::Sha256,
        }
    }
}

impl From<Alg> for Algorithm {
    fn from(alg: Alg) -> Self {
        match alg {
            Alg::Eddsa => Self::EdDsa,
            Alg::Ed25519 => Self::Ed25519,
        }
    }
}
