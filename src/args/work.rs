//! What can be typed about work that is sent over a queue.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use brine_job::{Grant, Limit};
use brine_queue::QueueUrl;
use clap::Args;

use super::PassphraseArgs;
use super::help::arranged;
use super::judge::{JudgeArgs, TrustArgs};
use super::metrics::MetricsArgs;
use super::run::{PowerPlace, parse_directory};
use super::sign::StatementArgs;
use super::value::{parse_count, parse_file};
use super::when::parse_duration;

/// Run the signed jobs of a queue confined, and sign their results
///
/// Takes one job after the other, verifies it, and runs it as "brine run" does: CMD, or the interpreter that the job
/// requests, within what both the signer and the policy grant. Goes on for ever. SIGTERM and Ctrl-C let the jobs that run
/// end first.
///
/// A job is run once. It is noted in the ledger of the queue before it starts; if the worker dies then, the job is
/// not run again, and its result says "interrupted". The signed result goes to the queue that the job requests with
/// reply=NAME, if the policy lets it ("replies"), with the name of that queue as its context. A job that did not end well
/// and requests no reply becomes a dead letter, and so does a message that does not verify.
///
/// The queue is made if it is not there. Jobs must be signed with --expires. The context is the name of the queue unless another is given.
#[derive(Args, Debug)]
#[command(mut_args = arranged(&WORK_COMMON))]
pub struct WorkArgs {
    /// The queue, as in sqlite:jobs.db?queue=work
    #[arg(value_name = "URL")]
    pub url: QueueUrl,

    /// The command that runs each job, and its arguments; "{}" is the path of the payload
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,

    /// Whether nothing follows the "--".
    #[arg(skip)]
    pub lacks_command: bool,

    /// Run Python functions, as brine.Executor sends them, by PROGRAM
    ///
    /// Without PROGRAM it is the python beside brine, as in a virtual environment, or else python3. It must have the Python
    /// package of brine, with cloudpickle. Jobs see its libraries, and their output is held to CBOR.
    #[arg(long, value_name = "PROGRAM", num_args = 0..=1, require_equals = true, conflicts_with = "command",
        value_parser = parse_file())]
    pub python: Option<Option<PathBuf>>,

    /// Show jobs DIR too, to read and execute, beside the system directories of the policy (can be repeated)
    #[arg(long, value_name = "DIR", value_parser = parse_directory)]
    pub system: Vec<PathBuf>,

    /// Give jobs the power NAME, which a program does that listens on the Unix socket SOCKET (can be repeated)
    ///
    /// Each job that requests it, and may have it by the policy, gets a connection of its own.
    #[arg(long = "power", value_name = "NAME=SOCKET", value_parser = PowerPlace::parse)]
    pub powers: Vec<PowerPlace>,

    /// Give jobs the powers of OBJECT, which Python finds in MODULE, as in shop:powers
    ///
    /// OBJECT is a mapping from names of powers to what a job gets for each: a brine.Power, a mapping of names to powers and
    /// data, or a function that makes such a mapping for each job. A process of Python serves it for as long as the worker is at work:
    /// PROGRAM of --python, or the python beside brine, or else python3. It looks for MODULE in the working directory, too.
    #[arg(long = "powers", value_name = "MODULE:OBJECT")]
    pub power_object: Option<String>,

    /// Sign results with KEY: a name in the key store, a key file, or agent:NAME
    ///
    /// A key with a passphrase needs --passphrase-file.
    #[arg(short, long, value_name = "KEY", default_value = "default")]
    pub key: String,

    /// Allow what the policy FILE says; by default policy.toml beside the trust file, if there is one
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Run up to N jobs at once, at most 256
    #[arg(short, long, value_name = "N", value_parser = parse_jobs, default_value = "1")]
    pub jobs: NonZero<usize>,

    /// End when there was no job for so long
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub wait: Option<Duration>,

    /// Lower a limit, as in wall=5s or memory=256MiB (can be repeated)
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = Limit::parse_pair)]
    pub limits: Vec<(Limit, u64)>,

    /// How long other workers leave a job to this one if it dies; by default 1m
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub lease: Option<Duration>,

    /// How often a job is delivered whose workers die before it starts; then it becomes a dead letter
    #[arg(long, value_name = "N", value_parser = parse_count, default_value = "5")]
    pub attempts: NonZero<usize>,

    #[command(flatten)]
    pub judge: JudgeArgs,

    /// Read the passphrase of KEY from FILE, for each job
    #[arg(long, value_name = "FILE", value_parser = parse_file())]
    pub passphrase_file: Option<PathBuf>,

    #[command(flatten)]
    pub metrics: MetricsArgs,

    /// Write the verdict on each job, and nothing else, to standard error as a line of JSON
    #[arg(long)]
    pub json: bool,

    /// Print nothing about jobs
    #[arg(short, long)]
    pub quiet: bool,
}

