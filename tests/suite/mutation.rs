//! Every bit flipped, every byte dropped, doubled or added: a sample of it through the program. The crate
//! brine-core has all of it.

use std::time::Duration;

use brine_core::{Sequence, Unique, sign};
use brine_testkit::{key, mutations, now, statement, unique};

use crate::common::Person;

/// An envelope with every field that brine writes, numbered as records are.
fn envelope() -> Vec<u8> {
    let sequence = Some(Sequence { channel: [9; 16], seq: 70_000 });
    let statement = statement()
        .content_type("application/json")
        .context("orders")
        .expires(now().plus(Duration::from_secs(600)))
        .not_before(now())
        .unique(Unique { sequence, ..unique(7) });
    sign(&statement, &key(1), b"{\"amount\": 1000}").unwrap().to_bytes()
}

/// A process each, so not all of them.
#[test]
fn mutations_leave_nothing_on_stdout_and_no_file_behind() {
    let original = envelope();
    let person = Person::new();
    let public = brine_keys::openssh_line(key(1).verifying_key(), "");
    for (name, altered) in mutations(&original).step_by(41) {
        if altered == original {
            continue;
        }
        let arguments =
            ["verify", "-p", &public, "--context", "orders", "--now", "1790000000", "-o", "out"];
        let output = person.brine(arguments).write_stdin(altered).output().unwrap();
        let status = output.status.code();
        assert!(matches!(status, Some(1 | 3 | 5)), "{name}: {output:?}");
        assert!(output.stdout.is_empty() && person.files().is_empty(), "{name}: {output:?}");
    }
}
