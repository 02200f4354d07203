//! `brine verify FILE -- CMD`: a command that reads what has verified, and is not started otherwise.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

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

fn report(person: &Person) -> Value {
    serde_json::from_slice(&person.read("report")).unwrap()
}

/// A program in this person's world, without a process between it and the test.
fn direct(person: &Person, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brine"));
    command
        .args(arguments)
        .current_dir(person.directory.path())
        .env("BRINE_HOME", person.home_path(""))
        .stdin(Stdio::null());
    command
}

#[track_caller]
fn wait_for(person: &Person, name: &str) {
    let begun = Instant::now();
    while !person.path(name).exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{name}");
        sleep(Duration::from_millis(5));
    }
}

/// Somebody with an envelope, a stream of many segments, and an envelope that is too large for memory.
fn with_envelopes() -> Person {
    let person = Person::with_key();
    let line = "printf 'one\\ntwo\\n' > small; seq 200000 > lines; yes | head -c 5000000 > large; \
        brine sign small -o small.brine; brine sign --segment-size 64KiB lines -o stream.brine; \
        brine sign --single large -o large.brine; brine sign -a small -o armored.brine";
    done(&person, line);
    person
}

#[test]
fn a_command_reads_the_whole_payload_and_brine_ends_as_it_ends() {
    let person = with_envelopes();
    for report in ["", "--report report"] {
        for (file, content) in
            [("small", "small"), ("armored", "small"), ("stream", "lines"), ("large", "large")]
        {
            let line = format!("brine verify {report} {file}.brine -- cmp - {content}");
            assert_eq!(done(&person, &line), "", "{line}");
            let line = format!("cat {file}.brine | brine verify {report} - -- cmp - {content}");
            assert_eq!(done(&person, &line), "", "{line}");
        }
        for status in [0, 1, 2, 5, 126, 127, 255] {
            let line = format!("brine verify {report} small.brine -- sh -c 'exit {status}'");
            let output = run(&person, &line);
            assert_eq!(output.status.code(), Some(status), "{output:?}");
            assert!(output.stderr.is_empty(), "{output:?}");
        }
        // What it writes, and where, is its own matter.
        let line = format!("brine verify {report} small.brine -- sh -c 'cat; echo err >&2'");
        let output = run(&person, &line);
        assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"one\ntwo\n"[..], &b"err\n"[..]));
    }
}

/// Each of these was made by somebody who wants the command to run.
#[test]
fn a_command_is_not_started_for_what_does_not_verify() {
    let person = with_envelopes();
    let line = "brinekey gen stranger --no-trust --no-passphrase; \
        head -c -1 small.brine > cut; sed s/one/two/ small.brine > altered; \
        head -c 300000 stream.brine > cut-stream; \
        { head -c -1 stream.brine; printf x; } > altered-stream; { cat stream.brine; echo; } > longer-stream; \
        head -c -1 large.brine > cut-large; sed '100s/y/n/' large.brine > altered-large; \
        brine sign -k stranger small -o stranger.brine; brine sign --context other small -o context.brine; \
        brine sign --not-before 7d small -o later.brine; \
        brine sign --job small -o job.brine; brine sign --plain small -o plain.brine; \
        brine sign -d small -o beside";
    run(&person, line);
    person.write("empty", "");
    for (file, status, reason) in [
        ("cut", 1, "small"),
        ("altered", 1, "signature"),
        ("cut-stream", 1, ""),
        ("altered-stream", 1, ""),
        ("longer-stream", 1, "follows the end of the stream"),
        ("cut-large", 1, ""),
        ("altered-large", 1, ""),
        ("stranger.brine", 5, "no trust anchor"),
        ("context.brine", 5, "context"),
        ("later.brine", 5, "not valid before"),
        ("job.brine", 3, "job"),
        ("plain.brine", 3, "type"),
        ("beside", 2, "is a detached signature"),
        ("small", 3, "not an envelope"),
        ("empty", 3, ""),
        ("missing", 4, "No such file"),
    ] {
        for options in [&[][..], &["--report", "report"], &["--json", "--report", "report"]] {
            let arguments = [&["verify"], options, &[file, "--", "touch", "ran"]].concat();
            let output = direct(&person, &arguments).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(status), "{file}: {said}");
            assert!(!person.path("ran").exists(), "{file}: the command ran");
            let is_json = options.contains(&"--json");
            assert_eq!(said.is_empty(), is_json, "{file}: {said}");
            if !is_json {
                assert!(said.starts_with("brine: error: "), "{file}: {said}");
                assert!(said.contains(&format!("\"{file}\"")), "{file}: {said}");
                assert!(reason == "small" || said.contains(reason), "{file}: {said}");
            }
            if !options.is_empty() {
                let report = report(&person);
                assert_eq!(report["status"], status, "{report}");
                assert_eq!(report["started"], false, "{report}");
                assert_eq!(report["command"], json!(["touch", "ran"]), "{report}");
                assert!(report.get("exit_code").is_none(), "{report}");
            }
        }
    }
}

