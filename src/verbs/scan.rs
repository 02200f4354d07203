//! `brine scan`.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use brine_job::ImportList;
use brine_pickle::{
    AllowList, FileForm, PickleImport, PickleRefusal, PickleRule, ScanOptions, ScanReport,
    ScannedPart, scan,
};
use serde::Serialize;

use super::expect::is_standard_input;
use crate::args::scan::Scan;
use crate::report::byte_name::{exact, shown};
use crate::report::console::{complain, json_line, note, printable};
use crate::report::exit::Status;
use crate::report::verdict::RefusalFacts;
use crate::report::{Failure, Outcome};
use crate::world::input::{InputFile, MAX_WHOLE_BYTES, open};
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::permissions::PermissionRule;
use crate::world::program_file::open_regular;

/// Judges each file, whatever became of those before. The status is that of the first that was refused.
pub(super) fn run(args: &Scan) -> Result<Outcome, Failure> {
    let standard_input = [PathBuf::from("-")];
    let inputs = if args.inputs.is_empty() { &standard_input[..] } else { &args.inputs };
    if inputs.iter().filter(|path| is_standard_input(path)).count() > 1 {
        return Err(Failure::usage("standard input can be read only once"));
    }
    let guard =
        args.allow.iter().fold(OverwriteGuard::default(), |guard, list| guard.and(Some(list)));
    let mut guard = inputs.iter().fold(guard, |guard, input| guard.and_input(Some(input)));
    let output = Output::stdout(&mut guard)?;
    let allow = list(&args.allow, args.permissions.into())?;
    for (module, name) in allow.gadgets() {
        note(&format!("warning: the list has {module}:{name}, which can reach what is not on it"));
    }
    let options = ScanOptions {
        many: args.multi,
        persistent_ids: args.persistent_ids,
        max_inflated: args.max_inflated,
        ..ScanOptions::new(&allow)
    };
    let mut status = Status::Done;
    for path in inputs {
        let ended = one(path, &options, args.json, &output)?;
        if status == Status::Done {
            status = ended;
        }
    }
    Ok(Outcome::Told(status))
}

/// A file that could be read.
struct Scanned {
    bytes: usize,
    report: ScanReport,
}

/// Judges a file and says how it did. Fails only if nobody can be told.
fn one(
    path: &Path,
    options: &ScanOptions<'_>,
    as_json: bool,
    output: &Output,
) -> Result<Status, Failure> {
    let name = if is_standard_input(path) { "standard input".to_owned() } else { shown(path) };
    let (scanned, failure) =
        match InputFile::open(Some(path)).and_then(|file| file.read(MAX_WHOLE_BYTES)) {
            Err(failure) => (None, Some(failure)),
            Ok(bytes) => {
                let report = scan(&bytes, options);
                let failure = failure(&name, &report);
                (Some(Scanned { bytes: bytes.len(), report }), failure)
            }
        };
    let text = if as_json {
        json_line(&ScanLine::of(path, scanned.as_ref(), failure.as_ref()))
    } else {
        scanned.map_or_else(String::new, |scanned| page(&name, &scanned.report))
    };
    output.print(&text)?;
    failure.map_or(Ok(Status::Done), |failure| {
        complain(&failure);
        Ok(failure.status())
    })
}

/// Puts the lists together that were asked for.
fn list(named: &[PathBuf], rule: PermissionRule) -> Result<AllowList, Failure> {
    let mut list = AllowList::new();
    for path in named {
        list.extend(match path.to_str() {
            Some("std") => AllowList::std(),
            Some("numpy") => AllowList::numpy(),
            _ => read_list(path, rule, &open)?,
        });
    }
    Ok(list)
}

