//! The schemas say what there is, and no more: each is met by documents, and refuses what differs from them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::common::Person;
use crate::schema::{document, documents, judge};

/// Lines that yield documents of each form, after a key was made.
const LINES: [&str; 21] = [
    "brinekey list --json; brinekey show --json; brinekey trust list --json",
    "echo x | brine sign --context a --expires 7d --type text/plain > e; brine verify --context a --json e > /dev/null",
    "echo x | brine verify --json",
    "echo x > f; brine sign -d f; brine verify --json -d f g",
    "printf 'a\\nb\\n' | brine sign --lines > r; brine replay init --accept-older seen; \
     (cat r; echo x) | brine verify --lines --replay-db seen --reject-to kept --json > /dev/null; cat kept; \
     brine replay status --json seen",
    "brine inspect --json e; brine inspect --lines --json < kept; brine inspect --lines --json < r",
    "yes | head -c 3000000 | brine sign > s; brine inspect --json s",
    "echo true | brine sign --job > j; brine run j --json -- sh; brine run j --json --explain -- sh",
    "echo true | brine sign --grant run=sh --grant wall=9m --grant tcp=80 > j; brine run j --json --explain; \
     printf '[[allow]]\\nsigners = [\"default\"]\\ninterpreters.sh.path = \"/bin/sh\"\\n' > q.toml; \
     brine run j --json --explain --policy q.toml --without seccomp",
    "echo exit 3 | brine sign --job > j; brine run j --json -- sh; brine run j --format json --json -- echo a",
    "printf 'cos\\ngetpid\\n)R.' | brine scan --json; printf 'N.' | brine scan --json; brine scan --json none",
    "echo x | brine sign --lines --batch 2 > b; brine inspect --lines --json < b",
    "brine doctor --json",
    "echo x | brine send -c a 'sqlite:q?queue=b'; brine recv 'sqlite:q?queue=b'; brine dead list --json 'sqlite:q?queue=b'; \
     echo x | brine send -c a 'sqlite:q?queue=b'; echo x | brine send 'sqlite:q?queue=b'; \
     brine recv --log /dev/stderr 'sqlite:q?queue=b' > /dev/null",
    "brinekey gen c > c.pub 2> c.log; chmod 644 \"$BRINE_HOME/keys/c.key\"; brinekey check --json",
    "brinekey trust add x default -c a --json; brinekey trust check x --context a --json; \
     brinekey trust revoke x --json --reason lost; brinekey show x --json; brinekey trust remove x --json",
    "brinekey gen two --no-passphrase; echo x | brine sign -k default -k two > t; brine verify --json t > /dev/null; \
     brinekey ca org --no-passphrase; brinekey trust add org org --authority 'z*'; brinekey gen z --no-passphrase --no-trust; \
     brinekey issue z -k org -n zoe --for 1h; echo x | brine sign -k z -k two | brine verify --json > /dev/null",
    "brinekey ca team --no-passphrase; brinekey trust add team team --authority 'al*' -c 'a/*' --json; \
     brinekey trust add x team --may-issue --json; brinekey trust list --json; \
     brinekey issue default -k team -n alice -c 'a/*' --for 1h --json; brinekey issue default -k team -n alice --for 1h -o - --json",
    "brinekey ca head --no-passphrase; brinekey trust add head head --authority 'h*'; brinekey gen s --no-passphrase --no-trust; \
     brinekey gen w --no-passphrase; brinekey revoke s --with head --for 9d --lost \"1d ago\" --reason lost -o h.revocation --json; \
     brinekey rotate w --to s -o w.rotation --json; brinekey trust update --json h.revocation w.rotation f; \
     brinekey trust update --json h.revocation; brine inspect --json h.revocation; brine inspect --json w.rotation; \
     brinekey trust list --json",
    "echo x > f; brine sign --json f > /dev/null; brine sign -d -f --json f none; echo x | brine sign --json --plain; \
     yes | head -c 3000000 | brine sign --json > /dev/null; echo true | brine sign --job --json; \
     printf 'a\\n\\nb' | brine sign --lines --batch 4 --json",
    "brinekey gen other --no-passphrase --json; brinekey pub --json > k.pub; brinekey show ./k.pub --json; \
     brinekey export --json -o k.key; brinekey import third k.key --json; brinekey passwd third --no-passphrase --json; \
     brine completions bash --json; brine replay init new --json; brine replay prune new --json; \
     printf '[[allow]]\\nsigners = [\"a\"]\\ncontexts = [\"b/*\"]\\n' > p.toml; brine policy check --json p.toml",
];

