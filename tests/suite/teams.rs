//! The commands of docs/teams.md, each step also with what must be refused.

use std::process::Output;
use std::sync::LazyLock;

use crate::common::{Person, project_text};
use crate::page::Page;

static PAGE: LazyLock<Page> = LazyLock::new(|| Page::read("docs/teams.md"));

/// Runs commands that end with a status.
#[track_caller]
fn run(person: &Person, line: &str, status: i32) -> Output {
    let output = person.shell(line).output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{line}: {output:?}");
    output
}

/// Runs one of the commands of a section as it stands on the page, or with words replaced.
#[track_caller]
fn typed(person: &Person, section: &str, command: usize, replaced: &[(&str, &str)]) {
    let script = PAGE.snippet(section, "").lines().nth(command).unwrap();
    let line = replaced.iter().fold(script.to_owned(), |line, (from, to)| {
        assert!(line.contains(from), "{line}: {from}");
        line.replace(from, to)
    });
    run(person, &line, 0);
}

#[track_caller]
fn refused(person: &Person, line: &str, reason: &str) {
    let output = person.shell(&format!("{line} --json")).output().unwrap();
    // brinekey writes its verdict where its result would be.
    let both = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&both).into_owned();
    assert!(!output.status.success() && text.contains(&format!("\"{reason}\"")), "{line}: {text}");
}

/// The block of TOML that begins with this line.
fn toml(first: &str) -> String {
    let page = project_text("docs/teams.md");
    let start = page.find(&format!("```toml\n{first}")).unwrap() + "```toml\n".len();
    page[start..].split("```").next().unwrap().to_owned()
}

struct Team {
    authority: Person,
    verifier: Person,
    members: Vec<Person>,
}

const NAMES: [&str; 3] = ["alice", "bob", "carol"];

/// Hands a file from one person to another.
fn hand(from: &Person, name: &str, to: &Person, other: &str) {
    to.write(other, from.read(name));
}

impl Team {
    fn new() -> Self {
        let (authority, verifier) = (Person::new(), Person::new());
        for command in 0..2 {
            typed(&authority, "The authority", command, &[]);
        }
        hand(&authority, "team.pub", &verifier, "team.pub");
        typed(&verifier, "Verifiers", 0, &[]);
        let file = verifier.home_path("trust.toml");
        let text = std::fs::read_to_string(&file).unwrap() + "\n" + &toml("[[rule]]");
        std::fs::write(file, text).unwrap();
        let members = NAMES.map(|name| {
            let member = Person::new();
            typed(&member, "Members", 0, &[]);
            hand(&member, "me.pub", &authority, &format!("{name}.pub"));
            typed(
                &authority,
                "Members",
                1,
                &[("alice.pub", &format!("{name}.pub")), ("alice@", &format!("{name}@"))],
            );
            hand(&authority, &format!("{name}-cert.pub"), &member, "alice-cert.pub");
            typed(&member, "Members", 2, &[("~/.config/brine", "$BRINE_HOME")]);
            // Whoever cosigns believes the same as verifiers.
            std::fs::copy(verifier.home_path("trust.toml"), member.home_path("trust.toml"))
                .unwrap();
            member
        });
        Self { authority, verifier, members: members.into() }
    }

    fn alice(&self) -> &Person {
        &self.members[0]
    }

    /// Signs as a member, and gives that to the verifier.
    fn signed(&self, member: usize, context: &str) {
        run(
            &self.members[member],
            &format!("echo content | brine sign -c {context} > envelope"),
            0,
        );
        hand(&self.members[member], "envelope", &self.verifier, "envelope");
    }
}

#[test]
fn a_team_signs_for_verifiers_who_know_one_key() {
    let team = Team::new();
    team.signed(2, "jobs/a");
    let output = run(&team.verifier, "brine verify -c jobs/a --json envelope", 0);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("\"signer\":\"carol@example.com\"") && text.contains("\"name\":\"team\""),
        "{text}"
    );
    refused(&team.verifier, "brine verify -c jobs/b envelope", "context-mismatch");
    team.signed(2, "other");
    refused(&team.verifier, "brine verify -c other envelope", "context-not-allowed");
    let stranger = Person::with_key();
    run(&stranger, "echo content | brine sign -c jobs/a > envelope", 0);
    hand(&stranger, "envelope", &team.verifier, "envelope");
    refused(&team.verifier, "brine verify -c jobs/a envelope", "unknown-signer");
    // The authority itself signs nothing.
    run(&team.authority, "echo content | brine sign -k team -c jobs/a > envelope", 0);
    hand(&team.authority, "envelope", &team.verifier, "envelope");
    refused(&team.verifier, "brine verify -c jobs/a envelope", "unknown-signer");
}

