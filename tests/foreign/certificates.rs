//! OpenSSH's certificates: what `ssh-keygen` issues and what `brinekey issue` does, judged by both programs.

use std::process::Output;

use brine_core::{Statement, Timestamp, sign};
use brine_keys::{KeyFileError, certificate_in_line, read_private};
use brine_testkit::Certified;

use crate::common::{Person, assert_refused};

#[track_caller]
fn run(person: &Person, line: &str) -> String {
    String::from_utf8(crate::run(person, "ssh-keygen", line)).unwrap()
}

fn shell(person: &Person, line: &str) -> Output {
    person.shell(line).output().unwrap()
}

/// Somebody with a CA `ca`, a key `id`, and a file.
fn person() -> Person {
    let person = Person::new();
    run(
        &person,
        "ssh-keygen -q -t ed25519 -N '' -f ca; ssh-keygen -q -t ed25519 -N '' -f id; echo content > file",
    );
    person
}

/// Writes the envelope of `file` that brings `id-cert.pub` as it is: `brine sign` leaves out what nobody would believe.
fn sign_with_certificate(person: &Person) {
    let key = read_private::<KeyFileError>(&person.read("id"), &mut || unreachable!()).unwrap();
    let blob = certificate_in_line(person.read("id-cert.pub")).unwrap();
    let key = Certified::new(key, &[blob]);
    let now = Timestamp::from_system(std::time::SystemTime::now()).unwrap();
    let statement = Statement::at(now).context("reports");
    let content = person.read("file");
    let envelope = sign(&statement, &key, content.as_slice()).unwrap();
    person.write("envelope", envelope.to_bytes());
}

const THEIRS: &str = "ssh-keygen -Y verify -f allowed -I alice -n reports -s file.sig < file";
const OURS: &str = "brine verify --check --trust ./allowed --signer alice -c reports envelope";

/// Has a certificate issued with these options, and both programs judge what it signs by each line of allowed_signers.
fn judge(person: &Person, options: &str, allowed: &[String]) -> Vec<(bool, bool)> {
    run(
        person,
        &format!(
            "rm -f id-cert.pub file.sig; ssh-keygen -q -s ca -I x {options} id.pub; \
             ssh-keygen -q -Y sign -n reports -f id-cert.pub file"
        ),
    );
    sign_with_certificate(person);
    let accepts = |line: &str| {
        let output = shell(person, line);
        let status = output.status.code();
        assert!(matches!(status, Some(0 | 5 | 255)), "{options}: {line}: {output:?}");
        status == Some(0)
    };
    allowed
        .iter()
        .map(|line| {
            person.write("allowed", line);
            (accepts(THEIRS), accepts(OURS))
        })
        .collect()
}

/// What ssh-keygen refuses, brine refuses. What it accepts brine accepts, too, but for two things:
///
/// - Critical options. They are for logins, and `-Y verify` takes no notice of them; PROTOCOL.certkeys has whoever does
///   not know one refuse the certificate.
/// - `contexts@brine`, which ssh-keygen does not know, and which only takes away.
#[test]
fn certificates_of_ssh_keygen_are_judged_as_it_judges_them() {
    let person = person();
    run(&person, "ssh-keygen -q -t ed25519 -N '' -f other");
    let (ca, other) = (run(&person, "cat ca.pub"), run(&person, "cat other.pub"));
    let allowed: Vec<_> = [
        ("alice cert-authority", &ca),
        ("*,!bob cert-authority,namespaces=\"reports\"", &ca),
        ("al* cert-authority,namespaces=\"jobs\"", &ca),
        ("alice cert-authority,valid-before=\"20200101Z\"", &ca),
        ("alice cert-authority,valid-after=\"20200101Z\"", &ca),
        ("!alice,* cert-authority", &ca),
        ("alice", &ca),
        ("alice cert-authority", &other),
    ]
    .map(|(line, key)| format!("{line} {key}"))
    .into();
    let principals = ["-n alice", "", "-n bob", "-n bob,alice", "-n 'al*'", "-n Alice"];
    let windows = ["", "-V -1m:+1h", "-V -2h:-1h", "-V +1h:+2h", "-V always:forever"];
    // Whether there is something in it that ssh-keygen takes no notice of.
    let options = [
        ("", false),
        ("-z 18446744073709551615", false),
        ("-O clear", false),
        ("-O no-pty -O extension:x@y=z", false),
        ("-O extension:contexts@brine='jobs/*,reports'", false),
        ("-O extension:delegate@brine", false),
        ("-O extension:contexts@brine=jobs", true),
        ("-O force-command=true", true),
        ("-O source-address=127.0.0.1", true),
        ("-O critical:x@y=z", true),
        ("-O verify-required", true),
    ];
    let (mut judged, mut accepted, mut stricter) = (0, 0, 0);
    let mut one = |kind: &str, option: (&str, bool), lines: &[String]| {
        let line = format!("{kind} {}", option.0);
        for (place, (theirs, ours)) in judge(&person, &line, lines).into_iter().enumerate() {
            assert_eq!(ours, theirs && !option.1, "{line}: {}", lines[place]);
            judged += 1;
            accepted += usize::from(ours);
            stricter += usize::from(theirs && !ours);
        }
    };
    for principals in principals {
        for window in windows {
            one(&format!("{principals} {window}"), ("", false), &allowed);
        }
        for option in options {
            one(&format!("{principals} -V -1m:+1h"), option, &allowed[..2]);
        }
    }
    for option in options.into_iter().filter(|(text, _)| !text.contains("-O ")) {
        one("-h -n alice", option, &allowed[..2]);
    }
    assert_eq!((judged, accepted, stricter), (376, 42, 20));
}

