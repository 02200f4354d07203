//! Standard streams as others leave them: in non-blocking mode, or closed at the other end.

use std::fs;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};

use crate::common::Person;

/// A command of this person, without a shell that could change the mode of its streams.
fn command(person: &Person, line: &[&str]) -> Command {
    let program = match line[0] {
        "brinekey" => env!("CARGO_BIN_EXE_brinekey"),
        _ => env!("CARGO_BIN_EXE_brine"),
    };
    let mut command = Command::new(program);
    command
        .args(&line[1..])
        .current_dir(person.directory.path())
        .env_clear()
        .env("BRINE_HOME", person.home_path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn nonblocking_pipe() -> (File, File) {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
    (File::from(read), File::from(write))
}

/// Lets a command wait before there is anything, and in the middle.
fn fed_slowly(mut command: Command, content: &[u8]) -> Option<i32> {
    let (read, mut write) = nonblocking_pipe();
    let mut child = command.stdin(Stdio::from(OwnedFd::from(read))).spawn().unwrap();
    drop(command);
    for piece in content.chunks(content.len().div_ceil(3).max(1)) {
        thread::sleep(Duration::from_millis(50));
        let mut rest = piece;
        while !rest.is_empty() {
            match write.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    thread::sleep(Duration::from_millis(5));
                }
                // The status says why it reads no more.
                Err(_) => break,
            }
        }
    }
    drop(write);
    child.wait().unwrap().code()
}

