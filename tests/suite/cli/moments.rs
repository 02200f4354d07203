//! What changes while a program waits: it judges by what holds when everything has arrived, and again when it
//! releases.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::common::{Person, assert_refused};

fn run(person: &Person, line: &str) -> Output {
    person.shell(line).output().unwrap()
}

#[track_caller]
fn done(person: &Person, line: &str) -> String {
    let output = run(person, line);
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Demands that nothing is released. Of records, a count comes before the error.
#[track_caller]
fn assert_nothing(output: &Output, status: i32, reason: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(status), 0), "{said}");
    let error = said.lines().find(|line| line.contains(": error: ")).unwrap_or_default();
    assert!(error.contains(reason), "{said}");
}

/// Starts a command that reads from a pipe, changes something, and then sends a file.
fn waiting(person: &Person, command: &str, change: &str, file: &str) -> Output {
    let line = format!(
        "rm -f pipe; mkfifo pipe; {command} < pipe & pid=$!; exec 3> pipe; sleep 0.3; \
         {{ {change}; }} >/dev/null 2>&1; cat {file} >&3; exec 3>&-; wait $pid"
    );
    run(person, &line)
}

const POLICY: &str = "[[allow]]\nsigners = [\"default\"]\n\
    interpreters.sh = { path = \"/bin/sh\", arguments = [[]] }\n";

/// Somebody with one of each that can be verified, and each command that does.
fn with_everything() -> (Person, [(&'static str, &'static str); 6]) {
    let person = Person::with_key();
    person.write("policy.toml", POLICY);
    let line = "printf x > one; brine sign one > envelope; brine sign --lines one > record; \
        brine sign -d one -o beside; head -c 100 /dev/zero > two; brine sign --hash sha256 -d two \
        --segment-size 10 -o digest; brine sign --segment-size 1 two > stream; \
        brine sign --job --grant run=sh one > job";
    done(&person, line);
    let commands = [
        ("brine verify", "envelope"),
        ("brine verify --whole", "stream"),
        ("brine verify --lines", "record"),
        ("brine verify --signature beside", "one"),
        ("brine verify --signature digest", "two"),
        ("brine run --explain --policy policy.toml", "job"),
    ];
    (person, commands)
}

#[test]
fn trust_is_that_of_the_moment_at_which_all_has_arrived() {
    let (person, commands) = with_everything();
    let trust = person.home_path("trust.toml");
    let trust = trust.to_str().unwrap();
    done(&person, &format!("cp {trust} right; sed 's/^name/nome/' right > broken"));
    let put = |file: &str| format!("cp {file} new && mv new {trust}");
    for (command, file) in commands {
        let output = waiting(&person, command, "brinekey trust remove default", file);
        assert_nothing(&output, 5, "no trust anchor for key id");
        // Whoever was trusted meanwhile is believed.
        let output = waiting(&person, command, &put("right"), file);
        assert!(output.status.success(), "{command}: {output:?}");
        // What cannot be read is no reason to refuse anything.
        let output = waiting(&person, command, &put("broken"), file);
        assert_nothing(&output, 6, "trust.toml\": ");
        done(&person, &put("right"));
        let output = waiting(&person, command, &format!("rm {trust}"), file);
        assert_nothing(&output, 6, "trust.toml\": entity not found");
        done(&person, &put("right"));
    }
}

#[test]
fn revoked_keys_and_the_policy_are_those_of_that_moment_too() {
    let (person, commands) = with_everything();
    done(&person, ": > revoked");
    let revoke = "brinekey pub > new && mv new revoked";
    for (command, file) in commands {
        let output = waiting(&person, &format!("{command} --revoked revoked"), revoke, file);
        assert_nothing(&output, 5, "was revoked");
        done(&person, ": > revoked");
    }
    let deny = "sed s/default/other/ policy.toml > new && mv new policy.toml";
    let [.., (command, file)] = commands;
    assert_nothing(&waiting(&person, command, deny, file), 5, "policy");
}

/// Released means gone: what follows is judged by the trust that holds then.
#[test]
fn a_stream_that_flows_ends_where_trust_does() {
    for (change, status, reason) in [
        ("brinekey trust remove default", 5, "no trust anchor"),
        ("echo nonsense >> $BRINE_HOME/trust.toml", 6, "trust.toml"),
    ] {
        let person = Person::with_key();
        let line = format!(
            "head -c 40 /dev/zero | brine sign --segment-size 4 > stream; mkfifo pipe; \
             brine verify < pipe > out 2> err & pid=$!; exec 3> pipe; head -c 900 stream >&3; \
             until [ -s out ]; do sleep 0.01; done; {change} 2>/dev/null; \
             tail -c +901 stream >&3; exec 3>&-; wait $pid; echo $?"
        );
        assert_eq!(done(&person, &line), format!("{status}\n"), "{change}");
        let said = String::from_utf8(person.read("err")).unwrap();
        assert!(said.contains(reason), "{said}");
        let released = person.read("out").len();
        assert!((4..40).contains(&released) && released.is_multiple_of(4), "{released}");
    }
}

