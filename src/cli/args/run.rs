//! What `brine run` and `brine policy` take.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use super::{TrustArgs, parse_context, parse_duration, parse_time};
use crate::claims::Timestamp;
use crate::job::plan::Layer;
use crate::job::{Format, Grant, Limit};

/// Verify a job, then run it confined
///
/// Takes what "brine sign --job" makes, verifies all of it, and runs CMD, or what the policy calls by the
/// name that the job asks for, with the payload on standard input. The command sees system directories,
/// a scratch directory of its own, and what both the signer and the policy grant; nothing else. Its
/// output is given out when it has ended with 0 and its output is what it was to be.
#[derive(Args, Debug)]
pub struct Run {
    /// The job; "-" or nothing is standard input
    #[arg(value_name = "FILE")]
    pub input: Option<PathBuf>,

    /// The command to run, and its arguments; "{}" is the path of the payload
    ///
    /// Not with a job that says itself what runs it.
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,

    /// Allow what FILE says; by default policy.toml beside the trust file, if it is there
    ///
    /// Without a policy, a job that asks for anything is refused.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Write the output to FILE, whole or not at all; "-" is standard output, even a terminal
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Keep in FILE what there is of the output where it is not given out
    #[arg(long, value_name = "FILE")]
    pub partial_output: Option<PathBuf>,

    /// Hold the output to a format, where the job declares none
    #[arg(long, value_name = "FORMAT", value_parser = one_of(Format::ALL, Format::name))]
    pub format: Option<Format>,

    /// Lower a limit, as in wall=5s or memory=256MiB (can be repeated)
    ///
    /// NAME is wall, cpu, memory, output, errors, file-size, processes, files or scratch. A limit that
    /// is lower already stays.
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = Limit::parse_pair)]
    pub limits: Vec<(Limit, u64)>,

    /// Do without a layer of confinement, which the verdict then says (can be repeated)
    #[arg(long, value_name = "LAYER", value_parser = one_of(Layer::ALL, Layer::name))]
    pub without: Vec<Layer>,

    /// Show what would hold, and run nothing
    ///
    /// With --json as a line of JSON.
    #[arg(long, conflicts_with = "partial_output")]
    pub explain: bool,

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

    /// Verify the bytes of FILE as well, which were signed beside the payload
    #[arg(long, value_name = "FILE")]
    pub aad: Option<PathBuf>,

    /// Take an envelope without its CBOR tag, too
    #[arg(long)]
    pub untagged: bool,

    /// Write the verdict, and nothing else, to standard error as a line of JSON
    #[arg(long)]
    pub json: bool,

    /// Write the verdict to FILE as a line of JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Say who signed, even where standard error is no terminal
    #[arg(short, long)]
    pub verbose: bool,

    /// Say nothing of success, nor what the command wrote to standard error
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
}

pub(super) const RUN_EXAMPLES: &str = "\
Examples:
  Run a script that somebody signed, with the shell and nothing else:
    $ brine sign --job --context jobs/nightly work.sh -o work.job
    $ brine run --context jobs/nightly work.job -- sh

  Let the job say what it needs, and the policy what it gets:
    $ brine sign --grant run=sh --grant read=data --grant wall=5s work.sh -o work.job
    $ brine run --policy ./policy.toml work.job > result

  See what would hold:
    $ brine run --explain work.job";

/// Check the file that says what jobs may have
#[derive(Args, Debug)]
pub struct Policy {
    /// What to do.
    #[command(subcommand)]
    pub verb: PolicyVerb,
}

pub(super) const POLICY_EXAMPLES: &str = "\
Examples:
  Check a policy before it is used:
    $ brine policy check ./policy.toml";

/// What to do with a policy.
#[derive(Debug, Subcommand)]
pub enum PolicyVerb {
    #[command(after_long_help = POLICY_EXAMPLES)]
    Check(CheckPolicy),
}

/// Read a policy, and say for whom it is or in which line it is wrong
#[derive(Args, Debug)]
pub struct CheckPolicy {
    /// The policy; by default policy.toml beside the trust file
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Jobs, as `brine sign` makes them.
#[derive(Args, Clone, Debug, Default)]
pub struct JobArgs {
    /// Sign a job: work for "brine run", which "brine verify" does not give back
    ///
    /// One envelope, whatever the size, up to 64 GiB.
    #[arg(long, conflicts_with_all = ["detached", "plain", "flush_after"])]
    pub job: bool,

    /// Let the job ask for something (can be repeated); implies --job
    ///
    /// run=python3 and arg=-I say what runs it; read=data/in, write=work, env=LANG and tcp=443 what it
    /// needs; wall=5s, cpu=2s, memory=256MiB, output=1MiB, file-size=1MiB, processes=8, files=64 and
    /// scratch=64MiB how much; format=json what its output will be. It gets what the policy of whoever
    /// runs it allows, or is refused.
    #[arg(long = "grant", value_name = "NAME=VALUE",
        conflicts_with_all = ["detached", "plain", "flush_after"])]
    pub grants: Vec<Grant>,
}

impl JobArgs {
    /// Returns whether a job is to be signed.
    #[must_use]
    pub fn is_job(&self) -> bool {
        self.job || !self.grants.is_empty()
    }
}

/// Takes one of some values by its name.
fn one_of<T: Copy + Send + Sync + 'static, const N: usize>(
    values: [T; N],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(values.map(name)).try_map(move |found| {
        let meant = values.into_iter().find(|value| name(*value) == found);
        meant.ok_or("there is no such value")
    })
}
