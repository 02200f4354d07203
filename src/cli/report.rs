//! How it went: a line for people, a line of JSON for programs.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::clock::Moment;
use super::counts::Counts;
use super::exit::Status;
use super::failure::Failure;
use super::output::{Opened, Output};
use super::reads::Reads;
use super::whole_file::Access;
use crate::cose::Protected;
use crate::job::Plan;
use crate::kind::Kind;
use crate::text::{hex, is_harmless, push_escaped};
use crate::trust::Signer;
use crate::verify::{Verified, VerifiedLarge};

/// The version of the verdict's form; docs/verdict.md describes it.
const SCHEMA: &str = "brine.verdict/1";

/// Where the verdict goes, as the command line says.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct ReportOptions {
    pub(in crate::cli) json: bool,
    pub(in crate::cli) file: Option<PathBuf>,
    pub(in crate::cli) say_who: SayWho,
}

/// Whether a person hears who signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) enum SayWho {
    Always,
    #[default]
    AtTerminal,
    Never,
}

/// What a verb that did its work has to say.
#[derive(Debug)]
pub(super) enum Report {
    Files(Vec<OfFile>),
    Ran(Settled),
    Records {
        counts: Counts,
        failure: Option<Failure>,
    },
    Silent,
    /// It said itself how it went, and ends like this.
    Told(Status),
    Verified {
        line: String,
        json: Map<String, Value>,
    },
}

/// What became of a job that was run.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) status: Status,
    /// For people.
    pub(super) line: String,
    /// For programs.
    pub(super) json: Map<String, Value>,
}

/// How one of several files did.
#[derive(Debug)]
pub(super) struct OfFile {
    pub(super) name: String,
    pub(super) outcome: Result<Report, Failure>,
}

/// What was verified, and by whom.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) detached: bool,
    pub(super) header: &'a Protected<'a>,
    pub(super) kind: Kind,
    pub(super) payload_bytes: usize,
    pub(super) signer: &'a Signer,
}

impl<'a> Facts<'a> {
    pub(super) const fn of(verified: &'a Verified<'a, 'a>, detached: bool) -> Self {
        Self {
            detached,
            header: verified.header(),
            kind: verified.kind(),
            payload_bytes: verified.payload().len(),
            signer: verified.signer(),
        }
    }

    /// The same of what is not in memory.
    pub(super) fn of_large(verified: &'a VerifiedLarge<'a, 'a>, detached: bool) -> Self {
        Self {
            detached,
            header: verified.header(),
            kind: verified.kind(),
            payload_bytes: usize::try_from(verified.payload_bytes()).unwrap_or(usize::MAX),
            signer: verified.signer(),
        }
    }
}

impl Report {
    /// Adds by what plan it was, or would be, run.
    pub(super) fn of_plan(mut self, plan: &Plan) -> Self {
        if let Self::Verified { json, .. } = &mut self {
            let command = plan.program.arguments.iter().map(|text| text.to_string_lossy());
            let waived = plan.waived.iter().map(|layer| layer.name());
            json.insert("plan_digest".to_owned(), json!(hex(&plan.digest())));
            json.insert("command".to_owned(), json!(command.collect::<Vec<_>>()));
            json.insert("waived".to_owned(), json!(waived.collect::<Vec<_>>()));
        }
        self
    }

    /// Adds what became of it.
    pub(super) fn ran(self, settled: Settled) -> Self {
        let Self::Verified { line, mut json } = self else { return self };
        let Settled { status, line: of_run, json: more } = settled;
        json.extend(more);
        let line = if status == Status::Done { format!("{line}; {of_run}") } else { of_run };
        Self::Ran(Settled { status, line, json })
    }

