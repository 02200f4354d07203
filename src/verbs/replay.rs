//! `brine replay`: make a replay database, look at it, make it smaller.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use brine_core::text::hex;
use brine_queue::{AnyQueue, QueueBirth, QueueOptions};
use brine_records::ReplayError;
use brine_records::replay::{
    ChannelStatus, DatabaseBirth, MAX_AGE, PrunedRows, ReplayDatabase, ReplayOptions, ReplayStatus,
    ReplayView,
};
use serde::Serialize;

use crate::args::replay::{InitArgs, PruneArgs, ReplayVerb, StatusArgs};
use crate::report::Failure;
use crate::report::console::{self, json_line};
use crate::world::clock;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::trail::{LinkRule, followed, no_place};

pub(super) fn run(verb: &ReplayVerb) -> Result<(), Failure> {
    match verb {
        ReplayVerb::Init(args) => init(args),
        ReplayVerb::Status(args) => status(args),
        ReplayVerb::Prune(args) => prune(args),
    }
}

fn init(args: &InitArgs) -> Result<(), Failure> {
    if args.once_per_host {
        return make_ledger_file(args);
    }
    let output = output(&args.file)?;
    let made = make(&args.file, args.accept_older, args.max_age)?;
    if args.json {
        return output.print(&database_line(&made)?);
    }
    if !args.accept_older {
        let from = status_of(&args.file)?.answers_from;
        console::remark(&format!(
            "{:?} refuses records signed before {from}, which another database may have released; \
             --accept-older makes one that takes them",
            args.file
        ));
    }
    Ok(())
}

/// Makes the ledger of queues whose server keeps none.
fn make_ledger_file(args: &InitArgs) -> Result<(), Failure> {
    let path = unused(&args.file)?;
    let birth = match args.accept_older {
        true => QueueBirth::AcceptOlder,
        false => QueueBirth::RefuseOlder,
    };
    let max_age = args.max_age.unwrap_or(MAX_AGE);
    let options = QueueOptions { birth, max_age, ..QueueOptions::default() };
    Ok(AnyQueue::make_ledger_file(&path, &options, clock::read()?)?)
}

/// Returns where a file will be that does not exist. A link may lead there.
fn unused(file: &Path) -> Result<PathBuf, Failure> {
    let path = followed(file, LinkRule::Protected)?;
    match path.symlink_metadata() {
        Ok(_) => Err(Failure::Exists { path }),
        Err(_) => Ok(path),
    }
}

/// Makes a database, and returns where it is. Nothing lies beside it: a look at it would leave a log.
pub(crate) fn make(
    file: &Path,
    accept_older: bool,
    max_age: Option<Duration>,
) -> Result<PathBuf, Failure> {
    let path = unused(file)?;
    let birth = if accept_older { DatabaseBirth::AcceptOlder } else { DatabaseBirth::RefuseOlder };
    let max_age = max_age.unwrap_or(MAX_AGE);
    let options = ReplayOptions { birth, max_age, ..ReplayOptions::default() };
    ReplayDatabase::open(&path, &options, clock::read()?).map_err(|error| not_made(file, error))?;
    Ok(path)
}

/// Returns the line that shows a database to programs.
pub(crate) fn database_line(path: &Path) -> Result<String, Failure> {
    Ok(json_line(&DatabaseLine::of(&status_of(path)?)))
}

fn status_of(path: &Path) -> Result<ReplayStatus, Failure> {
    Ok(ReplayView::open(path)?.status(clock::read()?)?)
}

/// Says why a database cannot be made: by the name that was typed, if its directory is not there.
fn not_made(name: &Path, error: ReplayError) -> Failure {
    match error {
        ReplayError::File { source, .. } if source.kind() == ErrorKind::NotFound => {
            no_place(name, source)
        }
        error => error.into(),
    }
}

fn prune(args: &PruneArgs) -> Result<(), Failure> {
    let output = output(&args.file)?;
    let mut database = open(&args.file)?;
    let pruned = database.prune(clock::read()?)?;
    if args.json {
        return output.print(&json_line(&PrunedLine {
            schema: PRUNED_SCHEMA,
            pruned_channels: pruned.channels,
            pruned_leases: pruned.leases,
            pruned_names: pruned.names,
            pruned_ranges: pruned.ranges,
        }));
    }
    output.print(&pruned_line(&pruned))
}

/// Says what was forgotten, and nothing of what was not.
fn pruned_line(pruned: &PrunedRows) -> String {
    let counts = [
        (pruned.ranges, "range", "ranges"),
        (pruned.names, "claim id", "claim ids"),
        (pruned.channels, "channel", "channels"),
        (pruned.leases, "lease", "leases"),
    ];
    let forgotten = counts.into_iter().filter(|(count, ..)| *count > 0);
    let forgotten: Vec<_> = forgotten
        .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
        .collect();
    match forgotten.as_slice() {
        [] => "nothing is old enough to be forgotten\n".to_owned(),
        forgotten => format!("forgot {}\n", forgotten.join(", ")),
    }
}

