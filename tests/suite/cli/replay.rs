//! Each record once, through the programs.

use std::process::Output;

use serde_json::Value;

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

/// Somebody with a database that takes records of any time, and five records.
fn with_records() -> Person {
    let person = Person::with_key();
    let line = "brine replay init --accept-older db && seq 5 | brine sign --lines > records";
    let output = run(&person, line);
    assert!(output.status.success(), "{output:?}");
    person
}

/// What the database knows, without its moments.
fn knows(person: &Person) -> (Value, Value, Value) {
    let output = run(person, "brine replay status --json db | head -1");
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(status["schema"], "brine.replay/1");
    (status["released"].clone(), status["entries"].clone(), status["leases"].clone())
}

#[test]
fn a_record_is_released_once_whoever_sends_it_again() {
    let person = with_records();
    let output = run(&person, "brine verify --lines --replay-db db < records");
    assert_eq!((output.status.code(), text(&output)), (Some(0), "1\n2\n3\n4\n5\n"));
    let output = run(&person, "brine verify --lines --replay-db db < records");
    assert_refused(&output, 5, "record 1: record was handled before");
    assert!(said(&output).starts_with("brine: 0 verified, 1 refused (1 replayed)\n"));
    // In one run, in batches, and one of several.
    let line = "seq 6 9 | brine sign --lines --batch 4 > more; cat more records more | \
        brine verify --lines --replay-db db --on-bad skip";
    let output = run(&person, line);
    assert_eq!((output.status.code(), text(&output)), (Some(1), "6\n7\n8\n9\n"));
    assert_eq!(said(&output), "brine: 4 verified, 9 refused (9 replayed)\n");
}

#[test]
fn what_is_seen_again_is_kept_where_that_is_asked_for() {
    let person = with_records();
    let line = "sed -n '1p;1p;2p' records | brine verify --lines --replay-db db --reject-to kept";
    let output = run(&person, line);
    assert_eq!((output.status.code(), text(&output)), (Some(0), "1\n2\n"));
    let kept: Value = serde_json::from_slice(&person.read("kept")).unwrap();
    assert_eq!(
        (&kept["reason"], &kept["number"], &kept["status"]),
        (&"replayed".into(), &2.into(), &5.into())
    );
    let line = "brine verify --retry kept --out lines --replay-db db";
    assert_refused(&run(&person, line), 5, "record 1: record was handled before");
}

#[test]
fn nothing_that_is_refused_for_another_reason_changes_what_is_known() {
    let person = with_records();
    let before = knows(&person);
    let line = "brinekey gen stranger --no-trust --no-passphrase >/dev/null 2>&1; \
        sed -n 1p records | sed 's/.....$/AAAAA/' > tampered; \
        echo 1 | brine sign --lines -k stranger > stranger; \
        echo 1 | brine sign --lines --context other > context; \
        echo 1 | brine sign --lines --not-before 7d > later; \
        echo 1 | brine sign --lines --plain > plain; \
        for bad in tampered stranger context later plain; do \
        brine verify --untyped --lines --replay-db db --on-bad skip --json < $bad 2>&1 | grep -o 'reasons[^}]*'; done";
    let output = run(&person, line);
    let expected = "reasons\":{\"signature-bad\":1\nreasons\":{\"unknown-signer\":1\n\
        reasons\":{\"context-unexpected\":1\nreasons\":{\"not-yet-valid\":1\n\
        reasons\":{\"replay-identity-missing\":1\n";
    assert_eq!(text(&output), expected, "{output:?}");
    assert_eq!(knows(&person), before);
    let output = run(&person, "brine verify --lines --replay-db db < records");
    assert_eq!(text(&output), "1\n2\n3\n4\n5\n");
}

