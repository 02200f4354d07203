//! What can be typed about queues.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use brine_job::Grant;
use brine_queue::QueueUrl;
use clap::{Args, Subcommand};

use super::help::{arranged, first_of};
use super::judge::{JudgeArgs, VerdictArgs};
use super::metrics::MetricsArgs;
use super::record::{BatchArgs, FramingArgs, record_groups};
use super::sign::StatementArgs;
use super::value::{parse_count, parse_file};
use super::when::parse_duration;
use super::{PassphraseArgs, PermissionArgs};

/// Sign FILE or standard input, and put it on a queue
///
/// Standard input is one message of up to 16 MiB; with --lines, --null, --len32 or --cbor, each record is one. The
/// context is the name of the queue unless another is given. Ends with 0 when every message is on the disk: a message
/// that is lost was never reported as sent.
///
/// With --job, "brine work" runs what is sent. Its result goes to the queue that --grant reply=QUEUE names, which must be
/// there; "brine call" makes one, and waits for the result.
///
/// URL is sqlite:FILE?queue=NAME. FILE is made if it is not there, for you alone, and can have any number of queues. Programs
/// that are built with "brokers" take redis://, nats:// and amqp://HOST?queue=NAME, too, with &password-file=FILE.
#[derive(Args, Debug)]
#[command(groups = record_groups(), mut_args = arranged(&SEND_COMMON))]
pub struct SendArgs {
    /// The queue, as in sqlite:jobs.db?queue=work
    #[arg(value_name = "URL")]
    pub url: QueueUrl,

    /// What to send; "-" or nothing is standard input
    #[arg(value_name = "FILE")]
    pub input: Option<PathBuf>,

    /// Sign with KEY: a name in the key store, a key file, or agent:NAME
    ///
    /// KEY is a file if it has a slash in it or ends in .key or .pem, as in ~/.ssh/id_ed25519. Otherwise it is a name
    /// in the key store. agent:NAME is a key in the SSH agent.
    #[arg(short, long, value_name = "KEY", default_value = "default")]
    pub key: String,

    #[command(flatten)]
    pub statement: StatementArgs,

    #[command(flatten)]
    pub job: SentJobArgs,

    /// Print no warnings
    #[arg(short, long)]
    pub quiet: bool,

    /// Say what was sent as a line of JSON on standard error, which then has nothing else
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,

    #[command(flatten)]
    pub permissions: PermissionArgs,

    #[command(flatten, next_help_heading = "Records")]
    pub framing: FramingArgs,

    #[command(flatten, next_help_heading = "Records")]
    pub batch: BatchArgs,
}

/// Work for "brine work".
#[derive(Args, Debug)]
pub struct SentJobArgs {
    /// Send a job, which "brine work" runs; it needs --expires
    #[arg(long, requires = "expires", conflicts_with_all = ["lines", "null", "len32", "cbor", "batch"])]
    pub job: bool,

    /// Let the job request something (can be repeated), as "brine sign --grant" does; implies --job
    #[arg(long = "grant", value_name = "NAME=VALUE", requires = "expires",
        conflicts_with_all = ["lines", "null", "len32", "cbor", "batch"])]
    pub grants: Vec<Grant>,
}

/// Take messages from a queue, and write the payloads of those that verify
///
/// Writes the payload of one message to standard output; with --lines, --null, --len32 or --cbor, those of all that are
/// there. A message is acknowledged when its payload was written; if brine dies before, it is delivered again. Each
/// message is released once, even if somebody sends a copy of it: the queue's own ledger remembers.
///
/// The queue is made if it is not there. The context is the name of the queue unless another is given. A message that does not verify becomes a dead
/// letter with its reason, and the next one is looked at. "brine dead list" shows them.
///
/// With CMD, each payload is verified first, and then CMD is started with it on standard input. If CMD ends with 0,
/// the message is acknowledged. If not, it is delivered again later, up to --attempts times, and then becomes
/// a dead letter. CMD is not confined: it may do whatever you may.
#[derive(Args, Debug)]
#[command(groups = record_groups(), mut_args = arranged(&RECV_COMMON))]
pub struct RecvArgs {
    /// The queue, as in sqlite:jobs.db?queue=work
    #[arg(value_name = "URL")]
    pub url: QueueUrl,

    /// Start CMD for each message, with the payload on standard input
    #[arg(last = true, value_name = "CMD", conflicts_with_all = ["lines", "null", "len32", "cbor"])]
    pub command: Vec<OsString>,

    /// Whether nothing follows the "--".
    #[arg(skip)]
    pub lacks_command: bool,

    /// End after N messages; with 4 if there are fewer
    #[arg(long, value_name = "N")]
    pub count: Option<NonZero<u64>>,

    /// Wait so long for a message before ending; by default not at all
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub wait: Option<Duration>,

    /// Go on for ever
    ///
    /// SIGTERM and Ctrl-C end it: what is at work is finished first, and the rest is handed back. A second one ends
    /// it at once.
    #[arg(short, long, conflicts_with = "wait")]
    pub follow: bool,

    #[command(flatten)]
    pub judge: JudgeArgs,

    /// How often a message is delivered before it becomes a dead letter, if CMD fails
    ///
    /// The first failure delays it by a second or less, each further one by twice as much, up to 5 minutes. Half of
    /// a delay is random.
    #[arg(long, value_name = "N", value_parser = parse_count, default_value = "5", requires = "command")]
    pub attempts: NonZero<usize>,

    /// How long other consumers leave a message to this one if it dies; by default 1m
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub lease: Option<Duration>,

    /// The number of threads that verify; by default one for each processor, at most 16
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub threads: Option<NonZero<usize>>,

