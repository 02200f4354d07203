//! What the documents say is true. The crate brine-core holds SPEC.md to what it says of envelopes.

use brine_cli::report::exit::Status;
use brine_job::{Grants, Policy, PolicyQuestion};

use crate::common::{project, project_text};

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
    let question = PolicyQuestion {
        signer: "alice",
        context: Some("jobs/nightly"),
        content_type: Some("text/x-python"),
        system: &Default::default(),
    };
    let permit = policy.plan(&question, &grants, None).unwrap();
    let plan = permit.plan.parts();
    let granted = plan.granted_paths.first().unwrap();
    for path in [&granted.source, &granted.target] {
        assert!(rest.contains(&format!("`{}`", path.display())), "{path:?}");
    }
    assert_eq!((plan.limits.wall.as_secs(), plan.limits.memory), (600, 512 << 20));
    for limit in brine_job::Limit::ALL {
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