#[test]
fn a_release_needs_two_persons() {
    let team = Team::new();
    let (alice, bob) = (team.alice(), &team.members[1]);
    alice.write("app.tar", vec![7; 3_000_000]);
    typed(alice, "A release", 0, &[]);
    for name in ["app.tar", "app.tar.sig"] {
        hand(alice, name, bob, name);
        hand(alice, name, &team.verifier, name);
    }
    refused(&team.verifier, "brine verify -d -c release/1.2 app.tar", "too-few-signers");
    run(bob, "brine cosign -d -c release/1.2 --signer carol@example.com app.tar", 5);
    run(bob, "printf x >> app.tar && brine cosign -d -c release/1.2 app.tar", 1);
    hand(alice, "app.tar", bob, "app.tar");
    typed(bob, "A release", 1, &[]);
    hand(bob, "app.tar.sig", &team.verifier, "app.tar.sig");
    typed(&team.verifier, "A release", 2, &[]);
    // Alice twice is one person: with a second key, and with one that she handed on.
    run(alice, "brinekey gen ci --no-trust > ci.pub", 0);
    run(
        alice,
        "brinekey issue ./ci.pub --with default --name alice@example.com/ci --for 1h -o $BRINE_HOME/keys/ci-cert.pub",
        0,
    );
    run(alice, "brine sign -d -f -k default -k ci -c release/1.2 app.tar", 0);
    hand(alice, "app.tar.sig", &team.verifier, "app.tar.sig");
    refused(&team.verifier, "brine verify -d -c release/1.2 app.tar", "too-few-signers");
}

#[test]
fn a_ci_job_signs_for_an_hour() {
    let team = Team::new();
    let (alice, ci) = (team.alice(), Person::new());
    run(&ci, "brinekey gen ci --no-trust > ci.pub", 0);
    hand(&ci, "ci.pub", alice, "ci.pub");
    typed(alice, "An hour for a CI job", 0, &[]);
    hand(alice, "ci-cert.pub", &ci, "ci-cert.pub");
    run(&ci, "cp ci-cert.pub $BRINE_HOME/keys/", 0);
    ci.write("report.json", "{}");
    typed(&ci, "An hour for a CI job", 1, &[]);
    hand(&ci, "report.json.brine", &team.verifier, "envelope");
    let output = run(&team.verifier, "brine verify -c jobs/nightly --json envelope", 0);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("\"signer\":\"alice@example.com/ci\"")
            && text.contains("\"through\":[\"alice@example.com\"]"),
        "{text}"
    );
    refused(
        &team.verifier,
        "brine verify -c jobs/nightly --now 2h envelope",
        "certificate-expired",
    );
    run(&ci, "echo x | brine sign -k ci -c jobs/other > envelope", 0);
    hand(&ci, "envelope", &team.verifier, "envelope");
    refused(&team.verifier, "brine verify -c jobs/other envelope", "context-not-allowed");
    // Not in the name of somebody else, and not by somebody who may not.
    run(alice, "brinekey issue ./ci.pub -k default -n bob@example.com --for 1h -f", 0);
    hand(alice, "ci-cert.pub", &ci, "ci-cert.pub");
    run(
        &ci,
        "cp ci-cert.pub $BRINE_HOME/keys/; echo x | brine sign -k ci -c jobs/nightly > envelope",
        0,
    );
    hand(&ci, "envelope", &team.verifier, "envelope");
    refused(&team.verifier, "brine verify -c jobs/nightly envelope", "certificate-principals");
}

/// The list of the authority, which the verifier is given.
fn hand_list(team: &Team) {
    let list = std::fs::read(team.authority.home_path("keys/team.revocation")).unwrap();
    team.verifier.write("team.revocation", list);
}

#[test]
fn a_lost_key_is_taken_back() {
    const SECTION: &str = "A key that was lost";
    let team = Team::new();
    team.signed(1, "jobs/a");
    let output = run(&team.verifier, "brine verify -c jobs/a --json envelope", 0);
    assert!(String::from_utf8(output.stderr).unwrap().contains("\"revocations\":null"));
    typed(&team.authority, SECTION, 0, &[]);
    hand_list(&team);
    typed(&team.verifier, SECTION, 1, &[]);
    refused(&team.verifier, "brine verify -c jobs/a envelope", "signer-revoked");
    team.signed(0, "jobs/a");
    let output = run(&team.verifier, "brine verify -c jobs/a --json envelope", 0);
    assert!(!String::from_utf8(output.stderr).unwrap().contains("\"revocations\":null"));
    // Once the list has ended, nobody is believed, until the next one is there.
    refused(&team.verifier, "brine verify -c jobs/a --now 41d envelope", "revocations-stale");
    hand(&team.verifier, "team.revocation", &team.verifier, "old.revocation");
    typed(&team.authority, SECTION, 2, &[]);
    hand_list(&team);
    typed(&team.verifier, SECTION, 1, &[]);
    run(&team.verifier, "brine verify -c jobs/a envelope", 0);
    refused(&team.verifier, "brinekey trust update old.revocation", "statement-older");
    // Bob says something about alice's key, for which the team vouches.
    hand(team.alice(), "me.pub", &team.members[1], "alice.pub");
    run(
        &team.members[1],
        "brinekey revoke ./alice.pub --with default --for 9d -o bob.revocation",
        0,
    );
    hand(&team.members[1], "bob.revocation", &team.verifier, "bob.revocation");
    refused(&team.verifier, "brinekey trust update bob.revocation", "unknown-signer");
}