/// Says where the answer goes, which is not the database.
fn output(database: &Path) -> Result<Output, Failure> {
    let mut guard = OverwriteGuard::default();
    guard.claim_database(database)?;
    Output::stdout(&mut guard)
}

/// Opens a database that is there, and leaves its maximum age as it is.
fn open(path: &Path) -> Result<ReplayDatabase, Failure> {
    let options = ReplayOptions { max_age: Duration::ZERO, ..ReplayOptions::default() };
    Ok(ReplayDatabase::open(path, &options, clock::read()?)?)
}

fn status(args: &StatusArgs) -> Result<(), Failure> {
    let output = output(&args.file)?;
    let view = ReplayView::open(&args.file)?;
    let now = clock::read()?;
    let status = view.status(now)?;
    let mut text = if args.json { json_line(&DatabaseLine::of(&status)) } else { page(&status) };
    view.channels(now, |channel| {
        text.push_str(&match args.json {
            true => json_line(&ChannelLine::of(&channel)),
            false => channel_line(&channel),
        });
    })?;
    output.print(&text)
}

fn page(status: &ReplayStatus) -> String {
    let mut page = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a String does not fail.
        let _ = writeln!(page, "{name:<14} {value}");
    };
    let answers = match status.answers_from.unix() {
        0 => "records of any time".to_owned(),
        _ => format!("records signed from {} on", status.answers_from),
    };
    line("knows", &answers);
    line("maximum age", &format!("{}s", status.max_age.as_secs()));
    line("released", &format!("{} numbered, {} by claim id", status.seen, status.names));
    line("missing", &status.missing.to_string());
    line("being released", &status.leases.to_string());
    line("channels", &format!("{}, in {} ranges", status.channels, status.ranges));
    line("entries", &format!("{} of {}", status.entries, status.entries_limit));
    line("size", &format!("{} bytes", status.file_bytes));
    line("made", &status.born.to_string());
    line("last used", &status.latest.to_string());
    page
}

fn channel_line(channel: &ChannelStatus) -> String {
    let highest = channel.highest.map_or_else(|| "none".to_owned(), |seq| seq.to_string());
    format!(
        "channel {} of {}: {} released, highest {highest}, {} missing\n",
        hex(&channel.channel),
        channel.key,
        channel.seen,
        channel.missing
    )
}

/// A database, as it is shown to programs.
#[derive(Serialize)]
struct DatabaseLine {
    schema: &'static str,
    answers_from: String,
    born: String,
    bytes: u64,
    channels: u64,
    entries: u64,
    entries_limit: u64,
    latest: String,
    leases: u64,
    max_age_seconds: u64,
    missing: u64,
    names: u64,
    pruned: String,
    ranges: u64,
    released: u64,
}

impl DatabaseLine {
    fn of(status: &ReplayStatus) -> Self {
        Self {
            schema: SCHEMA,
            answers_from: status.answers_from.to_string(),
            born: status.born.to_string(),
            bytes: status.file_bytes,
            channels: status.channels,
            entries: status.entries,
            entries_limit: status.entries_limit,
            latest: status.latest.to_string(),
            leases: status.leases,
            max_age_seconds: status.max_age.as_secs(),
            missing: status.missing,
            names: status.names,
            pruned: status.pruned.to_string(),
            ranges: status.ranges,
            released: status.seen,
        }
    }
}

/// A channel, as it is shown to programs.
#[derive(Serialize)]
struct ChannelLine {
    schema: &'static str,
    channel: String,
    handled_at: String,
    highest: Option<u64>,
    issued_at: String,
    key_id: String,
    leases: u64,
    missing: u64,
    ranges: u64,
    released: u64,
}

impl ChannelLine {
    fn of(channel: &ChannelStatus) -> Self {
        Self {
            schema: CHANNEL_SCHEMA,
            channel: hex(&channel.channel),
            handled_at: channel.handled_at.to_string(),
            highest: channel.highest,
            issued_at: channel.issued_at.to_string(),
            key_id: channel.key.to_string(),
            leases: channel.leases,
            missing: channel.missing,
            ranges: channel.ranges,
            released: channel.seen,
        }
    }
}

/// What was forgotten, as it is shown to programs.
#[derive(Serialize)]
struct PrunedLine {
    schema: &'static str,
    pruned_channels: u64,
    pruned_leases: u64,
    pruned_names: u64,
    pruned_ranges: u64,
}

/// The versions of the forms; docs/replay.md describes them.
const SCHEMA: &str = "brine.replay/1";
const CHANNEL_SCHEMA: &str = "brine.replay-channel/1";
const PRUNED_SCHEMA: &str = "brine.replay-pruned/1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_forgotten_is_counted() {
        let pruned =
            |ranges, names, channels, leases| PrunedRows { channels, leases, names, ranges };
        for (pruned, expected) in [
            (pruned(0, 0, 0, 0), "nothing is old enough to be forgotten\n"),
            (pruned(1, 0, 0, 0), "forgot 1 range\n"),
            (pruned(3, 1, 0, 2), "forgot 3 ranges, 1 claim id, 2 leases\n"),
        ] {
            assert_eq!(pruned_line(&pruned), expected);
        }
    }
}