/// Work that goes on for days sees who is trusted now. A file that is broken stops it, and refuses nobody.
#[test]
fn records_that_keep_coming_are_judged_by_the_trust_file_as_it_is() {
    for (change, status, reason, kept) in [
        ("brinekey trust remove default", "0\n", "1 verified, 1 refused (1 unknown-signer)", 1),
        ("echo nonsense >> $BRINE_HOME/trust.toml", "6\n", "trust.toml\": ", 0),
        (
            ": > $BRINE_HOME/trust.toml; echo x >> $BRINE_HOME/trust.toml",
            "6\n",
            "trust.toml\": ",
            0,
        ),
    ] {
        let person = Person::with_key();
        let line = format!(
            "seq 2 | brine sign --lines > records; mkfifo pipe; \
             brine verify --lines --reject-to kept < pipe > out 2> err & pid=$!; exec 3> pipe; \
             head -1 records >&3; until [ -s out ]; do sleep 0.01; done; {{ {change}; }} 2>/dev/null; \
             tail -1 records >&3; exec 3>&-; wait $pid; echo $?"
        );
        assert_eq!(done(&person, &line), status, "{change}");
        let said = String::from_utf8(person.read("err")).unwrap();
        assert!(said.contains(reason), "{said}");
        assert_eq!(person.read("out"), b"1\n");
        assert_eq!(person.read("kept").split_inclusive(|byte| *byte == b'\n').count(), kept);
    }
}

/// Sources that cannot be read twice hold together with the files beside them, which are read again.
#[test]
fn a_pipe_beside_a_trust_file_hides_no_change_of_it() {
    let revoked = "echo 'revoked-at = 2026-01-01T00:00:00Z' >> $BRINE_HOME/trust.toml";
    let fifo = "rm $BRINE_HOME/trust.toml; mkfifo $BRINE_HOME/trust.toml";
    for (options, change, status, reason) in [
        ("--revoked /dev/null", revoked, "0\n", "1 verified, 1 refused (1 signer-revoked)"),
        (
            "-p /dev/fd/4 --trust $BRINE_HOME/trust.toml 4< key.fifo",
            revoked,
            "0\n",
            "1 verified, 1 refused (1 signer-revoked)",
        ),
        ("--revoked /dev/fd/4 4< none", "cat key > none", "0\n", "1 refused (1 signer-revoked)"),
        ("", fifo, "6\n", "trust.toml\": not a regular file"),
    ] {
        let person = Person::with_key();
        let line = format!(
            "seq 2 | brine sign --lines > records; mkfifo pipe key.fifo; brinekey pub > key; : > none; \
             cat key > key.fifo & \
             brine verify --lines --reject-to kept {options} < pipe > out 2> err & pid=$!; exec 3> pipe; \
             head -1 records >&3; until [ -s out ]; do sleep 0.01; done; {{ {change}; }} 2>/dev/null; \
             tail -1 records >&3; exec 3>&-; wait $pid; echo $?; exec 5<> key.fifo"
        );
        assert_eq!(done(&person, &line), status, "{options} {change}");
        let said = String::from_utf8(person.read("err")).unwrap();
        assert!(said.contains(reason), "{options}: {said}");
        assert_eq!(person.read("out"), b"1\n");
    }
}

/// Payloads that do not fit the pipe wait for its reader, who takes them long after they were judged.
#[test]
fn records_behind_a_slow_reader_are_judged_again_when_they_are_released() {
    for database in ["", "--replay-db db"] {
        let person = Person::with_key();
        let line = format!(
            "brine replay init --accept-older db; payload=$(head -c 50000 /dev/zero | tr '\\0' x); \
             for n in $(seq 200); do echo $payload; done | brine sign --lines > records; \
             {{ brine verify --lines {database} < records 2> err; echo $? > status; }} | \
             {{ head -c 1; touch begun; until [ -e go ]; do sleep 0.01; done; cat; }} > out & pid=$!; \
             until [ -e begun ]; do sleep 0.01; done; sleep 0.5; \
             brinekey trust remove default 2>/dev/null; touch go; wait $pid; cat status"
        );
        assert_eq!(done(&person, &line), "5\n", "{database}");
        let said = String::from_utf8(person.read("err")).unwrap();
        assert!(said.contains("(1 unknown-signer)"), "{said}");
        let released = person.read("out").len();
        // What was in the pipe, and one record on its way there.
        assert!((1..1_200_000).contains(&released), "{released}");
    }
}

/// Opening a FIFO waits for its reader.
#[test]
fn a_payload_is_judged_again_when_its_output_has_been_waited_for() {
    let (person, _) = with_everything();
    for command in ["brine verify envelope", "brine verify stream", "brine verify --whole stream"] {
        let line = format!(
            "rm -f fifo; mkfifo fifo; cp $BRINE_HOME/trust.toml right; \
             {command} -o fifo & pid=$!; sleep 0.3; brinekey trust remove default 2>/dev/null; \
             cat fifo > out; wait $pid; status=$?; mv right $BRINE_HOME/trust.toml; exit $status"
        );
        assert_refused(&run(&person, &line), 5, "no trust anchor");
        assert_eq!(person.read("out"), b"", "{command}");
    }
}

