//! The file of a queue: what it is, what it is not, and how large it gets.

use std::fs;
use std::time::Duration;

use brine_core::{Class, Classified as _};
use brine_queue::{
    DeadLetters as _, Queue as _, QueueBirth, QueueError, QueueOptions, ReceiveBounds, Retry,
};
use brine_records::replay::{DatabaseBirth, ReplayDatabase, ReplayOptions};
use brine_records::{Settled, Subject};
use brine_testkit::{key, now};
use rusqlite::Connection;

use crate::conformance::{LEASE, QueueSite as _, ack_all, all, one};
use crate::records::{signed, verified};
use crate::sqlite_site::SqliteSite;

fn opened(site: &SqliteSite, birth: QueueBirth) -> Result<(), QueueError> {
    let options = QueueOptions { birth, ..SqliteSite::options() };
    site.try_open("q", options).map(drop)
}

fn reason(outcome: Result<(), QueueError>) -> &'static str {
    outcome.unwrap_err().reason()
}

#[test]
fn a_queue_that_is_to_exist_is_not_made() {
    let site = SqliteSite::new();
    assert_eq!(reason(opened(&site, QueueBirth::Existing)), "queue-missing");
    assert!(!site.path().exists());
    drop(site.open("other"));
    assert_eq!(reason(opened(&site, QueueBirth::Existing)), "queue-missing");
    drop(site.open("q"));
    opened(&site, QueueBirth::Existing).unwrap();
}

#[test]
fn a_file_that_is_something_else_is_left_alone() {
    let site = SqliteSite::new();
    for content in [&b""[..], b"text\n", &[0; 8192]] {
        fs::write(site.path(), content).unwrap();
        assert_eq!(reason(opened(&site, QueueBirth::AcceptOlder)), "queue-not-a-queue");
        assert_eq!(fs::read(site.path()).unwrap(), content);
    }
    fs::remove_file(site.path()).unwrap();
    let options = ReplayOptions { birth: DatabaseBirth::AcceptOlder, ..ReplayOptions::default() };
    drop(ReplayDatabase::open(&site.path(), &options, now()).unwrap());
    assert_eq!(reason(opened(&site, QueueBirth::AcceptOlder)), "queue-not-a-queue");
    // Nor is a queue a replay database.
    let site = SqliteSite::new();
    drop(site.open("q"));
    let error = ReplayDatabase::open(&site.path(), &options, now()).unwrap_err();
    assert_eq!(error.reason(), "replay-not-a-database");
}

#[test]
fn a_file_that_was_tampered_with_is_refused() {
    let cases = [
        ("PRAGMA user_version = 2", "queue-version"),
        ("PRAGMA application_id = 1", "queue-not-a-queue"),
        ("DROP INDEX message_order", "queue-damaged"),
        ("DROP TABLE done", "queue-damaged"),
        ("CREATE TRIGGER t AFTER DELETE ON body BEGIN DELETE FROM dead; END", "queue-damaged"),
        ("DELETE FROM state", "replay-damaged"),
    ];
    for (change, expected) in cases {
        let site = SqliteSite::new();
        drop(site.open("q"));
        Connection::open(site.path()).unwrap().execute_batch(change).unwrap();
        assert_eq!(reason(opened(&site, QueueBirth::AcceptOlder)), expected, "{change}");
    }
}

/// As tools that repair leave it.
#[test]
fn a_file_in_another_journal_mode_is_as_good() {
    let site = SqliteSite::new();
    site.open("q").publish(&[b"1"]).unwrap();
    let mode = "PRAGMA journal_mode = DELETE";
    Connection::open(site.path()).unwrap().query_row(mode, [], |_| Ok(())).unwrap();
    assert!(!site.path().with_extension("db-wal").exists());
    assert_eq!(one(&mut site.open("q")).content, b"1");
}

#[test]
fn a_message_without_what_it_holds_is_damage_and_not_an_empty_message() {
    for change in ["DELETE FROM body", "UPDATE body SET content = x'00'"] {
        let site = SqliteSite::new();
        let mut queue = site.open("q");
        queue.publish(&[b"12"]).unwrap();
        Connection::open(site.path()).unwrap().execute_batch(change).unwrap();
        let error = queue.receive(ReceiveBounds::ONE, Duration::ZERO).unwrap_err();
        assert_eq!(error.reason(), "queue-damaged", "{change}");
    }
}

/// Under a second name, SQLite would keep a second log, and everything would be delivered twice.
#[test]
fn a_file_with_two_names_is_refused_at_once_and_while_it_is_in_use() {
    let site = SqliteSite::new();
    let mut queue = site.open("q");
    let second = site.directory.path().join("second");
    fs::hard_link(site.path(), &second).unwrap();
    assert_eq!(reason(queue.publish(&[b"1"])), "queue-linked");
    assert_eq!(reason(opened(&site, QueueBirth::AcceptOlder)), "queue-linked");
    fs::remove_file(second).unwrap();
    queue.publish(&[b"2"]).unwrap();
}

