//! The agent of OpenSSH, and what stands between people and it: confirmation, a lock, a forwarded socket.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use tempfile::TempDir;

use crate::common::{Person, assert_refused};

/// An agent that ends with the test. It asks a script whether a key may sign.
struct OpensshAgent {
    directory: TempDir,
    child: Child,
}

impl OpensshAgent {
    fn start() -> Self {
        let directory = TempDir::new().unwrap();
        script(&directory.path().join("ask"), "echo asked >> \"$0.count\"; . \"$0.answer\"");
        script(&directory.path().join("password"), "echo secret");
        let child = std::process::Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(directory.path().join("socket"))
            .env("DISPLAY", ":0")
            .env("SSH_ASKPASS", directory.path().join("ask"))
            .env("SSH_ASKPASS_REQUIRE", "force")
            .stdout(Stdio::null())
            .spawn();
        let child = child.unwrap_or_else(|error| panic!("ssh-agent: {error}; run ./scripts/test"));
        let agent = Self { directory, child };
        let began = Instant::now();
        while UnixStream::connect(agent.socket()).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "the agent does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        agent.answer("exit 0");
        agent
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// Says what whoever is asked does.
    fn answer(&self, script: &str) {
        fs::write(self.directory.path().join("ask.answer"), script).unwrap();
        let _ = fs::remove_file(self.directory.path().join("ask.count"));
    }

    /// How often somebody was asked since then.
    fn asked(&self) -> usize {
        let count = fs::read_to_string(self.directory.path().join("ask.count"));
        count.unwrap_or_default().lines().count()
    }

    /// Runs a line that must succeed, with this agent.
    #[track_caller]
    fn run(&self, person: &Person, line: &str) -> String {
        let output = self.shell(person, line);
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn shell(&self, person: &Person, line: &str) -> Output {
        let mut command = person.shell(line);
        command.env("SSH_AUTH_SOCK", self.socket());
        command.env("DISPLAY", ":0").env("SSH_ASKPASS_REQUIRE", "force");
        command.env("SSH_ASKPASS", self.directory.path().join("password")).output().unwrap()
    }

    /// Gives it a new key, which is also in the file `id`.
    fn with_key(person: &Person, options: &str) -> Self {
        let agent = Self::start();
        let line = "ssh-keygen -q -t ed25519 -N '' -C me@laptop -f id && ssh-add -q";
        agent.run(person, &format!("{line} {options} id"));
        agent
    }
}

impl Drop for OpensshAgent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[track_caller]
fn assert_hint(output: &Output, hint: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.lines().any(|line| line.contains("hint: ") && line.contains(hint)), "{stderr}");
}

/// Ed25519 has no randomness: what the agent signs is what the file signs.
#[test]
fn the_agent_signs_what_the_file_signs() {
    let person = Person::new();
    let agent = OpensshAgent::with_key(&person, "");
    person.write("large", vec![7; 3 << 20]);
    let fingerprint = agent.run(&person, "ssh-keygen -lf id | cut -d' ' -f2");
    let by_fingerprint = format!("agent:{}", fingerprint.trim());
    let line = agent.run(&person, "cat id.pub");
    for name in
        ["agent:", "agent:me@laptop", &by_fingerprint, "agent:./id.pub", "./id.pub", line.trim()]
    {
        let ours = format!("echo x | brine sign --plain -k '{name}' -o a");
        agent.run(
            &person,
            &format!("{ours} && echo x | brine sign --plain -k ./id -o b && cmp a b"),
        );
    }
    agent.run(&person, "brine sign -k agent: large -o s && brine verify -p id.pub s | cmp - large");
    agent.run(&person, "brine sign -k agent: -d large && brine verify -p id.pub -d large");
    for options in ["", "--batch 2", "--batch 4"] {
        let line = format!(
            "set -eu; printf 'a\\nb\\nc\\n' | brine sign --lines {options} -k agent: > r; brine verify --lines -p id.pub r"
        );
        assert_eq!(agent.run(&person, &line), "a\nb\nc\n", "{options}");
    }
    let line = "set -eu; printf 'a\\nb\\n' | brine send -k agent: --lines 'sqlite:q?queue=b'; \
                brine recv -p id.pub --lines 'sqlite:q?queue=b'";
    assert_eq!(agent.run(&person, line), "a\nb\n");
    let line = "set -eu; (echo a; echo b) | brine send -k agent: --lines 'sqlite:q?queue=from'; \
                brine relay --sign -k agent: --wait 1s 'sqlite:q?queue=from' 'sqlite:q?queue=to'; \
                brine recv -p id.pub --len32 'sqlite:q?queue=to' > envelopes; test -s envelopes";
    agent.run(&person, line);
    // Each of them fits a message to the agent, and both together do not.
    let line = "set -eu; for n in 1 2; do head -c 200000 /dev/zero | tr '\\0' $n; echo; done > big; \
                brine sign --lines --batch 2 -k agent: big > r; brine verify --lines -p id.pub r | cmp - big";
    agent.run(&person, line);
    agent.run(
        &person,
        "set -eu; brinekey pub agent:me@laptop > p; cut -d' ' -f1,2 id.pub | cmp - p",
    );
}

#[test]
fn jobs_and_their_results_are_signed_by_the_agent() {
    let person = Person::new();
    let agent = OpensshAgent::with_key(&person, "");
    let line = "set -eu; echo 'echo done' > script; brine sign --job -k agent: script -o job; \
                brine run job -p id.pub --sign-result agent: -o result -- sh; \
                brine verify -p id.pub --result-of job result";
    assert_eq!(agent.run(&person, line), "done\n");
}

/// The worker makes no output that it could not sign.
#[test]
fn a_worker_and_its_callers_sign_by_the_agent() {
    let person = Person::new();
    let agent = OpensshAgent::with_key(&person, "");
    person.write(
        "policy.toml",
        "[[allow]]\nsigners = [\"me\"]\nreplies = [\"reply/*\"]\n\
         interpreters.sh = { path = \"/bin/sh\", arguments = [[\"-\"]] }\n",
    );
    let line = "brinekey trust add me ./id.pub -c jobs -c 'reply/*'
        brine work -k agent:me@laptop --policy policy.toml 'sqlite:q?queue=jobs' 2> log & worker=$!
        call='brine call -k agent: --grant run=sh --grant arg=- --wait 30s sqlite:q?queue=jobs'
        echo 'head -c 150000 /dev/zero' | $call | wc -c
        echo 'head -c 300000 /dev/zero' | $call || echo $?
        kill $worker";
    assert_eq!(agent.run(&person, line), "150000\n123\n");
}

#[test]
fn a_certificate_beside_its_key_is_passed_over() {
    let person = Person::new();
    let agent = OpensshAgent::start();
    agent.run(
        &person,
        "set -eu; for n in ca id; do ssh-keygen -q -t ed25519 -N '' -C $n -f $n; done; \
         ssh-keygen -q -s ca -I me -n me id.pub; ssh-add -q id",
    );
    let listed = agent.run(&person, "brinekey list");
    assert!(listed.contains("in the agent, a certificate"), "{listed}");
    agent.run(&person, "echo x | brine sign -k agent: | brine verify -p id.pub");
    agent.run(&person, "echo x | brine sign -k agent:id | brine verify -p id.pub");
}

#[test]
fn a_person_confirms_once_for_a_file() {
    let person = Person::new();
    let agent = OpensshAgent::with_key(&person, "-c");
    person.write("large", vec![7; 3 << 20]);
    agent.run(&person, "brine sign -d -k agent: large && brine verify -p id.pub -d large");
    assert_eq!(agent.asked(), 1);
    agent.answer("exit 0");
    agent.run(
        &person,
        "set -eu; printf 'a\\nb\\nc\\n' | brine sign --lines --batch 8 -k agent: > r",
    );
    assert_eq!(agent.asked(), 1);
    agent.answer("exit 1");
    let output = agent.shell(&person, "brine sign -f -d -k agent: large");
    assert_refused(&output, 6, "the agent refused to sign");
    assert_hint(&output, "nobody confirmed that it may sign");
    assert_eq!(agent.asked(), 1);
}

/// Nobody knows before whether a person is asked, and how long that takes.
#[test]
fn a_person_who_confirms_each_segment_is_told_how_to_confirm_once() {
    let person = Person::new();
    let agent = OpensshAgent::with_key(&person, "-c");
    person.write("large", vec![7; 3 << 20]);
    agent.answer("sleep 0.7");
    let sign = "brine sign -k agent: large -o s";
    for (options, notes) in [("", 1), ("-q", 0)] {
        agent.answer("sleep 0.7");
        let output = agent.shell(&person, &format!("{sign} {options}"));
        assert!(output.status.success(), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr.matches("\"brine sign -d FILE\"").count(), notes, "{stderr}");
        assert_eq!(agent.asked(), 3);
    }
}

#[test]
fn a_signal_ends_the_wait_for_a_person() {
    let person = Person::new();
    let agent = OpensshAgent::with_key(&person, "-c");
    agent.answer("sleep 30");
    person.write("file", "x");
    let began = Instant::now();
    for signature in [
        "brine sign -k agent: file",
        "brine sign -d -k agent: file",
        "brine sign --lines -k agent: file",
        "brine send -k agent: --lines 'sqlite:q?queue=b' file",
    ] {
        let line = format!("timeout --foreground -s INT 2 {signature}");
        assert_eq!(agent.shell(&person, &line).status.code(), Some(124), "{signature}");
    }
    assert!(began.elapsed() < Duration::from_secs(20));
    let made: Vec<_> = person.files().into_iter().filter(|name| !name.starts_with('q')).collect();
    assert_eq!(made, ["file", "id", "id.pub"]);
}

#[test]
fn a_locked_agent_and_one_without_the_key_are_told_from_each_other() {
    let person = Person::new();
    let agent = OpensshAgent::with_key(&person, "");
    agent.run(&person, "ssh-add -q -x");
    let output = agent.shell(&person, "echo x | brine sign -k agent:me@laptop");
    assert_refused(&output, 6, "the agent holds no key \"me@laptop\"");
    assert_hint(&output, "a locked agent shows none, and \"ssh-add -X\" unlocks it");
    agent.run(&person, "ssh-add -q -X && echo x | brine sign -k agent:me@laptop");
    agent.run(&person, "ssh-add -q -d id");
    let output = agent.shell(&person, "echo x | brine sign -k ./id.pub");
    assert_refused(&output, 6, "key is public, not private");
    assert_hint(&output, "the agent does not hold the private one");
}

/// What is between can be slow, cut messages into pieces, and end.
#[test]
fn a_forwarded_agent_signs_too() {
    let person = Person::new();
    let agent = OpensshAgent::with_key(&person, "");
    let forwarded = agent.directory.path().join("forwarded");
    let (listener, to) = (UnixListener::bind(&forwarded).unwrap(), agent.socket());
    thread::spawn(move || {
        for here in listener.incoming().flatten() {
            let there = UnixStream::connect(&to).unwrap();
            let (from, back) = (here.try_clone().unwrap(), there.try_clone().unwrap());
            thread::spawn(move || relay(from, there));
            thread::spawn(move || relay(back, here));
        }
    });
    person.write("large", vec![7; 3 << 20]);
    let line = "brine sign -k agent: large -o s && brine verify -p id.pub s | cmp - large && brinekey list";
    let mut command = person.shell(line);
    let output = command.env("SSH_AUTH_SOCK", &forwarded).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("in the agent"));
}

