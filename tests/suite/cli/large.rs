//! Single envelopes that are too large for memory, through the programs.

use std::fs::{File, FileTimes};
use std::os::unix::fs::FileExt as _;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use brine_core::{Statement, sign};

use crate::common::{Person, assert_refused, key, public_line, statement};

/// More than is held in memory.
const LARGE: usize = 6_000_000;

fn run(person: &Person, line: &str) -> Output {
    person.shell(line).output().unwrap()
}

#[track_caller]
fn done(person: &Person, line: &str) {
    let output = run(person, line);
    assert!(output.status.success(), "{line}: {output:?}");
}

/// Bytes that are not the same anywhere.
fn content() -> Vec<u8> {
    (0_u32..)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes())
        .take(LARGE)
        .collect()
}

/// Somebody with a key, something large in `in`, and the same signed in `one`.
fn with_envelope() -> Person {
    let person = Person::with_key();
    person.write("in", content());
    done(&person, "brine sign --single in > one");
    person
}

#[test]
fn what_is_too_large_for_memory_comes_back() {
    let person = with_envelope();
    assert_eq!(person.read("one").len(), LARGE + 174);
    for line in [
        "brine verify one > out",
        "brine verify < one > out",
        "cat one | brine verify > out",
        "cat one | brine verify | cat > out",
        "brine verify one -o out",
        "cat one | brine verify -o out",
        "brine sign --plain in | brine verify --untyped > out",
        "cat in | brine sign --single --context c -o two && brine verify --context c two > out",
        "brine sign -a --single in | brine verify > out",
        "brine sign -a --single in > text && brine verify text > out",
        "mkfifo pipe; cat pipe > out & brine verify one -o pipe; wait",
        "(printf before; cat one) > two; (dd bs=6 count=1 of=skipped; brine verify) < two > out",
    ] {
        done(&person, &format!("{line} && cmp in out && rm out"));
    }
    for line in ["brine verify --check --json one", "cat one | brine verify --check --json"] {
        let output = run(&person, line);
        assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
        let verdict: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!((&verdict["kind"], &verdict["payload_bytes"]), (&"data".into(), &LARGE.into()));
    }
}

#[test]
fn untagged_ones_of_others_come_back_too() {
    let person = Person::new();
    person.write("key.pub", public_line(&key(1)));
    let envelope = sign(&Statement::plain(), &key(1), content().as_slice()).unwrap().to_bytes();
    person.write("bare", &envelope[1..]);
    person.write("in", content());
    done(&person, "brine verify --untagged --untyped -p ./key.pub bare | cmp in");
    done(&person, "cat bare | brine verify --untagged --untyped -p ./key.pub | cmp in");
    let refused = run(&person, "brine verify -p ./key.pub bare");
    assert_refused(&refused, 3, "looks like a COSE signature without the tag");
}

/// The reasons are those that a small one would be refused for, and nothing comes out or stays behind.
#[test]
fn nothing_is_released_before_its_last_byte_has_verified() {
    let person = with_envelope();
    let good = person.read("one");
    let last = good.len() - 1;
    let altered = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    for (bytes, status, reason) in [
        (altered(last), 1, "signature does not verify"),
        (altered(last - 66), 1, "signature does not verify"),
        (altered(200), 1, "signature does not verify"),
        (altered(last - 64), 1, "it is cut short"),
        (altered(0), 3, "not an envelope: a COSE countersignature"),
        (good[..last].to_vec(), 1, "it is cut short"),
        (good[..5_000_000].to_vec(), 1, "it is cut short"),
        ([&good[..], b"\n"].concat(), 1, "a line end follows its end"),
        ([&good[..], &good[..]].concat(), 1, "bytes after its end"),
    ] {
        person.write("bad", bytes);
        person.write("out", "before");
        let files = person.files();
        for line in [
            "brine verify bad",
            "cat bad | brine verify",
            "brine verify bad -o out",
            "cat bad | brine verify -o out",
            "brine verify --check bad",
        ] {
            assert_refused(&run(&person, line), status, reason);
            assert_eq!(person.files(), files, "{line}");
            assert_eq!(person.read("out"), b"before", "{line}");
        }
    }
    for line in ["brine verify --context c one", "cat one | brine verify --context c"] {
        assert_refused(&run(&person, line), 5, "context");
    }
    person.brinekey(["gen", "other"]).assert().success();
    for line in ["brine verify -p other one", "cat one | brine verify -p other"] {
        assert_refused(&run(&person, line), 5, "no trust anchor for key id");
    }
}

/// Data, and not merely memory that is touched: what is made room for counts as well.
#[test]
fn memory_does_not_grow_with_the_payload() {
    let person = Person::with_key();
    let line = "truncate -s 300M in && \
        sh -c 'ulimit -d 32768; exec brine sign --single in' | \
        sh -c 'ulimit -d 32768; exec brine verify' | cmp in && \
        sh -c 'ulimit -d 32768; exec brine sign --plain' < in > one && \
        sh -c 'ulimit -d 32768; exec brine verify --untyped one -o out' && cmp in out && \
        sh -c 'ulimit -d 32768; exec brine verify --untyped --check < one'";
    done(&person, line);
}