    /// Describes what was verified.
    pub(super) fn verified(facts: &Facts<'_>, moment: Moment) -> Self {
        let Facts { detached, header, kind, payload_bytes, signer } = facts;
        let claims = &header.claims;
        let context = claims.audience.map(|audience| audience.to_string());
        let time = claims.issued_at.map(|at| at.to_string());
        let about: Vec<_> = context.iter().chain(&time).map(String::as_str).collect();
        let about =
            if about.is_empty() { String::new() } else { format!(" ({})", about.join(", ")) };
        let line = format!("signed by {}{about}", signer.name);
        let content_type = header.content_type.or(header.preimage_content_type);
        let typ = header.typ.filter(|_| *kind == Kind::Foreign);
        let fields = json!({
            "algorithm": header.algorithm.id(),
            "clock": if moment.given { "given" } else { "system" },
            "content_type": content_type.map(|content_type| content_type.to_string()),
            "context": claims.audience.map(|audience| audience.names().collect::<Vec<_>>()),
            "cti": claims.cti.map(hex),
            "detached": detached,
            "expires": claims.expires.map(|at| at.to_string()),
            "issued_at": time,
            "judged_at": moment.now.to_string(),
            "key_id": signer.key.id().to_string(),
            "kind": if *kind == Kind::Segment { "stream" } else { kind.name() },
            "not_before": claims.not_before.map(|at| at.to_string()),
            "payload_bytes": payload_bytes,
            "signer": signer.name,
            "typ": typ.map(|typ| typ.to_string()),
        });
        let Value::Object(json) = fields else { return Self::Silent };
        Self::Verified { line, json }
    }
}

/// Prints outcomes.
#[derive(Debug, Default)]
pub(super) struct Reporter {
    json: bool,
    file: Option<(Output, Opened)>,
    say_who: SayWho,
}

impl Reporter {
    /// Opens the file for the verdict before anything else is done, so that nothing is released whose
    /// verdict cannot be kept.
    pub(super) fn plan(
        options: ReportOptions,
        outputs: &[Option<&Path>],
        reads: &Reads,
    ) -> Result<Self, Failure> {
        let ReportOptions { json, file, say_who } = options;
        let Some(path) = file else { return Ok(Self { json, file: None, say_who }) };
        if path == Path::new("-") {
            let usage = "--report takes a file; --json writes to standard error";
            return Err(Failure::Usage(usage.to_owned()));
        }
        let report = Output::plan(Some(&path), reads)?;
        // The verdict and the payload in one file would be neither.
        for output in outputs {
            if report.is_same_as(&Output::plan(*output, reads)?) {
                return Err(Failure::SameFile);
            }
        }
        let opened = report.open(Access::Ordinary)?;
        Ok(Self { json, file: Some((report, opened)), say_who })
    }

    /// For when there is no file, or it cannot be written.
    pub(super) const fn without_file(json: bool) -> Self {
        Self { json, file: None, say_who: SayWho::AtTerminal }
    }

    /// Reports the outcome and returns the exit status.
    pub(super) fn finish(self, outcome: Result<Report, Failure>) -> Status {
        let (json, say_who) = (self.json, self.say_who);
        let outcome = self.write_file(outcome);
        let mut status = status_of(&outcome);
        match &outcome {
            _ if json => {
                let lines = verdicts(&outcome);
                // A verdict that is lost is not given.
                if io::stderr().lock().write_all(lines.as_bytes()).is_err()
                    && status == Status::Done
                {
                    status = Status::Io;
                }
            }
            Ok(Report::Records { counts, failure }) => {
                if say_who.now()
                    || counts.refused > 0
                    || counts.missing.records > 0
                    || failure.is_some()
                {
                    note(&counts.to_string());
                }
                if let Some(failure) = failure {
                    complain(failure);
                }
            }
            Ok(Report::Verified { line, .. }) if say_who.now() => note(line),
            Ok(Report::Ran(ran)) if ran.status != Status::Done => {
                note(&format!("error: {}", ran.line));
            }
            Ok(Report::Ran(ran)) if say_who.now() => note(&ran.line),
            Ok(Report::Files(files)) if status != Status::Done => {
                let refused = files.iter().filter(|file| file.outcome.is_err()).count();
                note(&format!("error: {refused} of {} files did not verify", files.len()));
            }
            Ok(_) => {}
            Err(failure) => complain(failure),
        }
        status
    }