#[test]
fn where_the_work_stops_what_follows_is_as_good_as_before() {
    let person = with_records();
    let line = "sed -n 3p records | brine verify --lines --replay-db db; \
        brine verify --lines --replay-db db < records; echo $?; \
        sed 1,3d records | brine verify --lines --replay-db db; echo $?";
    assert_eq!(text(&run(&person, line)), "3\n1\n2\n5\n4\n5\n0\n");
    // An output that is gone: none of the records is lost, and none has to be waited for.
    let person = with_records();
    let line = "brine verify --lines --replay-db db < records > /dev/full; echo $?; \
        brine verify --lines --replay-db db < records";
    assert_eq!(text(&run(&person, line)), "4\n1\n2\n3\n4\n5\n");
}

#[test]
fn a_new_database_refuses_what_an_older_one_may_have_released() {
    let person = with_records();
    // One that is lost is not made anew by itself, and one that is new knows that it is.
    let line = "brine verify --lines --replay-db db < records > /dev/null && rm db*; \
        brine verify --lines --replay-db db < records";
    let output = run(&person, line);
    assert_refused(&output, 4, "does not exist");
    assert!(said(&output).contains("\"brine replay init FILE\" makes one"), "{output:?}");
    let line = "brine replay init db && brine verify --lines --replay-db db < records";
    let output = run(&person, line);
    assert_eq!((output.status.code(), text(&output)), (Some(5), ""));
    for part in ["1 replay-unknown", "knows only of what was issued from", "init --accept-older"] {
        assert!(said(&output).contains(part), "{output:?}");
    }
}

/// A person took a database for the first day without saying that there was no other.
#[test]
fn a_database_that_is_too_new_for_everything_is_no_success() {
    for options in
        ["--reject-to kept", "--reject-to kept --on-bad skip", "--on-bad skip", "--on-bad skip -q"]
    {
        let person = with_records();
        let said = String::from_utf8(run(&person, "rm db; brine replay init db").stderr).unwrap();
        let hint = "--accept-older makes one that takes them";
        assert!(
            said.starts_with("brine: \"db\" refuses records signed before 20")
                && said.contains(hint),
            "{said}"
        );
        let line = format!("brine verify --lines --replay-db db {options} < records");
        let output = run(&person, &line);
        assert_eq!((output.status.code(), text(&output)), (Some(5), ""), "{output:?}");
        let lines: Vec<_> = said_lines(&output);
        assert_eq!(lines[0], "brine: 0 verified, 5 refused (5 replay-unknown)");
        let error = "brine: error: replay database \"db\" refused all 5 records, because they were signed before 20";
        assert!(lines[1].starts_with(error), "{output:?}");
        // What it says to type works.
        let hint = lines[2].strip_prefix("brine: hint: ").unwrap();
        let (_, typed) = hint.split_once(": ").unwrap();
        assert!(
            typed.starts_with("rm -f db db-wal db-shm && brine replay init --accept-older db"),
            "{hint}"
        );
        let again = if options.contains("kept") {
            ""
        } else {
            " && brine verify --lines --replay-db db < records"
        };
        let output = run(&person, &format!("{typed}{again}"));
        assert_eq!(
            (output.status.code(), text(&output)),
            (Some(0), "1\n2\n3\n4\n5\n"),
            "{output:?}"
        );
    }
    // For programs.
    let person = with_records();
    let line = "rm db; brine replay init db; \
        brine verify --lines --replay-db db --reject-to kept --json < records";
    let output = run(&person, line);
    let verdict: Value = serde_json::from_str(said_lines(&output).last().unwrap()).unwrap();
    let found =
        (&verdict["status"], &verdict["verdict"], &verdict["reason"], &verdict["records_kept"]);
    assert_eq!(found, (&5.into(), &"refused".into(), &"replay-unknown".into(), &5.into()));
}

