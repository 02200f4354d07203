//! Records through the programs.

use std::process::Output;

use crate::common::{Person, assert_refused};

fn run(person: &Person, line: &str) -> Output {
    person.shell(line).output().unwrap()
}

#[track_caller]
fn text(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

#[track_caller]
fn said(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn records_come_back_in_every_framing_and_from_one_into_another() {
    let person = Person::with_key();
    person.write("lines", "one\n\nthree\r\nlast");
    for (sign, verify) in [
        ("--lines", "--lines"),
        ("--lines --batch 2", "--lines"),
        ("--in lines --out len32", "--in len32 --out lines"),
        ("--in lines --out null", "--in null --out lines"),
        ("--in lines --out cbor --batch 64", "--in cbor --out lines"),
        ("--lines --threads 1", "--lines --threads 1"),
        ("--lines --plain", "--lines --untyped"),
    ] {
        let line = format!("brine sign {sign} < lines | brine verify {verify}");
        let output = run(&person, &line);
        assert!(output.status.success(), "{line}: {output:?}");
        assert_eq!(text(&output), "one\n\nthree\r\nlast\n", "{line}");
    }
    // Any bytes, behind their length.
    let line = "printf '\\0\\0\\0\\003a\\nb\\0\\0\\0\\0\\0\\0\\0\\001\\0' > len32; \
        brine sign --len32 < len32 | brine verify --len32 | cmp - len32 && \
        printf '\\202\\001\\143abc' > cbor; brine sign --cbor < cbor | brine verify --cbor | cmp - cbor";
    assert!(run(&person, line).status.success());
}

#[test]
fn envelopes_of_a_batch_verify_alone_and_in_any_order() {
    let person = Person::with_key();
    let line = "seq 100 | brine sign --lines --batch 32 --context c > signed; wc -l < signed; \
        sed -n 40p signed | brine verify --lines --context c; \
        tac signed | brine verify --lines --context c | head -2; \
        brine verify --lines signed; echo $?";
    let output = run(&person, line);
    assert_eq!(text(&output), "100\n40\n100\n99\n5\n");
    let refusal = "brine: 0 verified, 1 refused (1 context-unexpected)\n\
                   brine: error: \"signed\": record 1: signature is for context \"c\"";
    assert!(said(&output).starts_with(refusal), "{output:?}");
    // As an envelope of its own, too.
    let line = "sed -n 40p signed | tr -- -_ +/ > text; (cat text | tr -d '\\n'; printf '===') | \
        base64 -di > envelope 2>/dev/null; brine verify --context c envelope; brine inspect envelope | grep batch";
    let output = run(&person, line);
    assert!(text(&output).starts_with("40"), "{output:?}");
}

/// Five records, of which the third is changed and the fourth by somebody else.
fn with_bad_ones() -> Person {
    let person = Person::with_key();
    let line = "brinekey gen stranger --no-trust --no-passphrase 2>/dev/null >/dev/null; \
        for n in 1 2 5; do echo $n | brine sign --lines > r$n; done; \
        echo 3 | brine sign --lines | sed 's/.$/A/; s/.....$/AAAAA/' > r3; \
        echo 4 | brine sign --lines -k stranger > r4; cat r1 r2 r3 r4 r5 > records";
    assert!(run(&person, line).status.success());
    person
}

#[test]
fn the_first_bad_record_is_the_end_and_what_came_before_it_is_out() {
    let person = with_bad_ones();
    let output = run(&person, "brine verify --lines < records");
    assert_eq!((output.status.code(), text(&output)), (Some(1), "1\n2\n"));
    let expected = "brine: 2 verified, 1 refused (1 signature-bad)\n\
                    brine: error: standard input: record 3: signature does not verify: ";
    assert!(said(&output).starts_with(expected), "{output:?}");
    let output = run(&person, "cat r1 r4 r5 | brine verify --lines --json");
    assert_eq!((output.status.code(), text(&output)), (Some(5), "1\n"));
    let verdict: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(verdict["reason"], "unknown-signer");
    assert_eq!(verdict["records_verified"], 1);
    assert_eq!(verdict["reasons"]["unknown-signer"], 1);
}

#[test]
fn a_bad_record_is_skipped_alone_and_the_status_says_so() {
    let person = with_bad_ones();
    let output = run(&person, "brine verify --lines --on-bad skip < records");
    assert_eq!((output.status.code(), text(&output)), (Some(1), "1\n2\n5\n"));
    assert_eq!(said(&output), "brine: 3 verified, 2 refused (1 signature-bad, 1 unknown-signer)\n");
}

#[test]
fn a_record_that_is_kept_counts_as_handled_and_can_be_tried_again() {
    let person = with_bad_ones();
    let output = run(&person, "brine verify --lines --reject-to kept < records");
    assert_eq!((output.status.code(), text(&output)), (Some(0), "1\n2\n5\n"));
    let kept = person.read("kept");
    let kept: Vec<serde_json::Value> = kept
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let told = |name: &str| kept.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
    assert_eq!(told("schema"), ["brine.rejected/1"; 2]);
    assert_eq!(told("number"), [3, 4]);
    assert_eq!(told("reason"), ["signature-bad", "unknown-signer"]);
    assert_eq!(told("status"), [1, 5]);
    assert_eq!(told("record")[1], String::from_utf8(person.read("r4")).unwrap().trim());
    // The stranger is trusted now.
    let line = "brinekey trust add stranger stranger >/dev/null && \
        brine verify --retry kept --out lines --reject-to again; echo $?; wc -l < again";
    assert_eq!(text(&run(&person, line)), "4\n0\n1\n");
    let output = run(&person, "brine verify --retry records --out lines");
    assert_refused(&output, 4, "line 1 is not a record that --reject-to kept");
    let output = run(&person, "brine verify --retry kept --out lines --reject-to kept");
    assert_refused(&output, 2, "input and kept records are the same file");
}

#[test]
fn a_record_is_out_as_soon_as_it_is_in() {
    let person = Person::with_key();
    for batch in ["", "--batch 64 --linger 50ms"] {
        let line = format!(
            "(echo one; sleep 2; echo two) | brine sign --lines {batch} | brine verify --lines > out & \
             sleep 1; cat out; wait; cat out"
        );
        assert_eq!(text(&run(&person, &line)), "one\none\ntwo\n", "{batch}");
    }
}

#[test]
fn a_payload_that_does_not_fit_the_framing_is_refused_alone() {
    let person = Person::with_key();
    let line = "printf '\\0\\0\\0\\003a\\nb\\0\\0\\0\\001c' | brine sign --len32 > signed; \
        brine verify --in len32 --out lines --on-bad skip signed; echo $?";
    let output = run(&person, line);
    assert_eq!(text(&output), "c\n1\n");
    assert!(said(&output).contains("1 verified, 1 refused (1 unframeable)"), "{output:?}");
}

#[test]
fn what_is_no_record_is_refused_alone_where_lines_end_and_ends_the_rest() {
    let person = Person::with_key();
    let line = "echo a | brine sign --lines > a; (cat a; echo; echo 'not base64!'; \
        head -c 23000000 /dev/zero | tr '\\0' A; echo; cat a) | \
        brine verify --lines --reject-to kept; echo $?; wc -l < kept";
    let output = run(&person, line);
    assert_eq!(text(&output), "a\na\n0\n2\n");
    assert!(
        said(&output).contains("2 verified, 2 refused (1 framing-base64, 1 too-large)"),
        "{output:?}"
    );
    assert!(person.read("kept").len() < 20_000);
    for (cut, reason) in
        [("head -c 100 two", "record-cut"), ("printf '\\377\\377\\377\\377'", "too-large")]
    {
        let line = format!(
            "printf '\\0\\0\\0\\001a\\0\\0\\0\\001b' | brine sign --len32 > two; \
             (cat two; {cut}) | brine verify --len32 --json --on-bad skip > out"
        );
        let output = run(&person, &line);
        let verdict: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(verdict["reason"], reason, "{verdict}");
        assert_ne!(output.status.code(), Some(0));
    }
}

#[test]
fn records_and_what_is_for_one_envelope_do_not_go_together() {
    let person = Person::with_key();
    for line in [
        "brine sign --lines --armor",
        "brine sign --lines -d",
        "brine sign --batch 4",
        "brine sign --lines --batch 4 --plain",
        "brine sign --lines --null",
        "brine sign --in lines",
        "brine verify --lines --whole",
        "brine verify --out lines",
        "brine verify --retry x",
    ] {
        let output = run(&person, &format!("{line} < /dev/null"));
        assert_eq!(output.status.code(), Some(2), "{line}: {output:?}");
        assert!(output.stdout.is_empty(), "{line}");
    }
}

#[test]
fn nothing_that_was_kept_is_dropped_when_it_is_tried_again() {
    let person = Person::with_key();
    // A genuine record with padding, half a line of somebody who was killed, and what is no record.
    let line = "echo 1 | brine sign --lines | sed 's/$/=/' > padded; \
        (cat padded; echo 'hello!') | brine verify --lines --reject-to kept; wc -l < kept; \
        printf '{\"message\":\"rec' >> kept; echo 'more!' | brine verify --lines --reject-to kept; wc -l < kept; \
        brine verify --retry kept --out lines --reject-to again --json; wc -l < again; \
        brine verify --retry kept --out lines; echo $?; stat -c %a kept";
    let output = run(&person, line);
    assert_eq!(text(&output), "2\n4\n4\n3\n600\n", "{output:?}");
    assert!(said(&output).contains("\"not-an-envelope\":4"), "{output:?}");
    let again = person.read("again");
    let first: serde_json::Value =
        serde_json::from_slice(again.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    let padded = String::from_utf8(person.read("padded")).unwrap();
    let line = "head -n 1 again | sed 's/.*\"record\":\"//; s/\".*//' | tr -- -_ +/ | base64 -di 2>/dev/null";
    assert!(padded.starts_with(text(&run(&person, line)).trim_end()), "{first}");
}

/// A payload of 16 MiB is a record, and its envelope is none.
#[test]
fn a_record_that_cannot_be_signed_is_refused_alone() {
    let person = Person::with_key();
    let line = "(echo one; head -c 16777216 /dev/zero | tr '\\0' x; echo; \
        head -c 16777217 /dev/zero | tr '\\0' y; echo; echo four) > lines; \
        brine sign --lines --on-bad skip lines > signed; echo $?; brine verify --lines signed; \
        brine sign --lines --batch 8 --reject-to refused lines > signed; echo $?; \
        brine verify --lines signed; brine sign --lines lines | brine verify --lines; \
        grep -c '\"schema\":\"brine.rejected/1\".*\"reason\":\"too-large\"' refused";
    let output = run(&person, line);
    assert_eq!(text(&output), "1\none\nfour\n0\none\nfour\none\n2\n", "{output:?}");
    let expected = "brine: 2 signed, 2 refused (2 too-large)\n\
        brine: 2 signed, 2 refused (2 too-large)\n\
        brine: 1 signed, 1 refused (1 too-large)\nbrine: error: \"lines\": record 2: ";
    assert!(said(&output).starts_with(expected), "{output:?}");
    for (line, expected) in [
        ("brine sign --lines --reject-to lines lines", "the same file"),
        ("brine sign --lines --reject-to signed lines -o signed", "the same file"),
        ("brine sign --reject-to refused lines", "needs --lines, --null, --len32, --cbor"),
    ] {
        let output = run(&person, line);
        assert_eq!(output.status.code(), Some(2), "{line}: {output:?}");
        assert!(said(&output).contains(expected), "{line}: {output:?}");
    }
}

/// What waits for others when a signal asks to end is signed and written first; half a record is not.
#[test]
fn records_that_wait_are_signed_before_a_signal_ends_the_process() {
    for (signal, status) in [("TERM", "143"), ("INT", "130")] {
        for options in [
            "--batch 64 --linger 1h > signed",
            "--batch 64 --linger 1h --threads 1 > signed",
            "--batch 64 --linger 1h -o signed",
            "> signed",
        ] {
            let person = Person::with_key();
            // A job in the background of a shell ignores SIGINT, unless that is undone.
            let line = format!(
                "mkfifo fifo; env --default-signal=INT brine sign --lines {options} < fifo & job=$!; \
                exec 3> fifo; printf 'one\\ntwo\\nhalf' >&3; sleep 1; kill -{signal} $job; wait $job; \
                echo $?; brine verify --lines signed"
            );
            let output = run(&person, &line);
            assert_eq!(text(&output), format!("{status}\none\ntwo\n"), "{options}: {output:?}");
        }
    }
}

#[test]
fn bytes_that_wait_for_their_segment_are_signed_before_a_signal_ends_the_process() {
    let person = Person::with_key();
    let line = "mkfifo fifo; brine sign --flush-after 1h < fifo > signed & job=$!; \
        exec 3> fifo; printf 'one' >&3; sleep 1; kill -TERM $job; wait $job; echo $?; \
        brine verify signed; echo \" $?\"";
    let output = run(&person, line);
    assert_eq!(text(&output), "143\none 1\n", "{output:?}");
    assert!(said(&output).contains("stream"), "{output:?}");
}

/// A second signal does not wait for an output that takes nothing.
#[test]
fn a_second_signal_ends_a_process_that_cannot_write() {
    let person = Person::with_key();
    let line = "mkfifo fifo; sleep 100 < fifo & sleeper=$!; yes | head -c 9000000 > lines; \
        brine sign --lines lines > fifo & job=$!; sleep 1; kill -TERM $job; sleep 1; kill -TERM $job; \
        wait $job; echo $?; kill $sleeper";
    assert_eq!(text(&run(&person, line)), "143\n");
}

/// Who signed is told in numbers, since each record can have another signer.
#[test]
fn the_summary_says_who_signed_how_many_records() {
    let person = Person::with_key();
    person.brinekey(["gen", "other"]).assert().success();
    run(
        &person,
        "seq 3 | brine sign --lines > records; seq 2 | brine sign --lines --batch 2 -k other >> records",
    );
    run(&person, "seq 1 | brine sign --lines >> records; echo forged >> records");
    let line = "brine verify --lines --on-bad skip -v --report report records";
    let output = run(&person, line);
    assert_eq!(text(&output), "1\n2\n3\n1\n2\n1\n");
    let expected =
        "brine: 6 verified, 1 refused (1 framing-base64); signed by default (4), other (2)\n";
    assert_eq!(said(&output), expected);
    let report: serde_json::Value = serde_json::from_slice(&person.read("report")).unwrap();
    assert_eq!(report["records_by_signer"], serde_json::json!({ "default": 4, "other": 2 }));
    // Of those that were refused, nobody is said to have signed any.
    let line = "brine verify --lines --on-bad skip -v -p other records";
    let output = run(&person, line);
    assert_eq!(text(&output), "1\n2\n");
    assert!(said(&output).contains("2 verified, 5 refused"), "{output:?}");
    assert!(said(&output).ends_with("; signed by other (2)\n"), "{output:?}");
}
