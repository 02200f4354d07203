//! Where results go, and what is left behind.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use crate::common::{Person, assert_mistyped, assert_refused};

#[test]
fn a_refused_envelope_leaves_the_output_file_as_it_was() {
    let person = Person::with_key();
    person.write("out", "before");
    let mut envelope = person.sign([], b"after");
    envelope[100] ^= 1;
    let output = person.brine(["verify", "-o", "out"]).write_stdin(envelope).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(person.read("out"), b"before");
    assert_eq!(person.files(), ["out"]);
}

#[test]
fn an_output_file_is_replaced_whole_and_keeps_its_mode() {
    let person = Person::with_key();
    person.write("out", "before, and longer than after");
    fs::set_permissions(person.path("out"), fs::Permissions::from_mode(0o640)).unwrap();
    let envelope = person.sign([], b"after");
    person.brine(["verify", "-o", "out"]).write_stdin(envelope).assert().success();
    assert_eq!(person.read("out"), b"after");
    assert_eq!(fs::metadata(person.path("out")).unwrap().mode() & 0o777, 0o640);
    assert_eq!(person.files(), ["out"]);
}

#[test]
fn a_new_output_file_obeys_the_umask() {
    let person = Person::with_key();
    person.shell("umask 027; echo x | brine sign -o out").assert().success();
    assert_eq!(fs::metadata(person.path("out")).unwrap().mode() & 0o777, 0o640);
}

#[test]
fn a_link_keeps_pointing_at_what_is_replaced() {
    let person = Person::with_key();
    person
        .shell("mkdir real && echo before > real/file && ln -s real/file link")
        .assert()
        .success();
    person.shell("echo x | brine sign -o link").assert().success();
    assert!(fs::symlink_metadata(person.path("link")).unwrap().is_symlink());
    assert!(person.read("real/file").starts_with(b"\xd2\x84"));
}

#[test]
fn input_and_output_may_not_be_the_same_file() {
    let person = Person::with_key();
    person.write("file", "content");
    person.shell("ln file hard; ln -s file soft").assert().success();
    for line in [
        "brine sign file -o file",
        "brine sign file -o ./file",
        "brine sign file -o hard",
        "brine sign file -o soft",
        "brine sign < file -o file",
        "brine sign file >> file",
        "brine sign < hard >> file",
        "brine sign --aad file hard -o soft",
        "brine verify file -o file",
        "brine verify --report file file",
    ] {
        assert_refused(&person.shell(line).output().unwrap(), 2, "same file");
        assert_eq!(person.read("file"), b"content", "{line}");
    }
}

#[test]
fn a_private_key_is_never_overwritten_by_what_it_signs() {
    let person = Person::with_key();
    let key = person.home_path("keys/default.key");
    let path = key.to_str().unwrap();
    let output = person.brine(["sign", "-k", path, "-o", path]).write_stdin("x").output().unwrap();
    assert_refused(&output, 2, "same file");
    let output = person.brine(["sign", "-o", path]).write_stdin("x").output().unwrap();
    assert_refused(&output, 2, "same file");
}

#[test]
fn devices_and_pipes_are_written_in_place() {
    let person = Person::with_key();
    person.shell("echo x | brine sign -o /dev/null").assert().success();
    assert!(
        fs::symlink_metadata("/dev/null").unwrap().file_type().is_symlink()
            || !fs::metadata("/dev/null").unwrap().is_file()
    );
    person
        .shell("mkfifo pipe; cat pipe > got & echo x | brine sign -o pipe; wait")
        .assert()
        .success();
    assert!(person.read("got").starts_with(b"\xd2\x84"));
}