/// A certificate of a CA that brine cannot use is beside many keys for logins, and is in nobody's way.
#[test]
fn certificates_of_other_authorities_are_left_out() {
    let person = person();
    run(&person, "brinekey trust add me ./id.pub --trust trust.toml");
    for kind in ["rsa -b 2048", "ecdsa"] {
        let line = format!(
            "rm -f old old.pub; ssh-keygen -q -t {kind} -N '' -f old; ssh-keygen -q -s old -I x -n me id.pub; \
             brine sign -k ./id file -o envelope 2> said; brine verify --trust trust.toml envelope"
        );
        assert_eq!(run(&person, &line), "content\n", "{kind}");
        let said = String::from_utf8(person.read("said")).unwrap();
        assert!(
            said.contains("id-cert.pub\" is left out: ") && said.contains("not a supported"),
            "{said}"
        );
    }
}

#[test]
fn ssh_keygen_believes_what_brinekey_issues() {
    let person = person();
    let issue = |options: &str| {
        run(
            &person,
            &format!(
                "brinekey issue ./id.pub -k ./ca {options} --force; rm -f file.sig; \
            ssh-keygen -q -Y sign -n reports -f id-cert.pub file; brine sign -k ./id -c reports file -o envelope"
            ),
        );
    };
    let ca = run(&person, "cat ca.pub");
    person.write("allowed", format!("alice,bob cert-authority {ca}"));
    let both = |accepted: bool, who: &str| {
        for line in [THEIRS, OURS] {
            let output = shell(&person, &line.replace("alice", who));
            assert_eq!(output.status.success(), accepted, "{line}: {output:?}");
        }
    };
    issue("-n alice --for 1h --serial 77 --id 'the laptop'");
    let shown = run(&person, "ssh-keygen -L -f id-cert.pub");
    for line in [
        "Type: ssh-ed25519-cert-v01@openssh.com user certificate",
        "Key ID: \"the laptop\"",
        "Serial: 77",
        "Principals: \n                alice\n",
        "Critical Options: (none)",
        "Extensions: (none)",
    ] {
        assert!(shown.contains(line), "{line:?}: {shown}");
    }
    both(true, "alice");
    both(false, "bob");
    issue("-n alice -n bob --for 9999d -c 'reports' -c 'jobs/*' --delegate");
    let shown = run(&person, "ssh-keygen -L -f id-cert.pub");
    assert!(shown.contains("alice\n                bob\n"), "{shown}");
    assert!(shown.contains("contexts@brine") && shown.contains("delegate@brine"), "{shown}");
    both(true, "alice");
    both(true, "bob");
    both(false, "carol");
    // Another authority, and a moment at which it is not valid any more.
    run(
        &person,
        "ssh-keygen -q -t ed25519 -N '' -f other; sed \"s|ssh-.*|$(cat other.pub)|\" -i allowed",
    );
    both(false, "alice");
    person.write("allowed", format!("alice cert-authority {ca}"));
    issue("-n alice --until $(($(date +%s) + 2))");
    both(true, "alice");
    run(&person, "sleep 2.1");
    both(false, "alice");
    // A chain is for brine: ssh-keygen reads its first line, and knows the second key by no name.
    issue("-n alice --for 1h --delegate");
    run(
        &person,
        "ssh-keygen -q -t ed25519 -N '' -f ci; brinekey issue ./ci.pub -k ./id -n alice/ci --for 1h; \
         ssh-keygen -L -f ci-cert.pub; brine sign -k ./ci file | brine verify --trust ./allowed --signer alice/ci",
    );
}