/// What is shown of an input is bounded, and so is what is held of it: the payload of an envelope, a signature field
/// that is none, items without end, and what nobody can read.
#[test]
fn what_inspect_holds_and_shows_does_not_grow_with_the_input() {
    let person = Person::with_key();
    let front = crate::common::unhex("d2 84 43 a10127 a0");
    let claim = |bytes: u32| [&[0x5a][..], &bytes.to_be_bytes()].concat();
    person.write("long-signature", [&front[..], b"\x41x", &claim(300_000_000)].concat());
    person.write("items", [0x9a, 0x11, 0xe1, 0xa3, 0x00]);
    person.write("junk", [0xff]);
    done(
        &person,
        "truncate -s 300M in && brine sign --single in > large && \
        for file in items junk; do truncate -s 300M $file; done && \
        truncate -s $(($(stat -c %s long-signature) + 300000000)) long-signature",
    );
    for (file, status) in [("large", 0), ("long-signature", 0), ("items", 3), ("junk", 3)] {
        for option in ["", "--json", "--diag"] {
            for line in [
                format!("exec brine inspect {option} {file}"),
                format!("cat {file} | (exec brine inspect {option})"),
            ] {
                let output = run(&person, &format!("ulimit -d 49152; {line}"));
                // From a pipe, nobody counts to the end of a signature field that is none.
                let expected =
                    if file == "long-signature" && line.starts_with("cat") { 1 } else { status };
                assert_eq!(output.status.code(), Some(expected), "{line}: {output:?}");
                assert!(output.stdout.len() < 1 << 20, "{line}: {} bytes", output.stdout.len());
            }
        }
    }
    // An envelope that is taken for a signature beside a file is not held to be told that either.
    for line in ["brine verify --signature large in", "cat large | brine verify --signature - in"] {
        let output = run(&person, &format!("ulimit -d 49152; {line}"));
        assert_refused(&output, 3, "an envelope with a payload of its own");
    }
    let output = run(&person, "brine inspect large");
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.contains("\npayload       314572800 bytes\n"), "{page}");
    let output = run(&person, "brine inspect --json long-signature | tail -c 2000");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"signature_bytes\":300000000"));
    // Armor is held in memory.
    let output = run(&person, "head -c 20M in | brine sign -a --single | brine inspect");
    assert_refused(&output, 3, "input is over 16 MiB");
}

#[test]
fn a_claimed_length_costs_nothing() {
    let person = Person::with_key();
    for claim in ["5b 8000000000000000", "5b 0000010000000000", "5b 0000001000000001"] {
        let front = crate::common::unhex(&format!("d2 84 43 a10127 a0 {claim}"));
        person.write("small", &front);
        let large = [&front[..], &content()].concat();
        person.write("large", large);
        let line = |line: &str| run(&person, &format!("ulimit -d 32768; ulimit -f 0; exec {line}"));
        assert_refused(&line("brine verify small"), 1, "it is cut short");
        assert_refused(&line("brine verify large"), 1, "it is cut short");
        assert_refused(&run(&person, "cat large | brine verify"), 3, "over 64 GiB");
        assert_refused(&run(&person, "(cat large; yes) | brine verify"), 3, "over 64 GiB");
    }
    // All there, as far as the system says.
    let front = crate::common::unhex("d2 84 43 a10127 a0 5b 0000001000000001");
    person.write("huge", front);
    done(&person, "truncate -s 70G huge");
    assert_refused(&run(&person, "brine verify huge"), 3, "over 64 GiB");
    assert_refused(&run(&person, "brine sign --single huge"), 3, "over 64 GiB");
    // One byte fewer would be taken, and ends early.
    person.write("under", crate::common::unhex("d2 84 43 a10127 a0 5b 0000001000000000"));
    done(&person, "head -c 5000000 /dev/zero >> under");
    assert_refused(&run(&person, "cat under | brine verify"), 1, "it is cut short");
}

/// Neither is the output named, nor does a signal end the program.
#[test]
fn a_full_place_for_temporary_files_is_status_4() {
    let person = with_envelope();
    let files = person.files();
    for line in [
        "brine sign --single in",
        "yes | brine sign --single",
        "brine verify one",
        "cat one | brine verify",
        "cat one | brine verify --check",
    ] {
        let output = run(&person, &format!("ulimit -f 2000; {line}"));
        assert_refused(&output, 4, "File too large");
        let line = format!("TMPDIR=./missing; export TMPDIR; {line}");
        assert_refused(&run(&person, &line), 4, "cannot keep a temporary file in ");
    }
    for line in ["brine verify one -o out", "cat one | brine verify -o out"] {
        let output = run(&person, &format!("ulimit -f 2000; {line}"));
        assert_refused(&output, 4, "\"out\": File too large");
        // What is unseen in the output needs no other place.
        let line = format!("TMPDIR=./missing; export TMPDIR; {line} && cmp in out && rm out");
        done(&person, &line);
    }
    assert_eq!(person.files(), files);
}

