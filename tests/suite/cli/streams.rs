//! Streams through the programs.

use std::process::Output;

use crate::common::{Person, assert_refused};

fn run(person: &Person, line: &str) -> Output {
    person.shell(line).output().unwrap()
}

/// Somebody with a key and three segments in a file, signed.
fn with_stream() -> Person {
    let person = Person::with_key();
    assert!(
        run(
            &person,
            "head -c 200000 /dev/urandom > in && brine sign --segment-size 64KiB in > stream"
        )
        .status
        .success()
    );
    person
}

#[test]
fn what_outgrows_a_segment_becomes_a_stream_and_comes_back() {
    let person = with_stream();
    let stream = person.read("stream");
    assert!(stream.windows(22).any(|window| window == b"vnd.brine.segment+cose"));
    for line in [
        "brine verify stream > out",
        "brine verify < stream > out",
        "cat stream | brine verify > out",
        "brine verify stream -o out",
        "brine verify --whole stream > out",
        "brine verify --threads 1 stream > out",
        "brine sign --hash sha256 --threads 1 --segment-size 1000 in | brine verify > out",
        "cat in | brine sign --context c | brine verify --context c > out",
    ] {
        assert!(run(&person, line).status.success(), "{line}");
        assert!(run(&person, "cmp in out && rm out").status.success(), "{line}");
    }
    let check = run(&person, "brine verify --check --json stream");
    assert!(check.status.success() && check.stdout.is_empty());
    let verdict: serde_json::Value = serde_json::from_slice(&check.stderr).unwrap();
    assert_eq!((&verdict["kind"], &verdict["payload_bytes"]), (&"stream".into(), &200_000.into()));
}

#[test]
fn what_fits_a_segment_stays_a_single_envelope() {
    let person = Person::with_key();
    for (length, kind) in [(0, "data"), (1000, "data"), (1001, "stream")] {
        let line = format!(
            "head -c {length} /dev/zero | brine sign --segment-size 1000 | brine verify --json > /dev/null"
        );
        let verdict: serde_json::Value =
            serde_json::from_slice(&run(&person, &line).stderr).unwrap();
        assert_eq!(verdict["kind"], kind, "{length}");
    }
    assert!(run(&person, "head -c 3000000 /dev/zero | brine sign --single > one").status.success());
    let verdict: serde_json::Value =
        serde_json::from_slice(&run(&person, "brine verify --json one > /dev/null").stderr)
            .unwrap();
    assert_eq!(verdict["kind"], "data");
}

#[test]
fn a_cut_stream_is_status_1_and_its_output_a_prefix() {
    let person = with_stream();
    let output = run(&person, "head -c 150000 stream | brine verify > part");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        stderr,
        "brine: error: standard input: stream was cut after 2 segments: its end is missing\n"
    );
    assert_eq!(person.read("part"), person.read("in")[..2 * 65_536]);
}

#[test]
fn a_refused_stream_leaves_no_file_and_with_whole_no_byte() {
    let person = with_stream();
    let files = person.files();
    for line in ["brine verify -o out", "brine verify --whole"] {
        let output = run(&person, &format!("head -c 150000 stream | {line}"));
        assert_refused(&output, 1, "stream was cut after 2 segments");
        let output = run(&person, &format!("(cat stream; echo) | {line}"));
        assert_refused(&output, 1, "segment 3: something follows the end of the stream");
        assert_eq!(person.files(), files, "{line}");
    }
}

/// Status 3 is for what is no stream. Once one has begun, what does not belong was put there.
#[test]
fn what_does_not_belong_into_a_stream_is_status_1_whatever_it_is() {
    let person = Person::with_key();
    let line = "printf x | brine sign > other && head -c 200000 /dev/zero | \
        brine sign --segment-size 64KiB > stream";
    assert!(run(&person, line).status.success());
    let stream = person.read("stream");
    let heads = stream.windows(2).enumerate().filter(|(_, two)| two == b"\xd2\x84");
    let second = heads.map(|(at, _)| at).nth(1).unwrap();
    for (intruder, reason) in [
        ("cat other", "segment 1: "),
        ("echo text", "segment 1: segment is out of place: it does not begin as one"),
        (
            "printf '\\331\\331\\367'",
            "segment 1: segment is out of place: it does not begin as one",
        ),
    ] {
        let line = format!("(head -c {second} stream; {intruder}) | brine verify -o out");
        assert_refused(&run(&person, &line), 1, reason);
    }
}