/// What `ssh-keygen -Q` says of keys and certificates, and brine of what they sign.
#[test]
fn lists_of_ssh_keygen_revoke_for_both_alike() {
    let person = person();
    run(&person, "ssh-keygen -q -t ed25519 -N '' -f ca2; ssh-keygen -q -t ed25519 -N '' -f bob");
    // Each: the issuer, the key, and what the certificate is called.
    let certificates = [
        ("ca", "id", 0_u64, "laptop"),
        ("ca", "id", 1, "laptop"),
        ("ca", "id", 5, "desk"),
        ("ca", "id", 50, "desk"),
        ("ca", "bob", 51, "x"),
        ("ca2", "id", 5, "laptop"),
        ("ca2", "bob", u64::MAX, "y"),
        ("ca", "bob", u64::MAX - 1, ""),
    ];
    let (ca, ca2) = (run(&person, "cat ca.pub"), run(&person, "cat ca2.pub"));
    person.write("allowed", format!("* cert-authority {ca}* cert-authority {ca2}"));
    for (number, (issuer, key, serial, name)) in certificates.iter().enumerate() {
        run(
            &person,
            &format!(
                "ssh-keygen -q -s {issuer} -I '{name}' -n a -z {serial} {key}.pub; \
                 brine sign -k ./{key} file -o envelope{number}; cp {key}-cert.pub {number}-cert.pub"
            ),
        );
    }
    for key in ["id", "bob"] {
        run(&person, &format!("brinekey trust add {key} ./{key}.pub --trust trust.toml"));
    }
    let odd: String = (1..200).step_by(2).map(|serial| format!("serial: {serial}\n")).collect();
    let fingerprint = |key: &str| {
        run(&person, &format!("ssh-keygen -lf {key}.pub | cut -d' ' -f2")).trim().to_owned()
    };
    let (key_line, id_line) = (run(&person, "cat bob.pub"), run(&person, "cat id.pub"));
    let specs = [
        "serial: 5".to_owned(),
        "serial: 1-50".to_owned(),
        "serial: 1-18446744073709551615".to_owned(),
        "serial: 51-18446744073709551614".to_owned(),
        "serial: 18446744073709551615".to_owned(),
        odd.clone(),
        format!("{odd}serial: 100000-200000\nserial: 18446744073709551614\n"),
        "id: laptop".to_owned(),
        "id: desk\nid: x\nserial: 1".to_owned(),
        "id: lap".to_owned(),
        format!("key: {key_line}"),
        format!("sha256: {id_line}"),
        format!("hash: {}", fingerprint("bob")),
        format!("hash: {}", fingerprint("ca")),
        format!("key: {ca2}"),
        format!("key: {key_line}id: laptop\nserial: 50-51\nhash: {}", fingerprint("ca2")),
        "# nothing".to_owned(),
    ];
    let (mut judged, mut revoked) = (0, 0);
    for spec in &specs {
        person.write("spec", spec);
        for issuer in ["ca.pub", "ca2.pub", "none"] {
            run(&person, &format!("ssh-keygen -q -k -f krl -s {issuer} spec"));
            let mut compare = |theirs: &str, ours: &str| {
                let theirs_line = format!("ssh-keygen -Q -f krl {theirs}");
                let is_revoked = !shell(&person, &theirs_line).status.success();
                let output = shell(&person, ours);
                assert!(matches!(output.status.code(), Some(0 | 5)), "{spec}: {output:?}");
                let said = String::from_utf8_lossy(&output.stderr);
                assert_eq!(
                    said.contains("was revoked"),
                    is_revoked,
                    "{issuer} {spec}: {ours}: {said}"
                );
                assert_eq!(output.status.success(), !is_revoked, "{issuer} {spec}: {ours}: {said}");
                judged += 1;
                revoked += usize::from(is_revoked);
            };
            for number in 0..certificates.len() {
                compare(
                    &format!("{number}-cert.pub"),
                    &format!(
                        "brine verify --check --trust ./allowed --revoked krl envelope{number}"
                    ),
                );
            }
            for key in ["id", "bob"] {
                compare(
                    &format!("{key}.pub"),
                    &format!("brinekey trust check {key} --trust trust.toml --revoked krl"),
                );
            }
        }
    }
    assert_eq!((judged, revoked), (510, 151));
    // Named by SHA-1 is named in no way that brine reads, and nothing is believed meanwhile.
    run(&person, "echo \"sha1: $(cat id.pub)\" > spec; ssh-keygen -q -k -f krl spec");
    let line = "brine verify --check --trust ./allowed --revoked krl envelope0";
    assert_refused(&shell(&person, line), 6, "it names keys by their SHA-1");
}