/// Runs `act` while others do `meanwhile`, again and again.
fn while_doing(meanwhile: impl Fn(u64) + Send + Sync, act: impl FnOnce()) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let rounds = (0..).take_while(|_| !done.load(Ordering::Relaxed));
            rounds.for_each(&meanwhile);
        });
        let guard = Guard(&done);
        act();
        drop(guard);
    });
}

/// Ends what goes on beside, also when a test fails.
struct Guard<'d>(&'d AtomicBool);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Ed25519 reads twice what it signs. It must be the same both times, whatever others do to the file.
#[test]
fn what_is_rewritten_while_it_is_signed_is_signed_as_it_was_read() {
    let person = with_envelope();
    let file = File::options().write(true).open(person.path("in")).unwrap();
    let write = |round: u64| {
        let byte = [round.to_be_bytes()[7]];
        for at in (0..LARGE).step_by(65_536) {
            file.write_at(&byte, at.try_into().unwrap()).unwrap();
        }
    };
    while_doing(write, || {
        for _ in 0..10 {
            done(&person, "brine sign --single in > two && brine verify two > back");
            done(&person, "brine sign --plain < in > two && brine verify --untyped --check < two");
        }
    });
    assert!(person.read("back") != content(), "nothing was rewritten");
}

/// What comes out is what was hashed, or nothing does.
#[test]
fn what_is_rewritten_while_it_is_verified_comes_out_as_signed_or_not_at_all() {
    let person = with_envelope();
    let file = File::options().write(true).open(person.path("one")).unwrap();
    let good = person.read("one");
    // Wrong and right by turns, for about as long as one verification takes.
    let write = |round: u64| {
        let byte = good[LARGE - 1] ^ u8::from(round.is_multiple_of(2));
        file.write_at(&[byte], (LARGE - 1).try_into().unwrap()).unwrap();
        thread::sleep(Duration::from_millis(round % 17));
    };
    let mut refused = 0;
    while_doing(write, || {
        for _ in 0..20 {
            let output = run(&person, "brine verify one");
            if output.status.success() {
                assert!(output.stdout == content());
            } else {
                assert_refused(&output, 1, "signature does not verify");
                refused += 1;
            }
        }
    });
    assert!(refused > 0, "nothing was rewritten");
}

/// As other COSE software writes it: nil in the envelope, and all of the payload beside it.
#[test]
fn a_large_payload_beside_its_envelope_is_verified() {
    let person = Person::new();
    person.write("key.pub", public_line(&key(1)));
    person.write("sig", sign(&statement(), &key(1), content().as_slice()).unwrap().detached());
    person.write("in", content());
    let verify = "brine verify -p ./key.pub --now 2026-09-21T14:13:20Z";
    for (line, said) in [
        ("--json --signature sig in", "in: OK\n"),
        ("--json --signature sig < in", "standard input: OK\n"),
    ] {
        let output = run(&person, &format!("{verify} {line}"));
        assert!(output.status.success() && output.stdout == said.as_bytes(), "{output:?}");
        let verdict: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(
            (&verdict["detached"], &verdict["payload_bytes"]),
            (&true.into(), &LARGE.into())
        );
    }
    // Without a length, which is signed first, it has to be kept.
    done(&person, &format!("cat in | {verify} --signature sig"));
    let full = run(&person, &format!("ulimit -f 2000; cat in | {verify} --signature sig"));
    assert_refused(&full, 4, "File too large");
    done(&person, &format!("ulimit -f 0; {verify} --signature sig in"));
    done(&person, "cp sig in.sig");
    assert_eq!(run(&person, &format!("{verify} -d in")).stdout, b"in: OK\n");
    let mut other = content();
    other[LARGE - 1] ^= 1;
    person.write("in", &other);
    for line in ["in", "< in"] {
        let output = run(&person, &format!("{verify} --signature sig {line}"));
        assert_refused(&output, 1, "signature does not verify");
    }
    let attached = sign(&statement(), &key(1), b"payload").unwrap().to_bytes();
    person.write("sig", attached);
    let output = run(&person, &format!("{verify} --signature sig in"));
    assert_refused(&output, 3, "an envelope with a payload of its own, and no signature of \"in\"");
}

#[test]
fn a_large_payload_that_changes_while_it_is_read_is_status_4() {
    let person = Person::new();
    person.write("key.pub", public_line(&key(1)));
    person.write("sig", sign(&statement(), &key(1), content().as_slice()).unwrap().detached());
    person.write("in", content());
    let file = File::options().write(true).open(person.path("in")).unwrap();
    let touch = |round: u64| {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(round);
        file.set_times(FileTimes::new().set_modified(at)).unwrap();
    };
    while_doing(touch, || {
        let line = "brine verify -p ./key.pub --now 2026-09-21T14:13:20Z --signature sig in";
        // Where the machine is busy, nothing may have changed just then, and the payload is as it was signed.
        let output = (0..50).map(|_| run(&person, line)).find(|output| !output.status.success());
        let output = output.expect("one of fifty to see it change");
        assert_refused(&output, 4, "\"in\": it changed while it was read");
    });
}
