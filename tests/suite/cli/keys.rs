//! `brinekey`: keys.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::common::{Person, assert_refused, project};

fn stdout(person: &Person, line: &str) -> String {
    let output = person.shell(line).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn gen_makes_a_secret_file_a_public_line_and_trust() {
    let person = Person::new();
    let line = stdout(&person, "brinekey gen alice");
    assert!(
        line.starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI") && line.ends_with(" alice\n")
    );
    let mode = |name: &str| fs::metadata(person.home_path(name)).unwrap().mode() & 0o777;
    assert_eq!(mode("keys/alice.key"), 0o600);
    assert_eq!(mode("keys"), 0o700);
    assert_eq!(stdout(&person, "brinekey pub alice"), line);
    assert!(stdout(&person, "brinekey trust list").starts_with("alice  "));
    person.shell("echo x | brine sign -k alice | brine verify --signer alice").assert().success();
}

#[test]
fn gen_says_how_others_trust_the_key_and_that_it_is_not_encrypted() {
    let person = Person::new();
    let output = person.brinekey(["gen"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("the key is not encrypted (there is no terminal"), "{stderr}");
    assert!(
        stderr.contains("others trust it with: brinekey trust add NAME \"ssh-ed25519 "),
        "{stderr}"
    );
}

#[test]
fn gen_never_overwrites_either_half() {
    let person = Person::with_key();
    let before = fs::metadata(person.home_path("keys/default.key")).unwrap().ino();
    assert_refused(&person.brinekey(["gen"]).output().unwrap(), 4, "default.key\" exists already");
    assert_eq!(fs::metadata(person.home_path("keys/default.key")).unwrap().ino(), before);
    fs::remove_file(person.home_path("keys/default.key")).unwrap();
    assert_refused(&person.brinekey(["gen"]).output().unwrap(), 4, "default.pub\" exists already");
    assert!(!person.home_path("keys/default.key").exists());
}

#[test]
fn gen_without_trust_is_not_believed() {
    let person = Person::new();
    person.brinekey(["gen", "--no-trust"]).assert().success();
    let output = person.shell("echo x | brine sign | brine verify").output().unwrap();
    assert_refused(&output, 5, "no trust anchor");
    person.shell("echo x | brine sign | brine verify -p default").assert().success();
}

#[test]
fn homes_are_found_in_their_order() {
    let person = Person::new();
    person.shell("mkdir xdg home").assert().success();
    let here = person.directory.path().display().to_string();
    let unset = "env -u BRINE_HOME";
    person
        .shell(&format!("{unset} XDG_CONFIG_HOME={here}/xdg HOME={here}/home brinekey gen"))
        .assert()
        .success();
    assert!(person.path("xdg/brine/keys/default.key").exists());
    person.shell(&format!("{unset} HOME={here}/home brinekey gen")).assert().success();
    assert!(person.path("home/.config/brine/keys/default.key").exists());
    person
        .shell(&format!("{unset} XDG_CONFIG_HOME=relative HOME={here}/home brinekey list"))
        .assert()
        .success();
    let output = person.shell(&format!("{unset} brinekey list")).output().unwrap();
    assert_refused(&output, 4, "no home directory");
}

#[test]
fn show_and_list_give_both_fingerprints() {
    let person = Person::with_key();
    let line = stdout(&person, "brinekey list --json");
    let listed: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&listed["name"], &listed["encrypted"]), (&"default".into(), &false.into()));
    let shown: serde_json::Value =
        serde_json::from_str(&stdout(&person, "brinekey show --json")).unwrap();
    assert_eq!(shown["key_id"], listed["key_id"]);
    let page = stdout(&person, "brinekey show");
    assert!(page.contains(shown["key_id"].as_str().unwrap()), "{page}");
    assert!(page.contains(shown["ssh_fingerprint"].as_str().unwrap()), "{page}");
}

/// RFC 8032, Section 7.1, TEST 1: its thumbprint was computed with Python's hashlib.
#[test]
fn show_knows_a_known_key() {
    let person = Person::new();
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
    let page = stdout(&person, &format!("brinekey show '{key}'"));
    let id = "866eefbd6718c8846cd7ddfe43fc74ab1daac4538ff8514ea2ec2d410a415743";
    assert!(page.contains(id), "{page}");
}

#[test]
fn every_form_of_key_signs_as_it_is() {
    let person = Person::new();
    person.write("pass", "correct horse");
    for file in [
        "ed25519.pem",
        "ed25519.default.pem",
        "ed25519.scrypt.pem",
        "ed25519.aes256.pem",
        "genpkey.aes256.pem",
        "ssh",
        "ssh.ctr",
        "ssh.gcm",
        "ssh.chacha",
    ] {
        let path = project(&format!("fixtures/keys/{file}"));
        let path = path.display();
        let line = format!(
            "install -m 600 {path} k.pem; echo x | brine sign -k ./k.pem --passphrase-file pass > out && \
             brine inspect out"
        );
        stdout(&person, &line);
    }
}

