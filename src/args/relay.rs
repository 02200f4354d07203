//! What can be typed to carry messages from one queue to another.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use brine_queue::QueueUrl;
use clap::{ArgGroup, Args};

use super::PassphraseArgs;
use super::help::arranged;
use super::judge::{JudgeArgs, VerdictArgs};
use super::metrics::MetricsArgs;
use super::value::{parse_batch, parse_count, parse_file};
use super::when::{When, parse_duration};

/// Carry messages from one queue to another: those that verify, or all, signed
///
/// With --verify, a guard at a border: what a trusted key signed crosses as it was sent, once, and everything else becomes
/// a dead letter of SRC with its reason. With --sign, a gateway for programs that cannot sign: each message of SRC is
/// signed with KEY, whoever put it there, and sent on.
///
/// A message is acknowledged on SRC when DST has confirmed it. With --sign, one that was sent on by a relay that then died
/// is signed and sent once more: an unsigned message has nothing by which it could be known again.
///
/// SRC and DST can be on any two kinds of queues. They are made if they are not there. The context is the name of SRC with
/// --verify, and of DST with --sign, unless another is given. Goes on until SIGTERM or Ctrl-C, or with --wait until
/// nothing came for so long. While a server is away, nothing is lost and nothing acknowledged.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("mode").args(["verify", "sign"]).required(true), mut_args = arranged(&COMMON))]
pub struct RelayArgs {
    /// The queue to take messages from, as in sqlite:jobs.db?queue=work
    #[arg(value_name = "SRC")]
    pub from: QueueUrl,

    /// The queue to send them on to
    #[arg(value_name = "DST")]
    pub to: QueueUrl,

    /// Let messages through that verify, and no others
    #[arg(long)]
    pub verify: bool,

    /// Sign every message
    #[arg(long)]
    pub sign: bool,

    /// Sign with KEY: a name in the key store, a key file, or agent:NAME; by default "default"
    #[arg(short, long, value_name = "KEY")]
    pub key: Option<String>,

    /// Let the signatures expire, at a time or after a duration like 7d
    #[arg(long, value_name = "WHEN", value_parser = When::parse, allow_hyphen_values = true)]
    pub expires: Option<When>,

    /// Sign up to N messages that are there with one signature
    #[arg(long, value_name = "N", value_parser = parse_batch)]
    pub batch: Option<u16>,

    /// End when nothing came for so long; by default never
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub wait: Option<Duration>,

    #[command(flatten)]
    pub judge: JudgeArgs,

    /// How long others leave a message to this relay if it dies; by default 1m
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub lease: Option<Duration>,

    /// The number of threads that sign or verify; by default one for each processor, at most 16
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub threads: Option<NonZero<usize>>,

    #[command(flatten)]
    pub verdict: VerdictArgs,

    #[command(flatten)]
    pub metrics: MetricsArgs,

    /// Add a line of JSON for each message to FILE, which says what became of it
    #[arg(long, value_name = "FILE", value_parser = parse_file(), requires = "verify")]
    pub log: Option<PathBuf>,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

/// The options that the short help shows.
const COMMON: [&str; 8] =
    ["verify", "sign", "key", "public_keys", "context", "expires", "batch", "wait"];

pub(super) const RELAY_EXAMPLES: &str = "\
Examples:
  Let only what the partner signed into the house:
    $ brine relay --verify -p ./partner.pub \\
        'nats://outside?queue=orders' 'sqlite:jobs.db?queue=orders'

  Sign what an old program puts on a queue:
    $ brine relay --sign --expires 1d \\
        'sqlite:spool.db?queue=raw' 'amqp://broker?queue=orders'";
