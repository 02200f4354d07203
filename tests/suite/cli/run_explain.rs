//! `brine run --explain`: everything that refuses a job, with its reason and what to do.

use std::fs;
use std::process::Output;

use serde_json::{Value, json};

use crate::common::Person;

const POLICY: &str = "\
[[allow]]
signers = [\"default\"]
ports = [443]
formats = [\"json\"]
limits = { wall = \"2m\" }
read = { data = \"DATA\" }
interpreters.sh = { path = \"/bin/sh\", arguments = [[], [\"-e\", \"{}\"]] }
";

/// A job that asks for `grants`, and a policy with a directory that jobs may read.
fn person(grants: &[&str]) -> Person {
    let person = Person::with_key();
    fs::create_dir(person.path("data")).unwrap();
    let data = person.path("data").canonicalize().unwrap();
    person.write("policy.toml", POLICY.replace("DATA", data.to_str().unwrap()));
    let mut command = person.brine(["sign", "--job", "-o", "job"]);
    for grant in grants {
        command.args(["--grant", grant]);
    }
    command.write_stdin("echo '[1]'").assert().success();
    person
}

fn explain(person: &Person, arguments: &[&str]) -> Output {
    person.brine(["run", "job", "--explain"]).args(arguments).output().unwrap()
}

/// The verdict, of which the first refusal is the one that would end a run.
fn verdict(person: &Person, arguments: &[&str]) -> Value {
    let output = explain(person, &[&["--json"], arguments].concat());
    let verdict: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(output.status.code().map(i64::from), verdict["status"].as_i64(), "{verdict}");
    if let Some(first) = verdict["refusals"].get(0) {
        for member in ["status", "reason", "message", "hint"] {
            assert_eq!(verdict[member], first[member], "{verdict}");
        }
        assert!(verdict.get("signer").is_none(), "{verdict}");
    }
    verdict
}

fn reasons(verdict: &Value) -> Vec<&str> {
    let refusals = verdict["refusals"].as_array().unwrap();
    refusals.iter().map(|one| one["reason"].as_str().unwrap()).collect()
}

#[test]
fn a_plan_that_nothing_refuses_is_shown_and_well() {
    let person = person(&["run=sh", "read=data", "wall=1m"]);
    let output = explain(&person, &["--policy", "policy.toml"]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let found = verdict(&person, &["--policy", "policy.toml"]);
    assert_eq!(
        (&found["refusals"], &found["cuts"], &found["losses"]),
        (&json!([]), &json!([]), &json!([]))
    );
    assert_eq!((&found["verdict"], &found["signer"]), (&json!("verified"), &json!("default")));
}

#[test]
fn everything_that_the_policy_refuses_is_said_at_once() {
    let grants = [
        "run=sh",
        "arg=-c",
        "env=LANG",
        "read=secret",
        "write=data",
        "tcp=80",
        "tcp=443",
        "format=cbor",
    ];
    let person = person(&grants);
    let arguments = ["--policy", "policy.toml"];
    let output = explain(&person, &arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(5), 0), "{stderr}");
    for said in [
        "error: the policy does not allow sh with arguments [\"-c\"]\n",
        "hint: a list of these arguments below interpreters.sh.arguments in the entry",
        "error: the policy does not allow \"env=LANG\"\n",
        "hint: environment = { LANG = \"VALUE\" } in the entry",
        "error: the policy does not allow \"read=secret\"\n",
        "hint: read = { secret = \"/PATH\" } in the entry",
        "error: the policy does not allow \"write=data\"\n",
        "hint: write = { data = \"/PATH\" } in the entry",
        "error: the policy does not allow \"tcp=80\"\n",
        "hint: ports = [80] in the entry",
        "error: the policy does not allow \"format=cbor\"\n",
        "hint: formats = [\"cbor\"] in the entry",
    ] {
        assert!(stderr.contains(said), "{said:?} is not in\n{stderr}");
    }
    assert!(!stderr.contains("443"), "{stderr}");
    let found = verdict(&person, &arguments);
    let expected = [&["grant-arguments"][..], &["grant-not-allowed"; 5]].concat();
    assert_eq!(reasons(&found), expected, "{found}");
    // A run ends with the first of them.
    let run = person.brine(["run", "job", "--json"]).args(arguments).output().unwrap();
    let run: Value = serde_json::from_slice(&run.stderr).unwrap();
    for member in ["status", "reason", "message", "hint", "verdict"] {
        assert_eq!(run[member], found[member]);
    }
    assert!(run.get("refusals").is_none(), "{run}");
}

/// One input each that breaks one thing: what is said is what a run says.
#[test]
fn each_refusal_is_the_one_of_a_run() {
    for (grants, arguments, reason) in [
        (&["run=sh", "tcp=80"][..], &[][..], "grant-not-allowed"),
        (&["run=python3"], &[], "grant-not-allowed"),
        (&["run=sh", "arg=-x"], &[], "grant-arguments"),
        (&["run=sh"], &["--", "sh"], "grant-with-command"),
        (&[], &[], "no-program"),
        (&[], &["--", "no-such-program"], "program-not-found"),
        (&[], &["--", "./data"], "not-executable"),
        (&["run=sh"], &["--format", "cbor"], "format-mismatch"),
        (&["run=sh", "read=data/none"], &[], "opening"),
        (&["run=sh"], &["--input", "none"], "io"),
        (&["run=sh"], &["--input", "policy.toml"], "usage"),
        (&["run=sh"], &["--collect", "data"], "exists"),
        (&["run=sh"], &["--collect", "a", "--collect", "a/b"], "usage"),
        (&["run=sh"], &["--collect", "a", "--without", "namespaces"], "usage"),
    ] {
        let person = person(grants);
        let arguments = [&["--policy", "policy.toml"], arguments].concat();
        let found = verdict(&person, &arguments);
        assert!(reasons(&found).contains(&reason), "{grants:?} {arguments:?}: {found}");
        let run = person.brine(["run", "job", "--json"]).args(&arguments).output().unwrap();
        let run: Value = serde_json::from_slice(&run.stderr).unwrap();
        assert_eq!(run["reason"], found["reason"], "{arguments:?}: {run} {found}");
        assert_eq!(run["status"], found["status"], "{arguments:?}: {run} {found}");
    }
}

/// What the policy, the command line and the system refuse stands in one list, in the order of a run.
#[test]
fn refusals_of_all_kinds_are_said_together() {
    let person = person(&["run=sh", "read=data/none", "tcp=80"]);
    let arguments =
        ["--policy", "policy.toml", "--collect", "data", "--input", "none", "--format", "cbor"];
    let found = verdict(&person, &arguments);
    let expected = ["exists", "grant-not-allowed", "format-mismatch", "usage", "io", "opening"];
    assert_eq!(reasons(&found), expected, "{found}");
    assert_eq!(person.files(), ["data", "job", "policy.toml"]);
}

#[test]
fn a_limit_that_is_cut_is_said_with_who_cuts_it() {
    let person = person(&["run=sh", "wall=5m", "memory=2GiB", "cpu=10s"]);
    let arguments = ["--policy", "policy.toml", "--limit", "cpu=1s", "--limit", "files=9"];
    let output = explain(&person, &arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    for said in [
        "warning: cpu: the job asks for 10s, and gets 1s by --limit\n",
        "warning: memory: the job asks for 2GiB, and gets 1GiB, the most that the policy allows; \
         limits = { memory = \"2GiB\" } in its entry allows it\n",
        "warning: wall: the job asks for 5m, and gets 2m, the most that the policy allows",
    ] {
        assert!(stderr.contains(said), "{said:?} is not in\n{stderr}");
    }
    assert!(!stderr.contains("files"), "{stderr}");
    let found = verdict(&person, &arguments);
    let cpu = json!({"limit": "cpu", "requested": 10_000, "granted": 1000, "by": "command-line"});
    assert_eq!(found["cuts"].as_array().unwrap().len(), 3, "{found}");
    assert_eq!(found["cuts"][0], cpu);
    assert_eq!(found["cuts"][1]["by"], "policy");
}

#[test]
fn a_layer_that_is_left_out_is_said_with_what_is_lost() {
    let person = person(&["run=sh"]);
    let arguments = ["--policy", "policy.toml", "--without", "seccomp"];
    let output = explain(&person, &arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    let said = "warning: without seccomp, the job can make every system call that the kernel has\n";
    assert!(output.status.success() && stderr.contains(said), "{stderr}");
    let found = verdict(&person, &arguments);
    assert_eq!(
        (&found["losses"][0]["layer"], &found["losses"][0]["waived"]),
        (&json!("seccomp"), &json!(true))
    );
}

#[cfg(not(feature = "json-schema"))]
#[test]
fn a_type_of_output_that_is_not_built_in_is_refused_with_the_rest() {
    let person = person(&["run=sh", "tcp=80"]);
    person.write("schema.json", "{}");
    let arguments = ["--policy", "policy.toml", "--format", "json-schema=schema.json"];
    let found = verdict(&person, &arguments);
    assert_eq!(reasons(&found), ["grant-not-allowed", "json-schema-absent"], "{found}");
}

/// Nothing that a job says is looked at before it verifies.
#[test]
fn what_does_not_verify_is_not_explained() {
    let person = person(&["run=sh", "tcp=80"]);
    let mut altered = person.read("job");
    *altered.last_mut().unwrap() ^= 1;
    person.write("job", altered);
    let found = verdict(&person, &["--policy", "policy.toml"]);
    assert_eq!(found["reason"], "signature-bad");
    assert!(found.get("refusals").is_none(), "{found}");
}