/// A reader that has read enough is no error, and what it leaves is no reason to wait.
#[test]
fn a_command_may_leave_what_it_does_not_need() {
    let person = with_envelopes();
    for report in ["", "--report report"] {
        for file in ["small", "stream", "large"] {
            for (command, expected) in [("true", ""), ("sh -c 'exec <&-; echo 1'", "1\n")] {
                let line = format!("brine verify {report} {file}.brine -- {command}");
                assert_eq!(done(&person, &line), expected, "{line}");
            }
        }
        let line = format!("brine verify {report} stream.brine -- head -n 1");
        assert_eq!(done(&person, &line), "1\n", "{line}");
        // A command may read from anywhere, as from a file.
        let line = format!("brine verify {report} stream.brine -- tail -c 7");
        assert_eq!(done(&person, &line), "200000\n", "{line}");
        // A script reads on where the shell has stopped reading it.
        let line = format!(
            "printf 'read line\\nthis\\necho got $line\\n' | brine sign | brine verify {report} - -- bash"
        );
        assert_eq!(done(&person, &line), "got this\n", "{line}");
    }
}

#[test]
fn what_ends_a_command_ends_brine() {
    let person = with_envelopes();
    for (signal, number) in [("TERM", 15), ("INT", 2), ("KILL", 9), ("SEGV", 11), ("USR1", 10)] {
        let command = ["--", "sh", "-c", &format!("kill -{signal} $$")];
        for options in [&["small.brine"][..], &["small.brine", "--report", "report"]] {
            let arguments = [&["verify"], options, &command].concat();
            let output = direct(&person, &arguments).output().unwrap();
            assert_eq!(output.status.signal(), Some(number), "{output:?}");
            assert!(output.stderr.is_empty(), "{output:?}");
        }
        let report = report(&person);
        let end = (&report["status"], &report["signal"], &report["exit_code"], &report["started"]);
        assert_eq!(end, (&json!(128 + number), &json!(number), &Value::Null, &json!(true)));
        assert_eq!(report["verdict"], "verified");
    }
    // A signal that the system has no name for.
    let command = ["--", "sh", "-c", "kill -40 $$"];
    let arguments = [&["verify", "small.brine", "--report", "report"][..], &command].concat();
    let output = direct(&person, &arguments).output().unwrap();
    assert_eq!((output.status.code(), &report(&person)["signal"]), (Some(168), &json!(40)));
}

#[test]
fn the_report_says_who_signed_and_how_the_command_ended() {
    let person = with_envelopes();
    let line = "brine verify --report report small.brine -- sh -c 'cat >/dev/null; exit 7' two \"three 3\"";
    assert_eq!(run(&person, line).status.code(), Some(7));
    let report = report(&person);
    for (member, value) in [
        ("verdict", json!("verified")),
        ("status", json!(7)),
        ("signer", json!("default")),
        ("payload_bytes", json!(8)),
        ("command", json!(["sh", "-c", "cat >/dev/null; exit 7", "two", "three 3"])),
        ("started", json!(true)),
        ("exit_code", json!(7)),
        ("signal", Value::Null),
    ] {
        assert_eq!(report[member], value, "{member}: {report}");
    }
    assert!(report.get("command_hex").is_none());
    // A report that cannot be kept is no success, and the command is not started where it cannot even be begun.
    let line = "brine verify --report none/report small.brine -- touch ran";
    assert_refused(&run(&person, line), 4, "none");
    assert!(!person.path("ran").exists());
    let line = "brine verify --json --report /dev/full small.brine -- true";
    let output = run(&person, line);
    let said: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((output.status.code(), &said["reason"]), (Some(4), &json!("io")));
}

