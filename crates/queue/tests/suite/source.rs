//! A queue as the source of a record pipeline.

use std::sync::Arc;
use std::time::Duration;

use brine_core::{Class, Classified as _, Expectations};
use brine_queue::{
    DeadLetters as _, Queue as _, QueueBirth, QueueError, QueueOptions, QueueSource, ReceiveBounds,
    RetryDelay, SourceRules, SqliteQueue, UnsettledMessages,
};
use brine_records::{
    Framing, Handed, HandlerFailure, Hold, OnBadRecord, OnRepeated, RecordJudge, RecordPipeline,
    RecordRun, ReleasedRun, Room, Settled, Sink, Source as _, WriteFailure,
};
use brine_testkit::{key, signers};

use crate::conformance::{LEASE, QueueSite as _, all, one};
use crate::records::{fresh, signed};
use crate::sqlite_site::SqliteSite;

const RULES: SourceRules = SourceRules {
    attempts: 3,
    bounds: ReceiveBounds { bytes: 1_000_000, messages: 10 },
    messages: None,
    delay: RetryDelay { first: Duration::from_secs(4), longest: Duration::from_secs(10) },
    held: usize::MAX,
    wait: Some(Duration::ZERO),
};

/// A handler that handles what it likes.
struct Handler<'h> {
    seen: &'h mut Vec<Vec<u8>>,
    fails: bool,
}

impl Sink for Handler<'_> {
    type Error = std::convert::Infallible;

    fn room(&mut self, _: usize, _: &mut dyn Hold) -> Result<Room, Self::Error> {
        Ok(Room::ONE_RECORD)
    }

    fn write(
        &mut self,
        run: &ReleasedRun<'_>,
        hold: &mut dyn Hold,
    ) -> Result<Handed, WriteFailure<Self::Error>> {
        assert!(hold.is_relied_on());
        if self.fails {
            return Ok(Handed::Retry(HandlerFailure::new(
                Class::System,
                "command-failed",
                "it broke",
            )));
        }
        self.seen.extend(run.records().map(|record| record.payload.to_vec()));
        Ok(Handed::Done)
    }
}

type Run = RecordRun<
    brine_records::PipelineError<QueueError, std::convert::Infallible, std::convert::Infallible>,
>;

/// Handles what is in the queue, as long as there is anything.
fn run(site: &SqliteSite, rules: SourceRules, handler: Handler<'_>) -> Run {
    let clock = Arc::new(site.clock.clone());
    let judge =
        RecordJudge::new(Expectations::new(), Arc::new(signers(&[1])), clock, Framing::Len32);
    let queue = site.open("q");
    let ledger = queue.ledger().unwrap();
    let source = QueueSource::new(queue, rules).unwrap();
    RecordPipeline::new(judge, handler)
        .ledger(ledger)
        .on_bad(OnBadRecord::Skip)
        .on_repeated(OnRepeated::Drop)
        .run(source)
}