#[test]
fn a_full_disk_is_status_4() {
    let person = Person::with_key();
    let output = person.shell("echo x | brine sign > /dev/full").output().unwrap();
    assert_refused(&output, 4, "No space left on device");
    let output = person.shell("echo x | brine sign -o /dev/full").output().unwrap();
    assert_refused(&output, 4, "No space left on device");
    let output = person.shell("echo x | brine sign | brine verify > /dev/full").output().unwrap();
    assert_refused(&output, 4, "No space left on device");
    let output = person.shell("brine --help > /dev/full").output().unwrap();
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn a_file_size_limit_leaves_nothing_behind() {
    let person = Person::with_key();
    person.shell("head -c 200000 /dev/zero > in").assert().success();
    let output = person.shell("trap '' XFSZ; ulimit -f 16; brine sign in -o out").output().unwrap();
    assert_refused(&output, 4, "File too large");
    assert_eq!(person.files(), ["in"]);
}

#[test]
fn a_closed_stderr_changes_nothing_but_the_verdict_on_it() {
    let person = Person::with_key();
    person.write("in", "x");
    let line = "brine sign in > out; brine verify out 2>&- > back";
    person.shell(line).assert().success();
    assert_eq!(person.read("back"), b"x");
    let output = person.shell("brine verify --json out 2> /dev/full > back").output().unwrap();
    assert_eq!(output.status.code(), Some(4));
}

/// Other languages open the null device for reading and writing.
#[test]
fn the_null_device_is_taken_however_it_was_opened() {
    let person = Person::with_key();
    person.shell("brine sign <> /dev/null | brine verify 1<> /dev/null").assert().success();
}

/// The verdict goes over nothing that is read or written, and is kept or nothing is released.
#[test]
fn a_report_destroys_nothing() {
    let person = Person::with_key();
    person.write("in", person.sign([], b"payload"));
    person.write("t.toml", "");
    let before = person.read("in");
    for line in [
        "brine verify in --report in",
        "brine verify in --report ./in",
        "brine verify missing --aad in --report in",
        "brine verify --aad missing in --report in",
        "brine verify --signature missing in --report in",
        "brine verify --trust in missing --report in",
        "brine verify -p ./in missing --report in",
        "brine verify in -o x --report x",
        "brine verify in -o x --report ./x",
        "brine verify in -o t.toml --report t.toml",
        "brine verify in --report out > out",
    ] {
        let output = person.shell(line).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {output:?}");
        assert!(person.read("in") == before && !person.path("x").exists(), "{line}");
    }
    let output = person.shell("brine verify in --report - > out2").output().unwrap();
    assert_mistyped(&output, "--report \"-\": expected a file, not standard input or output");
    let output = person.shell("brine verify in -o x --report no/such/file").output().unwrap();
    assert_refused(&output, 4, "there is no directory \"no/such\"");
    assert!(!person.path("x").exists());
    let output = person.shell("brine verify missing --report report").output().unwrap();
    assert_refused(&output, 4, "No such file");
    assert!(String::from_utf8(person.read("report")).unwrap().contains("\"failed\""));
}

#[test]
fn keys_and_the_trust_file_are_never_written_over() {
    let person = Person::with_key();
    person.brinekey(["gen", "other"]).assert().success();
    person.shell("brine sign /etc/hostname > envelope").assert().success();
    let home = "\"$BRINE_HOME\"";
    for file in ["keys/default.key", "keys/other.key", "keys/other.pub", "trust.toml"] {
        for line in [
            format!("brine sign /etc/hostname -o {home}/{file}"),
            format!("brine verify envelope -o {home}/{file}"),
            format!("brine verify --check envelope --report {home}/{file}"),
        ] {
            let output = person.shell(&line).output().unwrap();
            // The key that signs is an input, too, and named as such.
            let own = line.contains("sign") && file == "keys/default.key";
            assert_refused(&output, 2, if own { "same file" } else { "will not write over" });
        }
    }
    person.write("pass", "secret");
    let output =
        person.shell("echo x | brine sign --passphrase-file pass -o pass").output().unwrap();
    assert_refused(&output, 2, "same file");
}

#[test]
fn unreadable_inputs_are_status_4() {
    let person = Person::with_key();
    assert_refused(
        &person.brine(["sign", "missing"]).output().unwrap(),
        4,
        "\"missing\": No such file",
    );
    assert_refused(&person.brine(["sign", "."]).output().unwrap(), 4, "Is a directory");
    assert_refused(&person.shell("brine verify < .").output().unwrap(), 4, "Is a directory");
    assert_refused(&person.shell("brine sign 0> out").output().unwrap(), 4, "Bad file descriptor");
    assert_refused(
        &person.brine(["verify", "--aad", "missing"]).write_stdin("x").output().unwrap(),
        4,
        "No such file",
    );
    let output =
        person.brine(["sign", "-o", "no/such/directory"]).write_stdin("x").output().unwrap();
    assert_refused(&output, 4, "there is no directory \"no/such\"");
    assert_eq!(person.files(), ["out"]);
}

#[test]
fn paths_are_printed_so_that_they_cannot_lie() {
    let person = Person::with_key();
    let output = person.brine(["sign", "a\x1b[2J\nb"]).output().unwrap();
    assert_refused(&output, 4, r"a\u{1b}[2J\nb");
}

#[test]
fn core_dumps_are_off() {
    let person = Person::with_key();
    let line = "mkfifo pipe; exec 3<>pipe; brine sign <&3 > out & \
                until [ \"$(cat /proc/$!/comm)\" = brine ]; do sleep 0.1; done; sleep 0.5; \
                grep 'core file' /proc/$!/limits; kill $!";
    let output = person.shell(line).output().unwrap();
    let limits = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<_> =
        limits.split_whitespace().filter(|word| word.parse::<u64>().is_ok()).collect();
    assert_eq!(numbers, ["1", "1"], "{limits}");
}