#[test]
fn standard_error_is_the_commands() {
    let person = with_envelopes();
    let line = "brine verify --json --report report small.brine -- sh -c 'echo mine >&2; exit 3'";
    let output = run(&person, line);
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(3), &b"mine\n"[..]));
    assert_eq!(report(&person)["exit_code"], 3);
    // Who signed is said before the command says anything.
    for report in ["", "--report report"] {
        let line = format!("brine verify -v {report} small.brine -- sh -c 'echo mine >&2'");
        let said = String::from_utf8(run(&person, &line).stderr).unwrap();
        let (first, second) = said.split_once('\n').unwrap();
        assert!(first.starts_with("brine: signed by default (20"), "{said}");
        assert_eq!(second, "mine\n");
    }
}

#[test]
fn a_command_that_cannot_be_run_has_the_status_of_a_shell() {
    let person = with_envelopes();
    person.write("plain", "echo a script without an interpreter; cat");
    person.write("lost", "#!/no/such/interpreter\n");
    done(&person, "mkdir directory; cp plain script; chmod +x script lost");
    for report in ["", "--report report"] {
        for (command, status, reason) in [
            ("no-such-program", 127, "no program \"no-such-program\""),
            ("./no-such-program", 127, "no program \"./no-such-program\""),
            ("./plain", 126, "Permission denied"),
            ("./directory", 126, "directory"),
            ("./lost", 126, "No such file"),
            ("''", 127, "no program \"\""),
        ] {
            let line = format!("brine verify {report} small.brine -- {command}");
            assert_refused(&run(&person, &line), status, reason);
            if !report.is_empty() {
                let found = self::report(&person);
                assert_eq!((&found["started"], &found["status"]), (&json!(false), &json!(status)));
                assert_eq!(found["verdict"], "failed");
            }
        }
        let line = format!("brine verify {report} small.brine -- ./script");
        let expected = "a script without an interpreter\none\ntwo\n";
        assert_eq!(done(&person, &line), expected);
        // What lies in the current directory is not what a name in PATH means.
        let line = format!("PATH=.:$PATH brine verify {report} small.brine -- plain");
        assert_refused(&run(&person, &line), 127, "no program \"plain\"");
    }
    // An input that may not come again is not read for nothing.
    let line = "cat small.brine | (brine verify - -- no-such-program; cat) | cmp - small.brine";
    assert!(run(&person, line).status.success());
}

/// The same descriptors, signals and limits as without brine.
#[test]
fn a_command_inherits_what_brine_was_started_with() {
    let person = with_envelopes();
    person.write("world.sh", WORLD);
    let found = |line: &str| {
        let said = done(&person, line);
        assert!(said.lines().count() > 8, "{said}");
        said
    };
    for before in ["", "trap '' HUP TERM USR1;", "ulimit -c 0;", "export A=b; cd /tmp; cd -;"] {
        let expected = found(&format!("{before} sh world.sh < small"));
        for (report, file) in [("", "small"), ("--report report", "small")] {
            let line = format!("{before} brine verify {report} {file}.brine -- sh world.sh");
            assert_eq!(found(&line), expected, "{line}");
        }
    }
}

/// What is blocked in brine is blocked in the command, and neither waits for it.
#[test]
fn a_command_ends_whatever_signals_are_blocked() {
    let person = with_envelopes();
    for signals in ["CHLD", "CHLD,TERM,INT,HUP", "PIPE"] {
        let line = format!(
            "env --block-signal={signals} brine verify --report report small.brine -- sh -c 'cat; exit 3'"
        );
        let output = run(&person, &line);
        assert_eq!(output.stdout, b"one\ntwo\n", "{output:?}");
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert_eq!(report(&person)["exit_code"], 3);
    }
}

/// The C library keeps the signals 32 and 33 for itself, and has what it spawns ignore them.
const WORLD: &str = "cat; ls /proc/self/fd | grep -vx 3; grep -E '^Sig(Blk|Pnd)|^Shd' /proc/self/status; \
    echo $((0x$(awk '/^SigIgn/ { print $2 }' /proc/self/status) & 0x7fffffff)); \
    grep -E 'core|open files|file size' /proc/self/limits; pwd; env | grep -v -e ^_= -e ^OLDPWD | sort; umask";

