//! Runs `fixtures/vectors` through the programs: one file a rule. The crates brine-core and brine-job run them
//! through the library.

use brine_core::Kind;
use brine_testkit::{Vector, all_vectors, vectors};

use crate::common::Person;

/// What `brine verify` releases, and how it ends; of a job `brine run`, which shows what would hold.
fn through_program(vector: &Vector, person: &Person) -> (Vec<u8>, String) {
    let mut command = if vector.is_job() {
        person.brine(["run", "--json", "--explain"])
    } else {
        person.brine(["verify", "--json"])
    };
    for key in &vector.keys {
        command.args(["-p", key]);
    }
    if let Some(trust) = vector.bytes("trust") {
        person.write("trust", trust);
        command.args(["--trust", "trust"]);
        match vector.bytes("statements") {
            Some(kept) => person.write("trust.statements", kept),
            None => person.remove("trust.statements"),
        }
    } else if vector.keys.is_empty() {
        person.write("nobody", "");
        command.args(["--trust", "nobody"]);
    }
    if let Some(list) = vector.bytes("revoked") {
        person.write("revoked", list);
        command.args(["--revoked", "revoked"]);
    }
    for name in ["context", "typ", "now", "signer", "try-keys"] {
        if let Some(value) = vector.option(name) {
            command.args([&format!("--{name}"), value]);
        }
    }
    if let Some(seconds) = vector.option("max-age") {
        command.args(["--max-age", &format!("{seconds}s")]);
    }
    if let Some(job) = vector.result_of() {
        person.write("job", job);
        command.args(["--result-of", "job"]);
    }
    command.args(vector.flags().map(|flag| format!("--{flag}")));
    if let Some(aad) = vector.bytes("aad") {
        person.write("aad", aad);
        command.args(["--aad", "aad"]);
    }
    if let Some(policy) = vector.bytes("policy") {
        person.write("policy", policy);
        command.args(["--policy", "policy"]);
    }
    if let Some(name) = vector.option("command") {
        command.args(["--", name]);
    }
    match vector.bytes("detached") {
        Some(payload) => {
            person.write("envelope", &vector.envelope);
            command.args(["--signature", "envelope"]).write_stdin(payload);
        }
        None => drop(command.write_stdin(vector.envelope.clone())),
    }
    let output = command.output().unwrap();
    if vector.option("typ").is_some_and(Kind::is_reserved_typ) {
        // The program does not even ask: `--typ` cannot name a type of brine's own.
        assert_eq!(output.status.code(), Some(2), "{}: {output:?}", vector.name);
        assert!(output.stdout.is_empty(), "{}: {output:?}", vector.name);
        return (Vec::new(), vector.expect.clone());
    }
    let verdict: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap_or_else(|_| {
        panic!("{}: {:?}", vector.name, String::from_utf8_lossy(&output.stderr))
    });
    if vector.is_job() && verdict["reason"] == "power-absent" {
        // The policy allows it, and nobody here gives it.
        assert!(output.stdout.is_empty(), "{}: {output:?}", vector.name);
        return (Vec::new(), "ok".to_owned());
    }
    if vector.is_job() && is_of_this_system(&verdict) {
        // The policy allows it, and what it names does not exist here.
        let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(plan["plan_digest"], verdict["plan_digest"], "{}", vector.name);
        return (Vec::new(), "ok".to_owned());
    }
    let status = verdict["status"].as_i64().unwrap();
    assert_eq!(output.status.code().map(i64::from), Some(status), "{}", vector.name);
    if verdict["reason"] == "file-missing" {
        // The program says what is missing before it judges what it cannot use.
        let unusable = ["payload-detached", "wrong-kind"];
        assert!(unusable.contains(&vector.expect.as_str()), "{}: {verdict}", vector.name);
        assert!(status == 2 && output.stdout.is_empty(), "{}: {verdict}", vector.name);
        return (Vec::new(), vector.expect.clone());
    }
    // The program ends as the job did.
    let is_good = status == 0 || verdict["result"]["status"] == status;
    // A list of revoked keys that cannot be read says nothing of the envelope.
    let is_about_list =
        vector.expect.starts_with("krl-") || vector.name.starts_with("statement-kept-");
    let refused = if is_about_list { "failed" } else { "refused" };
    let expected = if is_good { "verified" } else { refused };
    assert_eq!(verdict["verdict"], expected, "{}: {verdict}", vector.name);
    let mut released = output.stdout;
    if vector.bytes("detached").is_some() {
        assert_eq!(
            released,
            if status == 0 { &b"standard input: OK\n"[..] } else { b"" },
            "{}",
            vector.name
        );
        released.clear();
    }
    if vector.is_job() && status == 0 {
        let plan: serde_json::Value = serde_json::from_slice(&released).unwrap();
        assert_eq!(plan["plan_digest"], verdict["plan_digest"], "{}", vector.name);
        released.clear();
    }
    (released, verdict["reason"].as_str().unwrap_or("ok").to_owned())
}

/// Returns whether nothing but this system refuses a job.
fn is_of_this_system(verdict: &serde_json::Value) -> bool {
    let reasons = ["confinement", "not-executable", "not-found", "opening", "other-program"];
    reasons.iter().any(|reason| verdict["reason"] == *reason)
}

#[test]
fn the_program_judges_every_vector() {
    let person = Person::new();
    // What is taken changes a trust file: the crate brine-trust judges it.
    for vector in all_vectors().into_iter().filter(|vector| !vector.is_taken()) {
        let (released, reason) = through_program(&vector, &person);
        vector.judge(&released, &reason);
    }
}

/// What is released must not depend on how much arrives at once.
#[test]
fn a_vector_that_arrives_byte_by_byte_is_judged_the_same() {
    let person = Person::new();
    for vector in vectors().iter().filter(|vector| {
        ["ok-embedded", "cut-short"].iter().any(|name| vector.name.starts_with(name))
    }) {
        person.write("envelope", &vector.envelope);
        person.write("key.pub", &vector.keys[0]);
        let now = vector.option("now").unwrap();
        let line = format!(
            "perl -e '$|=1; print while read STDIN, $_, 1' < envelope | brine verify -p ./key.pub --now {now}"
        );
        let output = person.shell(&line).output().unwrap();
        assert_eq!(output.status.success(), vector.expect == "ok", "{output:?}");
        vector.judge(&output.stdout, &vector.expect);
    }
}