/// Passes on what comes, a few bytes at a time.
fn relay(mut from: UnixStream, mut to: UnixStream) {
    let mut room = [0; 100];
    while let Ok(read @ 1..) = from.read(&mut room) {
        if to.write_all(&room[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

/// `ssh-add` takes `id-cert.pub` along, and what the agent signs brings it, if it is valid.
#[test]
fn the_agent_gives_the_certificate_of_its_key() {
    let person = Person::new();
    let agent = OpensshAgent::with_key(&person, "");
    let certify = |options: &str| {
        let line = "rm -f id-cert.pub; ssh-keygen -q -s ca -I laptop -n alice";
        agent.run(
            &person,
            &format!("{line} {options} id.pub && ssh-add -q id 2>/dev/null && mv id-cert.pub gone"),
        );
    };
    agent.run(&person, "ssh-keygen -q -t ed25519 -N '' -f ca && echo \"alice cert-authority $(cat ca.pub)\" > allowed");
    // One for logins, which says nothing that a verifier of signatures knows.
    certify("-O force-command=true");
    let output =
        agent.shell(&person, "brine sign -k agent: id.pub | brine verify --trust ./allowed");
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains(
            "warning: the certificate in the agent is left out: it has the critical option"
        ),
        "{said}"
    );
    certify("-V -2h:-1h -z 1");
    certify("-V -2h:+1h -z 2");
    certify("-V -2h:+3h -z 3");
    certify("-V -2h:+2h -z 4");
    certify("-V +1h:+9h -z 5");
    for name in ["agent:", "agent:me@laptop", "agent:./id.pub", "./id.pub"] {
        let line = format!(
            "brine sign -k {name} id.pub -o e && brine verify --trust ./allowed --json e 2>&1 >/dev/null"
        );
        let verdict = agent.run(&person, &line);
        crate::schema::check_lines(verdict.as_bytes());
        let verdict: serde_json::Value = serde_json::from_str(&verdict).unwrap();
        assert_eq!(
            (&verdict["signer"], &verdict["authority"]["serial"]),
            (&"alice".into(), &3.into()),
            "{name}"
        );
    }
    // The file beside the public half comes first.
    agent.run(&person, "ssh-keygen -q -s ca -I laptop -n alice -z 6 id.pub");
    let line = "brine sign -k ./id.pub id.pub -o e && brine verify --trust ./allowed --json e 2>&1 >/dev/null";
    assert!(agent.run(&person, line).contains("\"serial\":6"));
    // A key in the agent hands on what its certificate lets it.
    agent.run(&person, "ssh-add -qD 2>/dev/null; rm id-cert.pub");
    certify("-O extension:delegate@brine");
    agent.run(
        &person,
        "ssh-keygen -q -t ed25519 -N '' -f ci && brinekey issue ./ci.pub -k agent: -n alice/ci --for 1h && \
         brine sign -k ./ci id.pub | brine verify --trust ./allowed --signer alice/ci",
    );
}