/// What it says to type asks for the same signer and context, and names the database; as it stands, it works.
#[test]
fn the_command_for_a_new_database_judges_as_the_one_that_was_typed() {
    let options = "-p ./alice.pub -c orders --max-age 7d";
    let person = with_records();
    let line = "brinekey pub > alice.pub; seq 2 | brine sign --lines -c orders > records; rm db; \
        brine replay init 'a db'";
    run(&person, line);
    for (kept, ends_with) in [
        ("", "init --accept-older --max-age 7d 'a db'"),
        (
            "--reject-to kept",
            "--retry kept --out lines -p ./alice.pub -c orders --max-age 7d --replay-db 'a db'",
        ),
    ] {
        let verify = format!("brine verify --lines {options} --replay-db 'a db'");
        let output = run(&person, &format!("{verify} {kept} < records"));
        assert_eq!((output.status.code(), text(&output)), (Some(5), ""), "{output:?}");
        let hint = *said_lines(&output).last().unwrap();
        assert!(hint.ends_with(ends_with), "{hint}");
        assert!(!hint.contains("FILE"), "{hint}");
        let (_, typed) = hint.split_once("anew").unwrap().1.split_once(": ").unwrap();
        let again = if kept.is_empty() { format!(" && {verify} < records") } else { String::new() };
        let output = run(&person, &format!("{typed}{again}"));
        assert_eq!((output.status.code(), text(&output)), (Some(0), "1\n2\n"), "{output:?}");
        run(&person, "rm 'a db'; brine replay init 'a db'");
    }
}

#[test]
fn what_a_new_database_refuses_among_others_is_told_and_kept() {
    let person = with_records();
    let line = "rm db; brine replay init db; head -1 records | sed 's/.....$/AAAAA/' >> records; \
        brine verify --lines --replay-db db --reject-to kept < records";
    let output = run(&person, line);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines = said_lines(&output);
    assert_eq!(lines[1], "brine: 0 verified, 6 refused (5 replay-unknown, 1 signature-bad)");
    assert!(
        lines[2].starts_with("brine: hint: if no other database has released them"),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 3, "{lines:?}");
}

#[track_caller]
fn said_lines(output: &Output) -> Vec<&str> {
    said(output).lines().collect()
}

#[test]
fn a_reject_file_that_cannot_be_written_lets_nothing_out_twice() {
    let person = with_records();
    let line = "brinekey gen stranger --no-trust --no-passphrase >/dev/null 2>&1; \
        (cat records; echo 6 | brine sign --lines -k stranger) > mixed; \
        for n in 1 2; do brine verify --lines --replay-db db --reject-to /dev/full < mixed; echo $?; done; \
        brine verify --lines --replay-db db --reject-to kept < mixed; echo $?; wc -l < kept";
    assert_eq!(text(&run(&person, line)), "4\n4\n1\n2\n3\n4\n5\n0\n1\n");
}

#[test]
fn what_the_reader_does_not_take_is_not_released() {
    let person = Person::with_key();
    // The reader takes one line and is gone. At most what fits a pipe was released, and what the reader took at once.
    let line = "brine replay init --accept-older db; seq -f '%01000.0f' 400 | brine sign --lines > records; \
        brine verify --lines --replay-db db --json < records 2>first | head -n 1 > one; \
        brine verify --lines --replay-db db --on-bad skip --json < records 2>&1 >rest; wc -l < rest";
    let output = run(&person, line);
    let mut lines = text(&output).lines();
    let after: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    let (verified, lost) = (&after["records_verified"], &after["reasons"]["replayed"]);
    assert_eq!(verified.as_u64().unwrap() + lost.as_u64().unwrap_or(0), 400, "{after}");
    assert!(lost.as_u64().unwrap_or(0) <= 65 + 8, "{after}");
    assert_eq!(lines.next().unwrap(), verified.to_string());
}

#[test]
fn a_slow_reader_holds_nothing_that_others_could_release() {
    let person = Person::with_key();
    // The first stands before a full pipe for longer than its leases last; the second does its work.
    let line = "brine replay init --accept-older db; seq -f '%01000.0f' 400 | brine sign --lines > records; \
        (brine verify --lines --replay-db db --lease 1s --on-bad skip < records 2>/dev/null; echo $? >&2) | \
        (sleep 3; cat > first) 2>&1 & sleep 1; \
        brine verify --lines --replay-db db --on-bad skip < records > second; wait; \
        sort first second | uniq -d | wc -l; cat first second | sort -u | wc -l";
    let output = run(&person, line);
    assert_eq!(text(&output), "0\n400\n", "{output:?}");
}

