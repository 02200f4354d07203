//! What the documents say is true. The crate brine-core holds SPEC.md to what it says of envelopes.

use std::fs;

use brine_cli::args::brine::Brine;
use brine_cli::report::exit::Status;
use brine_job::{Grants, Policy, PolicyQuestion};
use clap::{Command, CommandFactory as _};

use crate::common::{Person, project, project_text};

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

/// The page names every call that is refused or ends a job, as the lists of the sandbox have them.
#[test]
fn the_page_has_every_call_that_no_job_may_make() {
    let page = project_text("docs/policy.md");
    let (_, section) = page.split_once("## Calls that a job may not make\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let code = project_text("crates/sandbox/src/seccomp/calls.rs");
    for (list, answer) in [
        ("HOSTILE", "the job ends"),
        ("HOSTILE_BY_ARGUMENT", "the job ends"),
        ("REFUSED", "`EPERM`, \"Operation not permitted\""),
        ("SOCKETS", "`EPERM`, depending on the plan"),
    ] {
        let (_, items) = code.split_once(&format!("const {list}:")).unwrap();
        let (items, _) = items.split_once("];").unwrap();
        let named = items.split("SYS_").skip(1).map(|rest| {
            rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap()
        });
        let row = section.lines().find(|line| line.starts_with(&format!("| {answer}"))).unwrap();
        for call in named {
            assert!(row.contains(&format!("`{call}`")), "{call} is not in the row {answer:?}");
        }
    }
}

/// The trust file of docs/trust.md is one.
#[test]
fn the_example_trust_file_is_one() {
    let page = project_text("docs/trust.md");
    let (_, rest) = page.split_once("<!-- example: trust -->\n```toml\n").unwrap();
    let (text, _) = rest.split_once("```\n<!-- end -->").unwrap();
    let trust = brine_trust::Trust::parse(text.as_bytes(), &|| brine_trust::TimeZone::UTC).unwrap();
    let names: Vec<_> = trust.entries().iter().map(brine_trust::TrustEntry::name).collect();
    assert_eq!(names, ["alice", "bob"]);
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

/// The examples of a command and of its verbs.
fn examples(command: &Command) -> Vec<String> {
    let own = command.get_after_long_help().map(ToString::to_string);
    let of_verbs = command.get_subcommands().flat_map(examples);
    own.into_iter().chain(of_verbs).collect()
}

/// Returns whether a line gives the output of brine to another command, which ends the pipe.
fn goes_on_after_brine(line: &str) -> bool {
    let verbs = ["brine verify", "brine sign", "brine run"];
    let after = verbs.iter().filter_map(|verb| line.split_once(verb)).map(|(_, after)| after);
    !line.starts_with('|') && after.into_iter().any(|after| after.contains(" | "))
}

/// The paragraphs of a text. A script between fences is one of them, whatever blank lines it has.
fn passages(text: &str) -> Vec<String> {
    let mut passages = vec![String::new()];
    let mut is_script = false;
    for line in text.lines() {
        is_script ^= line.starts_with("```");
        match passages.last_mut() {
            Some(passage) if is_script || !line.is_empty() => *passage += &format!("{line}\n"),
            _ => passages.push(String::new()),
        }
    }
    passages
}

/// A shell says how the last command of a pipe ended, and not that brine refused.
#[test]
fn every_pipe_that_goes_on_after_brine_is_told_to_fail() {
    let pages = fs::read_dir(project("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|suffix| suffix == "md"));
    let pages = pages.map(|path| project_text(path.to_str().unwrap()));
    let pages = pages.chain([project_text("README.md"), project_text("SECURITY.md")]);
    let mut command = Brine::command();
    command.build();
    let mut pipes = 0;
    for page in pages.chain(examples(&command)) {
        for passage in passages(&page).iter().filter(|text| text.lines().any(goes_on_after_brine)) {
            pipes += 1;
            let is_told =
                ["set -o pipefail", "set -eu -o pipefail"].map(|told| passage.contains(told));
            assert!(is_told.contains(&true), "{passage}");
        }
    }
    assert!(pipes > 8, "{pipes}");
}

/// The job of README.md gets a plan by the policy before it, as both stand there.
#[test]
fn the_job_of_the_readme_is_planned_by_its_policy() {
    let readme = project_text("README.md");
    let (_, section) = readme.split_once("### Signed jobs\n").unwrap();
    let (section, _) = section.split_once("\n### ").unwrap();
    let (policy, commands): (Vec<_>, Vec<_>) = section
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .partition(|line| line.starts_with('[') || (line.contains(" = ") && !line.contains("--")));
    let person = Person::with_key();
    // Its data is not on this machine.
    std::fs::create_dir(person.path("data")).unwrap();
    let data = person.path("data").canonicalize().unwrap();
    let policy = policy.join("\n").replace("/srv/jobs/data", data.to_str().unwrap());
    person.write("policy.toml", policy);
    person.write("work.py", "print(1)\n");
    let (last, commands) = commands.split_last().unwrap();
    assert!(last.starts_with("brine run --policy policy.toml work.job"), "{last}");
    let output = person.shell(&commands.join("\n")).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let plan = String::from_utf8(output.stdout).unwrap();
    let read = format!("read         {} as /job/files/data\n", data.display());
    for line in [read.as_str(), "wall         5m\n"] {
        assert!(plan.contains(line), "{plan}");
    }
}
