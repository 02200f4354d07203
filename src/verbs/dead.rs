//! `brine dead`.

use std::time::Duration;

use brine_queue::{
    AnyQueue, DeadLetters as _, DeadMessage, QueueBirth, QueueError, QueueOptions, QueueUrl,
    Standing,
};
use serde::Serialize;

use crate::args::queue::{DeadChosenArgs, DeadListArgs, DeadShowArgs, DeadVerb};
use crate::report::columns::aligned;
use crate::report::console::{json_line, note, printable};
use crate::report::{Failure, Outcome, QueueFailure};
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::queue;
use crate::world::whole_file::Access;

pub(super) fn run(verb: &DeadVerb) -> Result<Outcome, Failure> {
    let done = match verb {
        DeadVerb::List(args) => list(args),
        DeadVerb::Show(args) => return show(args),
        DeadVerb::Retry(args) => each(args, AnyQueue::revive),
        DeadVerb::Drop(args) => each(args, AnyQueue::discard),
    };
    done.map(|()| Outcome::Silent)
}

fn list(args: &DeadListArgs) -> Result<(), Failure> {
    let output = output(&args.url)?;
    let mut found = Vec::new();
    in_order(&mut open(&args.url)?, |_, letter| {
        found.push(letter);
        Ok(())
    })?;
    if args.json {
        let lines: String = found.iter().map(|letter| json_line(&DeadLine::of(letter))).collect();
        return output.print(&lines);
    }
    if found.is_empty() {
        note("no dead letters");
    }
    output.print(&aligned(&found.iter().map(row).collect::<Vec<_>>()))
}

fn show(args: &DeadShowArgs) -> Result<Outcome, Failure> {
    let output = output(&args.url)?;
    output.refuse_terminal("a message")?;
    let mut queue = open(&args.url)?;
    let letter = find(&mut queue, &args.url, args.number)?;
    let content = queue::patiently(|| queue.dead_content(args.number))?;
    let content = content.ok_or_else(|| missing(&args.url, args.number))?;
    output.write(Access::Ordinary, |file| file.write_all(&content))?;
    Ok(Outcome::Described(json_line(&DeadLine::of(&letter))))
}

fn find(queue: &mut AnyQueue, url: &QueueUrl, number: u64) -> Result<DeadMessage, Failure> {
    let found = queue::patiently(|| queue.dead_letters(number.saturating_sub(1), 1))?;
    let found = found.into_iter().find(|letter| letter.number == number);
    found.ok_or_else(|| missing(url, number))
}

/// Does something with the chosen dead letters, one after the other, up to the first that is not there.
fn each(
    args: &DeadChosenArgs,
    work: impl Fn(&mut AnyQueue, u64) -> Result<bool, QueueError>,
) -> Result<(), Failure> {
    let output = output(&args.url)?;
    let mut queue = open(&args.url)?;
    let mut lines = String::new();
    let mut done = |letter: &DeadMessage| {
        if args.json {
            lines.push_str(&json_line(&DeadLine::of(letter)));
        }
    };
    if args.all {
        in_order(&mut queue, |queue, letter| {
            // One that somebody else has taken meanwhile is done with, too.
            if queue::patiently(|| work(queue, letter.number))? {
                done(&letter);
            }
            Ok(())
        })?;
    }
    for number in &args.numbers {
        let letter = find(&mut queue, &args.url, *number)?;
        if !queue::patiently(|| work(&mut queue, *number))? {
            return Err(missing(&args.url, *number));
        }
        done(&letter);
    }
    output.print(&lines)
}

/// Goes through all dead letters.
fn in_order(
    queue: &mut AnyQueue,
    mut take: impl FnMut(&mut AnyQueue, DeadMessage) -> Result<(), QueueError>,
) -> Result<(), Failure> {
    let mut after = 0;
    loop {
        let page = queue::patiently(|| queue.dead_letters(after, PAGE))?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.number;
        for letter in page {
            take(queue, letter)?;
        }
    }
}

/// Opens a queue that is there, and changes nothing about it.
fn open(url: &QueueUrl) -> Result<AnyQueue, Failure> {
    let options = QueueOptions {
        birth: QueueBirth::Existing,
        max_age: Duration::ZERO,
        ..QueueOptions::default()
    };
    queue::open(url, options)
}

/// Says where the answer goes, which is not the queue.
fn output(url: &QueueUrl) -> Result<Output, Failure> {
    let mut guard = OverwriteGuard::default();
    queue::claim(url, &mut guard)?;
    Output::stdout(&mut guard)
}

fn missing(url: &QueueUrl, number: u64) -> Failure {
    QueueFailure::NoDeadLetter { name: queue::name(url).to_owned(), number }.into()
}

fn row(letter: &DeadMessage) -> [String; 7] {
    let attempts = letter.attempts;
    [
        letter.number.to_string(),
        letter.died.to_string(),
        standing(letter).to_owned(),
        format!("{attempts} {}", if attempts == 1 { "attempt" } else { "attempts" }),
        format!("{} bytes", letter.bytes),
        printable(&letter.reason),
        printable(&letter.detail),
    ]
}

/// Returns whose it is.
const fn standing(letter: &DeadMessage) -> &'static str {
    match letter.standing {
        Standing::Unverified => "anybody",
        Standing::Verified => "verified",
    }
}

/// A dead letter, as it is shown to programs.
#[derive(Serialize)]
struct DeadLine<'a> {
    schema: &'static str,
    number: u64,
    attempts: u64,
    begun: bool,
    bytes: u64,
    detail: &'a str,
    died: String,
    reason: &'a str,
    sent: String,
    standing: &'static str,
}

impl<'a> DeadLine<'a> {
    fn of(letter: &'a DeadMessage) -> Self {
        Self {
            schema: SCHEMA,
            number: letter.number,
            attempts: letter.attempts,
            begun: letter.begun,
            bytes: letter.bytes,
            detail: &letter.detail,
            died: letter.died.to_string(),
            reason: &letter.reason,
            sent: letter.sent.to_string(),
            standing: standing(letter),
        }
    }
}

/// The version of the form; docs/queues.md describes it.
const SCHEMA: &str = "brine.dead/1";

/// How many are looked at in one transaction.
const PAGE: usize = 256;
