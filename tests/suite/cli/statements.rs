//! Statements about keys: made, taken, kept, and judged by.

use serde_json::Value;

use super::terminal::at_terminal;
use crate::common::Person;

/// An authority, `team`, that has certified alice, and a verifier who trusts it.
struct World {
    issuer: Person,
    alice: Person,
    verifier: Person,
}

/// Runs a line that must end so, and returns all that it printed.
#[track_caller]
fn line(person: &Person, line: &str, status: i32) -> String {
    let output = person.shell(line).output().unwrap();
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert_eq!(output.status.code(), Some(status), "{line}: {text}");
    text
}

impl World {
    fn new() -> Self {
        let (issuer, alice, verifier) = (Person::new(), Person::new(), Person::new());
        line(&issuer, "brinekey ca team --no-passphrase > team.pub", 0);
        line(&alice, "brinekey gen --no-trust --no-passphrase > alice.pub", 0);
        issuer.write("alice.pub", alice.read("alice.pub"));
        verifier.write("alice.pub", alice.read("alice.pub"));
        line(&issuer, "brinekey issue ./alice.pub --with team -n alice --for 9d", 0);
        std::fs::write(alice.home_path("keys/default-cert.pub"), issuer.read("alice-cert.pub"))
            .unwrap();
        verifier.write("team.pub", issuer.read("team.pub"));
        line(&verifier, "brinekey trust add team ./team.pub --authority 'a*'", 0);
        line(&alice, "echo content | brine sign > envelope", 0);
        verifier.write("envelope", alice.read("envelope"));
        Self { issuer, alice, verifier }
    }

    /// Hands the verifier a new list by the authority.
    fn list(&self, name: &str, keys: &str) {
        line(&self.issuer, &format!("brinekey revoke {keys} --with team --for 9d"), 0);
        let list = std::fs::read(self.issuer.home_path("keys/team.revocation")).unwrap();
        self.verifier.write(name, list);
    }
}

#[test]
fn what_was_taken_is_told_to_people_and_to_programs() {
    let World { issuer, verifier, alice } = World::new();
    let said = line(
        &issuer,
        "brinekey revoke ./alice.pub --with team --for 9d --reason 'laptop stolen' --lost '2d ago' -o a.revocation",
        0,
    );
    assert!(said.contains("of team revokes 1 key until"), "{said}");
    verifier.write("a.revocation", issuer.read("a.revocation"));
    let said = line(&verifier, "brinekey trust update a.revocation", 0);
    for part in [
        "of team is in force until",
        "refused now: SHA256:",
        ": laptop stolen (lost at ",
        "cannot know whether there is a newer one",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = line(&verifier, "brine verify envelope", 5);
    assert!(said.contains("key of alice was revoked by team: laptop stolen (lost at "), "{said}");
    let said = line(&verifier, "brinekey trust update --json a.revocation", 0);
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&told["outcome"], &told["signer"]), (&"known".into(), &"team".into()));
    assert_eq!(told["keys"][0]["reason"], "laptop stolen");
    let said = line(&verifier, "brinekey trust list; brinekey check --within 30d", 0);
    assert!(said.contains("revocation list ") && said.contains("will expire at"), "{said}");
    // What is revoked is not trusted anew, under a name for which the authority may vouch.
    let said = line(&verifier, "brinekey trust add ann ./alice.pub", 5);
    assert!(said.contains("was revoked by team"), "{said}");
    line(&verifier, "brinekey trust add carol ./alice.pub", 0);
    // And an authority has no say about other names.
    line(&verifier, "brine verify --signer carol envelope", 0);
    // Its owner has one about all of them.
    line(&alice, "brinekey revoke default -o self.revocation", 0);
    verifier.write("self.revocation", alice.read("self.revocation"));
    line(&verifier, "brinekey trust update self.revocation", 0);
    let said = line(&verifier, "brine verify --signer carol envelope", 5);
    assert!(said.contains("key of carol was revoked by carol"), "{said}");
    let said = line(&verifier, "brinekey trust list", 0);
    assert!(said.contains("by carol"), "{said}");
}

