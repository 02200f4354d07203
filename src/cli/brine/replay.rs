//! `brine replay`: make a replay database, look at it, make it smaller.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::claims::Timestamp;
use crate::cli::args::replay::{Replay, ReplayInit, ReplayPrune, ReplayStatus, ReplayVerb};
use crate::cli::clock;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::report::json_line;
use crate::cli::whole_file::Access;
use crate::record::replay::{Birth, ChannelStatus, Database, MAX_AGE, Options, Status, View};
use crate::text::hex;

pub(super) fn run(args: &Replay) -> Result<(), Failure> {
    match &args.verb {
        ReplayVerb::Init(args) => init(args),
        ReplayVerb::Status(args) => status(args),
        ReplayVerb::Prune(args) => prune(args),
    }
}

fn init(args: &ReplayInit) -> Result<(), Failure> {
    if args.file.symlink_metadata().is_ok() {
        return Err(Failure::Exists { path: args.file.clone() });
    }
    let birth = if args.accept_older { Birth::AcceptOlder } else { Birth::RefuseOlder };
    let max_age = args.max_age.unwrap_or(MAX_AGE);
    let options = Options { birth, max_age, ..Options::default() };
    Database::open(&args.file, &options, clock::read()?)?;
    Ok(())
}

fn prune(args: &ReplayPrune) -> Result<(), Failure> {
    let mut database = open(&args.file)?;
    let pruned = database.prune(clock::read()?)?;
    let text = format!(
        "forgot {} ranges, {} claim ids, {} channels and {} leases\n",
        pruned.ranges, pruned.names, pruned.channels, pruned.leases
    );
    Output::stdout().write(Access::Ordinary, |file| file.write_all(text.as_bytes()))
}

/// Opens a database that is there, and leaves its maximum age as it is.
fn open(path: &Path) -> Result<Database, Failure> {
    let options = Options { max_age: std::time::Duration::ZERO, ..Options::default() };
    Ok(Database::open(path, &options, clock::read()?)?)
}

fn status(args: &ReplayStatus) -> Result<(), Failure> {
    let view = View::open(&args.file)?;
    let now = clock::read()?;
    let status = view.status(now)?;
    let mut text = if args.json { json_line(&facts(&status)) } else { page(&status) };
    let line = if args.json { channel_json } else { channel_line };
    view.channels(now, |channel| text.push_str(&line(&channel)))?;
    Output::stdout().write(Access::Ordinary, |file| file.write_all(text.as_bytes()))
}

fn page(status: &Status) -> String {
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

fn facts(status: &Status) -> Value {
    let time = |at: Timestamp| at.to_string();
    json!({
        "schema": SCHEMA,
        "answers_from": time(status.answers_from),
        "born": time(status.born),
        "bytes": status.file_bytes,
        "channels": status.channels,
        "entries": status.entries,
        "entries_limit": status.entries_limit,
        "latest": time(status.latest),
        "leases": status.leases,
        "max_age_seconds": status.max_age.as_secs(),
        "missing": status.missing,
        "names": status.names,
        "pruned": time(status.pruned),
        "ranges": status.ranges,
        "released": status.seen,
    })
}

fn channel_json(channel: &ChannelStatus) -> String {
    json_line(&json!({
        "schema": CHANNEL_SCHEMA,
        "channel": hex(&channel.channel),
        "handled_at": channel.handled_at.to_string(),
        "highest": channel.highest,
        "issued_at": channel.issued_at.to_string(),
        "key_id": channel.key.to_string(),
        "leases": channel.leases,
        "missing": channel.missing,
        "ranges": channel.ranges,
        "released": channel.seen,
    }))
}

/// The versions of the forms; docs/replay.md describes them.
const SCHEMA: &str = "brine.replay/1";
const CHANNEL_SCHEMA: &str = "brine.replay-channel/1";