impl WorkArgs {
    /// Returns where the passphrase of the key comes from.
    #[must_use]
    pub fn passphrase(&self) -> PassphraseArgs {
        PassphraseArgs { passphrase_file: self.passphrase_file.clone(), passphrase_fd: None }
    }
}

/// Send a job to a queue, wait for its result, and write its output
///
/// Signs FILE or standard input as a job, puts it on the queue, and waits for the signed result, which "brine work"
/// makes. Writes the output of the job if it ended well, and ends as the job ended, with the same status. A result of
/// any other job is passed over, and so is one of a signer who is not trusted.
///
/// When this command is interrupted, or its time is over, a job that no worker has begun is taken back. One that is begun
/// runs to its end. By itself, a job expires when nobody waits for it any more, and a minute later at the latest.
#[derive(Args, Debug)]
#[command(mut_args = arranged(&CALL_COMMON))]
pub struct CallArgs {
    /// The queue, as in sqlite:jobs.db?queue=work
    #[arg(value_name = "URL")]
    pub url: QueueUrl,

    /// The job; "-" or nothing is standard input
    #[arg(value_name = "FILE")]
    pub input: Option<PathBuf>,

    /// Sign with KEY: a name in the key store, a key file, or agent:NAME
    #[arg(short, long, value_name = "KEY", default_value = "default")]
    pub key: String,

    /// Let the job request something (can be repeated), as "brine sign --grant" does
    #[arg(long = "grant", value_name = "NAME=VALUE")]
    pub grants: Vec<Grant>,

    /// Accept only results of the signer of this name in the trust file
    #[arg(long, value_name = "NAME")]
    pub signer: Option<String>,

    /// How long to wait for the result
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "2m")]
    pub wait: Duration,

    #[command(flatten)]
    pub statement: StatementArgs,

    #[command(flatten)]
    pub trust: TrustArgs,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,

    /// Write the verdict, and nothing else, to standard error as a line of JSON
    #[arg(long)]
    pub json: bool,

    /// Print no warnings, and nothing of what the job wrote to standard error
    #[arg(short, long)]
    pub quiet: bool,
}

/// Reads how many jobs run at once. Each takes a thread and two connections to the queue.
fn parse_jobs(text: &str) -> Result<NonZero<usize>, String> {
    let jobs = parse_count(text).ok().filter(|jobs| jobs.get() <= 256);
    jobs.ok_or_else(|| "expected a number from 1 to 256".to_owned())
}

/// The options that the short help shows.
const WORK_COMMON: [&str; 6] = ["public_keys", "context", "policy", "python", "jobs", "key"];
const CALL_COMMON: [&str; 5] = ["key", "grants", "wait", "signer", "context"];

pub(super) const WORK_EXAMPLES: &str = "\
Examples:
  Run signed shell scripts, two at once:
    $ brine work --jobs 2 'sqlite:jobs.db?queue=work' -- sh

  Run Python functions, as brine.Executor sends them:
    $ brine work --python 'sqlite:jobs.db?queue=work'

  Run jobs by the interpreters of a policy, each for a minute at most:
    $ brine work --policy ./policy.toml --limit wall=1m \\
        'sqlite:jobs.db?queue=work'";

pub(super) const CALL_EXAMPLES: &str = "\
Examples:
  Have a worker run a script, and get its output:
    $ brine call 'sqlite:jobs.db?queue=work' script.sh > result

  Believe one worker only:
    $ brine call --signer worker 'sqlite:jobs.db?queue=work' script.sh";