/// Waits for records with its key opened, and has no copy of the passphrase left that opened it.
#[cfg(target_os = "linux")]
#[test]
fn a_passphrase_leaves_no_copies_in_memory() {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::fs::FileExt as _;
    use std::process::{Command, Stdio};

    let person = Person::new();
    // Longer than what is read at once, so that the memory for it has to grow.
    let secret = "correct horse battery staple, ".repeat(400);
    person.write("pass", &secret);
    person.brinekey(["gen", "--passphrase-file", "pass"]).assert().success();
    person.shell("mkfifo pipe").assert().success();
    let mut child = Command::new(env!("CARGO_BIN_EXE_brine"))
        .args(["sign", "--lines", "--passphrase-file", "pipe"])
        .current_dir(person.directory.path())
        .env_clear()
        .env("BRINE_HOME", person.home_path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pipe = person.path("pipe");
    let writer = std::thread::spawn(move || {
        let mut pipe = std::fs::File::options().write(true).open(pipe).unwrap();
        pipe.write_all(secret.as_bytes()).unwrap();
    });
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"record\n").unwrap();
    let mut envelope = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut envelope).unwrap();
    assert!(envelope.len() > 100, "{envelope}");
    writer.join().unwrap();

    let process = format!("/proc/{}", child.id());
    let memory = std::fs::File::open(format!("{process}/mem")).unwrap();
    let maps = std::fs::File::open(format!("{process}/maps")).unwrap();
    let mut looked_at = 0;
    for line in std::io::read_to_string(maps).unwrap().lines() {
        // What functions leave on the stack is no copy on the way in.
        if !line.contains(" rw") || line.contains("[stack]") {
            continue;
        }
        let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        let mut region = vec![0; usize::try_from(number(end) - number(start)).unwrap()];
        if memory.read_exact_at(&mut region, number(start)).is_err() {
            continue;
        }
        looked_at += region.len();
        let text = String::from_utf8_lossy(&region);
        assert!(!text.contains("horse battery"), "{line}");
    }
    assert!(looked_at > 100_000, "{looked_at} bytes");
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn import_and_export_keep_the_key_and_its_passphrase() {
    let person = Person::new();
    person.write("pass", "correct horse");
    let path = project("fixtures/keys/ssh.ctr");
    let path = path.display();
    let line = "install -m 600 {path} ssh.ctr; brinekey import mine ssh.ctr --passphrase-file pass --trust";
    stdout(&person, &line.replace("{path}", &path.to_string()));
    let listed = stdout(&person, "brinekey list");
    assert!(listed.contains("mine") && !listed.contains("not encrypted"), "{listed}");
    stdout(&person, "brinekey export mine --form openssh --passphrase-file pass -o id");
    assert_eq!(fs::metadata(person.path("id")).unwrap().mode() & 0o777, 0o600);
    stdout(
        &person,
        "umask 077; brinekey export mine --no-passphrase --passphrase-file pass > plain.pem",
    );
    for key in ["./id", "./plain.pem", "mine"] {
        let line = format!(
            "echo x | brine sign -k {key} --passphrase-file pass 2>/dev/null | brine verify -p mine"
        );
        assert_eq!(stdout(&person, &line), "x\n");
    }
    let again = person.shell("brinekey export mine --passphrase-file pass -o id").output().unwrap();
    assert_refused(&again, 4, "\"id\" exists already");
    let again =
        person.shell("brinekey import mine ssh.ctr --passphrase-file pass").output().unwrap();
    assert_refused(&again, 4, "exists already");
}

/// The passphrase comes late, and the file has appeared by then.
#[test]
fn export_goes_over_no_file_that_appears_meanwhile() {
    let person = Person::new();
    person.write("pass", "secret");
    person.brinekey(["gen", "--passphrase-file", "pass"]).assert().success();
    let line = "mkfifo late; (sleep 0.5; echo precious > out; cat pass > late) & \
                brinekey export -o out --passphrase-file late";
    assert_refused(&person.shell(line).output().unwrap(), 4, "\"out\" exists already");
    assert_eq!(person.read("out"), b"precious\n");
}

#[test]
fn passwd_encrypts_changes_and_decrypts() {
    let person = Person::with_key();
    person.write("one", "first");
    person.write("two", "second");
    let sign = |source: &str| {
        person.shell(&format!("echo x | brine sign {source} > out")).output().unwrap()
    };
    stdout(&person, "brinekey passwd --new-passphrase-file one");
    assert_refused(&sign(""), 6, "encrypted");
    assert!(sign("--passphrase-file one").status.success());
    let wrong = person
        .shell("brinekey passwd --passphrase-file two --new-passphrase-file one")
        .output()
        .unwrap();
    assert_refused(&wrong, 6, "passphrase");
    stdout(&person, "brinekey passwd --passphrase-file one --new-passphrase-file two");
    assert!(sign("--passphrase-file two").status.success());
    stdout(&person, "brinekey passwd --passphrase-file two --no-passphrase");
    assert!(sign("").status.success());
    let mode = fs::metadata(person.home_path("keys/default.key")).unwrap().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert_refused(
        &person.brinekey(["passwd"]).output().unwrap(),
        6,
        "no terminal to ask for the new one",
    );
}

#[test]
fn names_are_never_files_and_files_are_never_names() {
    let person = Person::with_key();
    person.shell("cp \"$BRINE_HOME/keys/default.key\" other").assert().success();
    assert_refused(
        &person.shell("echo x | brine sign -k other").output().unwrap(),
        6,
        "no key named \"other\"",
    );
    person.shell("echo x | brine sign -k ./other > out").assert().success();
    assert_refused(
        &person.shell("echo x | brine sign -k default.key").output().unwrap(),
        6,
        "No such file",
    );
    let output = person.shell("echo x | brine sign -k defualt").output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("hint: did you mean \"default\"?"));
}

/// From wherever it comes: it is a key that is wrong, and no envelope.
#[test]
fn what_is_too_large_for_a_key_is_refused_as_one() {
    let person = Person::new();
    for line in [
        "brinekey import x - < large",
        "brinekey import x large",
        "cat large | brinekey import x -",
    ] {
        let line = format!("head -c 65537 /dev/zero > large; {line}");
        let output = person.shell(&line).output().unwrap();
        assert_refused(&output, 6, "key is larger than 65536 bytes");
    }
}
