//! A command that reads a verified payload: in place of this process, or while this process waits for its end.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::io::Errno;

use super::core_dumps;
use super::passed_signals::PassedSignals;
use crate::report::Failure;

/// A command whose standard input is a payload. All else it inherits, as a command of a shell does.
///
/// Descriptors that brine opened close by themselves (`O_CLOEXEC`). Signals have the actions that brine was started
/// with, except `SIGPIPE`: Rust ignores it in this process, and gives the command its default action.
#[derive(Clone, Debug)]
pub(crate) struct PayloadCommand {
    /// What was typed, which the command sees as its own name.
    pub(crate) name: OsString,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
}

impl PayloadCommand {
    /// Becomes the command, which keeps the process id: then every signal, stop and end is the command's own.
    /// Returns only if that fails.
    pub(crate) fn replace_process(&self, payload: File) -> Failure {
        let _allowed = core_dumps::allow();
        let again = payload.try_clone();
        match (self.command(payload).exec(), again) {
            (error, Ok(payload)) if is_script(&error) => {
                self.failure(self.by_shell(payload).exec())
            }
            (error, _) => self.failure(error),
        }
    }

    /// Runs the command, and waits for its end. Signals that ask this process to end go to the command.
    pub(crate) fn run(&self, payload: File) -> Result<ExitStatus, Failure> {
        let signals = PassedSignals::catch().map_err(|error| self.failure(error))?;
        let child = self.start(payload)?;
        signals.wait(child).map_err(|error| self.not_waited_for(error))
    }

    /// Starts the command. Whoever calls waits for its end.
    pub(crate) fn start(&self, payload: File) -> Result<Child, Failure> {
        let _allowed = core_dumps::allow();
        self.spawn(payload).map_err(|error| self.failure(error))
    }

    /// Says that it cannot be found out how the command ended.
    pub(crate) fn not_waited_for(&self, error: io::Error) -> Failure {
        Failure::io(self.shown(), error)
    }

    fn spawn(&self, payload: File) -> io::Result<Child> {
        let again = payload.try_clone()?;
        match self.command(payload).spawn() {
            Err(error) if is_script(&error) => self.by_shell(again).spawn(),
            spawned => spawned,
        }
    }

    fn command(&self, payload: File) -> Command {
        let mut command = Command::new(&self.program);
        command.arg0(&self.name).args(&self.arguments).stdin(Stdio::from(payload));
        command
    }

    /// Has the shell run it, as shells do with a script that does not begin with "#!".
    fn by_shell(&self, payload: File) -> Command {
        let mut command = Command::new("/bin/sh");
        command.arg(&self.program).args(&self.arguments).stdin(Stdio::from(payload));
        command
    }

    fn failure(&self, source: io::Error) -> Failure {
        match source.kind() {
            // The system has no process or memory for it, whatever the command is.
            io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => {
                Failure::io(self.shown(), source)
            }
            io::ErrorKind::NotFound if !self.program.exists() => {
                Failure::NotFound { program: PathBuf::from(&self.name) }
            }
            _ => Failure::NotExecutable { program: self.program.clone(), source },
        }
    }

    fn shown(&self) -> String {
        format!("{:?}", Path::new(&self.name))
    }
}

/// Returns whether the system does not know what a program is.
fn is_script(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error())
}
