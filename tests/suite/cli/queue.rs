//! Messages over a queue, through the programs.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use brine_core::Clock as _;
use brine_core::{Statement, Timestamp, sign};
use brine_queue::{DeadLetters as _, Queue as _, QueueStatus, Retry};
use serde_json::Value;

use super::queue_kit::{self, URL, done, opened, run};
use crate::common::{Person, SystemClock, assert_refused};
use crate::page::Page;

fn publish(person: &Person, messages: &[&[u8]]) {
    opened(person, "work").publish(messages).unwrap();
}

fn status(person: &Person) -> QueueStatus {
    opened(person, "work").status().unwrap()
}

/// Runs a line that ends with a status and this error, after the counts.
#[track_caller]
fn fails(person: &Person, line: &str, code: i32, error: &str) -> Vec<u8> {
    let output = run(person, line);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("brine: error: {error}")), "{said}");
    output.stdout
}

/// The dead letters: the reason of each, whose it is, and how often it was delivered.
fn dead(person: &Person) -> Vec<(String, String, u64)> {
    let lines = done(person, "brine dead list --json URL");
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |letter: &Value, name: &str| letter[name].as_str().unwrap().to_owned();
    lines
        .map(|letter| {
            (
                text(&letter, "reason"),
                text(&letter, "standing"),
                letter["attempts"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn what_is_sent_is_received_once_whatever_its_bytes() {
    let person = Person::with_key();
    for message in [&b"hello\n"[..], b"", b"\0\xff\n\n", &vec![7; 3_000_000]] {
        person.write("message", message);
        done(&person, "brine send URL message");
        let output = run(&person, "brine recv URL");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(output.stdout, message);
    }
    assert_refused(&run(&person, "brine recv URL"), 4, "queue \"work\" had no message");
    let status = status(&person);
    assert_eq!((status.sent, status.acknowledged, status.ready + status.held), (4, 4, 0));
}

#[test]
fn records_are_messages_in_every_framing() {
    let person = Person::with_key();
    done(&person, "seq 5 | brine send --lines URL");
    done(&person, "seq 6 9 | brine send --lines --batch 3 URL");
    assert_eq!(done(&person, "brine recv --count 2 --lines URL"), "1\n2\n");
    assert_eq!(done(&person, "brine recv --count 2 --null URL"), "3\x004\0");
    assert_eq!(done(&person, "brine recv --count 1 --len32 URL"), "\0\0\0\x015");
    assert_eq!(done(&person, "brine recv --lines URL"), "6\n7\n8\n9\n");
    done(&person, "printf 'a\\0b\\n' | brine send --null URL");
    done(&person, "printf '\\0\\0\\0\\001\\n' | brine send --len32 URL");
    assert_eq!(done(&person, "brine recv --null URL"), "a\0b\n\0\n\0");
    assert_eq!(done(&person, "brine recv --lines URL"), "");
    done(&person, "seq 2 | brine send --lines URL");
    let line = "brine recv --lines --count 3 URL";
    assert_eq!(fails(&person, line, 4, "queue \"work\" had 2 of 3 messages"), b"1\n2\n");
    // What does not fit the framing stays, for somebody who chooses another.
    done(&person, "echo a line | brine send URL");
    assert_eq!(done(&person, "brine recv --lines URL"), "");
    let status = status(&person);
    assert_eq!((status.dead, status.held, status.ready), (0, 1, 0));
}

/// Whoever can write to the queue can add noise, and hold nobody up.
#[test]
fn what_does_not_hold_is_a_dead_letter_with_its_reason_and_holds_nobody_up() {
    let person = Person::with_key();
    done(&person, "printf first | brine send URL");
    let sealed = |line: &str| {
        let output = run(&person, line);
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let good = sealed("printf again | brine sign -c work --expires 1h");
    let mut altered = good.clone();
    *altered.last_mut().unwrap() ^= 1;
    let elsewhere = sealed("echo elsewhere | brine sign -c other");
    let job = sealed("echo true | brine sign --job -c work");
    done(&person, "brinekey gen stranger --no-passphrase; brinekey trust remove stranger; true");
    let by_stranger = sealed("echo stranger | brine sign -k stranger -c work --expires 1h");
    let expired = {
        let key = crate::common::key(3);
        let past = Timestamp::from_unix(1).unwrap();
        sign(&Statement::at(past).context("work").expires(past), &key, b"old".as_slice())
            .unwrap()
            .to_bytes()
    };
    person.write("three.pub", crate::common::public_line(&crate::common::key(3)));
    done(&person, "brinekey trust add three ./three.pub");
    publish(
        &person,
        &[&altered, &elsewhere, &job, &by_stranger, b"noise", b"", &expired, &good, &good],
    );
    assert_eq!(done(&person, "brine recv --lines --count 2 URL"), "first\nagain\n");
    let reasons: Vec<_> =
        dead(&person).into_iter().map(|(reason, standing, _)| (reason, standing)).collect();
    let expected = [
        "signature-bad",
        "context-mismatch",
        "wrong-kind",
        "unknown-signer",
        "not-an-envelope",
        "not-an-envelope",
        "expired",
    ];
    assert_eq!(reasons, expected.map(|reason| (reason.to_owned(), "anybody".to_owned())));
    // The copy of one that was released is acknowledged and dropped.
    assert_eq!(done(&person, "brine recv --lines URL"), "");
    assert_eq!(status(&person).ready, 0);
    // Once the signer is trusted, it is as good.
    done(&person, "brinekey trust add stranger stranger; brine dead retry URL 5");
    assert_eq!(done(&person, "brine recv URL"), "stranger\n");
    assert_eq!(done(&person, "brine dead show URL 6"), "noise");
    done(&person, "brine dead drop URL 6 7");
    assert_refused(
        &run(&person, "brine dead drop URL 6"),
        4,
        "queue \"work\" has no dead letter 6",
    );
    done(&person, "brine dead drop --all URL");
    assert_eq!(dead(&person), []);
}

#[test]
fn a_command_gets_each_payload_and_is_tried_again_where_it_fails() {
    let person = Person::with_key();
    done(&person, "seq 3 | brine send --lines URL");
    let line = "brine recv URL -- sh -c 'read x; echo got $x; test $x != 2'";
    let written = fails(&person, line, 4, "the command failed once");
    assert_eq!(written, b"got 1\ngot 2\ngot 3\n");
    assert_eq!(done(&person, "brine recv --count 1 --wait 10s URL -- cat"), "2");
    // With one attempt, it is a dead letter at once.
    done(&person, "echo x | brine send URL");
    let line = "brine recv --attempts 1 URL -- sh -c 'kill -9 $$'";
    fails(&person, line, 4, "the command failed once");
    assert_eq!(dead(&person), [("command-failed".to_owned(), "verified".to_owned(), 1)]);
    let letter = opened(&person, "work").dead_letters(0, 1).unwrap().remove(0);
    assert_eq!(letter.detail, "the command was ended by signal 9");
    done(&person, "brine dead retry --all URL");
    assert_eq!(done(&person, "brine recv URL -- cat"), "x\n");
}

/// What is not there is known before a message is taken.
#[test]
fn a_command_that_is_not_there_takes_nothing() {
    let person = Person::with_key();
    done(&person, "echo x | brine send URL");
    assert_refused(&run(&person, "brine recv URL -- nonesuch"), 127, "no program \"nonesuch\"");
    assert_eq!(
        (
            status(&person).ready,
            opened(&person, "work")
                .receive(brine_queue::ReceiveBounds::ONE, Duration::ZERO)
                .unwrap()[0]
                .attempt
        ),
        (1, 1)
    );
}

/// Starts a consumer, and waits until its command has begun.
fn start(person: &Person, arguments: &[&str], script: &str) -> Child {
    let words = [&["recv", URL], arguments, &["--", "sh", "-c", script]].concat();
    let child = queue_kit::start(person, &words, Stdio::piped());
    let begun = Instant::now();
    while !person.path("begun").exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the command does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::remove_file(person.path("begun")).unwrap();
    child
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
}

/// A message that kills whoever handles it does not do so for ever. Others wait no longer than a lease.
#[test]
fn a_message_whose_consumers_die_is_a_dead_letter_after_so_many_attempts() {
    let person = Person::with_key();
    done(&person, "seq 2 | brine send --lines URL");
    let lease = ["--lease", "1s", "--attempts", "2", "--wait", "30s"];
    for _ in 0..2 {
        let mut child = start(&person, &lease, "touch begun; exec sleep 60");
        signal(&child, rustix::process::Signal::KILL);
        child.wait().unwrap();
        // Nobody else is held up: the other message is there.
        assert_eq!((status(&person).ready, status(&person).held), (1, 1));
        std::thread::sleep(Duration::from_millis(2500));
    }
    assert_eq!(done(&person, "brine recv --wait 5s --attempts 2 URL -- cat"), "2");
    assert_eq!(dead(&person), [("attempts-exhausted".to_owned(), "verified".to_owned(), 3)]);
}

/// What is at work is finished, and what was only held is there for others at once.
#[test]
fn a_signal_lets_the_command_finish_and_hands_back_the_rest() {
    let person = Person::with_key();
    done(&person, "seq 3 | brine send --lines URL");
    let script = "touch begun; while [ ! -e go ]; do sleep 0.01; done; read x; echo $x >> out";
    let mut child = start(&person, &["--follow"], script);
    signal(&child, rustix::process::Signal::TERM);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(child.try_wait().unwrap(), None);
    person.write("go", "");
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    assert_eq!(person.read("out"), b"1\n");
    let status = status(&person);
    assert_eq!((status.ready, status.held, status.acknowledged), (2, 0, 1));
}

#[test]
fn a_message_is_waited_for() {
    let person = Person::with_key();
    done(&person, "echo first | brine send URL; brine recv URL");
    let line = "(sleep 0.3; echo late | brine send URL) & brine recv --wait 30s URL; wait";
    assert_eq!(done(&person, line), "late\n");
}

/// It judges nothing by half, and nothing is lost.
#[test]
fn a_trust_file_that_does_not_parse_stops_the_consumer() {
    let person = Person::with_key();
    done(&person, "seq 3 | brine send --lines URL");
    std::fs::write(person.home_path("trust.toml"), "not = [toml").unwrap();
    let output = run(&person, "brine recv --lines URL");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(6), &b""[..]));
    let status = status(&person);
    assert_eq!((status.ready, status.acknowledged, status.dead), (3, 0, 0));
    // The same while it is at work.
    let person = Person::with_key();
    done(&person, "seq 3 | brine send --lines URL");
    person.write("spoil", "cat; echo 'not = [toml' > \"$BRINE_HOME/trust.toml\"");
    assert_eq!(fails(&person, "brine recv URL -- sh spoil", 6, ""), b"1");
    assert_eq!((self::status(&person).ready, self::status(&person).acknowledged), (2, 1));
}

/// Somebody may know that it was not handled before.
#[test]
fn what_is_older_than_the_ledger_stays_queued() {
    let person = Person::with_key();
    done(&person, "printf new | brine send URL");
    person.write("one.pub", crate::common::public_line(&crate::common::key(1)));
    done(&person, "brinekey trust add one ./one.pub");
    let past = SystemClock.now().unwrap().minus(Duration::from_secs(3600));
    let statement =
        Statement::at(past).context("work").expires(past.plus(Duration::from_secs(9000)));
    let unique = brine_core::Unique::draw().unwrap();
    let old = sign(&statement.unique(unique), &crate::common::key(1), b"old".as_slice()).unwrap();
    publish(&person, &[&old.to_bytes()]);
    let output = run(&person, "brine recv --lines URL");
    assert_eq!(output.stdout, b"new\n");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("1 refused (1 replay-unknown)"), "{said}");
    let status = status(&person);
    assert_eq!((status.held, status.dead), (1, 0));
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_taken() {
    let person = Person::with_key();
    let second = "echo x | brine send 'sqlite:linked?queue=a'; ln linked again";
    done(&person, &format!("echo x | brine send URL; echo text > text; {second}"));
    for (line, code, said) in [
        ("brine recv --count 2 URL", 2, "payloads one after the other could not be told apart"),
        ("brine recv --follow URL", 2, "payloads one after the other could not be told apart"),
        ("brine recv URL --", 2, "no command after \"--\""),
        ("brine recv --now 1d URL", 2, "--now is for looking"),
        ("brine recv --lines URL >> q", 2, "are the same file"),
        ("brine recv --lines URL --report q-wal", 2, "are the same file"),
        ("brine dead list URL >> q", 2, "are the same file"),
        ("brine send 'sqlite:q' < text", 2, "no queue is named"),
        (
            "brine send 'kafka://host?queue=a' < text",
            2,
            "queues of scheme \"kafka\" are not supported",
        ),
        (
            "brine send 'redis://u:secret@host?queue=a' < text",
            2,
            "a password in a URL can be seen by others",
        ),
        ("brine send 'sqlite:none/q?queue=a' < text", 4, "there is no directory \"none\""),
        ("brine send 'sqlite:text?queue=a' < text", 4, "is no queue"),
        ("brine send 'sqlite:linked?queue=a' < text", 4, "has 2 names, and must have one"),
        ("brine send URL none", 4, "cannot read \"none\""),
        ("brine send -k none URL text", 6, "no key named \"none\""),
        ("brine send --expires 2020-01-01 URL text", 2, "has passed already"),
        ("brine dead list 'sqlite:q?queue=other'", 4, "there is no queue \"other\""),
        ("brine dead list 'sqlite:none?queue=a'", 4, "/none\" does not exist"),
        ("head -c 16777217 /dev/zero | brine send URL", 3, "limit for a message"),
        ("head -c 16777216 /dev/zero | brine send URL", 3, "limit is 16777216"),
    ] {
        assert_refused(&run(&person, line), code, said);
    }
    let status = status(&person);
    assert_eq!((status.sent, status.ready), (1, 1));
}

#[test]
fn verdicts_say_what_became_of_messages() {
    let person = Person::with_key();
    let line = "seq 2 | brine send --lines --json URL";
    let sent: Value = serde_json::from_slice(&run(&person, line).stderr).unwrap();
    assert_eq!(
        (&sent["records_signed"], &sent["output"], &sent["context"][0]),
        (&Value::from(2), &URL.into(), &"work".into())
    );
    publish(&person, &[b"noise"]);
    let output = run(&person, "brine recv --lines --json URL");
    let verdict: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(
        (&verdict["verdict"], &verdict["records_verified"], &verdict["records_kept"]),
        (&"refused".into(), &Value::from(2), &Value::from(1))
    );
    let output = run(&person, "brine recv --json URL");
    let verdict: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(
        (&verdict["verdict"], &verdict["reason"]),
        (&"failed".into(), &"queue-empty".into())
    );
}

/// The commands of docs/queues.md.
#[test]
fn the_page_says_what_to_type() {
    let person = Person::with_key();
    let snippet = Page::read("docs/queues.md").snippet("A file", "").to_owned();
    person.write("order.json", "{}");
    person.write("handle", "#!/bin/sh\ncat >> handled\n");
    done(&person, "chmod +x handle");
    let output = run(&person, &snippet.replace("brine recv", "timeout 5 brine recv"));
    // The last command goes on until it is ended.
    assert_eq!(output.status.code(), Some(124), "{output:?}");
    assert_eq!(person.read("handled"), b"{}");
}

/// Sends a message, and returns a copy of it as it is queued.
fn sent(person: &Person, payload: &str) -> Vec<u8> {
    done(person, &format!("printf {payload} | brine send URL"));
    let mut queue = opened(person, "work");
    let first = queue.receive(brine_queue::ReceiveBounds::ONE, Duration::ZERO).unwrap().remove(0);
    let back = Retry::tried(Duration::ZERO, "");
    queue.retry(&[&first.lease], back).unwrap();
    first.content
}

/// What somebody copies does not make a queue look empty.
#[test]
fn copies_do_not_end_the_waiting_for_a_message() {
    let person = Person::with_key();
    let copy = sent(&person, "A");
    assert_eq!(done(&person, "brine recv URL"), "A");
    publish(&person, &[&copy, &copy, &copy]);
    done(&person, "printf B | brine send URL");
    assert_eq!(done(&person, "brine recv URL"), "B");
    publish(&person, &[&copy]);
    done(&person, "printf C | brine send URL");
    assert_eq!(done(&person, "brine recv --count 1 --follow URL -- cat"), "C");
}

/// A copy of what another process handles at the moment is put back, and is no message.
#[test]
fn what_another_process_handles_does_not_end_the_waiting_for_a_message() {
    let person = Person::with_key();
    let copy = sent(&person, "A");
    let handles = "brine recv URL -- sh -c 'touch begun; until test -e end; do sleep 0.1; done'";
    std::thread::scope(|scope| {
        let other = scope.spawn(|| run(&person, handles));
        while !person.path("begun").exists() {
            std::thread::sleep(Duration::from_millis(20));
        }
        publish(&person, &[&copy]);
        let line = "(sleep 1; printf B | brine send URL) & brine recv --wait 20s URL; wait";
        assert_eq!(done(&person, line), "B");
        person.write("end", "");
        assert!(other.join().unwrap().status.success());
    });
}

/// What fails is said, and not that there is no message. The message stays.
#[test]
fn an_output_that_fails_is_said_and_keeps_the_message() {
    let person = Person::with_key();
    done(&person, "printf A | brine send URL");
    assert_refused(&run(&person, "brine recv URL > /dev/full"), 4, "cannot write standard output");
    person.write("bad", "#!/nonexistent\n");
    assert!(run(&person, "chmod +x bad").status.success());
    assert_eq!(run(&person, "brine recv URL -- ./bad").status.code(), Some(126));
    assert_eq!(done(&person, "brine recv URL"), "A");
}

/// Whoever takes messages loses those that do not verify, so a slip in what is asked takes none.
#[test]
fn where_nobody_could_be_believed_nothing_is_taken() {
    let person = Person::with_key();
    done(&person, "echo work | brine send URL");
    for (line, why) in [
        ("brine recv --signer defualt URL", "nobody called \"defualt\" is trusted"),
        ("BRINE_HOME=none brine recv URL", "nobody is trusted"),
        ("BRINE_HOME=none brine recv --follow URL -- cat", "nobody is trusted"),
    ] {
        assert_refused(&run(&person, line), 6, why);
    }
    assert_eq!(done(&person, "brine recv --signer default URL"), "work\n");
}

#[test]
fn what_is_refused_and_not_kept_is_told() {
    let person = Person::with_key();
    let junk = vec![b'x'; 1 << 20];
    done(&person, "echo x | brine send URL; brine recv URL");
    publish(&person, &[junk.as_slice(); 20]);
    let output = run(&person, "brine recv --lines URL");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("brine: 5 refused messages were dropped"), "{said}");
    assert_eq!(status(&person).dead, 15);
}

#[test]
fn a_message_that_is_not_valid_yet_stays_queued() {
    let person = Person::with_key();
    let send = "echo later | brine send --not-before 1h --expires 2h URL";
    done(&person, &format!("{send}; {send}"));
    let output = run(&person, "brine recv --null URL");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.matches("a message stays queued").count(), 1, "{said}");
    assert!(said.contains("looked at again later: signature is not valid before"), "{said}");
    let quiet = run(&person, &format!("{send}; brine recv --null --quiet URL"));
    assert!(!String::from_utf8(quiet.stderr).unwrap().contains("stays queued"));
    let status = status(&person);
    assert_eq!((status.held, status.dead), (3, 0));
}
