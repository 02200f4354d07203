//! A job in a process of its own: `brine run`, which verifies it once more, runs it, and signs its result.
//!
//! So a job that brings its supervisor down takes nothing else with it, and jobs that run at once share nothing.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;

use brine_core::cose::MAX_HEADER_BYTES;
use brine_core::{Statement, sign};
use brine_job::JobResult;
use clap::Parser as _;

use super::python_program::PythonProgram;
use crate::args::brine::{Brine, BrineVerb};
use crate::args::judge::JudgeArgs;
use crate::args::run::{PowerPlace, Run};
use crate::args::work::WorkArgs;
use crate::report::{Failure, retyped};
use crate::verbs::run;
use crate::world::key_place::SharedSigner;
use crate::world::looking::while_looking;
use crate::world::passphrase::Source;
use crate::world::spool::{Spool, temporary};
use crate::world::{clock, key_place};

/// Starts a process for each job.
pub(super) struct JobProcess {
    /// What is typed before the command.
    options: Vec<OsString>,
    command: Vec<OsString>,
    key: SharedSigner,
}

/// How a process ended.
pub(super) struct EndedJob {
    /// The signed result, if there is one.
    pub(super) result: Option<Vec<u8>>,
    /// The verdict, as a line of JSON.
    pub(super) verdict: Vec<u8>,
    pub(super) has_ended_well: bool,
}

impl JobProcess {
    /// Opens the key of results. Nobody is asked for a passphrase: each process would have to ask again.
    pub(super) fn new(
        args: &WorkArgs,
        judge: &JudgeArgs,
        python: Option<PythonProgram>,
        powers: &[PowerPlace],
    ) -> Result<Self, Failure> {
        let passphrases = match Source::find(&args.passphrase()) {
            Source::Terminal => Source::without_terminal(None),
            given => given,
        };
        let rule = judge.trust.permissions;
        let key = key_place::open_named(&args.key, &passphrases, rule)?;
        let mut options = vec![
            "run".into(),
            "--json".into(),
            // One that was killed lets no job run on.
            "--die-with-parent".into(),
            retyped::word("--sign-result", &args.key),
            // What is larger does not fit a message.
            format!("--limit=output={}", most_output(key.message_limit())).into(),
        ];
        options.extend(retyped::judge_words(judge));
        options.extend(args.policy.iter().map(|path| retyped::word("--policy", path)));
        options.extend(passphrases.file().map(|path| retyped::word("--passphrase-file", path)));
        for (limit, value) in &args.limits {
            options.push(format!("--limit={}={}", limit.name(), limit.show(*value)).into());
        }
        options.extend(powers.iter().map(PowerPlace::typed));
        options.extend(args.system.iter().map(|path| retyped::word("--system", path)));
        let command = match python {
            Some(python) => {
                options.push(PythonProgram::FORMAT.into());
                options.extend(python.system.iter().map(|path| retyped::word("--system", path)));
                python.command
            }
            None => args.command.clone(),
        };
        Ok(Self { options, command, key })
    }

    /// Runs a job, and calls `look` now and then.
    pub(super) fn run(
        &self,
        job: &[u8],
        reply: Option<&str>,
        look: impl FnMut(),
    ) -> Result<EndedJob, Failure> {
        let mut input = Spool::new().map_err(temporary)?;
        input.write_all(job).map_err(temporary)?;
        let mut command = Command::new(SELF);
        command.args(&self.options);
        command.args(reply.map(|name| retyped::word("--result-context", name)));
        if !self.command.is_empty() {
            command.arg("--").args(&self.command);
        }
        command
            // What is typed at a terminal asks the worker to end, and not the job.
            .process_group(0)
            .stdin(Stdio::from(input.into_read_only().map_err(temporary)?))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let failed = |error| Failure::io("a job", error);
        let child = command.spawn().map_err(failed)?;
        while_looking(move || end_of(child), look).map_err(failed)
    }

    /// Returns what is typed for a process, as the program reads it.
    pub(super) fn typed(&self) -> Result<Run, Failure> {
        let separator = (!self.command.is_empty()).then(|| OsString::from("--"));
        let words = std::iter::once("brine".into()).chain(self.options.iter().cloned());
        let words = words.chain(separator).chain(self.command.iter().cloned());
        match Brine::try_parse_from(words).map(|parsed| parsed.verb) {
            Ok(BrineVerb::Run(mut args)) => {
                run::settle(&mut args);
                Ok(args)
            }
            Ok(_) => Err(Failure::usage("what is to be run is another verb")),
            Err(error) => Err(Failure::usage(error.to_string())),
        }
    }

    /// Signs how a job ended that has no process to say it.
    pub(super) fn sign(&self, result: &JobResult, reply: Option<&str>) -> Result<Vec<u8>, Failure> {
        let statement = Statement::at(clock::read()?);
        let statement = match reply {
            Some(reply) => statement.context(reply),
            None => statement,
        };
        Ok(sign(&result.statement(statement), self.key.as_ref(), b"")?.to_bytes())
    }
}

/// Returns how long the output of a job may be, so that its result can be signed and fits a message.
fn most_output(message_limit: Option<usize>) -> usize {
    let signed = message_limit.unwrap_or(usize::MAX).saturating_sub(MAX_HEADER_BYTES);
    signed.min(MAX_OUTPUT_BYTES)
}

/// Reads what a process writes, and waits for its end.
fn end_of(mut child: Child) -> io::Result<EndedJob> {
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let (result, verdict) = thread::scope(|scope| {
        let verdict = thread::Builder::new().spawn_scoped(scope, move || read(errors))?;
        let result = read(output)?;
        let verdict = verdict.join().unwrap_or_else(|_| Ok(Vec::new()))?;
        io::Result::Ok((result, verdict))
    })?;
    let has_ended_well = child.wait()?.success();
    let result = Some(result).filter(|result| !result.is_empty());
    Ok(EndedJob { result, verdict, has_ended_well })
}

/// Reads all that comes, and keeps what can be of use.
fn read(source: Option<impl io::Read>) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let Some(mut source) = source else { return Ok(kept) };
    source.by_ref().take(MOST_READ).read_to_end(&mut kept)?;
    io::copy(&mut source, &mut io::sink())?;
    Ok(kept)
}

/// This program.
pub(super) const SELF: &str = "/proc/self/exe";

/// The most output of a job: what fits a message, beside a header.
const MAX_OUTPUT_BYTES: usize = brine_queue::MAX_MESSAGE_BYTES - 64 * 1024;

/// The most that is kept of what a process writes, which is a result or a verdict.
const MOST_READ: u64 = 2 * 0x0100_0000;