#[test]
fn a_file_that_is_taken_away_is_missed() {
    let site = SqliteSite::new();
    let mut queue = site.open("q");
    fs::rename(site.path(), site.directory.path().join("elsewhere")).unwrap();
    assert_eq!(reason(queue.publish(&[b"1"])), "queue-gone");
    assert_eq!(reason(queue.status().map(drop)), "queue-gone");
    assert_eq!(reason(queue.receive(ReceiveBounds::ONE, Duration::ZERO).map(drop)), "queue-gone");
    assert_eq!(reason(opened(&site, QueueBirth::FromNow)), "queue-leftover");
}

#[test]
fn a_symbolic_link_leads_to_the_queue() {
    let site = SqliteSite::new();
    site.open("q").publish(&[b"1"]).unwrap();
    let links = SqliteSite::new();
    std::os::unix::fs::symlink(site.path(), links.path()).unwrap();
    assert_eq!(one(&mut links.open("q")).content, b"1");
}

/// None of them is waited for, and nothing is made in their place.
#[test]
fn what_is_no_file_is_no_queue() {
    let site = SqliteSite::new();
    let refused = || opened(&site, QueueBirth::AcceptOlder).unwrap_err();
    rustix::fs::mkdir(site.path(), rustix::fs::Mode::RWXU).unwrap();
    assert_eq!(refused().reason(), "queue-not-a-queue");
    fs::remove_dir(site.path()).unwrap();
    let (fifo, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
    rustix::fs::mknodat(rustix::fs::CWD, site.path(), fifo, mode, 0).unwrap();
    assert_eq!(refused().reason(), "queue-not-a-queue");
    fs::remove_file(site.path()).unwrap();
    std::os::unix::fs::symlink("none", site.path()).unwrap();
    let error = refused();
    assert_eq!(error.reason(), "queue-file");
    assert!(error.to_string().ends_with("it is a link to a file that does not exist"), "{error}");
}

#[test]
fn a_queue_that_is_held_is_waited_for_and_then_reported() {
    let site = SqliteSite::new();
    let busy_timeout = Duration::from_millis(20);
    let options = QueueOptions { busy_timeout, ..SqliteSite::options() };
    let mut queue = site.try_open("q", options).unwrap();
    queue.publish(&[b"1"]).unwrap();
    let other = Connection::open(site.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = queue.publish(&[b"2"]).unwrap_err();
    assert_eq!((error.reason(), error.class()), ("queue-locked", Class::System));
    let error = queue.receive(ReceiveBounds::ONE, Duration::ZERO).unwrap_err();
    assert_eq!(error.reason(), "queue-locked");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(all(&mut queue).len(), 1);
}

/// A lease was taken by a process whose clock was a day ahead.
#[test]
fn a_hold_that_begins_in_the_future_is_over() {
    let site = SqliteSite::new();
    let mut queue = site.open("q");
    let ahead = SqliteSite { directory: tempfile::tempdir().unwrap(), ..SqliteSite::new() };
    ahead.clock.step(86_400);
    let name = brine_queue::QueueName::new("q").unwrap();
    let clock = std::sync::Arc::new(ahead.clock.clone());
    let options = SqliteSite::options();
    let mut other = brine_queue::SqliteQueue::open(&site.path(), &name, options, clock).unwrap();
    queue.publish(&[b"1", b"2"]).unwrap();
    let held = one(&mut other);
    let retried = one(&mut other);
    assert_eq!(other.retry(&[&retried.lease], Retry::tried(LEASE, "")).unwrap(), [Settled::Done]);
    assert_eq!(all(&mut queue).len(), 2);
    assert_eq!(other.ack(&[&held.lease]).unwrap(), [Settled::Lost]);
}

#[test]
fn the_ledger_of_a_new_file_answers_from_when_its_maker_says() {
    let cases = [
        (QueueBirth::AcceptOlder, [true, true, true]),
        (QueueBirth::FromNow, [false, true, true]),
        (QueueBirth::RefuseOlder, [false, false, true]),
    ];
    for (birth, expected) in cases {
        let site = SqliteSite::new();
        let options = QueueOptions { birth, ..SqliteSite::options() };
        let mut ledger = site.try_open("q", options).unwrap().ledger().unwrap();
        site.clock.step(61);
        let issued = [now().minus(Duration::from_secs(1)), now(), site.now()];
        let found = [0, 1, 2].map(|seq| {
            let at = issued[usize::try_from(seq).unwrap()];
            let record = verified(signed(&key(1), seq, at, b""), site.now());
            let subject = Subject::of(&record).unwrap();
            match ledger.reserve_many(&[subject], site.now()).unwrap().remove(0).into_lease() {
                Ok(_) => true,
                Err(error) => {
                    assert_eq!(error.reason(), "replay-unknown");
                    false
                }
            }
        });
        assert_eq!(found, expected, "{birth:?}");
    }
}

/// What passes through uses the room of what passed before it.
/// Such as that of a result, when nobody waits for it any more.
#[test]
fn a_queue_that_is_kept_for_a_time_is_deleted_when_another_is_added() {
    let site = SqliteSite::new();
    let options = QueueOptions { lifetime: Some(LEASE), ..SqliteSite::options() };
    let mut reply = site.try_open("reply", options).unwrap();
    reply.publish(&[b"1"]).unwrap();
    let mut kept = site.open("kept");
    kept.publish(&[b"2"]).unwrap();
    let exists = || {
        let options = QueueOptions { birth: QueueBirth::Existing, ..options };
        site.try_open("reply", options).is_ok()
    };
    site.clock.step(LEASE.as_secs() - 1);
    drop(site.open("another"));
    assert!(exists());
    site.clock.step(1);
    // Opening one that is there adds none.
    drop(site.open("another"));
    assert!(exists());
    drop(site.open("a third"));
    assert!(!exists());
    let published = reply.publish(&[b"3"]).unwrap_err();
    assert_eq!(published.reason(), "queue-missing");
    assert_eq!(one(&mut kept).content, b"2");
}

#[test]
fn a_queue_that_is_kept_for_longer_stays() {
    let site = SqliteSite::new();
    let options = QueueOptions { lifetime: Some(LEASE), ..SqliteSite::options() };
    let mut reply = site.try_open("reply", options).unwrap();
    assert!(reply.keep_for(LEASE * 3).unwrap());
    // It does not last for less than it did.
    assert!(reply.keep_for(LEASE).unwrap());
    site.clock.step(LEASE.as_secs() * 3 - 1);
    assert!(site.open("another").keep_for(LEASE).unwrap());
    reply.publish(&[b"1"]).unwrap();
    site.clock.step(1);
    drop(site.open("a third"));
    assert!(!reply.keep_for(LEASE).unwrap());
    // One without a lifetime has none by that.
    site.clock.step(LEASE.as_secs());
    drop(site.open("a fourth"));
    assert!(site.open("another").keep_for(LEASE).unwrap());
}

#[test]
fn the_file_does_not_grow_with_what_passed_through_it() {
    let site = SqliteSite::new();
    let mut queue = site.open("q");
    let mut largest = 0;
    for _ in 0..200 {
        queue.publish(&[&[7; 100_000][..]; 2]).unwrap();
        assert_eq!(ack_all(&mut queue), [Settled::Done; 2]);
        largest = largest.max(queue.status().unwrap().stored_bytes.unwrap());
    }
    // 40 MB passed through. SQLite moves its log into the file when that has 4 MB.
    assert!(largest < 8_000_000, "{largest}");
}

/// A consumer that waits gives back the room of a queue that was long.
#[test]
fn the_file_shrinks_when_nothing_is_to_be_done() {
    let site = SqliteSite::new();
    let mut queue = site.open("q");
    for _ in 0..4 {
        queue.publish(&[&[7; 0x0100_0000]]).unwrap();
    }
    let before = queue.status().unwrap().stored_bytes.unwrap();
    assert!(before > 0x0400_0000);
    assert_eq!(ack_all(&mut queue), [Settled::Done; 4]);
    for _ in 0..16 {
        assert!(queue.receive(ReceiveBounds::ONE, Duration::from_millis(50)).unwrap().is_empty());
    }
    // What is free moves out of the file when the log does.
    drop(queue);
    let after = site.open("q").status().unwrap().stored_bytes.unwrap();
    assert!(after < before / 2, "{after} of {before}");
}

/// As in the sqlite3 shell.
#[test]
fn people_can_read_a_queue() {
    let site = SqliteSite::new();
    let mut queue = site.open("work");
    queue.publish(&[b"first", b"second"]).unwrap();
    let found = one(&mut queue);
    let delay = Duration::from_secs(60);
    assert_eq!(
        queue.retry(&[&found.lease], Retry::tried(delay, "no room")).unwrap(),
        [Settled::Done]
    );
    let sql = "SELECT content, attempts, failure, held_until - held_from FROM message JOIN body USING (id) \
               JOIN queue ON queue.id = queue WHERE name = 'work' ORDER BY id";
    let sql = sql.replace("ORDER BY id", "ORDER BY message.id");
    let connection = Connection::open(site.path()).unwrap();
    let mut statement = connection.prepare(&sql).unwrap();
    let rows =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
    let rows: Vec<(Vec<u8>, u64, Option<String>, u64)> =
        rows.unwrap().collect::<Result<_, _>>().unwrap();
    let expected =
        [(b"first".to_vec(), 1, Some("no room".to_owned()), 61), (b"second".to_vec(), 0, None, 0)];
    assert_eq!(rows, expected);
}

/// They would find the file locked, and wait for no time.
#[test]
fn threads_of_one_process_do_not_lock_one_another_out() {
    let site = SqliteSite::new();
    let options = QueueOptions { busy_timeout: Duration::ZERO, ..SqliteSite::options() };
    let queue = site.try_open("q", options).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (mut other, mut ledger) = (queue.another().unwrap(), queue.ledger().unwrap());
            scope.spawn(move || {
                for _ in 0..50 {
                    other.publish(&[b"one"]).unwrap();
                    ledger.prune(now()).unwrap();
                }
            });
        }
    });
    assert_eq!(queue.another().unwrap().status().unwrap().ready, 200);
}
