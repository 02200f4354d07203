//! The scripts of docs/cookbook.md that need Redis. tests/suite runs the others.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use crate::brokers::redis;
use crate::common::Person;
use crate::page::Page;

const SECTION: &str = "A queue in a Redis list";

/// A shop that sends, and a reader who trusts it, with the scripts of the page.
struct Queue {
    port: String,
    shop: Person,
    reader: Person,
}

impl Queue {
    fn new(port: String) -> Self {
        let page = Page::read("docs/cookbook.md");
        let queue = Self { port, shop: Person::with_key(), reader: Person::new() };
        for (person, script) in [(&queue.shop, "send"), (&queue.reader, "work")] {
            person.write(script, page.snippet(SECTION, script));
            fs::set_permissions(person.path(script), fs::Permissions::from_mode(0o755)).unwrap();
        }
        queue.reader.write("shop.pub", crate::run(&queue.shop, "brinekey", "brinekey pub"));
        queue.type_line(&queue.reader, page.snippet(SECTION, ""), 0);
        queue.reader.write("the command", "#!/bin/sh\ncat >> done\n");
        queue.type_line(&queue.reader, "chmod +x 'the command'", 0);
        queue
    }

    #[track_caller]
    fn type_line(&self, person: &Person, line: &str, status: i32) -> Output {
        let output = person.shell(line).env("REDIS_PORT", &self.port).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{line}: {output:?}");
        output
    }

    #[track_caller]
    fn send(&self, lines: &str) {
        self.type_line(&self.shop, &format!("printf '{lines}' | ./send"), 0);
    }

    #[track_caller]
    fn work(&self, status: i32) -> String {
        self.type_line(&self.reader, "touch done; ./work me './the command'", status);
        String::from_utf8(self.reader.read("done")).unwrap()
    }

    fn lists(&self) -> String {
        let output = self.type_line(&self.reader, "redis-cli -p \"$REDIS_PORT\" KEYS '*'", 0);
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn a_list_carries_messages_to_a_command() {
    let (_server, port) = redis::start();
    let queue = Queue::new(port);
    assert_eq!(queue.work(0), "");
    queue.send(r"one\n two  words\n$(touch pwned)\n");
    queue.send(r"last\n");
    assert_eq!(queue.work(0), "one\n two  words\n$(touch pwned)\nlast\n");
    assert_eq!((queue.work(0).lines().count(), queue.lists().trim()), (4, ""));
}

#[test]
fn messages_that_are_refused_are_kept_and_not_worked_on() {
    let (_server, port) = redis::start();
    let queue = Queue::new(port);
    queue.send(r"good\n");
    // What was sent once comes again, and what comes with it was altered, was signed by nobody who is trusted, or for
    // something else, or is no message. An element of the list can have line ends of its own.
    let stranger = Person::with_key();
    let line = "redis-cli -p \"$REDIS_PORT\" LINDEX orders 0 > good; \
                cat good good | redis-cli -p \"$REDIS_PORT\" -x RPUSH orders; \
                tr 1-9 2-91 < good | redis-cli -p \"$REDIS_PORT\" -x RPUSH orders; \
                printf '' | redis-cli -p \"$REDIS_PORT\" -x RPUSH orders; \
                printf '\\n\\0\\n' | redis-cli -p \"$REDIS_PORT\" -x RPUSH orders; \
                redis-cli -p \"$REDIS_PORT\" RPUSH orders nonsense; \
                echo other | brine sign --lines -c release | redis-cli -p \"$REDIS_PORT\" -x RPUSH orders";
    queue.type_line(&queue.shop, line, 0);
    let line = "echo foreign | brine sign --lines -c orders | redis-cli -p \"$REDIS_PORT\" -x RPUSH orders";
    queue.type_line(&stranger, line, 0);
    assert_eq!(queue.work(1), "good\n");
    assert_eq!(queue.lists().trim(), "");
    let refused = String::from_utf8(queue.reader.read("refused")).unwrap();
    for reason in ["replayed", "framing-base64", "unknown-signer", "context"] {
        assert!(refused.contains(reason), "{reason}: {refused}");
    }
    // Until somebody has looked at them.
    assert_eq!(queue.work(1), "good\n");
    queue.type_line(&queue.reader, "rm refused", 0);
    assert_eq!(queue.work(0), "good\n");
}

#[test]
fn messages_are_not_lost_when_a_worker_fails() {
    let (_server, port) = redis::start();
    let queue = Queue::new(port);
    queue.send(r"one\n");
    // Before it was verified: nowhere to write to.
    queue.type_line(&queue.reader, "mv inbox away; ./work me './the command'", 1);
    queue.type_line(&queue.reader, "mv away inbox", 0);
    queue.send(r"two\n");
    // The command fails.
    queue.type_line(&queue.reader, "./work me false", 1);
    assert_eq!(queue.work(0), "one\ntwo\n");
}
