//! What was signed for one use is given to every other.

use serde_json::Value;

use crate::common::Person;

/// How each envelope is made, from the files `f` (content) and `job`.
const SOURCES: [(&str, &str); 15] = [
    ("data", "brine sign f"),
    ("several", "brine sign -k default -k other f"),
    (
        "batched",
        "(cat f; cat f) | brine sign --lines --batch 2 | head -n 1 | tr '_-' '/+' | base64 -d 2> none; true",
    ),
    ("stream", "yes | head -c 3000000 | brine sign"),
    ("segment", "yes | head -c 3000000 | brine sign | head -c 1000000"),
    ("detached", "brine sign -d -o - f"),
    ("digest", "brine sign -d -o - --segment-size 1KiB --hash sha256 big"),
    ("several-detached", "brine sign -d -o - -k default -k other f"),
    ("several-digest", "brine sign -d -o - --segment-size 1KiB -k default -k other big"),
    ("job", "brine sign --job job"),
    ("several-job", "brine sign --job -k default -k other job"),
    ("result", "cat result"),
    ("revocation", "brinekey revoke lost -o -"),
    ("rotation", "brinekey rotate other --to next -o -"),
    (
        "certificate",
        "brinekey issue other -k ca -n other --for 1h -o - | cut -d' ' -f2 | base64 -d",
    ),
];

/// How each use is typed, and which of the envelopes it takes.
const USES: [(&str, &str, &[&str]); 6] = [
    ("data", "brine verify --json ENVELOPE", &["data", "several", "batched", "stream"]),
    ("beside", "brine verify --json --signature ENVELOPE f", &["detached", "several-detached"]),
    ("digest", "brine verify --json --signature ENVELOPE big", &["digest", "several-digest"]),
    ("job", "brine run --json --explain ENVELOPE -- sh", &["job", "several-job"]),
    ("result", "brine verify --json --result-of job.brine ENVELOPE", &["result"]),
    (
        "statement",
        "brinekey trust update --json --expect $(cat next) ENVELOPE",
        &["revocation", "rotation"],
    ),
];

#[test]
fn every_envelope_is_for_one_use() {
    let person = Person::with_key();
    person.write("f", "content\n");
    person.write("big", vec![7; 5000]);
    person.write("job", "echo ran\n");
    for line in [
        "brinekey gen other --no-passphrase && brinekey ca ca --no-passphrase",
        "brinekey gen lost --no-passphrase && brinekey gen next --no-trust --no-passphrase",
        "brinekey show next | sed -n 's/^fingerprint //p' > next",
        "brine sign --job job > job.brine && brine run --sign-result default job.brine -- sh > result",
    ] {
        person.shell(line).assert().success();
    }
    for (name, line) in SOURCES {
        person.shell(&format!("({line}) > {name}.envelope")).assert().success();
    }
    let mut refused = 0;
    for (name, _) in SOURCES {
        for (used, line, takes) in USES {
            let line = line.replace("ENVELOPE", &format!("./{name}.envelope"));
            let output = person.shell(&line).output().unwrap();
            let what = format!("{name} as {used}: {}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(output.status.success(), takes.contains(&name), "{what}");
            if output.status.success() {
                continue;
            }
            // What became of each statement comes before the verdict.
            let last = output.stdout.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
            let is_key_verb = line.starts_with("brinekey");
            let verdict = if is_key_verb { last.unwrap() } else { &output.stderr };
            let verdict: Value = serde_json::from_slice(verdict).unwrap();
            let reason = verdict["reason"].as_str().unwrap();
            // What a stream was verified of is released; what it was cut in is not.
            let released = output.stdout.is_empty() || (name, used) == ("segment", "data");
            // A plan is shown without what it would run.
            assert!(released || used == "job" || is_key_verb, "{what}");
            assert!(!["io", "usage"].contains(&reason), "{what}");
            refused += 1;
        }
    }
    assert_eq!(refused, SOURCES.len() * USES.len() - 13);
}
