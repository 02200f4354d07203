//! What `brine run` and `brine policy` take.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, PathBuf};

use brine_job::{Grant, Layer, Limit, LogicalPath, OutputFormat, PowerName};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Args, Command, Subcommand};

use super::help::{arranged, first_of};
use super::judge::{JudgeArgs, VerdictArgs};
use super::record::and_records;
use super::value::{parse_context, parse_file};
use super::{PassphraseArgs, PermissionArgs};

/// Verify a job, then run it confined
///
/// Verifies the whole job first, as "brine sign --job" makes it. Then runs CMD, or the interpreter that the job
/// requests by its name in the policy, with the payload on standard input. The command sees the system
/// directories, scratch places of its own, and what both the signer and the policy grant; nothing else.
/// Output is released only if the command exits with 0 and its output matches the declared format.
///
/// "brine verify FILE -- CMD" gives any verified payload to a command of yours, which is not confined.
#[derive(Args, Debug)]
#[command(mut_args = arranged(&COMMON))]
pub struct Run {
    /// The job; "-" or nothing is standard input
    #[arg(value_name = "FILE")]
    pub input: Option<PathBuf>,

    /// The command to run, and its arguments; "{}" is the path of the payload
    ///
    /// A job that requests an interpreter takes no command.
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,

    /// Give the command FILE as its standard input; "-" is that of brine
    ///
    /// The payload is then a file: "{}" stands for its path, and it is /job/payload without that, too. The job gets a
    /// copy through a pipe, need not read all of it, and may end first. A command that would take its program from
    /// standard input is refused.
    #[arg(long = "input", value_name = "FILE")]
    pub job_input: Option<PathBuf>,

    /// Allow what the policy FILE says; by default policy.toml beside the trust file, if there is one
    ///
    /// Without a policy, a job that requests anything is refused.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Write the output to FILE, whole or not at all; "-" is standard output, even a terminal
    ///
    /// FILE is made beside its name and then takes it. A pipe, a device, and an open descriptor such as
    /// /dev/stdout or /dev/fd/3 are written in place, from where they are.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Collect a file or directory that the job left below /job/work (can be repeated)
    ///
    /// It appears under its last name, beside where brine was started or in --collect-to, and nothing does unless the
    /// output is released. Only regular files and directories are collected, within the limits file-size and scratch.
    #[arg(long, value_name = "PATH", value_parser = parse_collected)]
    pub collect: Vec<LogicalPath>,

    /// Put what --collect names into DIR
    #[arg(long, value_name = "DIR", requires = "collect")]
    pub collect_to: Option<PathBuf>,

    /// With --collect, replace files that are there
    #[arg(long, requires = "collect")]
    pub force: bool,

    /// Write output that is not released to FILE
    #[arg(long, value_name = "FILE", value_parser = parse_file())]
    pub partial_output: Option<PathBuf>,

    /// Require a format of the output, if the job declares none
    ///
    /// "json-schema=FILE" is JSON that matches the schema in FILE (draft 2020-12), and narrows json. "arrow" and
    /// "parquet" are whole tables, which brine must have been built to read.
    #[arg(long, value_name = "FORMAT", value_parser = FormatParser)]
    pub format: Option<RequiredFormat>,