#[test]
fn the_payload_cannot_be_changed_once_it_has_verified() {
    let person = with_envelopes();
    for report in ["", "--report report"] {
        for (file, size) in [("small", "8"), ("stream", "1288895"), ("large", "5000000")] {
            let line = format!(
                "brine verify {report} {file}.brine -- sh -c \
                 'stat -L -c \"%s %a %h\" /dev/stdin; printf x >&0 || echo read-only'"
            );
            assert_eq!(done(&person, &line), format!("{size} 400 0\nread-only\n"), "{line}");
        }
        // The superuser may open what nobody may write, but not change what is sealed.
        let line = format!(
            "brine verify {report} small.brine -- sh -c \
             'chmod 600 /proc/self/fd/0; printf x > /dev/stdin || truncate -s 0 /dev/stdin; cat'"
        );
        assert_eq!(done(&person, &line), "one\ntwo\n", "{line}");
    }
}

/// The command reads what has verified, and not what its envelope has become since.
#[test]
fn an_envelope_that_changes_afterwards_changes_nothing() {
    for file in ["small", "stream", "large"] {
        let person = with_envelopes();
        let content = if file == "stream" { "lines" } else { file };
        let script = format!(": > {file}.brine; cmp - {content}");
        for report in ["", "--report report"] {
            let line = format!(
                "cp {file}.brine kept; brine verify {report} {file}.brine -- sh -c '{script}'; echo $?; \
                 mv kept {file}.brine"
            );
            assert_eq!(done(&person, &line), "0\n", "{line}");
        }
    }
}

/// Starts a command that reads from a pipe, and returns it with a way to send.
fn slowly(person: &Person, options: &[&str], command: &[&str]) -> Child {
    let arguments = [&["verify"], options, &["-", "--"], command].concat();
    let mut program = direct(person, &arguments);
    program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The first segments of a stream are good; its end has not come, comes altered, or comes when nobody is trusted.
#[test]
fn a_command_waits_for_the_end_and_is_judged_by_what_holds_then() {
    type Change = fn(&mut Vec<u8>);
    let altered: Change = |bytes| *bytes.last_mut().unwrap() ^= 1;
    let cut: Change = |bytes| bytes.truncate(bytes.len() - 1);
    let good: Change = |_| {};
    let cases = [
        ("true", altered, 1, ""),
        ("true", cut, 1, ""),
        ("brinekey trust remove default", good, 5, "no trust anchor"),
        ("echo nonsense >> $BRINE_HOME/trust.toml", good, 6, "trust.toml"),
        ("true", good, 0, ""),
    ];
    for file in ["stream.brine", "large.brine", "small.brine"] {
        for (change, alter, status, reason) in cases {
            for options in [&[][..], &["--report", "report"]] {
                let person = with_envelopes();
                let mut child = slowly(&person, options, &["touch", "ran"]);
                let mut bytes = person.read(file);
                alter(&mut bytes);
                let (first, rest) = bytes.split_at(bytes.len() * 3 / 4);
                let mut pipe = child.stdin.take().unwrap();
                pipe.write_all(first).unwrap();
                sleep(Duration::from_millis(50));
                assert!(!person.path("ran").exists(), "{file}");
                run(&person, change);
                // What is refused early reads no further.
                let _ = pipe.write_all(rest);
                drop(pipe);
                let output = child.wait_with_output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.code(), Some(status), "{file} {change}: {said}");
                assert!(said.contains(reason), "{file}: {said}");
                assert_eq!(person.path("ran").exists(), status == 0, "{file} {change}");
            }
        }
    }
}

/// Sends a signal to a process.
fn send(signal: &str, child: &Child) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
}

