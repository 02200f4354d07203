//! OpenSSH: key files both ways, fingerprints and allowed_signers.

use crate::common::Person;

fn run(person: &Person, line: &str) -> String {
    let output = person.shell(line).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn keys_made_by_ssh_keygen_sign_as_they_are() {
    let person = Person::new();
    person.write("pass", "correct horse");
    run(
        &person,
        "ssh-keygen -q -t ed25519 -N '' -f plain; ssh-keygen -q -t ed25519 -N 'correct horse' -f secret",
    );
    for name in ["plain", "secret"] {
        run(
            &person,
            &format!(
                "echo x | brine sign -k ./{name} --passphrase-file pass | brine verify -p {name}.pub"
            ),
        );
    }
    run(&person, "ssh-keygen -q -t rsa -b 2048 -N '' -f rsa");
    let output = person.shell("echo x | brine sign -k ./rsa").output().unwrap();
    crate::common::assert_refused(&output, 6, "ssh-rsa");
}

#[test]
fn ssh_keygen_reads_exported_keys() {
    let person = Person::with_key();
    person.write("pass", "correct horse");
    run(&person, "brinekey gen secret --passphrase-file pass");
    run(&person, "brinekey export --form openssh -o plain");
    run(&person, "brinekey export secret --form openssh --passphrase-file pass -o encrypted");
    let blob = |line: &str| line.split(' ').nth(1).unwrap().trim().to_owned();
    for (key, file, pass) in [("default", "plain", ""), ("secret", "encrypted", "correct horse")] {
        let theirs = run(&person, &format!("ssh-keygen -y -P '{pass}' -f {file}"));
        assert_eq!(blob(&theirs), blob(&run(&person, &format!("brinekey pub {key}"))), "{key}");
    }
    let refused = person.shell("ssh-keygen -y -P wrong -f encrypted").output().unwrap();
    assert!(!refused.status.success());
}

#[test]
fn fingerprints_are_those_of_ssh_keygen() {
    let person = Person::with_key();
    run(&person, "brinekey pub > key.pub");
    let theirs = run(&person, "ssh-keygen -lf key.pub");
    let shown: serde_json::Value =
        serde_json::from_str(&run(&person, "brinekey show --json")).unwrap();
    assert_eq!(theirs.split(' ').nth(1), shown["ssh_fingerprint"].as_str());
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
