//! Messages that are carried from one queue to another.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use brine_queue::{DeadLetters as _, Queue as _, ReceiveBounds};

use serde_json::Value;

use super::queue_kit::{URL, done, opened, run, start, wait_for};
use crate::common::{Person, assert_refused};

const ALL: ReceiveBounds = ReceiveBounds { bytes: usize::MAX, messages: 1000 };

/// Returns what lies on a queue, and leaves it there.
fn contents(person: &Person, name: &str) -> Vec<Vec<u8>> {
    let mut queue = opened(person, name);
    let found = queue.receive(ALL, Duration::ZERO).unwrap();
    let leases: Vec<_> = found.iter().map(|found| &found.lease).collect();
    let back = brine_queue::Retry::untried(Duration::ZERO, "");
    let _ = queue.retry(&leases, back).unwrap();
    found.into_iter().map(|found| found.content).collect()
}

#[test]
fn only_what_verifies_crosses_as_it_was_sent_and_once() {
    let person = Person::with_key();
    done(&person, "brine recv --lines 'sqlite:q?queue=inside'");
    done(&person, "seq 3 | brine send --lines --batch 3 URL; echo single | brine send --lines URL");
    let sent = contents(&person, "work");
    let mut altered = sent[0].clone();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    opened(&person, "work").publish(&[&sent[1], &altered, b"plain"]).unwrap();
    done(&person, "brinekey gen stranger; echo x | brine send -k stranger URL");
    done(&person, "echo x | brine send --context other URL");
    let relay = "brine relay --verify -p default --wait 1s --json URL 'sqlite:q?queue=inside'";
    let output = run(&person, relay);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let verdict: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((&verdict["records_verified"], &verdict["records_refused"]), (&4.into(), &4.into()));
    assert_eq!(contents(&person, "inside"), sent);
    let status = opened(&person, "work").status().unwrap();
    assert_eq!((status.ready, status.held, status.dead), (0, 0, 4));
    let reasons: BTreeSet<_> = status.refused.iter().map(|(reason, _)| reason.as_str()).collect();
    let expected = ["context-mismatch", "not-an-envelope", "signature-bad", "unknown-signer"];
    assert_eq!(reasons, BTreeSet::from(expected));
    let payloads = done(&person, "brine recv --lines --context work 'sqlite:q?queue=inside'");
    assert_eq!(payloads, "1\n2\n3\nsingle\n");
}

/// What it had sent on and not acknowledged is sent on again, and the consumers of the other queue drop that.
#[test]
fn a_relay_that_is_killed_loses_nothing_and_lets_nothing_through_twice() {
    const MESSAGES: usize = 3000;

    let person = Person::with_key();
    let take = "brine recv --lines --context work 'sqlite:q?queue=inside'";
    done(&person, take);
    done(&person, &format!("seq {MESSAGES} | brine send --lines URL"));
    let relay = "brine relay --verify --lease 1s URL 'sqlite:q?queue=inside'";
    for moved in [1, 600, 1200, 2000] {
        let words = ["relay", "--verify", "--lease", "1s", URL, "sqlite:q?queue=inside"];
        let mut killed = start(&person, &words, Stdio::inherit());
        wait_for("messages cross", || opened(&person, "inside").status().unwrap().sent >= moved);
        killed.kill().unwrap();
        killed.wait().unwrap();
    }
    done(&person, &format!("{relay} --wait 4s"));
    let taken = done(&person, take);
    let taken: Vec<usize> = taken.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(taken.len(), MESSAGES);
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), (1..=MESSAGES).collect());
}

#[test]
fn what_others_put_on_a_queue_is_signed_and_sent_on() {
    let person = Person::with_key();
    done(&person, "brine recv --lines URL");
    opened(&person, "work").publish(&[b"one", b"", b"\0\xff\n"]).unwrap();
    let to = "sqlite:q?queue=signed";
    done(&person, &format!("brine relay --sign --expires 1d --batch 2 --wait 1s URL '{to}'"));
    assert_eq!(opened(&person, "work").status().unwrap().acknowledged, 3);
    assert!(contents(&person, "work").is_empty());
    let found = run(&person, &format!("brine recv --len32 '{to}'"));
    assert_eq!(found.stdout, b"\0\0\0\x03one\0\0\0\0\0\0\0\x03\0\xff\n");
}

#[test]
fn a_relay_that_cannot_be_is_refused_before_anything_is_taken() {
    let person = Person::with_key();
    done(&person, "echo x | brine send URL");
    let to = "'sqlite:q?queue=to'";
    for (line, code, said) in [
        ("brine relay --verify URL 'sqlite:./q?queue=work'", 2, "SRC and DST are the same queue"),
        ("brine relay URL TO", 2, "needs --verify or --sign"),
        ("brine relay --verify --sign URL TO", 2, "--sign"),
        ("brine relay --sign --signer me URL TO", 2, "with --sign, nothing is verified"),
        ("brine relay --verify --now 1d URL TO", 2, "--now is for looking"),
        ("brine relay --verify -k default URL TO", 2, "with --verify, nothing is signed"),
        ("brine relay --sign -k none URL TO", 6, "no key named \"none\""),
        ("brine relay --verify URL 'sqlite:none/q?queue=to'", 4, "there is no directory \"none\""),
    ] {
        assert_refused(&run(&person, &line.replace("TO", to)), code, said);
    }
    let status = opened(&person, "work").status().unwrap();
    assert_eq!((status.ready, status.acknowledged), (1, 0));
}