    /// Lower a limit, as in wall=5s or memory=256MiB (can be repeated)
    ///
    /// NAME is wall, cpu, memory, address-space, output, errors, grace, file-size, processes, files or scratch. A limit
    /// is never raised.
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = Limit::parse_pair)]
    pub limits: Vec<(Limit, u64)>,

    /// Show the job DIR too, to read and execute, beside the system directories of the policy (can be repeated)
    ///
    /// A program that is outside of the system directories needs the directory of its libraries.
    #[arg(long, value_name = "DIR", value_parser = parse_directory)]
    pub system: Vec<PathBuf>,

    /// Give the job the power NAME, which a program does that listens on the Unix socket SOCKET (can be repeated)
    ///
    /// A job that requests it with power=NAME, and may have it by the policy, gets a connection of its own, as descriptor 3 or
    /// a following one. SPEC.md has what is said there.
    #[arg(long = "power", value_name = "NAME=SOCKET", value_parser = PowerPlace::parse)]
    pub powers: Vec<PowerPlace>,

    /// Leave out a layer of confinement; the verdict says so (can be repeated)
    #[arg(long, value_name = "LAYER", value_parser = one_of(Layer::ALL, Layer::name))]
    pub without: Vec<Layer>,

    /// Run each job once; the replay database FILE remembers those that were run
    ///
    /// "brine replay init" creates FILE. A job counts as run from the moment before its command starts, whatever
    /// becomes of it. The job must be signed with --expires.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["explain", "now"])]
    pub replay_db: Option<PathBuf>,

    /// End when the process that started brine ends, as by SIGTERM
    ///
    /// For supervisors: a job does not outlive one that is killed.
    #[arg(long)]
    pub die_with_parent: bool,

    /// Show the plan and everything that would refuse the job, and run nothing of it
    ///
    /// Says each thing that the policy, the command line or this system would refuse, with its reason and what to do,
    /// the limits that are cut, and what the job could do without the layers that are missing. Ends as the run would.
    /// With --json, the plan is a line of JSON, and the verdict has the rest.
    #[arg(long, conflicts_with = "partial_output")]
    pub explain: bool,

    #[command(flatten)]
    pub signing: ResultArgs,

    #[command(flatten)]
    pub judge: JudgeArgs,

    #[command(flatten)]
    pub verdict: VerdictArgs,
}

/// Which program gives jobs a power.
#[derive(Clone, Debug)]
pub struct PowerPlace {
    /// The name by which jobs request it.
    pub name: PowerName,
    /// The Unix socket where the program listens.
    pub socket: PathBuf,
}

impl PowerPlace {
    /// Reads what is typed.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (name, socket) = text.split_once('=').ok_or("expected NAME=SOCKET")?;
        let name = PowerName::parse(name).map_err(|what| what.to_string())?;
        match socket {
            "" => Err("expected a path, as in orders=/run/orders.sock".to_owned()),
            socket => Ok(Self { name, socket: socket.into() }),
        }
    }

    /// Returns what is typed for it.
    #[must_use]
    pub fn typed(&self) -> OsString {
        let Self { name, socket } = self;
        let mut typed = OsString::from(format!("--power={name}="));
        typed.push(socket);
        typed
    }
}

/// How results are signed.
#[derive(Args, Clone, Debug, Default)]
pub struct ResultArgs {
    /// Write a signed result instead of the output, whatever becomes of the job
    ///
    /// KEY is a name in the key store, a key file, or agent:NAME. The result is an envelope, which says by its signature which job it
    /// is of, by which plan that ran, how it ended and what it used. Its payload is the output, if that is released. A
    /// job that is refused after it verified has a result, too. The exit status is as without.
    #[arg(long, value_name = "KEY", conflicts_with_all = ["explain", "aad"])]
    pub sign_result: Option<String>,

    /// Sign the result for this context; who verifies it must name the same
    #[arg(long, value_name = "TEXT", value_parser = parse_context, requires = "sign_result")]
    pub result_context: Option<String>,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

/// The options that the short help shows.
const COMMON: [&str; 9] = [
    "public_keys",
    "context",
    "job_input",
    "collect",
    "policy",
    "output",
    "explain",
    "limits",
    "replay_db",
];

pub(super) const RUN_EXAMPLES: &str = "\
Examples:
  Run a script that somebody signed, with the shell and nothing else:
    $ brine sign --job --context jobs/nightly work.sh -o work.job
    $ brine run --context jobs/nightly work.job -- sh

  Let the job request what it needs, and the policy allow it:
    $ brine sign --grant run=sh --grant read=data work.sh -o work.job
    $ brine run --policy ./policy.toml work.job > result

