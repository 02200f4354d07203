//! Keys in an agent: whom a name means, and what is said of agents that are no use. `tests/foreign/agent.rs` has the
//! agent of OpenSSH.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use brine_core::SigningKey;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{Person, assert_refused, key, public_line};

/// What an agent does when it is asked.
#[derive(Clone)]
enum Manner {
    /// It lists these keys, and signs with the first that it was given.
    Good(Vec<(Vec<u8>, &'static [u8])>),
    /// It lists a key and refuses to sign.
    Refusing,
    /// It lists a key and signs with another.
    Lying,
    /// It says something else.
    Babbling,
    /// It hangs up.
    Rude,
    /// It says nothing.
    Silent,
}

/// An agent on a socket, for as long as the test runs.
struct FakeAgent {
    directory: TempDir,
}

impl FakeAgent {
    fn new(manner: Manner) -> Self {
        let directory = TempDir::new().unwrap();
        let listener = UnixListener::bind(directory.path().join("agent")).unwrap();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let manner = manner.clone();
                thread::spawn(move || serve(connection, &manner));
            }
        });
        Self { directory }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("agent")
    }
}

fn serve(mut connection: UnixStream, manner: &Manner) -> Option<()> {
    loop {
        let mut length = [0; 4];
        connection.read_exact(&mut length).ok()?;
        let mut request = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        connection.read_exact(&mut request).ok()?;
        let answer = match (manner, request[0]) {
            (Manner::Silent, _) => {
                thread::sleep(Duration::from_secs(60));
                return None;
            }
            (Manner::Rude, _) => return None,
            (Manner::Babbling, _) => b"\x06hello".to_vec(),
            (Manner::Good(keys), 11) => list(keys),
            (_, 11) => list(&[(blob(&key(1)), b"laptop")]),
            (Manner::Refusing, _) => vec![5],
            (Manner::Lying, _) => signature(&key(2), &request),
            (Manner::Good(_), _) => signature(&key(1), &request),
        };
        connection.write_all(&string(&answer)).ok()?;
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

fn blob(key: &SigningKey) -> Vec<u8> {
    [string(b"ssh-ed25519"), string(&key.verifying_key().to_bytes())].concat()
}

fn certificate(key: &SigningKey) -> Vec<u8> {
    let name = b"ssh-ed25519-cert-v01@openssh.com";
    [string(name), string(b"nonce"), string(&key.verifying_key().to_bytes())].concat()
}

fn fido() -> Vec<u8> {
    [string(b"sk-ssh-ed25519@openssh.com"), string(&[9; 32]), string(b"ssh:")].concat()
}

fn list(keys: &[(Vec<u8>, &'static [u8])]) -> Vec<u8> {
    let count = u32::try_from(keys.len()).unwrap().to_be_bytes().to_vec();
    let keys = keys.iter().map(|(blob, comment)| [string(blob), string(comment)].concat());
    [vec![12], count, keys.collect::<Vec<_>>().concat()].concat()
}

fn signature(key: &SigningKey, request: &[u8]) -> Vec<u8> {
    let message = &request[1 + 4 + 51 + 4..request.len() - 4];
    let signature = [string(b"ssh-ed25519"), string(&key.sign(&[message]))].concat();
    [vec![14], string(&signature)].concat()
}

/// An agent with a key, its certificate, a key on a device, and another.
fn full() -> FakeAgent {
    FakeAgent::new(Manner::Good(vec![
        (blob(&key(1)), b"laptop"),
        (certificate(&key(1)), b"laptop"),
        (fido(), b"token"),
        (certificate(&key(3)), b"lone"),
        (string(b"ssh-rsa"), b"old\x1b[2J"),
        (blob(&key(2)), b"twice"),
        (blob(&key(4)), b"twice"),
    ]))
}

/// Signs with the key of this name.
fn sign(person: &Person, agent: &FakeAgent, name: &str) -> Output {
    let mut command = person.brine(["sign", "-k", name]);
    command.env("SSH_AUTH_SOCK", agent.socket()).write_stdin("x").output().unwrap()
}

#[track_caller]
fn assert_refused_with(output: &Output, status: i32, reason: &str, hint: &str) {
    assert_refused(output, status, reason);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("hint: ") && stderr.contains(hint), "{stderr}");
}

#[test]
fn a_key_is_named_by_comment_fingerprint_or_public_half() {
    let (person, agent) = (Person::new(), full());
    let public = public_line(&key(1));
    person.write("me.pub", &public);
    std::fs::create_dir_all(person.home_path("keys")).unwrap();
    std::fs::write(person.home_path("keys/mine.pub"), &public).unwrap();
    let fingerprint = brine_keys::ssh_fingerprint(key(1).verifying_key());
    for name in ["laptop", &fingerprint, "mine", "./me.pub", &public] {
        for name in [&format!("agent:{name}"), name] {
            let is_public = ["mine", "./me.pub", &public].contains(&name);
            if !name.starts_with("agent:") && !is_public {
                continue;
            }
            let output = sign(&person, &agent, name);
            assert!(output.status.success(), "{name}: {output:?}");
            let verified = person
                .brine(["verify", "-p", "./me.pub"])
                .write_stdin(output.stdout)
                .output()
                .unwrap();
            assert_eq!(verified.stdout, b"x", "{name}");
        }
    }
    let shown = person
        .brinekey(["pub", "agent:laptop"])
        .env("SSH_AUTH_SOCK", agent.socket())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(shown.stdout).unwrap(), format!("{public}\n"));
}

#[test]
fn a_key_that_cannot_be_meant_is_refused_with_what_there_is() {
    let (person, agent) = (Person::new(), full());
    let fingerprint = |byte| brine_keys::ssh_fingerprint(key(byte).verifying_key());
    for (name, reason, hint) in [
        ("agent:", "the agent holds several keys: \"laptop\" SHA256:", "agent:SHA256:..."),
        ("agent:twice", "several keys that \"twice\" names: \"twice\" SHA256:", "agent:SHA256:..."),
        ("agent:nobody", "the agent holds no key \"nobody\"; it holds \"laptop\"", "ssh-add FILE"),
        ("agent:nobody", r#""old\u{1b}[2J" SHA256:"#, "ssh-add FILE"),
        ("agent:token", "\"token\" SHA256:", "its device signs a message only together"),
        ("agent:token", "a FIDO key: it signs no envelopes", "ssh-keygen -t ed25519"),
        ("agent:lone", "a certificate: it signs no envelopes", "name the key that it certifies"),
        ("agent:old\x1b[2J", "a key of type \"ssh-rsa\"", "only Ed25519 keys sign"),
        (&format!("agent:{}", fingerprint(5)), "the agent holds no key \"SHA256:", "ssh-add FILE"),
    ] {
        assert_refused_with(&sign(&person, &agent, name), 6, reason, hint);
    }
    let output = sign(&person, &agent, "agent:SHA256:abc");
    assert_refused_with(&output, 2, "is not a key name", "43 characters");
    person.write("other.pub", public_line(&key(5)));
    let output = sign(&person, &agent, "./other.pub");
    assert_refused_with(&output, 6, "key is public, not private", "ssh-add FILE");
    // The same, where nobody but a person could be trusted.
    let output = person.brine(["verify", "-p", "agent:laptop"]).write_stdin("x").output().unwrap();
    assert_refused_with(&output, 2, "named where something is signed", "brinekey pub agent:NAME");
    let output = person.brinekey(["export", "agent:laptop"]).output().unwrap();
    assert_refused_with(&output, 2, "an agent gives no private key out", "name the file");
    let empty = FakeAgent::new(Manner::Good(vec![(fido(), b"token")]));
    let output = sign(&person, &empty, "agent:");
    assert_refused_with(
        &output,
        6,
        "the agent holds no Ed25519 key; it holds \"token\"",
        "ssh-add",
    );
}

#[test]
fn an_agent_that_is_no_use_is_refused_for_its_own_reason() {
    let person = Person::new();
    for (manner, status, message, reason) in [
        (Manner::Refusing, 6, "the agent refused to sign", "agent-refused"),
        (Manner::Lying, 6, "a signature that the key has not made", "agent-signature"),
        (Manner::Babbling, 6, "the agent gave a malformed answer", "agent-malformed"),
        (Manner::Rude, 4, "the agent hung up", "agent-hung-up"),
    ] {
        let agent = FakeAgent::new(manner);
        assert_refused_with(&sign(&person, &agent, "agent:"), status, message, "");
        let output = person
            .brine(["sign", "-k", "agent:", "--lines", "--json"])
            .env("SSH_AUTH_SOCK", agent.socket())
            .write_stdin("a\n")
            .output()
            .unwrap();
        let verdict = String::from_utf8(output.stderr).unwrap();
        let verdict: Value = serde_json::from_str(verdict.lines().last().unwrap()).unwrap();
        assert_eq!((&verdict["reason"], output.status.code()), (&reason.into(), Some(status)));
    }
    let output = person.brine(["sign", "-k", "agent:"]).write_stdin("x").output().unwrap();
    assert_refused_with(&output, 4, "SSH_AUTH_SOCK is not set", "eval $(ssh-agent)");
    let mut nobody = person.brine(["sign", "-k", "agent:"]);
    let output = nobody.env("SSH_AUTH_SOCK", "/none").write_stdin("x").output().unwrap();
    assert_refused_with(&output, 4, "cannot reach the agent: No such file", "eval $(ssh-agent)");
}

#[test]
fn an_agent_that_says_nothing_is_not_waited_for() {
    let (person, agent) = (Person::with_key(), FakeAgent::new(Manner::Silent));
    let began = Instant::now();
    let output = sign(&person, &agent, "agent:");
    assert_refused_with(
        &output,
        4,
        "did not list its keys in time: the limit is 5 s",
        "ssh-add -l",
    );
    assert!(began.elapsed() < Duration::from_secs(20));
    let mut list = person.brinekey(["list"]);
    let output = list.env("SSH_AUTH_SOCK", agent.socket()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1);
    let note = String::from_utf8(output.stderr).unwrap();
    assert!(
        note.contains("the keys in the agent are not listed: ") && note.contains("2 s"),
        "{note}"
    );
}

#[test]
fn the_list_of_keys_has_what_the_agent_holds() {
    let (person, agent) = (Person::with_key(), full());
    let list = |arguments: [&str; 2]| {
        let mut command = person.brinekey(arguments);
        let output = command.env("SSH_AUTH_SOCK", agent.socket()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let text = list(["list", "--"]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 8, "{text}");
    for (line, expected) in lines.iter().skip(1).zip([
        ("laptop", "  in the agent"),
        ("laptop", "  in the agent, a certificate, which signs no envelopes"),
        ("token", "  in the agent, a FIDO key, which signs no envelopes"),
    ]) {
        assert!(line.starts_with(expected.0) && line.ends_with(expected.1), "{line}");
    }
    assert!(text.contains("a key of type \"ssh-rsa\"") && !text.contains('\x1b'), "{text}");
    let json = list(["list", "--json"]);
    crate::schema::check_lines(json.as_bytes());
    let lines = json.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let forms: Vec<_> = lines.map(|line| line["agent"].as_str().map(str::to_owned)).collect();
    let expected = ["key", "certificate", "fido", "certificate", "other", "key", "key"];
    let expected = expected.map(|form| Some(form.to_owned()));
    assert_eq!(forms, [&[None], &expected[..]].concat());
}

/// What is too large to be sent to the agent is signed as something smaller, or refused.
#[test]
fn large_inputs_are_signed_by_their_digests_or_refused() {
    let agent = FakeAgent::new(Manner::Good(vec![(blob(&key(1)), b"laptop")]));
    let person = Person::new();
    person.write("me.pub", public_line(&key(1)));
    person.write("large", vec![7; 300_000]);
    let mut socket = person.brine(["sign", "-k", "agent:", "large", "-o", "stream"]);
    socket.env("SSH_AUTH_SOCK", agent.socket()).assert().success();
    let verdict = person.brine(["verify", "-p", "./me.pub", "--json", "stream"]).output().unwrap();
    assert_eq!(verdict.stdout.len(), 300_000);
    assert!(String::from_utf8_lossy(&verdict.stderr).contains("\"kind\":\"stream\""));
    let mut beside = person.brine(["sign", "-k", "agent:", "-d", "large"]);
    beside.env("SSH_AUTH_SOCK", agent.socket()).assert().success();
    let verdict = person.brine(["verify", "-p", "./me.pub", "-d", "--json", "large"]).output();
    assert!(String::from_utf8_lossy(&verdict.unwrap().stderr).contains("\"kind\":\"digest\""));
    for option in ["--single", "--armor", "--plain", "--job"] {
        let mut whole = person.brine(["sign", "-k", "agent:", option, "large"]);
        let output = whole.env("SSH_AUTH_SOCK", agent.socket()).output().unwrap();
        assert_refused_with(&output, 3, "cannot sign a message of this size", "256 KiB at once");
    }
    // A record is refused alone: the next one may be shorter.
    person.write("lines", [b"a\n".as_slice(), &vec![7; 300_000], b"\nb\n"].concat());
    let mut records =
        person.brine(["sign", "-k", "agent:", "--lines", "--on-bad", "skip", "lines"]);
    let signed = records.env("SSH_AUTH_SOCK", agent.socket()).output().unwrap();
    assert_eq!(signed.status.code(), Some(1));
    assert!(String::from_utf8(signed.stderr).unwrap().contains("1 refused (1 signing-too-large)"));
    let mut verify = person.brine(["verify", "-p", "./me.pub", "--lines"]);
    assert_eq!(verify.write_stdin(signed.stdout).output().unwrap().stdout, b"a\nb\n");
    let mut send = person.brine(["send", "-k", "agent:", "sqlite:q?queue=b", "large"]);
    let output = send.env("SSH_AUTH_SOCK", agent.socket()).output().unwrap();
    assert_refused_with(&output, 3, "cannot sign a message of this size", "256 KiB at once");
}
