//! The command line of `brine`.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::record::{BatchArgs, FramingArgs, JudgeArgs, RecordArgs};
use super::replay::{REPLAY_EXAMPLES, Replay};
use super::run::{JobArgs, POLICY_EXAMPLES, Policy, RUN_EXAMPLES, Run};
use super::scan::{self, Scan};
use super::{
    PassphraseArgs, TrustArgs, When, parse_content_type, parse_context, parse_duration,
    parse_pause, parse_segment_size, parse_time, parse_when,
};
use crate::claims::Timestamp;
use crate::cose::Algorithm;
use crate::hash::HashAlgorithm;

/// Sign what you serialise, and get it back only from those you trust
///
/// Wraps any bytes in a standard signature envelope (COSE_Sign1, Ed25519), and gives them back only
/// where a trusted key signed them. "brinekey gen" makes the first key.
#[derive(Debug, Parser)]
#[command(name = "brine", version, propagate_version = true, after_long_help = EXAMPLES)]
pub struct Brine {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  Make a key, sign, verify:
    $ brinekey gen
    $ brine sign < in > out
    $ brine verify < out

  Run a script only if it is signed:
    $ curl -s https://example.org/setup.sh.brine | brine verify --whole -p ./vendor.pub | sh

  Move a tree to another machine, verified as it arrives:
    $ tar c tree | brine sign | ssh host 'brine verify | tar x'";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    #[command(after_long_help = SIGN_EXAMPLES)]
    Sign(Sign),
    #[command(after_long_help = VERIFY_EXAMPLES)]
    Verify(Verify),
    #[command(after_long_help = INSPECT_EXAMPLES)]
    Inspect(Inspect),
    #[command(after_long_help = REPLAY_EXAMPLES)]
    Replay(Replay),
    #[command(after_long_help = scan::EXAMPLES)]
    Scan(Scan),
    #[command(after_long_help = RUN_EXAMPLES)]
    Run(Run),
    #[command(after_long_help = POLICY_EXAMPLES)]
    Policy(Policy),
    #[command(after_long_help = COMPLETIONS_EXAMPLES)]
    Completions(Completions),
}

/// Sign bytes: from FILE or standard input, to an envelope
///
/// Writes a COSE_Sign1 with the payload in it where that fits one segment (1 MiB), and where it does
/// not a stream of signed segments, of any size, as it is read.
#[derive(Args, Debug)]
pub struct Sign {
    /// What to sign; "-" or nothing is standard input; several with --detached
    #[arg(value_name = "FILE")]
    pub inputs: Vec<PathBuf>,

    /// Sign with KEY: a name in the key store or a key file
    ///
    /// KEY is a file if it has a slash or ends in .key or .pem, as in ~/.ssh/id_ed25519, and
    /// otherwise a name in the key store.
    #[arg(short, long, value_name = "KEY", default_value = "default")]
    pub key: String,

    /// Write to FILE, whole or not at all; "-" is standard output, even a terminal
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Leave the payload out of the envelope
    ///
    /// With a FILE the envelope goes to FILE.brine beside it, which must not exist; from standard
    /// input, to standard output. It is over all of what fits a segment, and over the digest of what
    /// is larger, which may have any size.
    #[arg(short, long)]
    pub detached: bool,

    /// Write text instead of binary
    #[arg(short, long)]
    pub armor: bool,

    /// Say what the signature is for; a verifier must name the same
    #[arg(long, value_name = "TEXT", value_parser = parse_context)]
    pub context: Option<String>,

    /// Say what the payload is: a media type, or the number of a CoAP content format
    #[arg(long = "type", value_name = "TYPE", value_parser = parse_content_type)]
    pub content_type: Option<String>,

    /// Let the signature expire, after a while like 7d or at a time
    #[arg(long, value_name = "WHEN", value_parser = parse_when)]
    pub expires: Option<When>,

    /// Let the signature be valid only after a while, or from a time on
    #[arg(long, value_name = "WHEN", value_parser = parse_when)]
    pub not_before: Option<When>,