/// Returns both ends of a socket, and how many bytes the second takes out before the first takes more.
fn full_socket() -> (UnixStream, UnixStream, usize) {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut filled = 0;
    while let Ok(written) = ours.write(&[b'#'; 1000]) {
        filled += written;
    }
    ours.set_nonblocking(false).unwrap();
    (ours, theirs, filled)
}

/// A reader that takes nothing keeps what has verified from being released, until somebody is not trusted any more.
#[test]
fn what_waits_until_its_output_takes_something_is_judged_again() {
    let (person, _) = with_everything();
    done(
        &person,
        "cp $BRINE_HOME/trust.toml right; head -c 3000000 /dev/zero | brine sign --single > large; : | brine sign > empty",
    );
    for (arguments, status) in [
        (["verify", "envelope"].as_slice(), 5),
        (&["verify", "large"], 5),
        (&["verify", "stream"], 5),
        (&["verify", "--whole", "stream"], 5),
        (&["verify", "--lines", "record"], 5),
        (&["verify", "--lines", "--replay-db", "db", "record"], 5),
        // Nothing has to be waited for.
        (&["verify", "empty"], 0),
    ] {
        done(&person, "rm -rf db; brine replay init --accept-older db");
        let (ours, mut theirs, filled) = full_socket();
        let mut command = Command::new(env!("CARGO_BIN_EXE_brine"));
        command
            .args(arguments)
            .current_dir(person.path(""))
            .env("BRINE_HOME", person.home_path(""));
        command.stdout(OwnedFd::from(ours)).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        drop(command);
        sleep(Duration::from_millis(500));
        done(&person, "brinekey trust remove default 2>/dev/null");
        let mut found = Vec::new();
        theirs.read_to_end(&mut found).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), found.len()), (Some(status), filled), "{arguments:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            said.contains("unknown-signer") || said.contains("no trust anchor"),
            status == 5,
            "{said}"
        );
        done(&person, "mv $BRINE_HOME/trust.toml gone; cp right $BRINE_HOME/trust.toml");
    }
}

/// Whoever signs states the time at which the content was there and the key open.
#[test]
fn signatures_state_the_time_after_input_and_passphrase() {
    let person = Person::with_key();
    person.write("one", "x");
    person.write("passphrase", "secret");
    done(&person, "brinekey gen locked --passphrase-file passphrase");
    let commands = [
        "sign",
        "sign --single",
        "sign --armor",
        "sign --job",
        "sign --lines",
        "sign --lines --batch 2 --linger 1s",
        "sign --detached",
        "sign --flush-after 10ms",
        "sign -k locked --passphrase-fd 0 one",
    ];
    let mut line = String::new();
    for (number, command) in commands.iter().enumerate() {
        line += &format!(
            "{{ sleep 1.1; date +%s > begun{number}; echo secret; }} | \
             brine {command} --expires 1h > out{number} & "
        );
    }
    done(&person, &(line + "wait"));
    for (number, command) in commands.iter().enumerate() {
        let begun = String::from_utf8(person.read(&format!("begun{number}"))).unwrap();
        let begun: u64 = begun.trim().parse().unwrap();
        let framing = if command.contains("--lines") { "--lines" } else { "" };
        let shown = done(&person, &format!("brine inspect --json {framing} out{number}"));
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let seconds = |name: &str| {
            let text = shown[name].as_str().unwrap_or_else(|| panic!("{command}: {shown}"));
            brine_core::Timestamp::parse_rfc3339(text).unwrap().unix()
        };
        assert!(seconds("issued_at") >= begun, "{command}: {shown}");
        assert_eq!(seconds("expires"), seconds("issued_at") + 3600, "{command}");
    }
}

/// A time that passes while the input is waited for makes a signature that nobody accepts.
#[test]
fn nothing_is_signed_that_has_expired_by_then() {
    let person = Person::with_key();
    // Where a second is nearly over, one more is no time to start in.
    for command in ["sign", "sign --flush-after 10ms", "sign --job"] {
        let line = format!(
            "rm -f pipe; mkfifo pipe; brine {command} --expires $(($(date +%s) + 2)) < pipe & pid=$!; \
             exec 3> pipe; sleep 2.1; printf x >&3; exec 3>&-; wait $pid"
        );
        assert_refused(&run(&person, &line), 2, "has passed already");
    }
    // Records that came before are signed, if they came soon enough.
    let line = "end=$(($(date +%s) + 2)); { echo 1; sleep 2.1; echo 2; } | brine sign --lines --expires $end > out";
    let output = run(&person, line);
    assert_refused(&output, 2, "has passed already");
    assert!(person.read("out").iter().filter(|byte| **byte == b'\n').count() <= 1);
}
