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
    for part in
        ["took list ", "  revokes SHA256:", ": laptop stolen (lost at ", "a newer one may exist"]
    {
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
    assert!(said.contains("key of carol was revoked by its owner"), "{said}");
    let said = line(&verifier, "brinekey trust list", 0);
    assert!(said.contains("by its owner"), "{said}");
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
    // The next day, it is the same, and nothing to be told.
    line(verifier, "rm d/4* d/x* && brinekey trust update d", 0);
    // A directory that has gone back is noticed.
    line(verifier, "rm d/3*", 0);
    assert!(line(verifier, "brinekey trust update d", 5).contains("is older than list"));
    assert!(line(verifier, "brinekey trust update e", 2).contains("has no file NAME.revocation"));
    let said = line(verifier, "brinekey trust update --json - < d/2.revocation", 5);
    assert!(said.contains("\"statement-older\""), "{said}");
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
    assert!(said.contains("lacks key id"), "{said}");
    // Somebody else's list is not continued, nor what is none.
    line(issuer, "brinekey ca other --no-passphrase > other.pub", 0);
    line(issuer, "cp $BRINE_HOME/keys/team.revocation mine", 0);
    let said = line(issuer, "brinekey revoke --with other --for 9d -o mine", 5);
    assert!(said.contains("was signed with another key"), "{said}");
    line(issuer, "echo x > text; brinekey revoke --with team --for 9d -o text", 3);
    assert_eq!(issuer.read("text"), b"x\n");
    for (typed, said) in [
        ("brinekey revoke ./alice.pub --with team", "needs --for"),
        ("brinekey revoke ./alice.pub --with team --for 9d -o -", "cannot go to standard output"),
        ("brinekey revoke team other", "only one key can revoke itself"),
        ("brinekey revoke team --for 9d", "needs --with"),
        ("brinekey rotate team --to team", "these are one key"),
        ("brinekey revoke --with team --for 9d --reason x", "needs KEY"),
        ("brinekey revoke ./alice.pub --with team --for 9d --lost 9d", "is in the future"),
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
    assert!(
        said.contains("\"statement-form\"") && said.contains("put a copy of it back"),
        "{said}"
    );
    line(verifier, &format!("cp copy {kept}"), 0);
    line(verifier, "brine verify envelope", 5);
    let said = line(verifier, &format!("brine verify -p team envelope -o {kept}"), 2);
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
    assert!(line(&verifier, "brine verify --json later", 5).contains("\"unknown-signer\""));
    let shown = at_terminal(&verifier, "brinekey trust update r; echo status $?", "yes\n");
    assert!(shown.contains("is now trusted as alice") && shown.contains("status 0"), "{shown}");
    line(&verifier, "brine verify --signer alice later && brine verify --signer alice envelope", 0);
    let shown = at_terminal(&verifier, "brinekey trust update r; echo status $?", "");
    assert!(shown.contains("adds nothing") && shown.contains("status 0"), "{shown}");
    // Whoever took the new key out again is asked again.
    line(&verifier, "brinekey trust remove ./new.pub && brine verify later", 5);
    let said = line(&verifier, "setsid -w brinekey trust update --json r", 5);
    assert!(said.contains("\"rotation-unconfirmed\""), "{said}");
    line(
        &verifier,
        "brinekey trust update r --expect \"$(brinekey show ./new.pub | sed -n 's/^fingerprint //p')\"",
        0,
    );
    line(&verifier, "brine verify later", 0);
}

/// The fingerprint of a key file, as its owner tells it.
fn fingerprint(person: &Person, key: &str) -> String {
    let text = line(person, &format!("brinekey show {key}"), 0);
    text.lines().find_map(|line| line.strip_prefix("fingerprint ")).unwrap().to_owned()
}

/// Two keys that go to one new key, and a verifier who trusts both: alice, and bob, whose key alice has stolen.
fn two_that_go_to_one() -> (Person, Person) {
    let (thief, verifier) = (Person::new(), Person::new());
    for name in ["alice", "bob", "new"] {
        line(&thief, &format!("brinekey gen {name} --no-trust --no-passphrase > {name}.pub"), 0);
        verifier.write(&format!("{name}.pub"), thief.read(&format!("{name}.pub")));
    }
    for name in ["alice", "bob"] {
        line(&thief, &format!("brinekey rotate {name} --to new -o {name}.rotation"), 0);
        verifier.write(&format!("{name}.rotation"), thief.read(&format!("{name}.rotation")));
        line(&verifier, &format!("brinekey trust add {name} ./{name}.pub"), 0);
    }
    (thief, verifier)
}

#[test]
fn agreement_to_one_rotation_is_none_to_another() {
    let (_, verifier) = two_that_go_to_one();
    let shown =
        at_terminal(&verifier, "brinekey trust update alice.rotation bob.rotation", "yes\nno\n");
    assert_eq!(shown.matches("Type yes").count(), 2, "{shown}");
    let said = line(&verifier, "brinekey trust list", 0);
    assert_eq!(said.lines().filter(|text| text.starts_with("alice ")).count(), 2, "{said}");
    assert_eq!(said.lines().filter(|text| text.starts_with("bob ")).count(), 1, "{said}");
    // A fingerprint says whose key it is, and not that it is everybody's.
    let (_, verifier) = two_that_go_to_one();
    let expected = fingerprint(&verifier, "./new.pub");
    let both =
        format!("brinekey trust update --json --expect {expected} alice.rotation bob.rotation");
    assert_eq!(line(&verifier, &both, 5).matches("\"rotation-unconfirmed\"").count(), 3);
    let one = format!("brinekey trust update --expect {expected} alice.rotation");
    assert!(line(&verifier, &one, 0).contains("is now trusted as alice"));
    // Nor on the next day.
    let other = format!("brinekey trust update --json --expect {expected} bob.rotation");
    assert!(line(&verifier, &other, 5).contains("\"rotation-unconfirmed\""));
}

#[test]
fn a_person_sees_all_that_a_rotation_adds() {
    let (_, verifier) = two_that_go_to_one();
    line(&verifier, "brinekey trust add ops ./alice.pub -c 'ops/*' --not-after 30d", 0);
    line(&verifier, "brinekey trust add root ./alice.pub --authority '*@example.com'", 0);
    let shown =
        at_terminal(&verifier, "brinekey trust update alice.rotation; echo status $?", "yes\n");
    for part in [
        "as    alice\n",
        "as    ops  only ops/*",
        "as    root  certifies *@example.com",
        "status 0",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let file = std::fs::read_to_string(verifier.home_path("trust.toml")).unwrap();
    let new = verifier.read("new.pub");
    let new = std::str::from_utf8(&new).unwrap().split(' ').nth(1).unwrap();
    assert_eq!(file.matches(new).count(), 3, "{file}");
    assert_eq!(file.matches("contexts = [\"ops/*\"]").count(), 2, "{file}");
    assert_eq!(file.matches("not-after").count(), 2, "{file}");
    // No answer is none.
    let (_, verifier) = two_that_go_to_one();
    let shown = at_terminal(
        &verifier,
        "brinekey trust update alice.rotation < /dev/null; echo status $?",
        "\u{4}",
    );
    assert!(shown.contains("was not confirmed") && shown.contains("status 5"), "{shown}");
}

#[test]
fn a_successor_that_is_there_already_needs_no_answer() {
    let (thief, verifier) = two_that_go_to_one();
    line(&verifier, "brinekey trust add alice ./new.pub", 0);
    assert!(line(&verifier, "brinekey trust update alice.rotation", 0).contains("adds nothing"));
    // It is remembered, so that there is no other.
    line(&thief, "brinekey gen third --no-trust --no-passphrase > third.pub", 0);
    line(&thief, "brinekey rotate alice --to third -o other.rotation", 0);
    verifier.write("third.pub", thief.read("third.pub"));
    verifier.write("other.rotation", thief.read("other.rotation"));
    let said = line(&verifier, "brinekey trust update --json other.rotation", 5);
    assert!(said.contains("\"statement-conflict\""), "{said}");
    // Whoever took the wrong one out can follow the right one.
    line(&verifier, "brinekey trust remove ./new.pub", 0);
    let expected = fingerprint(&verifier, "./third.pub");
    line(&verifier, &format!("brinekey trust update --expect {expected} other.rotation"), 0);
}

#[test]
fn lists_are_taken_whatever_becomes_of_what_comes_with_them() {
    let world = World::new();
    let verifier = &world.verifier;
    line(
        verifier,
        "mkdir d; truncate -s 300M d/a.revocation; echo junk > d/b.revocation; ln -s none d/c.revocation",
        0,
    );
    let (thief, _) = two_that_go_to_one();
    verifier.write("d/r.rotation", thief.read("alice.rotation"));
    world.list("d/z.revocation", "./alice.pub");
    let said = line(verifier, "brinekey trust update d", 3);
    assert!(said.contains("took list "), "{said}");
    assert!(line(verifier, "brine verify envelope", 5).contains("revoked by team"));
    // A list that comes after one that holds, and does not, takes nothing from it.
    let other = World::new();
    line(&other.issuer, "brinekey gen x --no-trust --no-passphrase", 0);
    other.verifier.shell("mkdir d").assert().success();
    other.list("d/1.revocation", "./alice.pub");
    line(&other.issuer, "rm $BRINE_HOME/keys/team.revocation; sleep 1.1", 0);
    other.list("d/2.revocation", "x");
    let said = line(&other.verifier, "brinekey trust update --json d", 5);
    assert!(said.contains("\"statement-takes-back\"") && said.contains("\"taken\""), "{said}");
    assert!(line(&other.verifier, "brine verify envelope", 5).contains("revoked by team"));
}

#[test]
fn whoever_revokes_is_not_taken_out_unseen() {
    let world = World::new();
    let verifier = &world.verifier;
    line(verifier, "brinekey trust add alice ./alice.pub", 0);
    world.list("list", "./alice.pub");
    let said = line(verifier, "brinekey trust update list", 0);
    assert!(!said.contains("all the same"), "{said}");
    let said = line(verifier, "brinekey trust remove --json team", 6);
    assert!(said.contains("\"trust-revocation-lost\""), "{said}");
    line(verifier, "brine verify envelope", 5);
    line(verifier, "brinekey trust revoke alice && brinekey trust remove team", 0);
    assert!(line(verifier, "brine verify envelope", 5).contains("key of alice was revoked at"));
    // What an authority has no say about is told.
    let world = World::new();
    line(&world.verifier, "brinekey trust add carol ./alice.pub", 0);
    world.list("list", "./alice.pub");
    let said = line(&world.verifier, "brinekey trust update list", 0);
    assert!(said.contains("carol is believed all the same: team may not vouch"), "{said}");
    let said = line(&world.verifier, "brinekey trust add dave ./alice.pub", 0);
    assert!(said.contains("somebody has revoked this key"), "{said}");
    line(&world.verifier, "brinekey trust remove team", 0);
    // Nor by the certificate of somebody else.
    let world = World::new();
    line(&world.issuer, "brinekey ca corp --no-passphrase > corp.pub", 0);
    world.verifier.write("corp.pub", world.issuer.read("corp.pub"));
    line(&world.verifier, "brinekey trust add corp ./corp.pub --authority 'a*'", 0);
    world.list("list", "./alice.pub");
    line(&world.verifier, "brinekey trust update list", 0);
    let said = line(&world.verifier, "brinekey trust remove team", 6);
    assert!(said.contains("would be believed again"), "{said}");
    line(
        &world.issuer,
        "brinekey revoke --with corp --for 9d --also $BRINE_HOME/keys/team.revocation -o corp.revocation",
        0,
    );
    world.verifier.write("corp.revocation", world.issuer.read("corp.revocation"));
    line(&world.verifier, "brinekey trust update corp.revocation && brinekey trust remove team", 0);
    // A list that somebody has changed, or that nobody here knows, is not taken over.
    let mut changed = world.verifier.read("list");
    *changed.last_mut().unwrap() ^= 1;
    world.issuer.write("changed", changed);
    let also = "brinekey revoke --with corp --for 9d -o corp.revocation --also changed";
    assert!(line(&world.issuer, &format!("{also} --json"), 1).contains("\"signature-bad\""));
    line(&world.verifier, "brinekey ca corp --no-passphrase", 0);
    let also = "brinekey revoke --with corp --for 9d -o other --also list";
    assert!(line(&world.verifier, also, 2).contains("was signed with a key that is neither"));
}

#[test]
fn keys_that_are_revoked_at_once_are_all_on_the_list() {
    let world = World::new();
    let issuer = &world.issuer;
    let keys =
        "for n in 1 2 3 4 5 6; do brinekey gen k$n --no-trust --no-passphrase > k$n.pub; done";
    line(issuer, keys, 0);
    let revoke =
        "for n in 1 2 3 4 5 6; do brinekey revoke ./k$n.pub --with team --for 9d & done; wait";
    line(issuer, revoke, 0);
    let said = line(issuer, "brine inspect --json $BRINE_HOME/keys/team.revocation", 0);
    let list: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(list["statement"]["keys"].as_array().unwrap().len(), 6);
    // What was said of a key stays, where nothing is said anew.
    line(issuer, "brinekey revoke ./k1.pub --with team --for 9d --reason lost --lost '2d ago'", 0);
    line(issuer, "brinekey revoke ./k1.pub --with team --for 9d", 0);
    assert!(
        line(issuer, "brine inspect $BRINE_HOME/keys/team.revocation", 0)
            .contains(": lost (lost at ")
    );
    // A word about itself is beside the list, and is not written over anything.
    let said = line(issuer, "brinekey revoke team", 0);
    assert!(said.contains("it cannot be taken back"), "{said}");
    assert!(line(issuer, "brinekey revoke team", 4).contains("exists already"));
    line(issuer, "brinekey revoke --with team --for 9d", 0);
    let said = line(issuer, "brinekey revoke team --with team --for 9d", 2);
    assert!(said.contains("revokes itself without --with"), "{said}");
    line(issuer, "cp $BRINE_HOME/keys/team.itself.revocation self", 0);
    let said = line(issuer, "brinekey revoke --with team --for 9d -o self", 2);
    assert!(said.contains("is no list to be continued"), "{said}");
    world.verifier.write("self", issuer.read("self"));
    world.list("list", "");
    line(&world.verifier, "brinekey trust update list self", 0);
    assert!(line(&world.verifier, "brine verify envelope", 5).contains("revoked by its owner"));
}

#[test]
fn a_statements_file_that_is_gone_or_is_no_file_ends_the_work() {
    let world = World::new();
    let World { alice, verifier, .. } = &world;
    world.list("list", "");
    line(verifier, "brinekey trust update list", 0);
    line(alice, "printf 'one\\ntwo\\n' | brine sign --lines > records", 0);
    verifier.write("records", alice.read("records"));
    let said = line(
        verifier,
        "mkfifo f; (brine verify --lines < f > out; echo status $?) & exec 3> f; head -n 1 records >&3; \
         until [ -s out ]; do sleep 0.05; done; mv $BRINE_HOME/trust.toml.statements kept; tail -n 1 records >&3; exec 3>&-; wait",
        0,
    );
    assert!(said.contains("status 6") && said.contains("trust.toml.statements"), "{said}");
    for damage in [": >", "ln -s nowhere", "mkfifo"] {
        let file = "$BRINE_HOME/trust.toml.statements";
        let said = line(
            verifier,
            &format!("{damage} {file}; brine verify envelope; status=$?; rm {file}; exit $status"),
            6,
        );
        assert!(said.contains("trust.toml.statements"), "{damage}: {said}");
    }
    let said = line(verifier, "brine verify --revoked list envelope", 6);
    assert!(said.contains("\"brinekey trust update FILE\" takes it"), "{said}");
}