#[test]
fn a_full_disk_leaves_no_half_record_behind() {
    let person = Person::with_key();
    // A limit on the size of files stands for a full disk; the shell would end with the signal.
    let line = "brine replay init --accept-older db; seq -f '%01000.0f' 40 | brine sign --lines > records; \
        (trap '' XFSZ; ulimit -f 20; brine verify --lines --replay-db db < records >> out 2>/dev/null; echo $?); \
        awk 'length != 1000' out | wc -l; brine verify --lines --replay-db db --on-bad skip < records >> out; \
        sort -u out | wc -l; wc -l < out";
    let output = run(&person, line);
    assert_eq!(text(&output), "4\n0\n40\n40\n", "{output:?}");
}

#[test]
fn a_database_that_is_deleted_while_it_is_used_ends_the_work() {
    let person = with_records();
    let line = "(sed -n 1p records; sleep 1; rm db db-wal db-shm; sed -n 2p records) | \
        brine verify --lines --replay-db db";
    let output = run(&person, line);
    assert_eq!((output.status.code(), text(&output)), (Some(4), "1\n"));
    assert!(said(&output).contains("was deleted or replaced while it was in use"), "{output:?}");
}

#[test]
fn envelopes_without_a_number_are_held_by_their_claim_id() {
    let person = with_records();
    let line = "b64() { base64 -w0 | tr -d = | tr -- +/ -_; echo; }; \
        printf one | brine sign --expires 1h | b64 > one; printf two | brine sign | b64 > two; \
        cat one one two one | brine verify --lines --replay-db db --on-bad skip";
    let output = run(&person, line);
    assert_eq!(text(&output), "one\n");
    let expected = "1 verified, 3 refused (1 replay-expiry-missing, 2 replayed)";
    assert!(said(&output).contains(expected), "{output:?}");
}

#[test]
fn several_processes_share_the_work_and_no_record_comes_out_twice() {
    let person = Person::with_key();
    let line = "brine replay init --accept-older db; seq 3000 | brine sign --lines --batch 64 > records; \
        for n in 1 2 3 4; do shuf records | brine verify --lines --replay-db db --on-bad skip > out$n 2>/dev/null & \
        done; wait; cat out1 out2 out3 out4 | sort -n > out; seq 3000 | cmp - out && echo all once";
    assert_eq!(text(&run(&person, line)), "all once\n");
}

#[test]
fn a_record_that_another_process_works_on_is_waited_for_and_not_refused() {
    let person = Person::with_key();
    // The first has its records, and stands still before a pipe that nobody reads: it is killed there.
    let line = "brine replay init --accept-older db; head -c 300000 /dev/zero | tr '\\0' a > line; \
        for n in 1 2 3 4 5 6 7 8; do cat line; echo; done | brine sign --lines > records; mkfifo pipe; \
        sleep 100 < pipe & sleeper=$!; \
        brine verify --lines --replay-db db --lease 2s < records > pipe & reader=$!; \
        sleep 1; brine replay status --json db | head -1; kill -9 $reader; \
        brine verify --lines --replay-db db --on-bad skip --json < records 2>&1 >out; wc -l < out; \
        kill $sleeper";
    let output = run(&person, line);
    let mut lines = text(&output).lines();
    let mut json = || serde_json::from_str::<Value>(lines.next().unwrap()).unwrap();
    let (while_it_stood, after) = (json(), json());
    // What was in the pipe before had been released, and nothing was lost.
    let leases = while_it_stood["leases"].as_u64().unwrap();
    assert!(leases > 0, "{output:?}");
    let verified = after["records_verified"].as_u64().unwrap();
    assert!(verified >= leases, "{output:?}");
    assert_eq!(verified + after["reasons"]["replayed"].as_u64().unwrap_or(0), 8, "{output:?}");
    assert_eq!(lines.next().unwrap(), verified.to_string());
}