  Let the script work on data that nobody signed:
    $ brine run work.job --input data.csv -- sh {} > result

  Take a file and a directory that the job leaves in /job/work:
    $ brine run work.job --collect result.csv --collect plots -- sh

  See the plan, and all that would be refused:
    $ brine run --explain work.job";

pub(super) const POLICY_EXAMPLES: &str = "\
Examples:
  Check a policy before it is used:
    $ brine policy check ./policy.toml";

/// Check a policy file
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum PolicyVerb {
    /// Read a policy, and show its entries, or the line that is wrong
    ///
    /// Also refuses a policy by which some job could never run on this system, or could change a program or file
    /// that the policy relies on.
    #[command(after_long_help = POLICY_EXAMPLES, after_help = first_of(POLICY_EXAMPLES))]
    Check(CheckPolicy),
}

/// Read a policy, and show its entries, or the line that is wrong
///
/// Also refuses a policy by which some job could never run on this system, or could change a program or file that
/// the policy relies on.
#[derive(Args, Debug)]
pub struct CheckPolicy {
    /// The policy; by default policy.toml beside the trust file
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Write one line of JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub permissions: PermissionArgs,
}

/// Jobs, as `brine sign` makes them.
#[derive(Args, Clone, Debug, Default)]
pub struct JobArgs {
    /// Sign a job: work for "brine run"; "brine verify" does not accept it
    ///
    /// A job is one envelope of any size up to 64 GiB.
    #[arg(long, conflicts_with_all = and_records(["detached", "plain", "flush_after"]))]
    pub job: bool,

    /// Let the job request something (can be repeated); implies --job
    ///
    /// Interpreter: run=python3, arg=-I. Access: read=data/in, write=work, env=LANG, tcp=443, power=orders. Result: reply=QUEUE. Limits: wall=5s,
    /// cpu=2s, memory=256MiB, output=1MiB, file-size=1MiB, processes=8, files=64, scratch=64MiB. Output:
    /// format=json. The policy of the operator must allow all of it, or the job is refused.
    ///
    /// The job finds data/in at /job/files/data/in, and work at /job/files/work.
    #[arg(long = "grant", value_name = "NAME=VALUE",
        conflicts_with_all = and_records(["detached", "plain", "flush_after"]))]
    pub grants: Vec<Grant>,
}

impl JobArgs {
    /// Returns whether a job is to be signed.
    #[must_use]
    pub fn is_job(&self) -> bool {
        self.job || !self.grants.is_empty()
    }
}

/// What output must be.
#[derive(Clone, Debug)]
pub enum RequiredFormat {
    /// A format.
    Named(OutputFormat),
    /// JSON that matches the schema in this file.
    JsonSchema(PathBuf),
}

/// Takes the name of a format, or `json-schema=FILE`.
#[derive(Clone, Debug)]
struct FormatParser;

impl TypedValueParser for FormatParser {
    type Value = RequiredFormat;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        if let Some(path) = value.as_encoded_bytes().strip_prefix(b"json-schema=") {
            let path = parse_file().parse_ref(command, argument, OsStr::from_bytes(path))?;
            return Ok(RequiredFormat::JsonSchema(path));
        }
        let named = one_of(OutputFormat::ALL, OutputFormat::name);
        named.parse_ref(command, argument, value).map(RequiredFormat::Named)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(
            OutputFormat::ALL.into_iter().map(|format| PossibleValue::new(format.name())),
        ))
    }
}

/// Reads where a job leaves a file.
fn parse_collected(text: &str) -> Result<LogicalPath, String> {
    let expected = "expected a path below /job/work, as in out.csv or results/out.csv";
    LogicalPath::parse(text).map_err(|_| expected.to_owned())
}

/// Reads the directory that a job is shown at the same place.
pub(super) fn parse_directory(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    match path.is_absolute() && path.parent().is_some() && path.components().all(is_plain) {
        true => Ok(path),
        false => Err("expected a path that begins with \"/\", and has no \"..\" in it".to_owned()),
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
