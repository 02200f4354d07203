//! OpenSSH: key files both ways, fingerprints and allowed_signers.

use crate::common::{Person, assert_refused};

fn run(person: &Person, line: &str) -> String {
    String::from_utf8(crate::run(person, "ssh-keygen", line)).unwrap()
}

#[test]
fn keys_made_by_ssh_keygen_sign_as_they_are() {
    let person = Person::new();
    person.write("pass", "correct horse");
    person.write("wrong", "incorrect horse");
    run(&person, "ssh-keygen -q -t ed25519 -N '' -f plain");
    run(&person, "ssh-keygen -q -t ed25519 -N 'correct horse' -f secret");
    for name in ["plain", "secret"] {
        let signed = run(
            &person,
            &format!(
                "echo x | brine sign -k ./{name} --passphrase-file pass | brine verify -p {name}.pub"
            ),
        );
        assert_eq!(signed, "x\n", "{name}");
    }
    let line = "echo x | brine sign -k ./secret --passphrase-file wrong";
    assert_refused(&person.shell(line).output().unwrap(), 6, "passphrase is wrong");
    run(&person, "ssh-keygen -q -t rsa -b 2048 -N '' -f rsa");
    let output = person.shell("echo x | brine sign -k ./rsa").output().unwrap();
    assert_refused(&output, 6, "ssh-rsa");
}

#[test]
fn ssh_keygen_reads_exported_keys() {
    let person = Person::with_key();
    person.write("pass", "correct horse");
    run(&person, "brinekey gen secret --passphrase-file pass");
    run(&person, "brinekey export --form openssh -o plain");
    run(&person, "brinekey export secret --form openssh --passphrase-file pass -o encrypted");
    for (key, file, pass) in [("default", "plain", ""), ("secret", "encrypted", "correct horse")] {
        // The whole line, with the name as its comment.
        let theirs = run(&person, &format!("ssh-keygen -y -P '{pass}' -f {file}"));
        assert_eq!(theirs, run(&person, &format!("brinekey pub {key}")), "{key}");
    }
    let refused = person.shell("ssh-keygen -y -P wrong -f encrypted").output().unwrap();
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(stderr.contains("incorrect passphrase"), "{stderr}");
}

#[test]
fn fingerprints_are_those_of_ssh_keygen() {
    let person = Person::with_key();
    run(&person, "brinekey pub > key.pub; ssh-keygen -q -t ed25519 -N '' -f theirs");
    for (file, name) in [("key.pub", "default"), ("theirs.pub", "./theirs.pub")] {
        let listed = run(&person, &format!("ssh-keygen -lf {file}"));
        let shown: serde_json::Value =
            serde_json::from_str(&run(&person, &format!("brinekey show {name} --json"))).unwrap();
        assert_eq!(listed.split(' ').nth(1), shown["ssh_fingerprint"].as_str(), "{file}");
    }
}

#[test]
fn one_allowed_signers_file_serves_both() {
    let person = Person::with_key();
    run(
        &person,
        "brinekey export --form openssh -o id; echo content > file; ssh-keygen -q -Y sign -n reports -f id file",
    );
    run(
        &person,
        "printf '*@example.org namespaces=\"reports\",valid-after=\"20200101Z\" ' > allowed; brinekey pub >> allowed",
    );
    run(&person, "brine sign --context reports file -o envelope");
    for (identity, context, accepted) in [
        ("a@example.org", "reports", true),
        ("a@example.com", "reports", false),
        ("a@example.org", "jobs", false),
    ] {
        let theirs = format!(
            "ssh-keygen -Y verify -f allowed -I {identity} -n {context} -s file.sig < file"
        );
        let ours = format!(
            "brine verify --trust allowed --signer {identity} --context {context} envelope"
        );
        for line in [theirs, ours] {
            let output = person.shell(&line).output().unwrap();
            assert_eq!(output.status.success(), accepted, "{line}: {output:?}");
        }
    }
}