fn publish(queue: &mut SqliteQueue, messages: &[Vec<u8>]) {
    queue.publish(&messages.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
}

fn record(site: &SqliteSite, seq: u64) -> Vec<u8> {
    signed(&key(1), seq, site.now(), seq.to_string().as_bytes())
}

#[test]
fn each_record_is_handled_once_and_what_does_not_hold_is_a_dead_letter() {
    let site = SqliteSite::new();
    let mut queue = site.open("q");
    let mut altered = record(&site, 7);
    *altered.last_mut().unwrap() ^= 1;
    let by_stranger = signed(&key(2), 0, site.now(), b"");
    let messages =
        [record(&site, 0), altered, record(&site, 1), record(&site, 0), by_stranger, b"?".to_vec()];
    publish(&mut queue, &messages);
    let mut seen = Vec::new();
    let done = run(&site, RULES, Handler { seen: &mut seen, fails: false });
    done.end.unwrap();
    assert_eq!(done.counts.verified, 2);
    assert_eq!(seen.len(), 2);
    let status = queue.status().unwrap();
    assert_eq!((status.ready, status.held, status.acknowledged, status.dead), (0, 0, 3, 3));
    let reasons: Vec<_> = queue.dead_letters(0, 9).unwrap();
    let reasons: Vec<_> = reasons.iter().map(|dead| dead.reason.as_str()).collect();
    assert_eq!(reasons, ["signature-bad", "unknown-signer", "not-an-envelope"]);
}

#[test]
fn a_record_whose_handler_fails_is_retried_later_each_time_and_then_a_dead_letter() {
    let site = SqliteSite::new();
    let mut queue = site.open("q");
    publish(&mut queue, &[record(&site, 0)]);
    let mut seen = Vec::new();
    // The delays are 2 to 4, and 4 to 8 seconds.
    for (attempt, least, most) in [(1, 2, 5), (2, 4, 9), (3, 0, 0)] {
        run(&site, RULES, Handler { seen: &mut seen, fails: true }).end.unwrap();
        let status = queue.status().unwrap();
        assert_eq!((status.held, status.dead), if attempt < 3 { (1, 0) } else { (0, 1) });
        if attempt < 3 {
            site.clock.step(least - 1);
            assert_eq!(queue.status().unwrap().ready, 0, "{attempt}");
            site.clock.step(most + 2 - least);
            assert_eq!(queue.status().unwrap().ready, 1, "{attempt}");
        }
    }
    let dead = queue.dead_letters(0, 9).unwrap().remove(0);
    assert_eq!((dead.reason.as_str(), dead.detail.as_str()), ("command-failed", "it broke"));
    assert_eq!(dead.attempts, 3);
    // It was never handled, so it can be.
    assert!(queue.revive(dead.number).unwrap());
    run(&site, RULES, Handler { seen: &mut seen, fails: false }).end.unwrap();
    assert_eq!(seen.len(), 1);
}

/// Somebody may know that it was not handled before. It keeps nobody from the others.
#[test]
fn what_is_older_than_the_ledger_stays_queued() {
    let site = SqliteSite::new();
    let options = QueueOptions { birth: QueueBirth::FromNow, ..SqliteSite::options() };
    let mut queue = site.try_open("q", options).unwrap();
    let old = signed(&key(1), 0, site.now().minus(Duration::from_secs(1)), b"old");
    publish(&mut queue, &[old, record(&site, 1)]);
    let mut seen = Vec::new();
    run(&site, RULES, Handler { seen: &mut seen, fails: false }).end.unwrap();
    assert_eq!(seen.len(), 1);
    let status = queue.status().unwrap();
    assert_eq!((status.ready, status.held, status.dead), (0, 1, 0));
}

#[test]
fn a_source_ends_after_so_many_messages() {
    let site = SqliteSite::new();
    let mut queue = site.open("q");
    publish(&mut queue, &(0..5).map(|seq| record(&site, seq)).collect::<Vec<_>>());
    let rules = SourceRules { messages: Some(3), wait: None, ..RULES };
    let mut seen = Vec::new();
    run(&site, rules, Handler { seen: &mut seen, fails: false }).end.unwrap();
    assert_eq!(seen.len(), 3);
    let status = queue.status().unwrap();
    assert_eq!((status.ready, status.held), (2, 0));
}

#[test]
fn a_full_store_of_dead_letters_ends_the_work() {
    let site = SqliteSite::new();
    let mut queue = site.open("q");
    publish(&mut queue, &[record(&site, 0)]);
    let dead_letters = brine_queue::DeadLetterBounds { unverified: 0, verified: 0 };
    let options = QueueOptions { dead_letters, ..SqliteSite::options() };
    let clock = Arc::new(site.clock.clone());
    let judge =
        RecordJudge::new(Expectations::new(), Arc::new(signers(&[1])), clock, Framing::Len32);
    let rules = SourceRules { attempts: 1, ..RULES };
    let source = QueueSource::new(site.try_open("q", options).unwrap(), rules).unwrap();
    let mut seen = Vec::new();
    let done = RecordPipeline::new(judge, Handler { seen: &mut seen, fails: true })
        .ledger(queue.ledger().unwrap())
        .on_bad(OnBadRecord::Skip)
        .run(source);
    assert_eq!(done.end.unwrap_err().reason(), "queue-dead-letters-full");
    assert_eq!(queue.status().unwrap().held, 1);
}

/// A handler that looks at the queue while it handles, and fails at a message.
struct Looker {
    queue: SqliteQueue,
    unsettled: UnsettledMessages<SqliteQueue>,
    fails_at: Option<u64>,
    /// How many messages were under a lease, and how often this one was delivered.
    found: Vec<(u64, Option<u64>)>,
}

impl Sink for &mut Looker {
    type Error = std::fmt::Error;

    fn room(&mut self, _: usize, _: &mut dyn Hold) -> Result<Room, Self::Error> {
        Ok(Room::ONE_RECORD)
    }

    fn write(
        &mut self,
        run: &ReleasedRun<'_>,
        _: &mut dyn Hold,
    ) -> Result<Handed, WriteFailure<Self::Error>> {
        for record in run.records() {
            let held = self.queue.status().unwrap().held;
            self.found.push((held, self.unsettled.attempt(record.number)));
            if self.fails_at == Some(record.number) {
                return Err(std::fmt::Error.into());
            }
        }
        Ok(Handed::Done)
    }
}

/// What a consumer does not hold is there for others. What it holds when it ends can be there at once.
#[test]
fn a_consumer_holds_no_more_than_it_is_to_and_hands_it_back() {
    let site = SqliteSite::new();
    let mut queue = site.open("q");
    publish(&mut queue, &(0..3).map(|seq| record(&site, seq)).collect::<Vec<_>>());
    for (held, fails_at, expected, left) in [
        (usize::MAX, Some(1), vec![(3, Some(1))], 3),
        (1, Some(2), vec![(1, Some(1)), (1, Some(1))], 2),
        (1, None, vec![(1, Some(1)), (1, Some(1))], 0),
    ] {
        let rules = SourceRules { held, ..RULES };
        let source = QueueSource::new(site.open("q"), rules).unwrap();
        let (unsettled, opened) = (source.unsettled(), site.open("q"));
        let mut looker = Looker { queue: opened, unsettled, fails_at, found: Vec::new() };
        let clock = Arc::new(site.clock.clone());
        let judge =
            RecordJudge::new(Expectations::new(), Arc::new(signers(&[1])), clock, Framing::Len32);
        let done = RecordPipeline::new(judge, &mut looker)
            .ledger(queue.ledger().unwrap())
            .on_bad(OnBadRecord::Skip)
            .run(source);
        assert_eq!(done.end.is_err(), fails_at.is_some());
        looker.unsettled.hand_back("ended").unwrap();
        assert_eq!(looker.found, expected);
        let status = queue.status().unwrap();
        assert_eq!((status.ready, status.held), (left, 0));
    }
}

/// Whoever can write to the queue can send a copy of a message while that is handled.
#[test]
fn a_copy_of_what_another_consumer_handles_holds_nobody_up() {
    let site = SqliteSite::new();
    let mut queue = site.open("q");
    publish(&mut queue, &[record(&site, 0), record(&site, 0), record(&site, 1)]);
    let handled = one(&mut queue);
    let mut ledger = queue.ledger().unwrap();
    let at_work = fresh(&site, &mut ledger, handled.content);
    let mut seen = Vec::new();
    let done = run(&site, RULES, Handler { seen: &mut seen, fails: false });
    done.end.unwrap();
    assert_eq!((done.counts.verified, done.counts.repeated), (1, 0));
    let status = queue.status().unwrap();
    assert_eq!((status.ready, status.held, status.dead), (0, 2, 0));
    // Afterwards the copy is known, and has lost no attempt by waiting.
    assert_eq!(ledger.commit_many(&[at_work], site.now()).unwrap(), [Settled::Done]);
    site.clock.step(3);
    let found: Vec<_> = all(&mut queue).iter().map(|found| found.attempt).collect();
    assert_eq!(found, [2, 1]);
    site.let_pass(LEASE);
    let done = run(&site, RULES, Handler { seen: &mut seen, fails: false });
    done.end.unwrap();
    assert_eq!((done.counts.verified, done.counts.repeated, seen.len()), (0, 2, 1));
}

/// A consumer can be asked to end while it waits for a queue that is locked.
#[test]
fn what_comes_after_the_wish_to_end_is_handed_back() {
    let site = SqliteSite::new();
    let mut queue = site.open("q");
    publish(&mut queue, &[record(&site, 0)]);
    let mut answers = [true, false].into_iter();
    let source = QueueSource::new(site.open("q"), RULES).unwrap();
    let mut source = source.while_wanted(move || answers.next().unwrap_or(false));
    assert!(source.next_block().unwrap().is_none());
    assert_eq!((queue.status().unwrap().ready, one(&mut queue).attempt), (1, 1));
}
