//! Records to outputs that are slow, full or shared: none is lost, and none comes out twice.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::common::Person;

/// Somebody with an empty database, and so many records of so many bytes.
fn with_records(count: usize, bytes: usize) -> Person {
    let person = Person::with_key();
    let line = format!(
        "brine replay init --accept-older db; seq -f '%0{bytes}.0f' {count} | brine sign --lines > records"
    );
    assert!(person.shell(&line).output().unwrap().status.success());
    person
}

/// Starts a process whose output nobody reads yet.
fn start(person: &Person, arguments: &[&str], stdout: impl Into<Stdio>) -> Child {
    Command::new(env!("CARGO_BIN_EXE_brine"))
        .args(["verify", "--lines", "--replay-db", "db", "--lease", "1s", "--on-bad", "skip"])
        .args(arguments)
        .current_dir(person.directory.path())
        .env("BRINE_HOME", person.home_path(""))
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until the first records were released, or held.
fn wait_for_first(person: &Person) {
    loop {
        let output = person.shell("brine replay status --json db | head -1").output().unwrap();
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        if status["released"] != 0 || status["leases"] != 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Lets a second process release what the first does not hold, then reads what the first has released. Its
/// leases would have run out meanwhile.
fn assert_each_once(person: &Person, mut first: Child, mut output: impl Read, count: usize) {
    wait_for_first(person);
    std::thread::sleep(Duration::from_secs(3));
    let line = "brine verify --lines --replay-db db --lease 1s --on-bad skip records";
    let second = person.shell(line).output().unwrap();
    let mut text = String::from_utf8(second.stdout).unwrap();
    output.read_to_string(&mut text).unwrap();
    first.wait().unwrap();
    let mut numbers: Vec<usize> = text.lines().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(1..=count), "{} of {count}", numbers.len());
}

#[test]
fn a_socket_that_nobody_reads_holds_no_record() {
    let person = with_records(600, 1000);
    let (ours, theirs) = UnixStream::pair().unwrap();
    let first = start(&person, &["records"], OwnedFd::from(theirs));
    assert_each_once(&person, first, ours, 600);
}

/// The records are smaller than the pipe, and do not fill it evenly.
#[test]
fn a_pipe_that_nobody_reads_holds_no_record() {
    for (count, bytes) in [(60, 5000), (30, 4095)] {
        let person = with_records(count, bytes);
        let (ours, theirs) = std::io::pipe().unwrap();
        let first = start(&person, &["records"], OwnedFd::from(theirs));
        assert_each_once(&person, first, ours, count);
    }
}

#[test]
fn a_small_pipe_that_nobody_reads_holds_no_record() {
    let person = with_records(60, 1500);
    let (ours, theirs) = std::io::pipe().unwrap();
    rustix::pipe::fcntl_setpipe_size(&ours, 4096).unwrap();
    let first = start(&person, &["records"], OwnedFd::from(theirs));
    assert_each_once(&person, first, ours, 60);
}

#[test]
fn a_reject_fifo_that_nobody_reads_holds_no_record() {
    let person = with_records(20, 100);
    let line = "mkfifo fifo; (sed -n 1p records; head -c 200000 /dev/zero | tr '\\0' '!'; echo; \
        sed 1d records) > mixed";
    assert!(person.shell(line).output().unwrap().status.success());
    let fifo = File::options().read(true).write(true).open(person.path("fifo")).unwrap();
    let (ours, theirs) = std::io::pipe().unwrap();
    let first = start(&person, &["--reject-to", "fifo", "mixed"], OwnedFd::from(theirs));
    wait_for_first(&person);
    let reader = std::thread::spawn({
        let mut fifo = fifo.try_clone().unwrap();
        move || {
            std::thread::sleep(Duration::from_secs(5));
            let mut kept = [0; 1 << 16];
            // As long as the test runs.
            while fifo.read(&mut kept).is_ok_and(|count| count > 0) {}
        }
    });
    assert_each_once(&person, first, ours, 20);
    drop(reader);
}

/// Each record is larger than the pipe, so that one of them is held while nobody reads.
#[test]
fn a_record_that_is_half_written_is_held_for_as_long_as_its_process_lives() {
    let person = with_records(4, 150_000);
    let (mut ours, theirs) = std::io::pipe().unwrap();
    let first = start(&person, &["records"], OwnedFd::from(theirs));
    wait_for_first(&person);
    let second = start(&person, &["records"], File::create(person.path("second")).unwrap());
    std::thread::sleep(Duration::from_secs(5));
    let mut text = String::new();
    ours.read_to_string(&mut text).unwrap();
    for mut process in [first, second] {
        process.wait().unwrap();
    }
    text.push_str(std::str::from_utf8(&person.read("second")).unwrap());
    let mut numbers: Vec<u8> = text.lines().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

/// A process that is stopped with records in its hands looks at its leases when it goes on. What it had written
/// and not yet noted by then may have come out twice, and it says so.
#[test]
fn a_process_that_was_stopped_releases_nothing_that_another_has_released() {
    let person = with_records(3000, 10);
    for pause in 1..=6 {
        // The other waits for as long as the first was stopped within a transaction.
        let line = format!(
            "rm -f db db-*; brine replay init --accept-older db; \
            brine verify --lines --replay-db db --lease 1s --on-bad skip --json records > first 2> verdict & \
            one=$!; sleep 0.0{pause}; kill -STOP $one; cp first before; (sleep 3; kill -CONT $one) & sleep 1.2; \
            brine verify --lines --replay-db db --lease 1s --on-bad skip records > second; wait"
        );
        assert!(person.shell(&line).output().unwrap().status.success());
        let [before, first, second, verdict] = ["before", "first", "second", "verdict"]
            .map(|name| String::from_utf8(person.read(name)).unwrap());
        let released: HashSet<&str> = second.lines().chain(before.lines()).collect();
        let after: HashSet<&str> = first.strip_prefix(&before).unwrap().lines().collect();
        assert!(released.is_disjoint(&after), "{pause}: {verdict}");
        assert_eq!(released.len() + after.len(), 3000, "{pause}: {verdict}");
        let twice = first.lines().count() + second.lines().count() - 3000;
        let verdict: Value = serde_json::from_str(&verdict).unwrap();
        assert!(
            twice == 0 || verdict["reason"] == "replay-lease-lost",
            "{pause}: {twice} {verdict}"
        );
    }
}

/// The verdict of a process that appends to `log`, where no file may have more than so many bytes.
fn append(person: &Person, options: &str, most: usize) -> Value {
    let line = format!(
        "trap '' XFSZ; prlimit --fsize={most} brine verify --in lines {options} --on-bad skip --json \
        records >> log"
    );
    let output = person.shell(&line).output().unwrap();
    let verdict = output.stderr.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
    serde_json::from_slice(verdict.unwrap()).unwrap()
}

/// A limit on the size of files stands for a full disk. What was written before it was full was released. The
/// file is longer than the database, which has room.
#[test]
fn a_full_disk_leaves_whole_records_that_are_not_released_again() {
    for framing in ["lines", "null", "len32"] {
        let person = with_records(40, 3000);
        let line = format!("brine verify --in lines --out {framing} records > all");
        assert!(person.shell(&line).output().unwrap().status.success());
        let all = person.read("all");
        let record = all.len() / 40;
        let earlier = all[..record].repeat(500);
        let full = earlier.len() + 20 * record + record / 2;
        let written = [&earlier, &all[..20 * record]].concat();
        person.write("log", &earlier);
        let options = format!("--out {framing} --replay-db db");
        let first = append(&person, &options, full);
        assert_eq!((&first["records_verified"], &first["reason"]), (&20.into(), &"io".into()));
        assert!(person.read("log") == written, "{framing}");
        let second = append(&person, &options, 2 * full);
        assert_eq!(second["reasons"]["replayed"], 20, "{second}");
        assert!(person.read("log") == [earlier.as_slice(), &all].concat(), "{framing}");
        // Without a database, records are counted and left whole, too.
        person.write("log", &earlier);
        let first = append(&person, &format!("--out {framing}"), full);
        assert_eq!((&first["records_verified"], &first["reason"]), (&20.into(), &"io".into()));
        assert!(person.read("log") == written, "{framing}");
    }
}

/// A limit on the size of files ends the process by a signal, unless that is caught: what was written would be
/// released again.
#[test]
fn a_limit_on_the_size_of_files_fails_a_write_and_ends_no_process() {
    let person = with_records(40, 3000);
    let line = "head -c 1000000 /dev/zero | tr '\\0' '\\n' > log; \
        for most in 1050000 2000000; do \
        prlimit --fsize=$most brine verify --lines --replay-db db --on-bad skip --json records >> log; \
        echo $? >&2; done; \
        prlimit --fsize=10 brinekey --help > help; echo $? >&2; \
        sed /^$/d log | awk 'length != 3000' | wc -l; sed /^$/d log | sort -u | wc -l; sed /^$/d log | wc -l";
    let output = person.shell(line).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n40\n40\n", "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    let statuses: Vec<&str> = text.lines().filter(|line| line.len() == 1).collect();
    assert_eq!(statuses, ["4", "1", "4"], "{text}");
}

/// What signs or shows records leaves no half of one either.
#[test]
fn a_full_disk_leaves_whole_envelopes_and_whole_lines() {
    let person = with_records(40, 1000);
    let line = "for n in 1 2 3; do cat records; done > log; cp log shown; seq -f '%01000.0f' 40 > lines; \
        most=$(($(wc -c < log) + 20000)); trap '' XFSZ; \
        prlimit --fsize=$most brine sign --lines lines >> log 2>/dev/null; echo $?; \
        prlimit --fsize=$most brine inspect --lines --json records >> shown 2>/dev/null; echo $?; \
        brine verify --lines --json log 2>&1 >all; tail -c 1 shown | od -An -c; \
        sed 1,120d shown | grep -vc '^{.*}$'; sed 1,120d shown | wc -l";
    let output = person.shell(line).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let [sign, inspect, verdict, end, broken, shown] = lines[..] else { panic!("{text}") };
    assert_eq!((sign, inspect, end.trim(), broken), ("4", "4", "\\n", "0"), "{text}");
    let verdict: Value = serde_json::from_str(verdict).unwrap();
    assert_eq!(verdict["verdict"], "verified", "{verdict}");
    let signed = verdict["records_verified"].as_u64().unwrap() - 120;
    assert!((1..40).contains(&signed), "{verdict}");
    assert!((1..40).contains(&shown.parse::<u32>().unwrap()), "{text}");
}

/// Half a record that somebody left does not become the beginning of the next.
#[test]
fn half_a_record_at_the_end_of_a_file_is_ended_before_others_are_appended() {
    let person = with_records(3, 1);
    for (options, expected) in [
        ("--lines", "half\n1\n2\n3\n"),
        ("--lines --replay-db db", "half\n1\n2\n3\n"),
        ("--in lines --out null", "half\x001\x002\x003\0"),
    ] {
        person.write("log", "half");
        let line = format!("brine verify {options} records >> log");
        assert!(person.shell(&line).output().unwrap().status.success());
        assert_eq!(String::from_utf8(person.read("log")).unwrap(), expected, "{options}");
    }
}

/// One of two processes fails again and again, and cuts off nothing but what it wrote itself.
#[test]
fn a_reject_file_that_two_processes_share_keeps_what_either_has_kept() {
    let person = Person::with_key();
    let line = "head -c 90000 /dev/zero | tr '\\0' '!' > large; echo >> large; yes junk | head -n 40 > small; \
        (trap '' XFSZ; ulimit -f 400; while [ ! -e done ]; do \
        brine verify --lines --reject-to refused large 2>/dev/null; done) & \
        for n in 1 2 3 4 5 6 7 8 9 10; do brine verify --lines --reject-to refused small || exit 1; done; \
        touch done; wait; grep -c '\"record\":\"junk\"' refused; grep -vc '^{.*}$' refused";
    let output = person.shell(line).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "400\n0\n", "{output:?}");
}

/// Records of processes that share a pipe never mix, however large they are.
#[test]
fn processes_that_share_a_pipe_take_turns() {
    for database in ["", "--replay-db db"] {
        let person = with_records(30, 70_000);
        let line = format!(
            "for n in 1 2 3; do brine verify --lines {database} --on-bad skip records 2>/dev/null & done | \
            (sleep 1; cat) | awk 'length != 70000' | wc -l"
        );
        let output = person.shell(&line).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n", "{output:?}");
    }
}

/// This process has locked the file, and does not write to it.
#[test]
fn a_long_wait_for_a_locked_output_is_told() {
    let person = with_records(3, 1);
    let log = File::options().append(true).create(true).open(person.path("log")).unwrap();
    rustix::fs::fcntl_lock(&log, rustix::fs::FlockOperation::LockExclusive).unwrap();
    // The shell opens the file: this process would lose its lock if it closed it.
    let line = "exec timeout 60 \"$0\" verify --lines records >> log";
    let mut waiting = Command::new("sh")
        .args(["-c", line, env!("CARGO_BIN_EXE_brine")])
        .current_dir(person.directory.path())
        .env("BRINE_HOME", person.home_path(""))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(waiting.stderr.take().unwrap());
    let mut note = String::new();
    said.read_line(&mut note).unwrap();
    let expected = "brine: waiting for another process, which has locked an output of records\n";
    assert_eq!(note, expected);
    drop(log);
    assert!(waiting.wait().unwrap().success());
    assert_eq!(person.read("log"), b"1\n2\n3\n");
}
