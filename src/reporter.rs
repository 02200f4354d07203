//! Prints outcomes.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::Write as _;

use crate::report::byte_name::in_a_line;
use crate::report::console::{complain, complain_again, note, write_json};
use crate::report::exit::Status;
use crate::report::{Failure, FileOutcome, FileWork, JsonPlace, Outcome, status_of, verdict};
use crate::world::output::{Opened, Output};
use crate::world::whole_file::Access;

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
    json: Option<JsonPlace>,
    file: Option<(Output, Opened)>,
    say_who: SayWho,
    /// What was typed after `--`, to get what is verified.
    command: Vec<OsString>,
}

impl Reporter {
    /// Opens the file for the verdict before anything else is done, so that nothing is released whose
    /// verdict cannot be kept.
    pub(crate) fn open(
        json: Option<JsonPlace>,
        say_who: SayWho,
        report: Option<Output>,
    ) -> Result<Self, Failure> {
        let open = |report: Output| report.open(Access::Ordinary).map(|opened| (report, opened));
        let file = report.map(open).transpose()?;
        Ok(Self { json, file, say_who, command: Vec::new() })
    }

    /// Reports what becomes of a command, too. Standard error is the command's, so a line of JSON goes to the file.
    pub(crate) fn of_command(self, command: &[OsString]) -> Self {
        Self { command: command.to_owned(), ..self }
    }

    /// Reports without a file, where there is none or it cannot be written.
    pub(crate) const fn without_file(json: Option<JsonPlace>) -> Self {
        Self { json, file: None, say_who: SayWho::AtTerminal, command: Vec::new() }
    }

    /// Reports the result and returns the exit status.
    pub(crate) fn finish(self, result: Result<Outcome, Failure>) -> Status {
        let Self { json, say_who, ref command, .. } = self;
        let command = command.clone();
        let (result, is_kept) = match self.write_file(&result) {
            Ok(is_kept) => (result, is_kept),
            // If that fails, so does what went well.
            Err(failure) => (result.and(Err(failure)), false),
        };
        let status = status_of(&result);
        if json != Some(JsonPlace::Stderr) {
            tell(&result, status, say_who);
        }
        if is_kept && !command.is_empty() {
            return status;
        }
        let Some(place) = place_for(&result, json) else { return status };
        let written = write_json(place, &verdict::lines(&result, &command));
        // A verdict that is lost is not given.
        if written.is_err() && status == Status::Done { Status::Io } else { status }
    }

    /// Writes the verdict to the file that was asked for, and returns whether there is one.
    fn write_file(self, result: &Result<Outcome, Failure>) -> Result<bool, Failure> {
        let Some((report, opened)) = self.file else { return Ok(false) };
        let lines = verdict::lines(result, &self.command);
        let written = opened.writer().write_all(lines.as_bytes());
        written.map_err(|error| report.failed(error))?;
        report.finish(opened).map(|()| true)
    }
}

/// Returns where lines of JSON about a result go, if it has any.
///
/// Verbs that write documents to standard output have done so: only a failure is left to be told.
fn place_for(result: &Result<Outcome, Failure>, json: Option<JsonPlace>) -> Option<JsonPlace> {
    match (json?, result) {
        (JsonPlace::Stderr, _) => Some(JsonPlace::Stderr),
        (JsonPlace::Stdout, Ok(_)) => None,
        // Standard output is a file that is read, or closed.
        (JsonPlace::Stdout, Err(Failure::SameFile { .. } | Failure::Precious { .. })) => {
            Some(JsonPlace::Stderr)
        }
        (JsonPlace::Stdout, Err(failure)) if failure.is_quiet() => None,
        (JsonPlace::Stdout, Err(_)) => Some(JsonPlace::Stdout),
    }
}