/// Takes the lists that a policy names. Their files are regular: nobody is there to write to a FIFO.
pub(super) fn list_of_policy(
    named: &[ImportList],
    rule: PermissionRule,
) -> Result<AllowList, Failure> {
    let mut list = AllowList::new();
    for named in named {
        list.extend(match named {
            ImportList::BuiltIn(name) if name == "numpy" => AllowList::numpy(),
            ImportList::BuiltIn(_) => AllowList::std(),
            ImportList::File(path) => read_list(path, rule, &open_regular)?,
        });
    }
    Ok(list)
}

/// Reads a list: what is on it is accepted, so it is a file that decides.
fn read_list(
    path: &Path,
    rule: PermissionRule,
    open: &dyn Fn(&Path) -> io::Result<File>,
) -> Result<AllowList, Failure> {
    let name = format!("{path:?}");
    let file = rule.open(path, || open(path).map_err(|error| Failure::io(&name, error)))?;
    let bytes = InputFile::of(file, name).read(MAX_LIST_BYTES)?;
    let parsed = AllowList::parse(&String::from_utf8_lossy(&bytes));
    parsed.map_err(|source| Failure::AllowList { path: path.to_owned(), source })
}

/// Says why a pickle is refused, if it is.
pub(crate) fn failure(name: &str, report: &ScanReport) -> Option<Failure> {
    let (part, refusal) = report.first_refusal()?;
    let form = part.report.form;
    let found = match form.filter(|_| refusal.rule == PickleRule::NotAPickle) {
        Some(form) => format!("{}: it is {}", refusal.rule, form.name()),
        None => format!("{}, at byte {}", part.report.explain(&refusal), refusal.offset),
    };
    let inflated =
        [FileForm::Gzip, FileForm::Zlib].into_iter().filter(|form| report.form == Some(*form));
    let inflated = inflated.map(|form| format!("{}: ", form.name()));
    let inside = part.inside.iter().map(|name| format!("{name}: "));
    let message = inflated.chain(inside).chain([found]).collect();
    let allow = part.report.lines_that_allow(&refusal);
    Some(Failure::Pickle { name: name.to_owned(), message, rule: refusal.rule, form, allow })
}

/// A page for people.
fn page(name: &str, report: &ScanReport) -> String {
    let mut page = String::new();
    let mut line = |text: &str| {
        // Writing to a String does not fail.
        let _ = writeln!(page, "{}", printable(text));
    };
    let parts = report.parts();
    let imports = || parts.iter().flat_map(|part| &part.report.imports);
    let verdict = match (report.verdict(), imports().next()) {
        (Err(_), _) => "refused",
        (Ok(()), None) => "allowed, it imports nothing",
        (Ok(()), Some(_)) => "allowed, it imports nothing else than",
    };
    line(&format!("{name}: {verdict}"));
    let width = imports().map(|import| import.to_string().len()).max().unwrap_or(0);
    let width = width.min(LONGEST_COLUMN);
    for part in &parts {
        part_lines(part, width).iter().for_each(|text| line(text));
    }
    if !report.complete {
        line("  it could not be followed to its end, so there may be more imports");
    }
    page
}

/// The lines about a part of a file.
fn part_lines(part: &ScannedPart<'_>, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let inside = in_member(&part.inside);
    for import in &part.report.imports {
        let verdict = import.refusal.map_or("allowed", |_| "refused");
        let (how, offset, times) = (import.how.name(), import.offset, times(import));
        let text = import.to_string();
        lines.push(format!("  {verdict}  {text:width$}  {how} at byte {offset}{inside}{times}"));
    }
    // Those of imports stand beside them.
    let of_import = |refusal: &&PickleRefusal| {
        part.report.imports.iter().all(|import| import.refusal != Some(refusal.rule))
    };
    for refusal in part.report.refusals.iter().filter(of_import) {
        lines.push(format!("  refused  it {refusal}{inside}"));
    }
    lines
}

/// Says in which member something is, after its offset.
fn in_member(inside: &[&str]) -> String {
    inside.iter().rev().map(|name| format!(" of {name}")).collect()
}

fn times(import: &PickleImport) -> String {
    if import.times == 1 { String::new() } else { format!(", {} times", import.times) }
}

