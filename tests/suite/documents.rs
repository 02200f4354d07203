//! What the documents say is true. The crate brine-core holds SPEC.md to what it says of envelopes.

use brine::cli::exit::Status;
use brine::job::policy::Question;
use brine::job::{Grants, Policy};
use brine::{Request, Sign1, Signer, Trust, sign_job, verify_job};
use brine_testkit::{annotated, assert_spec_examples, known_key, spec_example};

use crate::common::{now, project, project_text};

/// What a job asks for, in the order in which it is shown.
const ASKED: [&str; 5] = ["run=python3", "arg=-I", "arg=-", "read=data/in", "wall=5s"];

fn job() -> Vec<u8> {
    let grants = Grants::collect(ASKED.map(|grant| grant.parse().unwrap())).unwrap();
    sign_job(&known_key(), b"print(1)", &greeting(), &grants).to_bytes()
}

#[test]
fn the_example_job_of_the_spec_is_what_brine_writes() {
    let job_fields = [
        (4, "tag 18, array of 4, protected header: byte string of 169"),
        (1, "map of 6"),
        (2, "1 (alg): -8 (EdDSA)"),
        (8, "2 (crit): [16, -70005]"),
        (35, "4 (kid): key id"),
        (37, "15 (CWT Claims): aud, iat and cti as above"),
        (33, "16 (typ): \"application/vnd.brine.job+cose\""),
        (5, "-70005 (grants)"),
        (1, "map of 5"),
        (3, "\"v\": 1"),
        (10, "\"arg\": [\"-I\", \"-\"]"),
        (12, "\"run\": \"python3\""),
        (14, "\"read\": [\"data/in\"]"),
        (8, "\"wall\": 5000"),
        (1, "unprotected header: empty map"),
        (9, "payload: \"print(1)\""),
        (66, "signature: 64 bytes"),
    ];
    assert_spec_examples(&[("job", annotated(&job(), &job_fields))]);
}

#[test]
fn the_example_job_of_the_spec_verifies_and_asks_for_what_it_says() {
    let envelope = spec_example("job");
    let trust = Trust::new(vec![Signer::new("k", known_key().verifying_key().clone())]);
    let later = now().plus(std::time::Duration::from_secs(100 * 86_400));
    let request = Request { context: Some("greetings"), ..Request::at(later) };
    let sign1 = Sign1::parse(&envelope, Default::default()).unwrap();
    let (verified, grants) = verify_job(&sign1, &request, &trust).unwrap();
    assert_eq!(verified.payload(), b"print(1)");
    assert_eq!(grants.iter().map(|grant| grant.to_string()).collect::<Vec<_>>(), ASKED);
}

/// The policy of docs/policy.md is one, and the job beside it gets what the page says.
#[test]
fn the_example_policy_is_one() {
    let page = project_text("docs/policy.md");
    let (_, rest) = page.split_once("<!-- example: policy -->\n```toml\n").unwrap();
    let (text, rest) = rest.split_once("```\n<!-- end -->").unwrap();
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let asked = rest.split("--grant ").skip(1);
    let asked: Vec<_> = asked.map(|word| word.split_whitespace().next().unwrap()).collect();
    assert_eq!(asked, ["run=python3", "arg=-I", "arg=-", "read=data/in", "wall=10m"]);
    let grants = Grants::collect(asked.iter().map(|grant| grant.parse().unwrap())).unwrap();
    let question = Question {
        signer: "alice",
        context: Some("jobs/nightly"),
        content_type: Some("text/x-python"),
        system: &Default::default(),
    };
    let plan = policy.plan(&question, &grants, None).unwrap();
    let opening = plan.openings.first().unwrap();
    for path in [&opening.source, &opening.target] {
        assert!(rest.contains(&format!("`{}`", path.display())), "{path:?}");
    }
    assert_eq!((plan.limits.wall.as_secs(), plan.limits.memory), (600, 512 << 20));
    for limit in brine::job::Limit::ALL {
        let row = format!("| `{}` | ", limit.name());
        let value = limit.show(limit.default_value());
        let row = page.lines().find(|line| line.starts_with(&row)).unwrap();
        assert!(row.ends_with(&format!("| {value} |")), "{row}: {value}");
    }
}

/// README and code have the same statuses.
#[test]
fn the_table_of_statuses_is_complete() {
    let readme = project_text("README.md");
    for (status, _) in Status::TABLE {
        assert!(readme.contains(&format!("\n| {} | ", status.code())), "{status:?}");
    }
}

/// The commands that README shows are commands that there are.
#[test]
fn the_set_up_commands_of_the_readme_exist() {
    let readme = project_text("README.md");
    for script in ["scripts/demo", "scripts/test"] {
        assert!(readme.contains(script) && project(script).exists(), "{script}");
    }
}