#[test]
fn a_directory_of_statements_is_taken_with_the_newest_of_each_signer() {
    let world = World::new();
    let World { issuer, verifier, .. } = &world;
    line(verifier, "mkdir d e", 0);
    world.list("d/1.revocation", "");
    world.list("d/2.revocation", "./alice.pub");
    world.list("d/3.revocation", "");
    // Forged, with a higher number, and by nobody who is known: neither keeps the others from being taken.
    let forged = {
        let mut bytes = verifier.read("d/3.revocation");
        *bytes.last_mut().unwrap() ^= 1;
        bytes
    };
    verifier.write("d/4.revocation", forged);
    line(
        issuer,
        "brinekey gen x --no-passphrase --no-trust && brinekey revoke x -o x.revocation",
        0,
    );
    verifier.write("d/x.revocation", issuer.read("x.revocation"));
    verifier.write("d/README", "not a statement");
    let said = line(verifier, "brinekey trust update --json d 2> told", 1);
    let lines: Vec<Value> = said.lines().map(|text| serde_json::from_str(text).unwrap()).collect();
    let told = |file: &str, member: &str| {
        let found =
            lines.iter().find(|told| told["file"] == file && told["schema"] == "brine.statement/1");
        found.unwrap()[member].as_str().unwrap_or_default().to_owned()
    };
    for (file, outcome, reason) in [
        ("d/1.revocation", "superseded", ""),
        ("d/2.revocation", "superseded", ""),
        ("d/3.revocation", "taken", ""),
        ("d/4.revocation", "refused", "signature-bad"),
        ("d/x.revocation", "refused", "unknown-signer"),
    ] {
        assert_eq!(
            (told(file, "outcome").as_str(), told(file, "reason").as_str()),
            (outcome, reason),
            "{file}"
        );
    }
    assert!(line(verifier, "brine verify envelope", 5).contains("revoked by team"));
    // A directory that has gone back is noticed.
    line(verifier, "rm d/3* d/4* d/x*", 0);
    assert!(line(verifier, "brinekey trust update d", 5).contains("is known here"));
    assert!(line(verifier, "brinekey trust update e", 2).contains("has no file NAME.revocation"));
    line(verifier, "brinekey trust update - < d/2.revocation", 5);
    let said = line(verifier, "brinekey trust update envelope", 3);
    assert!(said.contains("this is a data envelope, not a list of revoked keys"), "{said}");
    let said = line(verifier, "brine verify d/2.revocation", 3);
    assert!(said.contains("\"brinekey trust update\" takes statements about keys"), "{said}");
}

#[test]
fn a_list_goes_on_where_it_ended() {
    let world = World::new();
    let World { issuer, verifier, .. } = &world;
    world.list("1.revocation", "./alice.pub");
    line(verifier, "brinekey trust update 1.revocation", 0);
    // Begun anew, it lacks what was revoked before.
    line(issuer, "rm $BRINE_HOME/keys/team.revocation; sleep 1.1", 0);
    world.list("2.revocation", "");
    let said = line(verifier, "brinekey trust update 2.revocation", 5);
    assert!(said.contains("takes back what list"), "{said}");
    // Somebody else's list is not continued, nor what is none.
    line(issuer, "brinekey ca other --no-passphrase > other.pub", 0);
    line(issuer, "cp $BRINE_HOME/keys/team.revocation mine", 0);
    let said = line(issuer, "brinekey revoke --with other --for 9d -o mine", 5);
    assert!(said.contains("signer is not trusted"), "{said}");
    line(issuer, "echo x > text; brinekey revoke --with team --for 9d -o text", 3);
    assert_eq!(issuer.read("text"), b"x\n");
    for (typed, said) in [
        ("brinekey revoke ./alice.pub --with team", "needs --for"),
        ("brinekey revoke ./alice.pub --with team --for 9d -o -", "is continued from its file"),
        ("brinekey revoke team other", "a key revokes itself alone"),
        ("brinekey revoke team --for 9d", "needs --with"),
        ("brinekey rotate team --to team", "does not come after itself"),
    ] {
        assert!(line(issuer, typed, 2).contains(said), "{typed}");
    }
    line(issuer, "brinekey rotate team --to other", 0);
    assert!(line(issuer, "brinekey rotate team --to other", 4).contains("exists already"));
}