#[test]
fn a_new_machine_waits_for_a_list() {
    let team = Team::new();
    let file = team.verifier.home_path("trust.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let needs = toml("needs-revocations");
    std::fs::write(&file, text.replace("principals", &format!("{needs}principals"))).unwrap();
    team.signed(0, "jobs/a");
    refused(&team.verifier, "brine verify -c jobs/a envelope", "revocations-missing");
    run(&team.authority, "brinekey revoke --with team --for 40d", 0);
    hand_list(&team);
    typed(&team.verifier, "A key that was lost", 1, &[]);
    run(&team.verifier, "brine verify -c jobs/a envelope", 0);
}

#[test]
fn a_new_key_has_the_old_name() {
    let team = Team::new();
    let alice = Person::new();
    run(&alice, "brinekey gen --no-trust > me.pub", 0);
    hand(&alice, "me.pub", &team.authority, "new.pub");
    run(&team.authority, "brinekey issue ./new.pub -k team -n alice@example.com --for 90d", 0);
    std::fs::write(alice.home_path("keys/default-cert.pub"), team.authority.read("new-cert.pub"))
        .unwrap();
    run(&alice, "echo x | brine sign -c jobs/a > envelope", 0);
    hand(&alice, "envelope", &team.verifier, "envelope");
    run(&team.verifier, "brine verify -c jobs/a --signer alice@example.com envelope", 0);
}

/// The fingerprint of a key, as its owner tells it.
fn fingerprint(person: &Person, key: &str) -> String {
    let output = run(person, &format!("brinekey show {key}"), 0);
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("fingerprint ")).unwrap();
    line.to_owned()
}

#[test]
fn an_authority_gets_a_new_key() {
    const SECTION: &str = "A new authority";
    let team = Team::new();
    typed(&team.authority, SECTION, 0, &[]);
    typed(&team.authority, SECTION, 1, &[]);
    hand(&team.authority, "team.rotation", &team.verifier, "team.rotation");
    // Nobody is there who could agree.
    refused(&team.verifier, "brinekey trust update team.rotation", "rotation-unconfirmed");
    let (new, old) =
        (fingerprint(&team.authority, "team-2027"), fingerprint(&team.authority, "team"));
    let told = "bbXp uKG6 zhzd mnxq 256T lqzF BzRl 2f6O Og72 2cYN bU8";
    refused(
        &team.verifier,
        &format!("brinekey trust update team.rotation --expect '{told}'"),
        "fingerprint-differs",
    );
    typed(&team.verifier, SECTION, 2, &[(told, &new)]);
    // The new key certifies for the same names and contexts, and the old one still does.
    run(
        &team.authority,
        "brinekey issue ./alice.pub -k team-2027 -n alice@example.com --for 90d -f",
        0,
    );
    let certificate = team.authority.read("alice-cert.pub");
    std::fs::write(team.alice().home_path("keys/default-cert.pub"), certificate).unwrap();
    for member in [0, 1] {
        team.signed(member, "jobs/a");
        run(&team.verifier, "brine verify -c jobs/a envelope", 0);
        team.signed(member, "other");
        refused(&team.verifier, "brine verify -c other envelope", "context-not-allowed");
    }
    // What the old key revokes, the new one does as well, and each list is its own.
    run(&team.authority, "brinekey revoke ./bob.pub --with team --for 40d", 0);
    typed(&team.authority, SECTION, 3, &[("~/.config/brine", "$BRINE_HOME")]);
    for name in ["team", "team-2027"] {
        let list = team.authority.home_path(&format!("keys/{name}.revocation"));
        team.verifier.write(&format!("{name}.revocation"), std::fs::read(list).unwrap());
    }
    run(&team.verifier, "brinekey trust update .", 0);
    team.signed(1, "jobs/a");
    refused(&team.verifier, "brine verify -c jobs/a envelope", "signer-revoked");
    // A thief of the old key has another successor for it.
    run(
        &team.authority,
        "brinekey ca thief && brinekey rotate team --to thief -o thief.rotation",
        0,
    );
    hand(&team.authority, "thief.rotation", &team.verifier, "thief.rotation");
    let thief = fingerprint(&team.authority, "thief");
    refused(
        &team.verifier,
        &format!("brinekey trust update thief.rotation --expect {thief}"),
        "statement-conflict",
    );
    typed(&team.verifier, SECTION, 4, &[("SHA256:OLD", &old)]);
    team.signed(2, "jobs/a");
    refused(&team.verifier, "brine verify -c jobs/a envelope", "authority-unknown");
    team.signed(0, "jobs/a");
    run(&team.verifier, "brine verify -c jobs/a envelope", 0);
}
