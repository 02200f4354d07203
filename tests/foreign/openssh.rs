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

/// Signs one file for both programs, and says whether they accept what is signed.
struct Both(Person);

impl Both {
    fn new() -> Self {
        let person = Person::with_key();
        run(
            &person,
            "brinekey export --form openssh -o id; ssh-keygen -yf id > id.pub; echo content > file; \
             ssh-keygen -q -Y sign -n reports -f id file; brine sign --context reports file -o envelope",
        );
        Self(person)
    }

    /// Whether ssh-keygen and brine accept the signature of `me` by this file, in this time zone.
    fn accept(&self, allowed: &[u8], zone: &str) -> (bool, bool) {
        self.0.write("allowed", allowed);
        let theirs = "ssh-keygen -Y verify -f allowed -I me -n reports -s file.sig < file";
        let ours = "brine verify --check --trust ./allowed --signer me --context reports envelope";
        let accepts = |line: &str| {
            let output = self.0.shell(&format!("TZ={zone} {line}")).output().unwrap();
            assert!(output.status.code().is_some_and(|code| code != 2), "{output:?}");
            output.status.success()
        };
        (accepts(theirs), accepts(ours))
    }

    fn key(&self) -> String {
        let line = run(&self.0, "brinekey pub");
        line.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }
}

/// What ssh-keygen refuses, brine refuses; what it accepts, brine accepts, too.
#[test]
fn lines_that_people_write_are_judged_alike() {
    let both = Both::new();
    let key = both.key();
    let (kind, data) = key.split_once(' ').unwrap();
    run(&both.0, "ssh-keygen -q -t ed25519 -N '' -f ca; ssh-keygen -q -s ca -I x -n me id.pub");
    let certificate = String::from_utf8(both.0.read("id-cert.pub")).unwrap();
    let (start, end) = data.split_at(30);
    for (line, accepted) in [
        (format!("me {key}"), true),
        (format!("old {certificate}me {key}"), true),
        (format!("me {certificate}"), false),
        (format!("me\r{key}\r\n"), true),
        (format!("me {key} one\rtwo"), true),
        (format!("me {kind} {start}\r{end}"), true),
        (format!("me {kind}\r{data}"), false),
        (format!("me {key}\rone"), false),
        (format!("me namespaces=\"reports\"\r{key}"), false),
        (format!("# one\rme {key}"), false),
        (format!("\u{feff}me {key}"), false),
        (format!("\u{feff}# ours\nme {key}"), true),
        (format!("{key} comment"), false),
        (format!("me valid-after=\"19700101Z\" {key}"), false),
        (format!("me valid-before=\"19700101Z\" {key}"), false),
        (format!("me valid-after=\"19700101000001Z\" {key}"), true),
        ("me rsa-sha2-512 AAAA\n".to_owned(), false),
        (format!("ssh-rsa {key}\nme {key}"), true),
    ] {
        assert_eq!(both.accept(line.as_bytes(), "UTC"), (accepted, accepted), "{line:?}");
    }
    let bytes = [
        b"# caf\xe9\n\xe9 cert-authority ssh-rsa AAAA\nx cert-authority ",
        key.as_bytes(),
        b" \xe9\nme ",
        key.as_bytes(),
        b" \xb2\n",
    ];
    assert_eq!(both.accept(&bytes.concat(), "UTC"), (true, true));
}

/// A local time is in standard time, also in summer: it is another moment than clocks show. `date` is told to be in a
/// summer and in a winter that have just begun or are about to.
#[test]
fn local_times_are_judged_alike_all_year() {
    let both = Both::new();
    let key = both.key();
    // In one of these zones it is summer, whenever this runs.
    for zone in [
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "NZST-12NZDT,M9.5.0,M4.1.0/3",
        "EST5EDT,M3.2.0,M11.1.0",
        "UTC0",
    ] {
        for minutes in [-90, -30, 30, 90] {
            for (option, sign) in [("valid-after", '+'), ("valid-before", '+')] {
                let line = format!("TZ='{zone}' date -d '{sign}{minutes} minutes' +%Y%m%d%H%M");
                let line = line.replace("+-", "-");
                let time = run(&both.0, &line);
                let file = format!("me {option}=\"{}\" {key}\n", time.trim());
                let (theirs, ours) = both.accept(file.as_bytes(), &format!("'{zone}'"));
                assert_eq!(theirs, ours, "{zone}: {file}");
            }
        }
    }
}

/// A certificate on a list of revoked keys revokes the key in it.
#[test]
fn revoked_certificates_are_judged_alike() {
    let both = Both::new();
    let key = both.key();
    run(&both.0, "ssh-keygen -q -t ed25519 -N '' -f ca; ssh-keygen -q -s ca -I x -n me id.pub");
    both.0.write("allowed", format!("me {key}\n"));
    for (list, accepted) in [
        ("cat ca.pub", true),
        ("cat id.pub", false),
        ("cat id-cert.pub", false),
        ("printf '# caf\\351\\n'; cat ca.pub id-cert.pub", false),
    ] {
        run(&both.0, &format!("({list}) > revoked"));
        for line in [
            "ssh-keygen -Y verify -f allowed -r revoked -I me -n reports -s file.sig < file",
            "brine verify --check --trust ./allowed --revoked ./revoked --context reports envelope",
        ] {
            let output = both.0.shell(line).output().unwrap();
            assert_eq!(output.status.success(), accepted, "{list}: {line}: {output:?}");
        }
    }
}