/// Whoever could write what is kept could take a revocation back.
#[test]
fn what_is_kept_decides_and_is_guarded_as_the_trust_file_is() {
    let world = World::new();
    let verifier = &world.verifier;
    world.list("list", "./alice.pub");
    line(verifier, "brinekey trust update list", 0);
    let kept = "\"$BRINE_HOME/trust.toml.statements\"";
    line(verifier, &format!("chmod 666 {kept}"), 0);
    let said = line(verifier, "brine verify envelope", 6);
    assert!(said.contains("others may write it"), "{said}");
    line(verifier, &format!("chmod 644 {kept}; cp {kept} copy; truncate -s -1 {kept}"), 0);
    let said = line(verifier, "brine verify envelope --json", 6);
    assert!(said.contains("\"statement-form\"") && said.contains("put a copy back"), "{said}");
    line(verifier, &format!("cp copy {kept}"), 0);
    line(verifier, "brine verify envelope", 5);
    let said = line(
        verifier,
        &format!("brine sign -k x --plain list -o {kept} 2>&1; brine verify list -o {kept}"),
        2,
    );
    assert!(said.contains("will not write over"), "{said}");
    // A link to the trust file leads to what is beside the file.
    line(verifier, "ln -s \"$BRINE_HOME/trust.toml\" link.toml", 0);
    line(verifier, "brine verify --trust link.toml envelope", 5);
    // One that is named by itself has its own, and keys that are given whole have none.
    line(
        verifier,
        "cp \"$BRINE_HOME/trust.toml\" own.toml; brine verify --trust own.toml envelope",
        0,
    );
    line(verifier, "brine verify -p ./alice.pub envelope", 0);
    line(verifier, "brine verify -p team envelope", 5);
}

#[test]
fn a_list_that_arrives_while_records_flow_holds_for_what_comes_after_it() {
    let world = World::new();
    let World { alice, verifier, .. } = &world;
    line(alice, "printf 'one\\ntwo\\n' | brine sign --lines > records", 0);
    verifier.write("records", alice.read("records"));
    world.list("list", "./alice.pub");
    let said = line(
        verifier,
        "mkfifo f; (brine verify --lines < f > out; echo status $?) & exec 3> f; head -n 1 records >&3; \
         until [ -s out ]; do sleep 0.05; done; brinekey trust update list; tail -n 1 records >&3; exec 3>&-; wait",
        0,
    );
    assert!(said.contains("status 5") && said.contains("revoked by team"), "{said}");
    assert_eq!(verifier.read("out"), b"one\n");
}

#[test]
fn a_person_is_asked_before_a_rotation_is_followed() {
    let World { alice, verifier, .. } = World::new();
    line(
        &alice,
        "brinekey gen new --no-passphrase --no-trust > new.pub; brinekey rotate default --to new -o r",
        0,
    );
    line(&alice, "echo later | brine sign -k new > later", 0);
    for name in ["r", "new.pub", "later"] {
        verifier.write(name, alice.read(name));
    }
    // Nobody who is trusted has that key.
    assert!(line(&verifier, "brinekey trust update r", 5).contains("no trust anchor"));
    line(&verifier, "brinekey trust add alice ./alice.pub", 0);
    let shown = at_terminal(&verifier, "brinekey trust update r; echo status $?", "no\n");
    assert!(shown.contains("Type yes") && shown.contains("status 5"), "{shown}");
    line(&verifier, "brine verify later", 5);
    let shown = at_terminal(&verifier, "brinekey trust update r; echo status $?", "yes\n");
    assert!(shown.contains("is trusted now as alice") && shown.contains("status 0"), "{shown}");
    line(&verifier, "brine verify --signer alice later && brine verify --signer alice envelope", 0);
    let shown = at_terminal(&verifier, "brinekey trust update r; echo status $?", "");
    assert!(
        shown.contains("was followed to that key already") && shown.contains("status 0"),
        "{shown}"
    );
    // Whoever took the new key out again is asked again.
    line(&verifier, "brinekey trust remove ./new.pub && brine verify later", 5);
    line(&verifier, "brinekey trust update r", 5);
    line(
        &verifier,
        "brinekey trust update r --expect \"$(brinekey show ./new.pub | sed -n 's/^fingerprint //p')\"",
        0,
    );
    line(&verifier, "brine verify later", 0);
}