#[test]
fn gaps_are_told_of() {
    let person = with_records();
    let output = run(&person, "sed 2,3d records | brine verify --lines --replay-db db");
    assert_eq!(said(&output), "brine: 3 verified, 0 refused; 2 missing from a channel\n");
    let line = "seq 3 | brine sign --lines | sed 1d | brine verify --lines --replay-db db --json; \
        brine replay status db | grep missing";
    let output = run(&person, line);
    let verdict: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((&verdict["verdict"], &verdict["records_missing"]), (&"verified".into(), &1.into()));
    assert!(text(&output).contains("missing        3\n"), "{output:?}");
    // They close when what is missing arrives.
    let output = run(&person, "sed -n 2,3p records | brine verify --lines --replay-db db -v");
    assert_eq!(said(&output), "brine: 2 verified, 0 refused; signed by default (2)\n");
}

#[test]
fn what_does_not_go_with_a_database_is_a_mistake_in_what_was_typed() {
    let person = with_records();
    for (line, expected) in [
        (
            "brine verify --lines --replay-db db -o out records",
            "--replay-db goes with standard output",
        ),
        (
            "brine verify --replay-db db records",
            "needs --lines, --null, --len32, --cbor, --in, --out or --retry",
        ),
        ("brine verify --lines --replay-db db --check records", "cannot be used with"),
        (
            "brine verify --lines --replay-db db --now 2026-11-21T08:30:00Z records",
            "cannot be used with",
        ),
        ("brine verify --lines --replay-db db --lease 0s records", "expected a length of time"),
        ("brine verify --lines --lease 1s records", "needs --replay-db"),
        ("brine verify --lines --replay-db db --reject-to db records", "the same file"),
        ("brine verify --lines --replay-db db --reject-to db-wal records", "the same file"),
        ("brine verify --lines --replay-db none --reject-to none records", "the same file"),
        ("brine verify --lines --replay-db db records >> db", "the same file"),
        ("brine verify --lines --replay-db records records", "the same file"),
    ] {
        let output = run(&person, line);
        assert_eq!(output.status.code(), Some(2), "{line}: {output:?}");
        assert!(said(&output).contains(expected), "{line}: {output:?}");
    }
    person.write("other", "text");
    for (line, status, expected) in [
        ("brine replay init db", 4, "exists already"),
        (
            "brine replay init none/db",
            4,
            "\"none/db\" cannot be made: there is no directory \"none\"",
        ),
        ("brine replay status records", 4, "is not a replay database"),
        ("brine replay prune missing", 4, "does not exist"),
        ("brine verify --lines --replay-db other records", 4, "is not a replay database"),
    ] {
        assert_refused(&run(&person, line), status, expected);
    }
    assert_eq!(knows(&person).0, 0);
}

#[test]
fn looking_and_pruning_change_nothing_that_counts() {
    let person = with_records();
    let line = "brine verify --lines --replay-db db < records >/dev/null && brine replay prune db && \
        brine replay status db | head -3 && brine replay status --json db | tail -1";
    let output = run(&person, line);
    let (page, channel) = text(&output).trim_end().rsplit_once('\n').unwrap();
    let expected = "released       5 numbered, 0 by claim id";
    assert!(page.starts_with("nothing is old enough to be forgotten\n"), "{page}");
    assert!(page.ends_with(expected), "{page}");
    let channel: Value = serde_json::from_str(channel).unwrap();
    assert_eq!((&channel["highest"], &channel["missing"]), (&4.into(), &0.into()));
    let output = run(&person, "brine verify --lines --replay-db db < records");
    assert_refused(&output, 5, "record was handled before");
}
