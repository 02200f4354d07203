//! Every bit flipped, every byte dropped, doubled or added: a sample of it through the program. The crate
//! brine-core has all of it.

use brine_testkit::{full_envelope, key, mutations};

use crate::common::Person;

/// A process each, so not all of them.
#[test]
fn mutations_leave_nothing_on_stdout_and_no_file_behind() {
    let original = full_envelope();
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