    /// Sign the bytes of FILE as well, which the verifier must have too
    #[arg(long, value_name = "FILE")]
    pub aad: Option<PathBuf>,

    /// The number that names the algorithm, always Ed25519
    #[arg(long, value_enum, value_name = "ALG", default_value_t)]
    pub alg: Alg,

    /// Write algorithm, key id and content type only: smallest, and the same every time
    #[arg(long, conflicts_with_all = ["context", "expires", "not_before"])]
    pub plain: bool,

    /// Write one envelope, whatever the size, up to 64 GiB
    ///
    /// What is over 4 MiB is copied to a temporary file first, in the directory that TMPDIR names. Implied
    /// by --armor (up to 256 MiB) and --plain. With --detached, signs all of a large file and not its
    /// digest, which other COSE software can verify, and which is slower.
    #[arg(long)]
    pub single: bool,

    /// How long a segment of a stream is, like 64KiB or 1MiB, up to 4MiB
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = parse_segment_size)]
    pub segment_size: usize,

    /// How the segments of a stream, or what -d signs by its digest, are hashed
    #[arg(long, value_enum, value_name = "HASH", default_value_t)]
    pub hash: Hash,

    /// Write a stream, and close a segment when its first byte has waited this long, like 1s
    ///
    /// For pipes that stay open, such as that of "tail -f".
    #[arg(long, value_name = "TIME", value_parser = parse_pause,
        conflicts_with_all = ["single", "plain", "armor", "detached"])]
    pub flush_after: Option<Duration>,

    /// How many threads hash and sign a stream or a file; by default one for each processor, at most 16
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZero<usize>>,

    /// Show no progress
    #[arg(short, long)]
    pub quiet: bool,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,

    #[command(flatten, next_help_heading = "Jobs")]
    pub job: JobArgs,

    #[command(flatten, next_help_heading = "Records")]
    pub records: RecordArgs,

    #[command(flatten, next_help_heading = "Records")]
    pub batch: BatchArgs,
}

const SIGN_EXAMPLES: &str = "\
Examples:
  Sign a pickle for one purpose, for a week:
    $ brine sign --context jobs/nightly --expires 7d job.pkl -o job.pkl.brine

  Sign files of any size, each with an envelope beside it, with an SSH key:
    $ brine sign -d -k ~/.ssh/id_ed25519 *.tar

  Put a signed message on a queue:
    $ brine sign --type application/json < order.json | redis-cli -x XADD orders '*' m

  Sign every line that a program writes, as it comes:
    $ ./events | brine sign --lines --batch 256 | kcat -P -b host -t events";

/// How the algorithm is numbered in the envelope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Alg {
    /// -8, which most COSE libraries understand
    #[default]
    Eddsa,
    /// -19, fully specified (RFC 9864)
    Ed25519,
}

/// How content is hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Hash {
    /// Fastest, by a private-use number
    #[default]
    Blake3,
    /// By its registered number, for other COSE software
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

/// Verify an envelope and give its payload back
///
/// Writes the payload only after its signature, its signer and every rule hold; of a stream, each
/// segment as soon as that is so (see --whole). With nothing else said, believes the signers in the
/// trust file, and only signatures without a context.
#[derive(Args, Debug)]
pub struct Verify {
    /// The envelope, or with --detached the payload; "-" or nothing is standard input
    #[arg(value_name = "FILE")]
    pub inputs: Vec<PathBuf>,

    /// Verify each FILE against FILE.brine beside it
    ///
    /// Writes a line for each to standard output: its name, and OK or why not. The status is that of
    /// the first that did not verify.
    #[arg(short = 'd', long, conflicts_with_all = ["check", "detached", "output", "whole"])]
    pub beside: bool,

