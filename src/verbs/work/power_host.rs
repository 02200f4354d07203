//! The Python that serves powers to the jobs of a worker.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use brine_core::text::quoted;
use brine_job::PowerName;
use serde::Deserialize;
use tempfile::TempDir;

use super::python_program;
use crate::args::run::PowerPlace;
use crate::report::Failure;

/// A process that listens at a socket for each of its powers. It ends when its standard input does, and so with this
/// process, however that ends.
pub(super) struct PowerHost {
    child: Child,
    object: String,
    /// Where it listens.
    pub(super) places: Vec<PowerPlace>,
    directory: TempDir,
}

impl PowerHost {
    /// Starts a Python, the one that was typed or else the one beside this program, which serves what an object has.
    pub(super) fn start(
        object: &str,
        python: Option<&Path>,
        errors: Stdio,
    ) -> Result<Self, Failure> {
        let program = python_program::path(python)?;
        let failed = |error| Failure::io(format!("--powers {object}"), error);
        let own = Permissions::from_mode(0o700);
        let mut made = tempfile::Builder::new();
        let directory = made.prefix("brine-").permissions(own).tempdir().map_err(failed)?;
        // Nothing in the working directory is taken for the package.
        let mut command = Command::new(&program);
        command.args(["-P", "-c", HOST]).args([OsStr::new(object), directory.path().as_os_str()]);
        // What is typed at a terminal asks the worker to end, whose jobs need it until then.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command
            .spawn()
            .map_err(|source| Failure::NotExecutable { program: program.clone(), source })?;
        let said = child.stdout.take().map(first_line).transpose().map_err(failed)?;
        let mut host = Self { child, object: object.to_owned(), places: Vec::new(), directory };
        let said = said.unwrap_or_default();
        let answer = match serde_json::from_str(&said) {
            Ok(Answer::Powers(names)) => names,
            Ok(Answer::Error(why)) => return Err(cannot_serve(object, &why)),
            Err(_) => {
                let program = quoted(&program).to_string();
                return Err(cannot_serve(object, &format!("{program} ended before it listened")));
            }
        };
        for (number, name) in answer.into_iter().enumerate() {
            let socket = host.directory.path().join(number.to_string());
            let name = PowerName::parse(&name)
                .map_err(|what| cannot_serve(object, &format!("{name:?}: {what}")))?;
            host.places.push(PowerPlace { name, socket });
        }
        Ok(host)
    }

    /// Says so if it has ended, which no job asked for.
    pub(super) fn refuse_ended(&mut self) -> Result<(), Failure> {
        let Self { child, object, .. } = self;
        let failed = |error| Failure::io(format!("--powers {object}"), error);
        match child.try_wait().map_err(failed)? {
            None => Ok(()),
            Some(status) => {
                Err(failed(io::Error::other(format!("its Python has ended: {status}"))))
            }
        }
    }
}

impl Drop for PowerHost {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let begun = Instant::now();
        while begun.elapsed() < END {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(LOOK),
                _ => return,
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What it says when it listens, or why it does not. The socket of each power is named by its number, from 0 on.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Powers(Vec<String>),
    Error(String),
}

fn first_line(source: impl io::Read) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(source.take(MAX_ANSWER_BYTES)).read_line(&mut line)?;
    Ok(line)
}

fn cannot_serve(object: &str, why: &str) -> Failure {
    Failure::mistyped(
        format!("the powers of {object:?} cannot be served: {why}"),
        "--powers MODULE:OBJECT names a mapping, from names of powers to what jobs get for them",
    )
}

/// Serves the object that is the first argument below the directory that is the second.
const HOST: &str = "import sys; from brine._power_host import main; sys.path.insert(0, ''); main()";

const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// How long it may take to end.
const END: Duration = Duration::from_secs(5);

const LOOK: Duration = Duration::from_millis(5);