#[test]
fn a_signal_for_brine_reaches_the_command() {
    for options in [&[][..], &["--report", "report"]] {
        for signal in ["-TERM", "-INT", "-HUP", "-QUIT", "-USR1", "-USR2"] {
            let person = with_envelopes();
            let script = format!(
                "trap 'echo caught; exit 9' {}; touch ready; while :; do sleep 0.01; done",
                &signal[1..]
            );
            let command = ["small.brine", "--", "sh", "-c", &script];
            let arguments = [&["verify"], options, &command].concat();
            let child = direct(&person, &arguments).stdout(Stdio::piped()).spawn().unwrap();
            wait_for(&person, "ready");
            send(signal, &child);
            let output = child.wait_with_output().unwrap();
            assert_eq!((output.status.code(), &output.stdout[..]), (Some(9), &b"caught\n"[..]));
            if !options.is_empty() {
                assert_eq!(report(&person)["exit_code"], 9);
            }
        }
        // A command that does not catch it ends by it, and so does brine.
        let person = with_envelopes();
        let command = ["small.brine", "--", "sh", "-c", "touch ready; exec sleep 60"];
        let arguments = [&["verify"], options, &command].concat();
        let mut child = direct(&person, &arguments).spawn().unwrap();
        wait_for(&person, "ready");
        send("-TERM", &child);
        assert_eq!(child.wait().unwrap().signal(), Some(15));
    }
    // While an input is waited for there is no command yet, and brine itself ends.
    let person = with_envelopes();
    let mut child = slowly(&person, &["--report", "report"], &["touch", "ran"]);
    sleep(Duration::from_millis(100));
    send("-TERM", &child);
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    assert!(!person.path("ran").exists());
}

/// What is typed at a terminal reaches the command from there, and only once.
#[test]
fn an_interrupt_at_the_terminal_is_for_the_command_to_decide() {
    for options in ["", "--report report"] {
        let person = with_envelopes();
        person.write(
            "patient.sh",
            "trap 'n=$((n+1)); echo caught $n' INT; touch ready; i=0; \
             while [ $i -lt 40 ]; do sleep 0.01; i=$((i+1)); done; exit 9",
        );
        let line = format!(
            "PATH={}:$PATH; brine verify {options} small.brine -- sh patient.sh; echo status $?",
            std::path::Path::new(env!("CARGO_BIN_EXE_brine")).parent().unwrap().display()
        );
        let child = Command::new("setsid")
            .args(["--wait", "script", "-qec", &line, "/dev/null"])
            .current_dir(person.directory.path())
            .env("BRINE_HOME", person.home_path(""))
            // The shell between would end by the interrupt, too.
            .env("SHELL", "/bin/bash")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for(&person, "ready");
        child.stdin.as_ref().unwrap().write_all(b"\x03").unwrap();
        let output = child.wait_with_output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.contains("caught 1") && !shown.contains("caught 2"), "{shown}");
        assert!(shown.contains("status 9"), "{shown}");
    }
}

#[test]
fn a_command_does_not_go_with_what_has_other_readers() {
    let person = with_envelopes();
    for (line, reason, hint) in [
        ("verify -- touch ran", "FILE must stand before it", "brine verify - -- CMD"),
        ("verify -- small.brine", "FILE must stand before it", "./-NAME"),
        ("verify small.brine --", "no command after", "brine verify FILE -- CMD"),
        (
            "verify small.brine -o out -- touch ran",
            "-o does not go with a command",
            "-- CMD > OUTPUT",
        ),
        ("verify small.brine --check -- touch ran", "--check does not go", "leave out the command"),
        ("verify small.brine --lines -- touch ran", "records do not go", "set -o pipefail"),
        ("verify --in lines --out cbor - -- touch ran", "records do not go", "set -o pipefail"),
        ("verify --retry small --out lines -- touch ran", "--retry does not go", "set -o pipefail"),
        ("verify small.brine large.brine -- touch ran", "one FILE", "for FILE in"),
        ("verify small.sig -- touch ran", "a signature beside FILE", "makes an envelope"),
        ("verify -d small -- touch ran", "a signature beside FILE", "makes an envelope"),
        (
            "verify --signature small.brine small -- touch ran",
            "a signature beside FILE",
            "makes an envelope",
        ),
    ] {
        let output = run(&person, &format!("brine {line}"));
        assert_refused(&output, 2, reason);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.lines().nth(1).unwrap().starts_with("brine: hint: "), "{said}");
        assert!(said.contains(hint), "{line}: {said}");
        assert!(!person.path("ran").exists() && !person.path("out").exists(), "{line}");
    }
    let output = run(&person, "brine verify small.brine --json -- touch ran");
    let verdict: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((output.status.code(), &verdict["reason"]), (Some(2), &json!("usage")));
    let said = verdict["message"].as_str().unwrap();
    assert!(said.contains("--json with a command needs --report"), "{said}");
    assert_eq!((&verdict["started"], person.path("ran").exists()), (&json!(false), false));
}