    /// Write to FILE, whole or not at all; "-" is standard output, even a terminal
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["check", "detached"])]
    pub output: Option<PathBuf>,

    #[command(flatten)]
    pub trust: TrustArgs,

    /// Believe only the signer of this name in the trust file
    #[arg(long, value_name = "NAME")]
    pub signer: Option<String>,

    /// Require the signature to be for this
    ///
    /// If either side names a context both must, and the same.
    #[arg(long, value_name = "TEXT", value_parser = parse_context)]
    pub context: Option<String>,

    /// Refuse signatures older than this, like 90s, 12h or 7d
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub max_age: Option<Duration>,

    /// Judge as if it were this moment; the verdict says so
    #[arg(long, value_name = "WHEN", value_parser = parse_time)]
    pub now: Option<Timestamp>,

    /// The envelope is in SIG, and FILE is what it signs; nothing is written
    #[arg(long, value_name = "SIG")]
    pub detached: Option<PathBuf>,

    /// Verify the bytes of FILE as well, which were signed beside the payload
    #[arg(long, value_name = "FILE")]
    pub aad: Option<PathBuf>,

    /// Give the verdict and write nothing
    #[arg(long)]
    pub check: bool,

    /// Hold everything back until the end of a stream has verified
    #[arg(long)]
    pub whole: bool,

    /// How many threads verify a stream or a file; by default one for each processor, at most 16
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZero<usize>>,

    /// Take an envelope without its CBOR tag, too
    #[arg(long)]
    pub untagged: bool,

    /// Take an envelope whose type (RFC 9596) is TYPE as data
    #[arg(long, value_name = "TYPE")]
    pub typ: Option<String>,

    /// Write the verdict, and nothing else, to standard error as a line of JSON; with -d one for each FILE
    #[arg(long)]
    pub json: bool,

    /// Write the verdict to FILE as a line of JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Say who signed, even where standard error is no terminal
    #[arg(short, long)]
    pub verbose: bool,

    /// Show no progress, and of success nothing
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    #[command(flatten, next_help_heading = "Records")]
    pub records: RecordArgs,

    #[command(flatten, next_help_heading = "Records")]
    pub judge: JudgeArgs,
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  Unpickle only what a trusted key signed for this purpose, this week:
    $ brine verify --whole --context jobs/nightly --max-age 7d job.pkl.brine | python3 work.py

  Check a release against one key, and many files at once:
    $ brine verify -p ./vendor.pub --detached release.tar.brine release.tar
    $ brine verify -p ./vendor.pub -d *.tar

  Read signed messages from a queue, and keep those that are refused:
    $ kcat -C -u -b host -t events | brine verify --lines --reject-to refused | ./work

  Hand each message on once, however often the queue delivers it:
    $ kcat -C -u -b host -t events | brine verify --lines --replay-db seen --reject-to refused | ./work

  Try them again once their signer is trusted:
    $ brine verify --retry refused --out lines --reject-to refused.again | ./work

  Keep the verdict for a program to read:
    $ brine verify --check --report verdict.json message";

/// Show what an envelope claims, without verifying anything
///
/// Reads foreign and broken envelopes too, as far as it can.
#[derive(Args, Debug)]
pub struct Inspect {
    /// The envelope; "-" or nothing is standard input
    #[arg(value_name = "FILE")]
    pub input: Option<PathBuf>,

    /// Show it in CBOR diagnostic notation (RFC 8949, Section 8)
    #[arg(long, conflicts_with = "json")]
    pub diag: bool,

    /// Write one line of JSON; of records, one for each
    #[arg(long)]
    pub json: bool,

    #[command(flatten, next_help_heading = "Records")]
    pub framing: FramingArgs,
}

const INSPECT_EXAMPLES: &str = "\
Examples:
  See who may have signed a message, and for what:
    $ brine inspect message

  Count the signed messages of a topic by who seems to have signed them:
    $ kcat -C -e -u -b host -t events | brine inspect --lines --json | jq -r .key_id | sort | uniq -c

  See every byte of a foreign envelope:
    $ brine inspect --diag foreign.cose";

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

const COMPLETIONS_EXAMPLES: &str = "\
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