/// Reads what a command writes, after its pipe has been full for a while.
fn read_slowly(mut command: Command, is_stderr: bool) -> (Option<i32>, Vec<u8>) {
    let (mut read, write) = nonblocking_pipe();
    let stream = Stdio::from(OwnedFd::from(write));
    let _ = if is_stderr { command.stderr(stream) } else { command.stdout(stream) };
    let mut child = command.spawn().unwrap();
    drop(command);
    thread::sleep(Duration::from_millis(300));
    let mut found = Vec::new();
    let mut piece = vec![0; 65536];
    loop {
        match read.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => found.extend_from_slice(&piece[..count]),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
    (child.wait().unwrap().code(), found)
}

fn prepared() -> Person {
    let person = Person::with_key();
    // More than any pipe holds.
    let line = "yes $(printf %0600d 7) | head -2000 > lines; head -c 3000000 /dev/zero > mid; brine sign mid -o mid.env; \
                brine sign --lines lines -o records; brine sign --segment-size 65536 mid -o stream; \
                brine sign -d mid; head -c 5000000 /dev/zero | brine sign --single -o large; printf N. > pickle";
    person.shell(line).assert().success();
    person
}

#[test]
fn an_input_in_non_blocking_mode_is_waited_for() {
    let person = prepared();
    for (line, input) in [
        (&["brine", "verify"][..], "mid.env"),
        (&["brine", "verify"], "stream"),
        (&["brine", "verify", "--whole"], "stream"),
        (&["brine", "verify"], "large"),
        (&["brine", "verify", "--lines"], "records"),
        (&["brine", "verify", "--signature", "mid.sig"], "mid"),
        (&["brine", "sign"], "mid"),
        (&["brine", "sign", "--single"], "mid"),
        (&["brine", "sign", "--armor"], "mid"),
        (&["brine", "sign", "-d"], "mid"),
        (&["brine", "sign", "--lines"], "lines"),
        (&["brine", "sign", "--lines", "--batch", "64"], "lines"),
        (&["brine", "sign", "--flush-after", "10ms"], "lines"),
        (&["brine", "inspect"], "mid.env"),
        (&["brine", "inspect", "--lines"], "records"),
        (&["brine", "scan"], "pickle"),
        (&["brine", "verify", "/dev/stdin"], "mid.env"),
        (&["brinekey", "gen", "second", "--passphrase-file", "/dev/stdin"], "pickle"),
    ] {
        assert_eq!(fed_slowly(command(&person, line), &person.read(input)), Some(0), "{line:?}");
    }
    let key = std::fs::File::open(person.home_path("keys/default.key")).unwrap();
    let key = std::io::read_to_string(key).unwrap();
    let import = command(&person, &["brinekey", "import", "again", "-"]);
    assert_eq!(fed_slowly(import, key.as_bytes()), Some(0));
}

#[test]
fn an_output_in_non_blocking_mode_is_waited_for_and_loses_nothing() {
    let person = prepared();
    let mid = person.read("mid");
    for line in [
        &["brine", "verify", "mid.env"][..],
        &["brine", "verify", "stream"],
        &["brine", "verify", "--whole", "stream"],
        &["brine", "verify", "-o", "/dev/stdout", "stream"],
    ] {
        let (status, found) = read_slowly(command(&person, line), false);
        assert!(status == Some(0) && found == mid, "{line:?}: {status:?}, {} bytes", found.len());
    }
    let (status, found) = read_slowly(command(&person, &["brine", "verify", "large"]), false);
    assert!(status == Some(0) && found == vec![0; 5_000_000], "{status:?}, {} bytes", found.len());
    let lines = person.read("lines");
    let records = command(&person, &["brine", "verify", "--lines", "records"]);
    let (status, found) = read_slowly(records, false);
    assert!(status == Some(0) && found == lines, "{status:?}, {} bytes", found.len());
    for (line, least) in [
        (&["brine", "sign", "mid"][..], 3_000_000),
        (&["brine", "sign", "--lines", "lines"], 1_200_000),
        (&["brine", "sign", "--armor", "mid"], 4_000_000),
        (&["brine", "inspect", "--lines", "records"], 1_200_000),
        (&["brine", "completions", "zsh"], 1000),
        (&["brine", "verify", "--help"], 1000),
    ] {
        let (status, found) = read_slowly(command(&person, line), false);
        assert!(status == Some(0) && found.len() > least, "{line:?}: {status:?}, {}", found.len());
    }
}

#[test]
fn a_standard_error_in_non_blocking_mode_is_waited_for() {
    let person = prepared();
    let names: Vec<_> = (0..3000).map(|number| format!("mid{number}")).collect();
    for name in &names {
        for end in ["", ".sig"] {
            let link = person.path(&format!("{name}{end}"));
            fs::hard_link(person.path(&format!("mid{end}")), link).unwrap();
        }
    }
    let mut line = vec!["brine", "verify", "--json", "-d"];
    line.extend(names.iter().map(String::as_str));
    let (status, found) = read_slowly(command(&person, &line), true);
    let lines = found.split_inclusive(|byte| *byte == b'\n').count();
    assert_eq!((status, lines), (Some(0), names.len()));
}

/// A reader that has read enough closes the pipe, as `head` does. That is no news, and the status says it.
#[test]
fn a_closed_pipe_ends_quietly_with_status_4() {
    let person = prepared();
    for line in [
        "brine --help",
        "brine verify --help",
        "brine completions bash",
        "brine sign mid",
        "brine sign --lines lines",
        "brine verify mid.env",
        "brine verify stream",
        "brine verify --whole stream",
        "brine verify --lines records",
        "brine verify large",
        "brine verify -d mid",
        "brine verify mid.env -o /dev/stdout",
        "brine inspect mid.env",
        "brine inspect --lines records",
        "brine scan pickle",
        "brine scan --json pickle",
        "brinekey list",
        "brinekey --help",
        "brinekey pub",
        "brinekey show default",
        "brinekey trust list",
    ] {
        // The pipe is closed before the program writes.
        let line = format!("(sleep 0.2; {line}; echo $? > status) | true");
        let output = person.shell(&line).output().unwrap();
        assert_eq!(person.read("status"), b"4\n", "{line}: {output:?}");
        assert_eq!(output.stderr, b"", "{line}: {:?}", String::from_utf8_lossy(&output.stderr));
    }
    // It ends the work, and the verdict says why.
    let line = "(sleep 0.2; brine verify --json mid.env) | true";
    let output = person.shell(line).output().unwrap();
    let verdict: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((&verdict["status"], &verdict["reason"]), (&4.into(), &"output-closed".into()));
}
