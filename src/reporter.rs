//! Prints outcomes.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::report::console::{complain, note};
use crate::report::exit::Status;
use crate::report::{Failure, Outcome, status_of, verdict};
use crate::world::output::{Opened, Output};
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::whole_file::Access;

/// Where the verdict goes, as the command line says.
#[derive(Clone, Debug, Default)]
pub(crate) struct VerdictFile {
    pub(crate) json: bool,
    pub(crate) file: Option<PathBuf>,
    pub(crate) say_who: SayWho,
}

/// Whether a person hears who signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SayWho {
    Always,
    #[default]
    AtTerminal,
    Never,
}

/// Prints outcomes.
#[derive(Debug, Default)]
pub(crate) struct Reporter {
    json: bool,
    file: Option<(Output, Opened)>,
    say_who: SayWho,
}

impl Reporter {
    /// Opens the file for the verdict before anything else is done, so that nothing is released whose
    /// verdict cannot be kept.
    pub(crate) fn open(
        options: VerdictFile,
        outputs: &[Option<&Path>],
        guard: &OverwriteGuard,
    ) -> Result<Self, Failure> {
        let VerdictFile { json, file, say_who } = options;
        let Some(path) = file else { return Ok(Self { json, file: None, say_who }) };
        if path == Path::new("-") {
            let usage = "--report takes a file; --json writes to standard error";
            return Err(Failure::usage(usage));
        }
        let report = Output::plan(Some(&path), guard)?;
        // The verdict and the payload in one file would be neither.
        for output in outputs {
            if report.is_same_as(&Output::plan(*output, guard)?) {
                return Err(Failure::SameFile);
            }
        }
        let opened = report.open(Access::Ordinary)?;
        Ok(Self { json, file: Some((report, opened)), say_who })
    }

    /// Reports without a file, where there is none or it cannot be written.
    pub(crate) const fn without_file(json: bool) -> Self {
        Self { json, file: None, say_who: SayWho::AtTerminal }
    }

    /// Reports the result and returns the exit status.
    pub(crate) fn finish(self, result: Result<Outcome, Failure>) -> Status {
        let (json, say_who) = (self.json, self.say_who);
        let result = self.write_file(result);
        let status = status_of(&result);
        if !json {
            tell(&result, status, say_who);
            return status;
        }
        let lines = verdict::lines(&result);
        let written = io::stderr().lock().write_all(lines.as_bytes());
        // A verdict that is lost is not given.
        if written.is_err() && status == Status::Done { Status::Io } else { status }
    }

    /// Writes the verdict to the file that was asked for. If that fails, so does what went well.
    fn write_file(self, result: Result<Outcome, Failure>) -> Result<Outcome, Failure> {
        let Some((report, opened)) = self.file else { return result };
        let lines = verdict::lines(&result);
        let written = opened.file().write_all(lines.as_bytes());
        let written = written.map_err(|error| report.failed(error));
        let written = written.and_then(|()| report.finish(opened));
        result.and_then(|done| written.map(|()| done))
    }
}

/// Tells a person.
fn tell(result: &Result<Outcome, Failure>, status: Status, say_who: SayWho) {
    match result {
        Err(failure) => complain(failure),
        Ok(Outcome::Records { counts, failure }) => {
            let matters = counts.refused > 0 || counts.missing.records > 0 || failure.is_some();
            if matters || say_who.now() {
                note(&counts.to_string());
            }
            if let Some(failure) = failure {
                complain(failure);
            }
        }
        Ok(Outcome::Verified { signed, .. }) if say_who.now() => note(&signed.line()),
        Ok(Outcome::Ran { line, .. }) if status != Status::Done => note(&format!("error: {line}")),
        Ok(Outcome::Ran { signed, line, .. }) if say_who.now() => {
            note(&format!("{}; {line}", signed.line()));
        }
        Ok(Outcome::Files(files)) if status != Status::Done => {
            let refused = files.iter().filter(|file| file.outcome.is_err()).count();
            note(&format!("error: {refused} of {} files did not verify", files.len()));
        }
        Ok(_) => {}
    }
}

impl SayWho {
    fn now(self) -> bool {
        match self {
            Self::Always => true,
            Self::AtTerminal => rustix::termios::isatty(rustix::stdio::stderr()),
            Self::Never => false,
        }
    }
}