/// From the least memory in which the program starts, up to what a long segment needs.
#[test]
fn a_system_that_grants_no_memory_is_to_blame_and_no_crash() {
    let person = with_stream();
    let limited = |kib: u32, line: &str| run(&person, &format!("ulimit -v {kib}; {line}"));
    let line = "brine sign --threads 1 --segment-size 4MiB --flush-after 1s in > long";
    let small = line.replace("4MiB", "1KiB");
    let starts = |kib: &u32| limited(*kib, &small).status.success();
    let least = (6_000..60_000).step_by(1_000).find(starts).unwrap();
    let mut seen = Vec::new();
    for kib in (least..least + 8_000).step_by(1_000) {
        let output = limited(kib, line);
        match output.status.code() {
            Some(0) => {}
            _ => assert_refused(&output, 4, "not enough memory: 4194304 bytes more"),
        }
        seen.push(output.status.success());
    }
    assert!(seen.contains(&false) && seen.contains(&true), "{seen:?}");
}

#[test]
fn full_disks_and_closed_pipes_are_status_4() {
    let person = with_stream();
    assert_refused(
        &run(&person, "brine sign --segment-size 1000 in > /dev/full"),
        4,
        "No space left",
    );
    assert_refused(&run(&person, "brine verify stream > /dev/full"), 4, "No space left");
    for line in ["brine sign --segment-size 1000 in", "brine verify stream"] {
        run(&person, &format!("(sleep 0.5; {line}; echo $? > status) | true"));
        assert_eq!(person.read("status"), b"4\n", "{line}");
    }
    let output =
        run(&person, "trap '' XFSZ; ulimit -f 16; brine sign --segment-size 1000 in -o out");
    assert_refused(&output, 4, "File too large");
    assert!(!person.path("out").exists());
}

/// Far less memory than the input is long; address space, so that buffers and stacks all count.
#[test]
fn memory_does_not_grow_with_the_stream() {
    let person = Person::with_key();
    let line = "ulimit -v 400000; head -c 600000000 /dev/zero | \
                brine sign --threads 2 | brine verify --threads 2 | wc -c";
    let output = run(&person, line);
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "600000000");
    assert!(output.stderr.is_empty());
}

/// Ed25519 reads twice what it signs. It must be the same both times, whatever others do to the file.
#[test]
fn a_file_that_changes_while_it_is_signed_gives_a_signature_over_what_was_read() {
    let person = Person::with_key();
    let line = "head -c 300000 /dev/zero > in; \
        (while [ ! -e done ]; do printf x | dd of=in bs=1 seek=$((n % 300000)) conv=notrunc 2>/dev/null; n=$((n + 7919)); done) & \
        for i in 1 2 3 4 5 6 7 8 9 10; do \
            brine sign --single in > one && brine verify --check one || echo single; \
            brine sign --segment-size 4KiB in > many && brine verify --check many || echo stream; \
        done; touch done; wait";
    let output = run(&person, line);
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
}

#[test]
fn a_line_is_live_with_flush_after() {
    let person = Person::with_key();
    let line = "(echo one; sleep 3; echo two) | brine sign --flush-after 100ms | brine verify > out & \
        sleep 1.5; cat out; wait; cat out";
    let output = run(&person, line);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "one\none\ntwo\n");
}

#[test]
fn inspect_shows_the_header_of_a_stream_however_long_it_is() {
    let person = Person::with_key();
    let output = run(&person, "yes | brine sign --context c --type text/plain | brine inspect");
    let page = String::from_utf8(output.stdout).unwrap();
    for part in [
        "nothing below has been verified",
        "kind          segment",
        ", segment 0",
        "context       c",
        "text/plain",
    ] {
        assert!(page.contains(part), "{page}");
    }
}

#[test]
fn sizes_of_segments_have_limits() {
    let person = Person::with_key();
    for size in ["0", "5MiB", "4194305", "1GB", "-1", ""] {
        let output = run(&person, &format!("brine sign --segment-size '{size}' < /dev/null"));
        assert_eq!(output.status.code(), Some(2), "{size}");
    }
    assert!(run(&person, "head -c 5000000 /dev/zero | brine sign --segment-size 4MiB | brine verify | cmp - /dev/zero -n 5000000").status.success());
}

/// It is no stream any more, and no single envelope either: something follows it.
#[test]
fn a_stream_whose_type_is_altered_is_altered_and_not_read_into_memory() {
    let person = Person::with_key();
    let line = "head -c 40000000 /dev/zero | brine sign | \
        LC_ALL=C sed 's/vnd.brine.segment/vnd.brine.segmint/' > altered";
    assert!(run(&person, line).status.success());
    let output = run(&person, "ulimit -d 30000; cat altered | brine verify");
    assert_refused(&output, 1, "bytes after its end");
}
