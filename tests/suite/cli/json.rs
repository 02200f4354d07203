//! Lines of JSON: where they go, and what is said where a command fails.

use std::process::Output;

use brine_cli::args::brine::Brine;
use brine_cli::args::brinekey::BrineKey;
use clap::{Command, CommandFactory as _};
use serde_json::Value;

use crate::common::Person;
use crate::schema::document;

/// The documents on each stream, and what is there besides.
#[track_caller]
fn lines(stream: &[u8]) -> (Vec<Value>, Vec<String>) {
    let lines = stream.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let (documents, others): (Vec<_>, Vec<_>) = lines.partition(|line| document(line).is_some());
    let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
    (documents.into_iter().filter_map(document).collect(), others.into_iter().map(text).collect())
}

/// The verdict with which a command failed, and nothing else is on its stream.
#[track_caller]
fn failed(stream: &[u8], output: &Output) -> Value {
    let (documents, others) = lines(stream);
    assert_eq!((documents.len(), others.as_slice()), (1, &[][..]), "{output:?}");
    let verdict = documents[0].clone();
    assert_eq!(verdict["schema"], "brine.verdict/1");
    assert_eq!(verdict["status"], output.status.code().unwrap());
    verdict
}

/// Where standard output has data, standard error has JSON and nothing else. Elsewhere both are told.
#[test]
fn what_was_mistyped_is_a_line_of_json_on_the_stream_of_the_verb() {
    let person = Person::new();
    for (line, data) in [
        ("brine verify --json --nonsense", true),
        ("brine sign x --json --key", true),
        ("brine run --json --now nonsense", true),
        ("brine completions --json klingon", true),
        ("brinekey pub a b --json", true),
        ("brinekey export --json --form nonsense", true),
        ("brine inspect --json --nonsense", false),
        ("brine scan --max-inflated x --json", false),
        ("brine replay status --json", false),
        ("brine doctor --json x", false),
        ("brine verfiy --json", false),
        ("brine --json", false),
        ("brinekey trust add --json", false),
        ("brinekey trust revoke --json --nonsense", false),
        ("brinekey list --json nonsense", false),
    ] {
        let output = person.shell(line).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {output:?}");
        let (with, without) = match data {
            true => (&output.stderr, &output.stdout),
            false => (&output.stdout, &output.stderr),
        };
        let verdict = failed(with, &output);
        assert_eq!((&verdict["verdict"], &verdict["reason"]), (&"failed".into(), &"usage".into()));
        assert!(verdict["hint"].is_string(), "{line}: {verdict}");
        // A person hears the same.
        let (program, message) = (&line[..line.find(' ').unwrap()], &verdict["message"]);
        let said = format!("{program}: error: {}\n", message.as_str().unwrap());
        let told = String::from_utf8_lossy(without);
        assert_eq!(told.starts_with(&said), !data, "{line}: {told}");
        assert_eq!(told.is_empty(), data, "{line}: {told}");
    }
}

/// What is typed after `--` is another's.
#[test]
fn an_option_of_the_command_asks_nothing_of_brine() {
    let person = Person::new();
    let output = person.shell("brine run --nonsense -- true --json").output().unwrap();
    let (documents, others) = lines(&[output.stdout.clone(), output.stderr.clone()].concat());
    assert_eq!((output.status.code(), documents.len()), (Some(2), 0), "{output:?}");
    assert_eq!(others[0], "brine: error: brine run has no option \"--nonsense\"");
}

#[test]
fn a_failure_is_a_verdict_on_the_stream_of_the_verb() {
    let person = Person::with_key();
    person.write("text", "text");
    for (line, data, status, reason) in [
        ("brine sign --json none", true, 4, "io"),
        ("brine sign --json -k nobody text", true, 6, "no-such-key"),
        ("brine verify --json text", true, 3, "not-an-envelope"),
        ("brine inspect --json none", false, 4, "io"),
        ("brine inspect --json text", false, 3, "not-an-envelope"),
        ("brine replay status --json none", false, 4, "replay-missing"),
        ("brinekey show --json nobody", false, 6, "no-such-key"),
        ("brinekey trust check nobody --json", false, 6, "trust-no-such-signer"),
    ] {
        let output = person.shell(line).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{line}: {output:?}");
        let (with, without) = match data {
            true => (&output.stderr, &output.stdout),
            false => (&output.stdout, &output.stderr),
        };
        assert_eq!(failed(with, &output)["reason"], reason, "{line}");
        assert_eq!(without.is_empty(), data, "{line}: {output:?}");
    }
}