    #[command(flatten)]
    pub verdict: VerdictArgs,

    #[command(flatten)]
    pub metrics: MetricsArgs,

    /// Add a line of JSON for each message to FILE, which says what became of it
    ///
    /// It is written before the message is acknowledged. Where that fails, no further message is received.
    #[arg(long, value_name = "FILE", value_parser = parse_file())]
    pub log: Option<PathBuf>,

    #[command(flatten, next_help_heading = "Records")]
    pub framing: FramingArgs,
}

/// Look after messages that were refused, or failed too often
///
/// What a trusted signer signed, and CMD failed on, is kept up to 1 GiB; then consumers stop. Of what did not verify,
/// which can be from anybody, a random sample of 16 MiB is kept.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum DeadVerb {
    /// List dead letters, each with its number and the reason
    #[command(after_long_help = LIST_EXAMPLES, after_help = first_of(LIST_EXAMPLES))]
    List(DeadListArgs),
    /// Write a dead letter to standard output, as it was sent
    #[command(after_long_help = SHOW_EXAMPLES, after_help = first_of(SHOW_EXAMPLES))]
    Show(DeadShowArgs),
    /// Put dead letters back on the queue
    #[command(
        about = "Put dead letters back on the queue",
        long_about = "Put dead letters back on the queue\n\nEach takes its old place, with no attempts. One that was begun is \
                      not run again.",
        after_long_help = RETRY_EXAMPLES,
        after_help = first_of(RETRY_EXAMPLES)
    )]
    Retry(DeadChosenArgs),
    /// Delete dead letters
    #[command(
        about = "Delete dead letters",
        long_about = "Delete dead letters",
        after_long_help = DROP_EXAMPLES,
        after_help = first_of(DROP_EXAMPLES)
    )]
    Drop(DeadChosenArgs),
}

/// List dead letters, each with its number and the reason
///
/// What did not verify, which anybody can send, is marked with "anybody".
#[derive(Args, Debug)]
pub struct DeadListArgs {
    /// The queue, as in sqlite:jobs.db?queue=work
    #[arg(value_name = "URL")]
    pub url: QueueUrl,

    /// Write JSON: a line for each
    #[arg(long)]
    pub json: bool,
}

/// Write a dead letter to standard output, as it was sent
///
/// It is not verified: "brine inspect" shows what it claims.
#[derive(Args, Debug)]
pub struct DeadShowArgs {
    /// The queue, as in sqlite:jobs.db?queue=work
    #[arg(value_name = "URL")]
    pub url: QueueUrl,

    /// The number of the dead letter
    #[arg(value_name = "NUMBER")]
    pub number: u64,

    /// Describe it as a line of JSON on standard error, which then has nothing else
    #[arg(long)]
    pub json: bool,
}

/// Which dead letters are meant.
#[derive(Args, Debug)]
pub struct DeadChosenArgs {
    /// The queue, as in sqlite:jobs.db?queue=work
    #[arg(value_name = "URL")]
    pub url: QueueUrl,

    /// The numbers of the dead letters
    #[arg(value_name = "NUMBER", required_unless_present = "all", conflicts_with = "all")]
    pub numbers: Vec<u64>,

    /// All of them
    #[arg(long)]
    pub all: bool,

    /// Write JSON: a line for each
    #[arg(long)]
    pub json: bool,
}

/// The options that the short help shows.
const SEND_COMMON: [&str; 4] = ["key", "context", "expires", "lines"];
const RECV_COMMON: [&str; 7] =
    ["public_keys", "context", "count", "wait", "follow", "attempts", "lines"];

pub(super) const SEND_EXAMPLES: &str = "\
Examples:
  Send a message, which is refused after a day:
    $ brine send --expires 1d 'sqlite:jobs.db?queue=work' < order.json

  Send each line that a program writes, as it comes:
    $ ./events | brine send --lines --batch 256 'sqlite:jobs.db?queue=events'";

pub(super) const RECV_EXAMPLES: &str = "\
Examples:
  Take one message, and wait a minute for it:
    $ brine recv --wait 1m 'sqlite:jobs.db?queue=work' > order.json

  Start a program for each message, and try again if it fails:
    $ brine recv --follow 'sqlite:jobs.db?queue=work' -- ./handle

  Read the lines that are there:
    $ set -o pipefail
    $ brine recv --lines 'sqlite:jobs.db?queue=events' | ./count";

pub(super) const DEAD_EXAMPLES: &str = "\
Examples:
  See what was refused, and why:
    $ brine dead list 'sqlite:jobs.db?queue=work'

  Try them again, now that their signer is trusted:
    $ brine dead retry --all 'sqlite:jobs.db?queue=work'";

const LIST_EXAMPLES: &str = "\
Examples:
  See what was refused, and why:
    $ brine dead list 'sqlite:jobs.db?queue=work'

  Count them by reason:
    $ brine dead list --json 'sqlite:jobs.db?queue=work' \\
        | jq -r .reason | sort | uniq -c";

const SHOW_EXAMPLES: &str = "\
Examples:
  See who is said to have signed one:
    $ brine dead show 'sqlite:jobs.db?queue=work' 7 | brine inspect";

const RETRY_EXAMPLES: &str = "\
Examples:
  Try one again:
    $ brine dead retry 'sqlite:jobs.db?queue=work' 7

  Try all again:
    $ brine dead retry --all 'sqlite:jobs.db?queue=work'";

const DROP_EXAMPLES: &str = "\
Examples:
  Delete two of them:
    $ brine dead drop 'sqlite:jobs.db?queue=work' 7 8";