/// Every document that the lines yield, by its form.
fn yielded() -> BTreeMap<String, Vec<Value>> {
    let person = Person::with_key();
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in LINES {
        let output = person.shell(line).output().unwrap();
        let lines = [output.stdout, output.stderr].concat();
        for document in lines.split(|byte| *byte == b'\n').filter_map(document) {
            found
                .entry(document["schema"].as_str().unwrap().to_owned())
                .or_default()
                .push(document);
        }
    }
    found
}

#[test]
fn each_schema_is_met_and_refuses_whatever_is_changed() {
    let found = yielded();
    let names = |map: &BTreeMap<String, _>| map.keys().cloned().collect::<BTreeSet<String>>();
    let expected: BTreeSet<String> = documents().into_keys().collect();
    assert_eq!(names(&found), expected);
    for document in found.values().flatten() {
        judge(document).unwrap();
        let with = |name: &str, value: Value| {
            let mut changed = document.clone();
            changed[name] = value;
            changed
        };
        assert!(judge(&with("additional", json!(1))).is_err(), "{document}");
        for (name, value) in document.as_object().unwrap() {
            // No member is an object with this member.
            let changed = with(name, json!({"other": true}));
            assert!(judge(&changed).is_err(), "{name} of {document}");
            let of_another_type = match value {
                Value::String(_) => json!(1),
                Value::Null => json!(false),
                _ => json!("A text"),
            };
            let changed = with(name, of_another_type);
            let is_free = changed["verified"] == *"A text" && name != "verified";
            assert!(is_free || judge(&changed).is_err(), "{name} of {document}");
        }
    }
}

/// A form has no other version of its name, and each is described.
#[test]
fn each_schema_is_strict_and_says_where_it_is_described() {
    for (name, schema) in documents() {
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        assert_eq!(schema["additionalProperties"], json!(false), "{name}");
        let page = schema["description"].as_str().unwrap().rsplit_once(' ').unwrap().1;
        let text = crate::common::project_text(page);
        assert!(text.contains(&name), "{page} does not say what {name} is");
        for member in schema["properties"].as_object().unwrap().keys() {
            assert!(text.contains(&format!("`{member}`")), "{page} does not describe {member}");
        }
    }
}

/// What has one name has one type, whatever document it is in; only whether it can be null differs.
#[test]
fn a_member_is_the_same_in_every_document() {
    let mut types: BTreeMap<String, (String, Value)> = BTreeMap::new();
    for (name, schema) in documents() {
        for (member, of) in schema["properties"].as_object().unwrap() {
            // Words of their own: what a command, a pickle or an envelope can be.
            if ["schema", "verdict", "kind", "verified"].contains(&member.as_str()) {
                continue;
            }
            let of = plain(of);
            let (first, known) =
                types.entry(member.clone()).or_insert_with(|| (name.clone(), of.clone()));
            assert_eq!(*known, of, "{member} of {first} and of {name}");
        }
    }
}

/// A type, without what more can be said of its values, and without null.
fn plain(of: &Value) -> Value {
    if let Some(all) = of["anyOf"].as_array() {
        return plain(&all[0]);
    }
    match &of["type"] {
        Value::Null if of["const"].is_number() => json!(["integer"]),
        Value::Null if of["const"].is_boolean() => json!(["boolean"]),
        Value::Array(types) => {
            json!(types.iter().filter(|one| **one != "null").collect::<Vec<_>>())
        }
        Value::Null => json!(["string"]),
        one => json!([one]),
    }
}