/// A file that is read is not written to, not even to say so.
#[test]
fn nothing_is_said_in_a_file_that_is_read() {
    let person = Person::with_key();
    person.write("envelope", person.sign([], b"x"));
    let before = person.read("envelope");
    let output = person.shell("brine inspect --json envelope >> envelope").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let (documents, others) = lines(&output.stderr);
    assert_eq!(documents[0]["reason"], "same-file");
    assert!(others[0].contains("are the same file"), "{others:?}");
    assert_eq!(person.read("envelope"), before);
}

#[test]
fn what_was_signed_is_said_and_is_what_verifies() {
    let person = Person::with_key();
    person.write("in", "hello");
    let line = "brine sign --json --context a --type text/plain --expires 7d --not-before 2026-01-01T00:00:00Z in -o out";
    let output = person.shell(line).output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    let (documents, others) = lines(&output.stderr);
    assert_eq!((documents.len(), others.len()), (1, 0), "{output:?}");
    let signed = &documents[0];
    for (member, value) in [("file", "in"), ("output", "out"), ("key", "default")] {
        assert_eq!(signed[member], value);
    }
    let output = person.shell("brine verify --json --context a out").output().unwrap();
    let verified = lines(&output.stderr).0;
    let of_both = "algorithm content_type context cti detached expires issued_at key_id kind \
                   not_before payload_bytes";
    for member in of_both.split_whitespace() {
        assert_eq!(signed[member], verified[0][member], "{member}");
        assert!(!signed[member].is_null(), "{member}");
    }
}

/// For a stream, a job, a plain envelope and signatures beside files, too.
#[test]
fn every_form_of_signature_says_what_verifies() {
    let person = Person::with_key();
    person.write("small", "hello");
    person.write("large", vec![7; 3_000_000]);
    for (sign, verify) in [
        ("brine sign --json large -o out", "brine verify --json out"),
        ("brine sign --json --single --armor large -o out", "brine verify --json out"),
        ("brine sign --json --plain small -o out", "brine verify --untyped --json out"),
        ("brine sign --json --job small -o out", "brine run --explain --json out -- true"),
        ("brine sign --json -d small", "brine verify --json small.sig"),
        ("brine sign --json -d large", "brine verify --json large.sig"),
        ("brine sign --json --alg ed25519 < small > out", "brine verify --json out"),
    ] {
        let output = person.shell(sign).output().unwrap();
        let (signed, others) = lines(&output.stderr);
        assert_eq!((signed.len(), others.len()), (1, 0), "{sign}: {output:?}");
        let output = person.shell(verify).output().unwrap();
        assert!(output.status.success(), "{verify}: {output:?}");
        let (verified, _) = lines(&output.stderr);
        for member in
            ["algorithm", "cti", "detached", "issued_at", "key_id", "kind", "payload_bytes"]
        {
            assert_eq!(signed[0][member], verified[0][member], "{sign}: {member}");
        }
    }
}

#[test]
fn of_several_files_each_has_a_line_and_of_records_all_have_one() {
    let person = Person::with_key();
    person.write("a", "a");
    person.write("b", "b");
    let output = person.shell("brine sign -d --json a none b").output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let (documents, others) = lines(&output.stderr);
    assert!(others.is_empty(), "{others:?}");
    let facts: Vec<_> = documents.iter().map(|line| (&line["schema"], &line["file"])).collect();
    let (signed, verdict) = (&"brine.signed/1".into(), &"brine.verdict/1".into());
    let [a, none, b] = ["a", "none", "b"].map(Value::from);
    assert_eq!(facts, [(signed, &a), (verdict, &none), (signed, &b)]);
    assert_eq!(documents[2]["output"], "b.sig");

    let long = "x".repeat(20_000_000);
    let input = format!("one\n{long}\nthree\n");
    let mut command = person.brine(["sign", "--lines", "--json", "--on-bad", "skip"]);
    let output = command.write_stdin(input).output().unwrap();
    let (documents, others) = lines(&output.stderr);
    assert!(others.is_empty(), "{others:?}");
    let [line] = documents.as_slice() else { panic!("{documents:?}") };
    assert_eq!(output.status.code(), Some(1), "{documents:?}");
    let counts = ["status", "records_signed", "records_refused", "records_kept"];
    assert_eq!(counts.map(|member| line[member].as_u64().unwrap()), [1, 2, 1, 0]);
    assert_eq!((&line["cti"], &line["payload_bytes"]), (&Value::Null, &Value::Null));
    // The channel is that of the envelopes.
    let mut inspect = person.brine(["inspect", "--lines", "--json"]);
    let shown = inspect.write_stdin(output.stdout).output().unwrap();
    let (records, _) = lines(&shown.stdout);
    assert_eq!(records.len(), 2);
    assert_eq!(records[0]["sequence"]["channel"], line["channel"]);
}