/// A file that was judged, as it is shown to programs.
#[derive(Serialize)]
struct ScanLine<'a> {
    schema: &'static str,
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_hex: Option<String>,
    verdict: &'static str,
    status: u8,
    #[serde(flatten)]
    refusal: Option<RefusalFacts>,
    #[serde(flatten)]
    found: Option<FoundLine<'a>>,
}

#[derive(Serialize)]
struct FoundLine<'a> {
    form: &'static str,
    bytes: usize,
    pickles: usize,
    data_members: usize,
    complete: bool,
    imports: Vec<ImportLine<'a>>,
    refusals: Vec<RuleLine<'a>>,
}

#[derive(Serialize)]
struct ImportLine<'a> {
    inside: Vec<&'a str>,
    module: &'a str,
    name: &'a str,
    mapped: Option<MappedLine<'a>>,
    protocol: u8,
    how: &'static str,
    offset: usize,
    times: usize,
    verdict: &'static str,
    reason: Option<&'static str>,
}

#[derive(Serialize)]
struct MappedLine<'a> {
    module: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct RuleLine<'a> {
    inside: Vec<&'a str>,
    reason: &'static str,
    message: String,
    offset: usize,
}

impl<'a> ScanLine<'a> {
    fn of(path: &Path, scanned: Option<&'a Scanned>, failure: Option<&Failure>) -> Self {
        let status = failure.map_or(Status::Done, Failure::status);
        Self {
            schema: SCHEMA,
            file: shown(path),
            file_hex: exact(path),
            verdict: match status {
                Status::Done => "allowed",
                Status::Altered | Status::Unsupported | Status::Untrusted => "refused",
                _ => "failed",
            },
            status: status.code(),
            refusal: failure.map(RefusalFacts::of),
            found: scanned.map(FoundLine::of),
        }
    }
}

impl<'a> FoundLine<'a> {
    fn of(Scanned { bytes, report }: &'a Scanned) -> Self {
        let parts = report.parts();
        let imports = parts
            .iter()
            .flat_map(|part| part.report.imports.iter().map(|import| ImportLine::of(part, import)));
        let refusals = parts.iter().flat_map(|part| {
            part.report.refusals.iter().map(|refusal| RuleLine::of(part, refusal))
        });
        Self {
            form: report.form.map_or("pickle", FileForm::short_name),
            bytes: *bytes,
            pickles: parts.iter().map(|part| part.report.pickles).sum(),
            data_members: parts.iter().map(|part| part.report.data_members).sum(),
            complete: report.complete,
            imports: imports.collect(),
            refusals: refusals.collect(),
        }
    }
}

impl<'a> RuleLine<'a> {
    fn of(part: &ScannedPart<'a>, refusal: &PickleRefusal) -> Self {
        Self {
            inside: part.inside.clone(),
            reason: refusal.rule.reason(),
            message: part.report.explain(refusal),
            offset: refusal.offset,
        }
    }
}

impl<'a> ImportLine<'a> {
    fn of(part: &ScannedPart<'a>, import: &'a PickleImport) -> Self {
        let mapped = import.mapped.as_ref();
        Self {
            inside: part.inside.clone(),
            module: &import.module,
            name: &import.name,
            mapped: mapped.map(|found| MappedLine { module: found.module, name: &found.name }),
            protocol: import.protocol,
            how: import.how.name(),
            offset: import.offset,
            times: import.times,
            verdict: if import.refusal.is_none() { "allowed" } else { "refused" },
            reason: import.refusal.map(PickleRule::reason),
        }
    }
}

/// The version of the line's form; docs/scan.md describes it.
const SCHEMA: &str = "brine.scan/1";

/// The largest list, in bytes.
const MAX_LIST_BYTES: u64 = 1024 * 1024;

/// Wider names push what follows them to the right, in characters.
const LONGEST_COLUMN: usize = 60;