    /// Writes the verdict to the file that was asked for. If that fails, so does what went well.
    fn write_file(self, outcome: Result<Report, Failure>) -> Result<Report, Failure> {
        let Some((report, opened)) = self.file else { return outcome };
        let lines = verdicts(&outcome);
        let written = opened.file().write_all(lines.as_bytes());
        let written = written.map_err(|error| report.failed(error));
        let written = written.and_then(|()| report.finish(opened));
        outcome.and_then(|done| written.map(|()| done))
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

/// Says why there is no result, and what to type next.
pub(super) fn complain(failure: &Failure) {
    note(&format!("error: {failure}"));
    if let Some(hint) = failure.hint() {
        note(&format!("hint: {hint}"));
    }
}

/// Says what is wrong with what was typed, which may hold anything, in several lines.
pub(super) fn usage(text: &str) {
    let lines: Vec<_> = text.lines().map(printable).collect();
    let _ = writeln!(io::stderr().lock(), "{}", lines.join("\n"));
}

/// Tells a person something that is not an error.
pub(super) fn note(text: &str) {
    // Standard error is where one would complain that it is closed.
    let _ = writeln!(io::stderr().lock(), "{}: {}", program(), printable(text));
}

/// Shows what a job wrote to its standard error, which may hold anything.
pub(super) fn errors_of_job(errors: &[u8], dropped: u64) {
    for line in String::from_utf8_lossy(errors).lines() {
        note(&format!("job: {line}"));
    }
    if dropped > 0 {
        note(&format!("job: and {dropped} bytes more"));
    }
}

/// Says which of the two programs this is; every line on standard error begins with it.
pub(super) fn set_program(name: &'static str) {
    PROGRAM.get_or_init(|| name);
}

fn program() -> &'static str {
    PROGRAM.get().copied().unwrap_or("brine")
}

static PROGRAM: OnceLock<&str> = OnceLock::new();

/// Escapes control characters, so that nobody else's text acts on the terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, character| {
        if is_harmless(character) {
            safe.push(character);
        } else {
            safe.extend(character.escape_unicode());
        }
        safe
    })
}

/// Writes a value on one line of JSON, with what a terminal could act on escaped.
pub(super) fn json_line(value: &Value) -> String {
    let text = value.to_string();
    let mut line = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        // Whatever is not harmless stands inside a string, where an escape means the same.
        if is_harmless(character) {
            line.push(character);
        } else {
            push_escaped(&mut line, character);
        }
    }
    line.push('\n');
    line
}

/// One status for several files: that of the first that was refused.
fn status_of(outcome: &Result<Report, Failure>) -> Status {
    match outcome {
        Err(failure) => failure.status(),
        Ok(Report::Files(files)) => files
            .iter()
            .map(|file| status_of(&file.outcome))
            .find(|status| *status != Status::Done)
            .unwrap_or(Status::Done),
        Ok(Report::Ran(ran)) => ran.status,
        Ok(Report::Records { counts, failure }) => match failure {
            Some(failure) => failure.status(),
            // Skipped, and nobody has it.
            None if counts.refused > counts.kept => Status::Altered,
            None => Status::Done,
        },
        Ok(Report::Told(status)) => *status,
        Ok(Report::Silent | Report::Verified { .. }) => Status::Done,
    }
}

fn verdicts(outcome: &Result<Report, Failure>) -> String {
    match outcome {
        Ok(Report::Files(files)) => {
            files.iter().map(|file| verdict(&file.outcome, Some(&file.name))).collect()
        }
        outcome => verdict(outcome, None),
    }
}

fn verdict(outcome: &Result<Report, Failure>, file: Option<&str>) -> String {
    let status = status_of(outcome);
    let mut fields = Map::new();
    let mut set = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    set("schema", json!(SCHEMA));
    set("status", json!(status.code()));
    let failure = match outcome {
        Err(failure) => Some(failure),
        Ok(Report::Records { failure, .. }) => failure.as_ref(),
        Ok(
            Report::Files(_)
            | Report::Ran(_)
            | Report::Silent
            | Report::Told(_)
            | Report::Verified { .. },
        ) => None,
    };
    if let Ok(Report::Records { counts, .. }) = outcome {
        set("records_verified", json!(counts.verified));
        set("records_refused", json!(counts.refused));
        set("records_kept", json!(counts.kept));
        set("records_missing", json!(counts.missing.records));
        set("reasons", json!(counts.reasons));
    }
    if let Some(file) = file {
        set("file", json!(file));
    }
    match (failure, outcome) {
        (None, Ok(Report::Records { counts, .. })) if counts.refused > 0 => {
            set("verdict", json!("refused"));
        }
        (None, Ok(Report::Ran(ran))) => {
            set("verdict", json!("ran"));
            fields.extend(ran.json.clone());
        }
        (None, report) => {
            set("verdict", json!("verified"));
            if let Ok(Report::Verified { json, .. }) = report {
                fields.extend(json.clone());
            }
        }
        (Some(failure), _) => {
            let refused =
                matches!(status, Status::Altered | Status::Unsupported | Status::Untrusted);
            set("verdict", json!(if refused { "refused" } else { "failed" }));
            set("reason", json!(failure.reason()));
            set("message", json!(failure.to_string()));
        }
    }
    json_line(&Value::Object(fields))
}