/// Every verb, as it is typed.
fn verbs(command: &Command, typed: &str, found: &mut Vec<(String, bool)>) {
    let mut below = command.get_subcommands().filter(|verb| verb.get_name() != "help").peekable();
    if below.peek().is_none() {
        let takes_json =
            command.get_arguments().any(|argument| argument.get_long() == Some("json"));
        found.push((typed.to_owned(), takes_json));
    }
    for verb in below {
        verbs(verb, &format!("{typed} {}", verb.get_name()), found);
    }
}

/// Also what a verb is told that cannot be is said on its stream, and nothing else.
#[test]
fn every_verb_takes_json_and_fails_in_json() {
    let person = Person::new();
    let mut found = Vec::new();
    for mut command in [Brine::command(), BrineKey::command()] {
        command.build();
        let name = command.get_name().to_owned();
        verbs(&command, &name, &mut found);
    }
    assert!(found.len() > 20, "{found:?}");
    for (verb, takes_json) in found {
        assert!(takes_json, "{verb} has no --json");
        let output = person.shell(&format!("{verb} --json --no-such-option")).output().unwrap();
        let is_data = [
            "brine sign",
            "brine cosign",
            "brine verify",
            "brine run",
            "brine call",
            "brine completions",
            "brine work",
            "brine dead show",
            "brine recv",
            "brine relay",
            "brine send",
            "brinekey pub",
            "brinekey export",
        ];
        let stream = if is_data.contains(&verb.as_str()) { &output.stderr } else { &output.stdout };
        assert_eq!(failed(stream, &output)["reason"], "usage", "{verb}");
    }
}

/// A log of what a script did names the same key each time, and where its halves are.
#[test]
fn what_was_made_of_a_key_is_said() {
    let person = Person::new();
    let line = |typed: &str, on_stderr: bool| {
        let output = person.shell(typed).output().unwrap();
        assert!(output.status.success(), "{typed}: {output:?}");
        let stream = if on_stderr { &output.stderr } else { &output.stdout };
        let (documents, others) = lines(stream);
        assert_eq!((documents.len(), others.len()), (1, 0), "{typed}: {output:?}");
        documents[0].clone()
    };
    let made = line("brinekey gen a --no-passphrase --json", false);
    assert_eq!((&made["encrypted"], &made["private"]), (&false.into(), &true.into()));
    let file = person.home_path("keys/a.key");
    assert_eq!(made["file"], file.to_str().unwrap());
    for (typed, on_stderr) in [
        ("brinekey list --json", false),
        ("brinekey show a --json", false),
        ("brinekey pub a --json > a.pub", true),
        ("brinekey passwd a --no-passphrase --json", false),
    ] {
        let found = line(typed, on_stderr);
        for member in ["key_id", "ssh_fingerprint", "public_key", "encrypted", "private"] {
            assert_eq!(found[member], made[member], "{typed}: {member}");
        }
    }
    let exported = line("brinekey export a --json -o copy.key", true);
    assert_eq!((&exported["file"], &exported["key_id"]), (&"copy.key".into(), &made["key_id"]));
    let imported = line("brinekey import b copy.key --json", false);
    assert_eq!((&imported["name"], &imported["key_id"]), (&"b".into(), &made["key_id"]));
    // Of a file there is only the public half.
    let shown = line("brinekey show ./a.pub --json", false);
    assert_eq!((&shown["private"], &shown["file"]), (&false.into(), &Value::Null));
    // Data stays data.
    let output = person.shell("brinekey export a --json").output().unwrap();
    assert!(output.stdout.starts_with(b"-----BEGIN PRIVATE KEY-----\n"), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("PRIVATE"), "{output:?}");
}
