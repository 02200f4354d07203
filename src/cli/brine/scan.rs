//! `brine scan`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::cli::args::scan::Scan;
use crate::cli::exit::Status;
use crate::cli::failure::Failure;
use crate::cli::input::{Input, MAX_WHOLE_BYTES};
use crate::cli::output::Output;
use crate::cli::report::{Report, complain, json_line, note, printable};
use crate::cli::whole_file::Access;
use crate::pickle::{self, AllowList, Import, Options, other_format, scan};

/// Judges each file, whatever became of those before. The status is that of the first that was refused.
pub(super) fn run(args: &Scan) -> Result<Report, Failure> {
    let standard_input = [PathBuf::from("-")];
    let inputs = if args.inputs.is_empty() { &standard_input[..] } else { &args.inputs };
    if inputs.iter().filter(|path| is_standard_input(path)).count() > 1 {
        return Err(Failure::usage("standard input can be read only once"));
    }
    let allow = list(&args.allow)?;
    for (module, name) in allow.gadgets() {
        note(&format!("warning: the list has {module}:{name}, which can reach what is not on it"));
    }
    let options = Options { allow: &allow, many: args.multi, persistent_ids: args.persistent_ids };
    let mut status = Status::Done;
    for path in inputs {
        let ended = one(path, &options, args.json)?;
        if status == Status::Done {
            status = ended;
        }
    }
    Ok(Report::Told(status))
}

/// Judges a file and says how it did. Fails only if nobody can be told.
fn one(path: &Path, options: &Options<'_>, as_json: bool) -> Result<Status, Failure> {
    let bytes = Input::open(Some(path)).and_then(|input| input.read(MAX_WHOLE_BYTES));
    let name = if is_standard_input(path) {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let (text, outcome) = match &bytes {
        Err(_) => (String::new(), None),
        Ok(bytes) => {
            let report = scan(bytes, options);
            let failure = failure(&name, bytes, &report);
            let text = if as_json { String::new() } else { page(&name, &report) };
            (text, Some((bytes.len(), report, failure)))
        }
    };
    let failure = match (&bytes, &outcome) {
        (Err(failure), _) => Some(failure),
        (Ok(_), Some((_, _, failure))) => failure.as_ref(),
        (Ok(_), None) => None,
    };
    let text = if as_json {
        let found = outcome.as_ref().map(|(length, report, _)| (*length, report));
        json_line(&facts(path, found, failure))
    } else {
        text
    };
    Output::stdout().write(Access::Ordinary, |stdout| stdout.write_all(text.as_bytes()))?;
    failure.map_or(Ok(Status::Done), |failure| {
        complain(failure);
        Ok(failure.status())
    })
}

/// Puts the lists together that were asked for.
pub(super) fn list(named: &[PathBuf]) -> Result<AllowList, Failure> {
    let mut list = AllowList::new();
    for path in named {
        list.extend(match path.to_str() {
            Some("std") => AllowList::std(),
            Some("numpy") => AllowList::numpy(),
            _ => read_list(path)?,
        });
    }
    Ok(list)
}

fn read_list(path: &Path) -> Result<AllowList, Failure> {
    let bytes = Input::open_file(path)?.read(MAX_LIST_BYTES)?;
    let parsed = AllowList::parse(&String::from_utf8_lossy(&bytes));
    parsed.map_err(|source| Failure::AllowList { path: path.to_owned(), source })
}

/// Says why a pickle is refused, if it is.
pub(super) fn failure(name: &str, bytes: &[u8], report: &pickle::Report<'_>) -> Option<Failure> {
    let refusal = report.verdict().err()?;
    let message = match other_format(bytes) {
        Some(format) => format!("{}: it is {format}", refusal.reason),
        None => format!("{}, at byte {}", report.explain(&refusal), refusal.offset),
    };
    Some(Failure::Pickle { name: name.to_owned(), message, reason: refusal.reason })
}

/// A page for people.
fn page(name: &str, report: &pickle::Report<'_>) -> String {
    let mut page = String::new();
    let mut line = |text: &str| {
        // Writing to a String does not fail.
        let _ = writeln!(page, "{}", printable(text));
    };
    let verdict = match (report.verdict(), report.imports.is_empty()) {
        (Err(_), _) => "refused",
        (Ok(()), true) => "allowed, it imports nothing",
        (Ok(()), false) => "allowed, it imports nothing else than",
    };
    line(&format!("{name}: {verdict}"));
    let widest = report.imports.iter().map(|import| import.to_string().len()).max().unwrap_or(0);
    let width = widest.min(LONGEST_COLUMN);
    for import in &report.imports {
        let verdict = import.refusal.map_or("allowed", |_| "refused");
        let (how, offset) = (import.how.name(), import.offset);
        let text = import.to_string();
        line(&format!("  {verdict}  {text:width$}  {how} at byte {offset}{}", times(import)));
    }
    // Those of imports stand beside them.
    let of_import = |refusal: &&pickle::Refusal| {
        report.imports.iter().all(|import| import.refusal != Some(refusal.reason))
    };
    for refusal in report.refusals.iter().filter(of_import) {
        line(&format!("  refused  it {refusal}"));
    }
    if !report.complete {
        line("  it could not be followed to its end, so there may be more imports");
    }
    page
}

fn times(import: &Import<'_>) -> String {
    if import.times == 1 { String::new() } else { format!(", {} times", import.times) }
}

fn facts(
    path: &Path,
    found: Option<(usize, &pickle::Report<'_>)>,
    failure: Option<&Failure>,
) -> Value {
    let status = failure.map_or(Status::Done, Failure::status);
    let verdict = match status {
        Status::Done => "allowed",
        Status::Altered | Status::Unsupported | Status::Untrusted => "refused",
        _ => "failed",
    };
    let mut fields = Map::new();
    let mut set = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    set("schema", json!(SCHEMA));
    set("file", json!(path.to_string_lossy()));
    set("verdict", json!(verdict));
    set("status", json!(status.code()));
    if let Some(failure) = failure {
        set("reason", json!(failure.reason()));
        set("message", json!(failure.to_string()));
    }
    if let Some((bytes, report)) = found {
        set("bytes", json!(bytes));
        set("pickles", json!(report.pickles));
        set("complete", json!(report.complete));
        set("imports", report.imports.iter().map(of_import).collect());
        let refusals = report.refusals.iter().map(|refusal| {
            json!({
                "reason": refusal.reason.reason(),
                "message": report.explain(refusal),
                "offset": refusal.offset,
            })
        });
        set("refusals", refusals.collect());
    }
    Value::Object(fields)
}

fn of_import(import: &Import<'_>) -> Value {
    json!({
        "module": import.module,
        "name": import.name,
        "mapped": import.mapped.as_ref().map(|mapped| json!({
            "module": mapped.module,
            "name": mapped.name,
        })),
        "protocol": import.protocol,
        "how": import.how.name(),
        "offset": import.offset,
        "times": import.times,
        "verdict": if import.refusal.is_none() { "allowed" } else { "refused" },
        "reason": import.refusal.map(pickle::Reason::reason),
    })
}

fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// The version of the line's form; docs/scan.md describes it.
const SCHEMA: &str = "brine.scan/1";

/// The largest list, in bytes.
const MAX_LIST_BYTES: u64 = 1024 * 1024;

/// Wider names push what follows them to the right, in characters.
const LONGEST_COLUMN: usize = 60;
