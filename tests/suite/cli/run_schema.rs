//! `brine run --format json-schema=FILE`: output is what the operator's schema describes, or stays inside. Without the
//! feature `json-schema`, nothing runs that would have to be held to one.

use serde_json::Value;

use crate::common::Person;

const SCHEMA: &str = r#"{ "type": "object", "properties": { "count": { "type": "integer" } } }"#;

/// Somebody with a schema, a policy and a job whose script is this.
fn with_job(script: &str, grants: &str) -> Person {
    let person = Person::with_key();
    person.write("script", script);
    person.write("schema.json", SCHEMA);
    let policy = |schema: &str| {
        format!(
            "[[allow]]\nsigners = [\"default\"]\nformats = [\"json\", \"utf8\"]\n\
             json-schema = {:?}\n",
            person.path(schema)
        )
    };
    person.write("policy.toml", policy("schema.json"));
    let line = format!("brine sign --job {grants} script -o job");
    let signed = person.shell(&line).output().unwrap();
    assert!(signed.status.success(), "{signed:?}");
    person
}

/// Types a line, and returns its standard output, its status, and the verdict.
fn typed(person: &Person, line: &str) -> (String, i32, Value) {
    let output = person.shell(line).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let verdict = serde_json::from_str(text.lines().last().unwrap_or_default());
    let verdict = verdict.unwrap_or_else(|_| panic!("{line}: {output:?}"));
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap(), verdict)
}

#[cfg(not(feature = "json-schema"))]
#[test]
fn a_schema_is_refused_where_nothing_can_check_it() {
    for (grants, line) in LINES {
        let person = with_job("echo '{}'", grants);
        let (output, status, verdict) = typed(&person, line);
        assert_eq!((output.as_str(), status), ("", 3), "{verdict}");
        assert_eq!(verdict["reason"], "json-schema-absent");
        assert!(
            verdict["message"].as_str().unwrap().contains("the feature json-schema"),
            "{verdict}"
        );
    }
}

/// From the command line, and from the policy; for a job that declares JSON, and one that declares nothing.
const LINES: [(&str, &str); 3] = [
    ("", "brine run --json --format json-schema=schema.json job -- sh"),
    ("", "brine run --json --policy ./policy.toml job -- sh"),
    ("--grant format=json", "brine run --json --policy ./policy.toml job -- sh"),
];

#[cfg(feature = "json-schema")]
mod checked {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::common::assert_refused;

    #[test]
    fn output_that_matches_is_released_and_no_other() {
        for (grants, line) in LINES {
            let good = with_job("echo '{ \"count\": 1, \"b\": 2 }'", grants);
            let (output, status, verdict) = typed(&good, line);
            assert_eq!((output.as_str(), status), ("{ \"count\": 1, \"b\": 2 }\n", 0), "{verdict}");
            for (script, reason, message) in [
                (
                    "echo '{ \"count\": \"1\" }'",
                    "output-breaks-schema",
                    "output breaks the schema: type at \"/count\"",
                ),
                ("echo '[]'", "output-breaks-schema", "output breaks the schema: type at \"\""),
                ("echo '{ \"count\": 1, \"count\": 1 }'", "output-not-json", "output is not JSON"),
            ] {
                let bad = with_job(script, grants);
                let (output, status, verdict) = typed(&bad, line);
                assert_eq!((output.as_str(), status), ("", 123));
                assert_eq!(verdict["outcome"], "invalid-output");
                assert_eq!(verdict["output_error"]["reason"], reason);
                let said = verdict["output_error"]["message"].as_str().unwrap();
                assert!(said.starts_with(message), "{said}");
            }
        }
    }

    /// It holds JSON to something, and no other format.
    #[test]
    fn a_schema_goes_with_json_alone() {
        let person = with_job("echo text", "--grant format=utf8");
        let (output, status, _) =
            typed(&person, "brine run --json --policy ./policy.toml job -- sh");
        assert_eq!((output.as_str(), status), ("text\n", 0));
        let line = "brine run --policy ./policy.toml --format json-schema=schema.json job -- sh";
        let said = "the job declares its output as utf8, not json-schema";
        assert_refused(&person.shell(line).output().unwrap(), 5, said);
        let person = with_job("echo 1", "");
        person.write("other.json", "{}");
        let line = "brine run --policy ./policy.toml --format json-schema=other.json job -- sh";
        let said = "the job declares its output as another json-schema, not json-schema";
        assert_refused(&person.shell(line).output().unwrap(), 5, said);
    }

    #[test]
    fn a_schema_that_is_none_is_refused_before_anything_runs() {
        for (schema, reason) in [
            ("{", "json-schema-form"),
            ("{ \"type\": 1 }", "json-schema-form"),
            ("{ \"$ref\": \"http://127.0.0.1:1/a\" }", "json-schema-reference"),
            ("{ \"$ref\": \"file:///etc/passwd\" }", "json-schema-reference"),
            ("{ \"$schema\": \"http://json-schema.org/draft-04/schema#\" }", "json-schema-draft"),
        ] {
            for (grants, line) in LINES {
                let person = with_job("touch ran; echo '{}'", grants);
                person.write("schema.json", schema);
                let (_, status, verdict) = typed(&person, line);
                assert_eq!((status, &verdict["reason"]), (6, &reason.into()), "{verdict}");
            }
            let person = with_job("", "");
            person.write("schema.json", schema);
            let output = person.shell("brine policy check ./policy.toml").output().unwrap();
            assert_refused(&output, 6, "json-schema: ");
        }
        let person = with_job("echo '{}'", "");
        assert!(
            person.shell("brine policy check ./policy.toml").output().unwrap().status.success()
        );
        std::fs::remove_file(person.path("schema.json")).unwrap();
        for (_, line) in LINES {
            assert_ne!(typed(&person, line).1, 0);
        }
        let output = person.shell("brine policy check ./policy.toml").output().unwrap();
        assert_refused(&output, 6, "json-schema: ");
    }

    /// What is released by it must not be for others, or jobs, to decide.
    #[test]
    fn a_schema_is_a_file_that_decides() {
        for (grants, line) in LINES {
            let person = with_job("echo '{}'", grants);
            let everybody = std::fs::Permissions::from_mode(0o666);
            std::fs::set_permissions(person.path("schema.json"), everybody).unwrap();
            assert_eq!(typed(&person, line).1, 6, "{line}");
        }
        let person = with_job("echo '{}'", "");
        let schema = person.path("schema.json");
        let work = schema.parent().unwrap();
        person.write(
            "policy.toml",
            format!("[[allow]]\nsigners = [\"default\"]\nwrite.work = {work:?}\n"),
        );
        std::fs::create_dir(person.home_path("policies")).unwrap();
        std::fs::rename(person.path("policy.toml"), person.home_path("policies/p.toml")).unwrap();
        let line = "brine run --policy \"$BRINE_HOME/policies/p.toml\" --format json-schema=schema.json job -- sh";
        assert_refused(
            &person.shell(line).output().unwrap(),
            6,
            "where the policy lets jobs write",
        );
    }

    #[test]
    fn the_plan_names_the_schema_by_its_digest() {
        let person = with_job("", "");
        let line = "brine run --explain --json --format json-schema=schema.json job -- sh 2> /dev/null; \
         sha256sum schema.json | cut -c1-64";
        let output = String::from_utf8(person.shell(line).output().unwrap().stdout).unwrap();
        let (plan, digest) = output.split_once('\n').unwrap();
        let plan: Value = serde_json::from_str(plan).unwrap();
        assert_eq!(plan["format"], format!("json-schema:{}", digest.trim()));
    }
}