/// Says who signed how many records.
fn signed_by(signers: &BTreeMap<String, u64>) -> String {
    let each: Vec<_> = signers.iter().map(|(name, count)| format!("{name} ({count})")).collect();
    if each.is_empty() { String::new() } else { format!("; signed by {}", each.join(", ")) }
}

/// Tells a person.
fn tell(result: &Result<Outcome, Failure>, status: Status, say_who: SayWho) {
    match result {
        Err(failure) => complain(failure),
        Ok(Outcome::Records { counts, signers, failure, older }) => {
            let has_failed = failure.as_ref().is_some_and(|failure| !failure.is_quiet());
            let matters = counts.refused > 0 || counts.missing.records > 0 || has_failed;
            if say_who.now() {
                note(&format!("{counts}{}", signed_by(signers)));
            } else if matters {
                note(&counts.to_string());
            }
            match (failure, older) {
                (Some(failure), _) => complain(failure),
                (None, Some(older)) => note(&format!("hint: {}", older.hint())),
                (None, None) => {}
            }
        }
        Ok(Outcome::Signed { failure: Some(failure), .. }) => complain(failure),
        Ok(Outcome::Explained { explained, .. }) if !explained.failures.is_empty() => {
            complain_of_all(&explained.failures);
        }
        Ok(Outcome::Explained { signed, .. } | Outcome::Verified { signed }) if say_who.now() => {
            note(&signed.line());
        }
        Ok(Outcome::Answered { signed, result }) => match result.line() {
            Some(line) => note(&format!("error: {line}")),
            None if say_who.now() => note(&signed.line()),
            None => {}
        },
        Ok(Outcome::Ran { line, hint, .. }) if status != Status::Done => {
            note(&format!("error: {line}"));
            hint.iter().for_each(|hint| note(&format!("hint: {hint}")));
        }
        Ok(Outcome::Ran { signed, line, .. }) if say_who.now() => {
            note(&format!("{}; {line}", signed.line()));
        }
        Ok(Outcome::Files { work, files }) if files.len() > 1 => {
            let is_told = |file: &&FileOutcome| {
                file.outcome.as_ref().is_err_and(|failure| !failure.is_quiet())
            };
            let failed = files.iter().filter(is_told).count();
            if failed > 0 {
                let what = match work {
                    FileWork::Sign if failed == 1 => "was not signed",
                    FileWork::Sign => "were not signed",
                    FileWork::Verify => "did not verify",
                };
                note(&format!("error: {failed} of {} files {what}", files.len()));
            }
        }
        Ok(_) => {}
    }
}

/// Tells a person of all failures, and what to type next once where it is the same.
fn complain_of_all(failures: &[Failure]) {
    let mut hinted = BTreeSet::new();
    for failure in failures {
        match hinted.insert(failure.hint()) {
            true => complain(failure),
            false => complain_again(failure),
        }
    }
}

/// Tells a person how each of several files did, as soon as that is known.
#[derive(Debug)]
pub(crate) struct FileTeller {
    say_who: SayWho,
    /// The reasons to which a hint was given. The same hint to each of many files helps nobody.
    hinted: BTreeSet<&'static str>,
}

impl FileTeller {
    pub(crate) const fn new(say_who: SayWho) -> Self {
        Self { say_who, hinted: BTreeSet::new() }
    }

    pub(crate) fn tell(&mut self, file: &FileOutcome) {
        match &file.outcome {
            Err(failure) if self.hinted.insert(failure.reason()) => complain(failure),
            Err(failure) => complain_again(failure),
            Ok(Outcome::Verified { signed }) if self.say_who.now() => {
                note(&format!("{}: {}", in_a_line(&file.name), signed.line()));
            }
            Ok(_) => {}
        }
    }
}

impl SayWho {
    /// Returns whether a person hears it.
    pub(crate) fn now(self) -> bool {
        match self {
            Self::Always => true,
            Self::AtTerminal => rustix::termios::isatty(rustix::stdio::stderr()),
            Self::Never => false,
        }
    }
}
