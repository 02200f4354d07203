//! `brine run`: everything before a command is started, and what refuses it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use crate::common::{Person, assert_mistyped, assert_refused, project_text};

const POLICY: &str = "\
[[allow]]
signers = [\"default\"]
contexts = [\"jobs/*\"]
ports = [443]
formats = [\"json\", \"bytes\"]
environment = { LANG = \"C.UTF-8\" }
limits = { wall = \"5m\", memory = \"256MiB\" }
read = { data = \"/srv/data\" }
write = { work = \"/srv/work\" }
interpreters.sh = { path = \"/bin/sh\", arguments = [[], [\"-e\", \"{}\"]] }
";

/// A job for `jobs/a`, and a policy beside it.
fn person(grants: &[&str]) -> Person {
    let person = Person::with_key();
    person.write("policy.toml", POLICY);
    sign(&person, grants, "jobs/a");
    person
}

fn sign(person: &Person, grants: &[&str], context: &str) {
    let mut command = person.brine(["sign", "--job", "-o", "job", "--context", context]);
    for grant in grants {
        command.args(["--grant", grant]);
    }
    command.write_stdin("echo hello").assert().success();
}

fn run<const N: usize>(person: &Person, arguments: [&str; N]) -> Output {
    let mut command = person.brine(["run", "job", "--context", "jobs/a"]);
    command.args(arguments).output().unwrap()
}

/// Of an explanation, which goes on after a refusal.
#[track_caller]
fn assert_explained(output: &Output, status: i32, said: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(status), 0), "{stderr}");
    assert!(stderr.contains(said), "{stderr:?} does not say {said:?}");
}

/// The plan that is shown, as JSON.
fn explained<const N: usize>(person: &Person, arguments: [&str; N]) -> serde_json::Value {
    let mut command = person.brine(["run", "job", "--context", "jobs/a", "--explain", "--json"]);
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_job_is_explained_and_not_run() {
    let person = person(&["run=sh", "arg=-e", "arg={}", "read=data/in", "wall=10m", "tcp=443"]);
    fs::create_dir_all(person.path("data/in")).unwrap();
    let data = person.path("data").canonicalize().unwrap();
    let data = data.to_str().unwrap();
    person.write("policy.toml", POLICY.replace("/srv/data", data));
    let output = run(&person, ["--explain", "--policy", "policy.toml", "--limit", "cpu=1s"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "signed by    default\n",
        "program      /bin/sh\n",
        "argument     -e\nargument     {}\n",
        "payload      /job/payload\n",
        "environment  HOME=/job/work\n",
        &format!("read         {data}/in as /job/files/data/in\n"),
        "tcp          443\n",
        "wall         5m\n",
        "cpu          1s\n",
        "memory       256MiB\n",
        "format       json\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    let plan = explained(&person, ["--policy", "policy.toml", "--limit", "cpu=1s"]);
    assert_eq!(plan["limits"]["wall"], 300_000);
    assert_eq!(plan["program"], "/bin/sh");
    let digest = plan["plan_digest"].as_str().unwrap();
    assert!(text.ends_with(&format!("plan         {digest}\n")), "{text}");
    let other = explained(&person, ["--policy", "policy.toml", "--limit", "cpu=2s"]);
    assert_ne!(other["plan_digest"], plan["plan_digest"]);
    let waived = explained(&person, ["--policy", "policy.toml", "--without", "seccomp"]);
    assert_eq!(waived["waived"], serde_json::json!(["seccomp"]));
}

#[test]
fn a_job_without_grants_needs_a_command_and_no_policy() {
    let person = person(&[]);
    let plan = explained(&person, ["--", "sh", "-e", "{}"]);
    assert_eq!(plan["command"].as_array().unwrap()[1..], ["-e", "{}"]);
    assert_eq!(plan["delivery"], "file");
    assert!(plan["program"].as_str().unwrap().ends_with("/sh"));
    assert_eq!(plan["ports"], serde_json::json!([]));
    assert_refused(
        &run(&person, []),
        5,
        "nothing says what to run: the job requests no interpreter, and no command is given",
    );
}

#[test]
fn what_the_policy_does_not_allow_is_named() {
    for (grants, arguments, said) in [
        (&["run=sh"][..], &[][..], "the job asks for \"run=sh\", and there is no policy"),
        (&["wall=5s"], &["--", "sh"], "the job asks for \"wall=5s\", and there is no policy"),
        (&["run=python3"], &["--policy", "policy.toml"], "does not allow \"run=python3\""),
        (&["run=sh", "arg=-c"], &["--policy", "policy.toml"], "sh with arguments [\"-c\"]"),
        (&["run=sh", "tcp=80"], &["--policy", "policy.toml"], "does not allow \"tcp=80\""),
        (&["run=sh", "write=data"], &["--policy", "policy.toml"], "\"write=data\""),
        (&["run=sh"], &["--policy", "policy.toml", "--", "sh"], "and a command was given"),
        (
            &["run=sh", "format=json"],
            &["--policy", "policy.toml", "--format", "cbor"],
            "declares its output as json, not cbor",
        ),
    ] {
        let person = person(grants);
        let mut command = person.brine(["run", "job", "--context", "jobs/a", "-o", "out"]);
        let output = command.args(arguments).output().unwrap();
        assert_refused(&output, 5, said);
        assert_eq!(person.files(), ["job", "policy.toml"]);
    }
}

#[test]
fn a_policy_is_for_those_it_names() {
    let person = person(&[]);
    sign(&person, &[], "other/a");
    let arguments = ["run", "job", "--context", "other/a", "--policy", "policy.toml", "--", "sh"];
    let output = person.brine(arguments).output().unwrap();
    assert_refused(&output, 5, "no entry for this job of default (context \"other/a\", no type)");
}

#[test]
fn the_policy_beside_the_trust_file_counts() {
    let person = person(&["run=sh"]);
    assert_refused(&run(&person, ["--explain"]), 5, "there is no policy");
    fs::copy(person.path("policy.toml"), person.home_path("policy.toml")).unwrap();
    assert_eq!(explained(&person, [])["program"], "/bin/sh");
    let output = run(&person, ["--explain", "--policy", "none.toml"]);
    assert_refused(&output, 6, "\"none.toml\"");
    // And is not written over.
    let path = person.home_path("policy.toml");
    let path = path.to_str().unwrap();
    assert_refused(&run(&person, ["-o", path]), 2, "the policy");
}

#[test]
fn a_policy_that_cannot_be_read_refuses_everything() {
    let person = person(&[]);
    person.write("policy.toml", "\n[[allow]]\nsigner = \"default\"");
    let output = run(&person, ["--policy", "policy.toml", "--", "sh"]);
    assert_refused(&output, 6, "\"policy.toml\": line 3: unknown key \"signer\"");
    let output = person.brine(["policy", "check", "policy.toml"]).output().unwrap();
    assert_refused(&output, 6, "\"policy.toml\": line 3: unknown key \"signer\"");
}

#[test]
fn pickle_imports_are_not_passed_over() {
    let person = person(&["run=sh"]);
    let with_imports = POLICY.replace("ports = [443]", "pickle-imports = [\"std\"]");
    person.write("policy.toml", with_imports);
    // The payload is no pickle at all.
    let output = run(&person, ["--policy", "policy.toml", "--explain"]);
    assert_refused(&output, 3, "payload: ");
    let pickles = [
        (&b"\x80\x02]q\x00K\x01a."[..], 0, ""),
        (b"cos\ngetpid\n)R.", 5, "payload: imports os:getpid, which is not on the list"),
    ];
    for (pickle, status, why) in pickles {
        person.write("job", person.sign(["--grant", "run=sh", "--context", "jobs/a"], pickle));
        let output = run(&person, ["--policy", "policy.toml", "--explain"]);
        match status {
            0 => assert!(output.status.success(), "{output:?}"),
            status => assert_refused(&output, status, why),
        }
    }
}

#[test]
fn only_jobs_are_run() {
    let person = Person::with_key();
    person.write("job", person.sign([], b"x"));
    let output = person.brine(["run", "job", "--", "sh"]).output().unwrap();
    assert_refused(&output, 3, "this is a data envelope, not a job");
    person.write("job", person.sign(["--segment-size", "1"], b"xyz"));
    let output = person.brine(["run", "job", "--", "sh"]).output().unwrap();
    assert_refused(&output, 3, "this is a segment of a stream, not a job");
    person.write("job", "echo hello");
    let output = person.brine(["run", "job", "--", "sh"]).output().unwrap();
    assert_refused(&output, 3, "not an envelope");
    person.write("job", person.sign(["--job"], b"x"));
    let output = person.brine(["verify", "job"]).output().unwrap();
    assert_refused(&output, 3, "this is a job, not a data envelope");
    let output =
        person.brine(["verify", "job", "--typ", "application/vnd.brine.job+cose"]).output();
    assert_mistyped(&output.unwrap(), "that is a type of brine's own");
}

/// The job is verified before anything that it says is looked at.
#[test]
fn what_does_not_verify_is_refused_first() {
    let person = person(&["run=python3"]);
    let mut altered = person.read("job");
    *altered.last_mut().unwrap() ^= 1;
    person.write("altered", altered);
    let output = person.brine(["run", "altered", "--context", "jobs/a"]).output().unwrap();
    assert_refused(&output, 1, "signature does not verify");
    let output = person.brine(["run", "job"]).output().unwrap();
    assert_refused(&output, 5, "for context \"jobs/a\", which was not asked for");
    let output = person.brine(["run", "job", "--context", "jobs/b"]).output().unwrap();
    assert_refused(&output, 5, "not \"jobs/b\"");
    let output = run(&person, ["--signer", "bob"]);
    assert_refused(&output, 5, "signed by default, not by bob");
    let output = run(&person, ["--now", "2020-01-01T00:00:00Z"]);
    assert_refused(&output, 5, "in the future");
    let nobody = Person::with_key();
    nobody.write("job", person.read("job"));
    assert_refused(&run(&nobody, []), 5, "no trust anchor");
    // The command is looked for after all that.
    assert_refused(&run(&nobody, ["--", "no-such-program"]), 5, "no trust anchor");
}

#[test]
fn a_command_that_cannot_be_run_has_a_status_of_its_own() {
    let person = person(&[]);
    assert_refused(&run(&person, ["--", "no-such-program"]), 127, "no program \"no-such-program\"");
    assert_refused(&run(&person, ["--", "./none"]), 127, "no program \"./none\"");
    person.write("job.script", "#!/bin/sh\n");
    assert_refused(&run(&person, ["--", "./job.script"]), 126, "\"./job.script\"");
    assert_refused(&run(&person, ["--", "/usr"]), 126, "\"/usr\"");
    assert_refused(&run(&person, ["--", "job.script"]), 127, "no program \"job.script\"");
    fs::set_permissions(person.path("job.script"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(run(&person, ["--explain", "--", "./job.script"]).status.success());
    assert_refused(&run(&person, ["--explain", "--", ""]), 127, "no program \"\"");
}

#[test]
fn large_and_armored_jobs_are_verified_whole() {
    let person = Person::with_key();
    let payload = vec![b'#'; 5 * 1024 * 1024];
    person.write("work", &payload);
    person.brine(["sign", "--job", "work", "-o", "job"]).assert().success();
    let mut altered = person.read("job");
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    for line in [
        "brine run --explain job -- sh",
        "cat job | brine run --explain -- sh",
        "brine sign --job -a work | brine run --explain -- sh",
        "brine sign --grant wall=5s work | brine inspect | grep 'asks for *wall=5s'",
    ] {
        person.shell(line).assert().success();
    }
    let output = person.brine(["run", "--", "sh"]).write_stdin(altered).output().unwrap();
    assert_refused(&output, 1, "signature does not verify");
    let cut = &person.read("job")[..1 << 20];
    let output = person.brine(["run", "--", "sh"]).write_stdin(cut).output().unwrap();
    assert_refused(&output, 1, "cut short");
}

#[test]
fn no_file_is_written_over_or_twice() {
    let person = person(&[]);
    assert_refused(&run(&person, ["-o", "job", "--", "sh"]), 2, "the same file");
    let same = ["-o", "x", "--partial-output", "x", "--", "sh"];
    assert_refused(&run(&person, same), 2, "the same file");
    let report = ["--partial-output", "x", "--report", "x", "--", "sh"];
    assert_refused(&run(&person, report), 2, "the same file");
    let policy = ["--policy", "policy.toml", "-o", "policy.toml", "--", "sh"];
    assert_refused(&run(&person, policy), 2, "the same file");
    let partial = run(&person, ["--partial-output", "-", "--", "sh"]);
    assert_mistyped(&partial, "expected a file, not standard input or output");
    person.write("tool", "#!/bin/sh\n");
    assert_refused(&run(&person, ["-o", "tool", "--", "./tool"]), 2, "the same file");
    assert_eq!(person.files(), ["job", "policy.toml", "tool"]);
}

#[test]
fn verdicts_say_what_was_refused_and_by_what_plan() {
    let person = person(&["run=python3"]);
    let arguments = ["--json", "--policy", "policy.toml"];
    let output = run(&person, arguments);
    let verdict: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(verdict["verdict"], "refused");
    assert_eq!((&verdict["status"], &verdict["reason"]), (&5.into(), &"grant-not-allowed".into()));

    sign(&person, &["run=sh"], "jobs/a");
    let output = run(&person, ["--json", "--policy", "policy.toml", "--explain"]);
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let verdict: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((&verdict["verdict"], &verdict["kind"]), (&"verified".into(), &"job".into()));
    assert_eq!(verdict["plan_digest"], plan["plan_digest"]);
    assert_eq!(verdict["command"], serde_json::json!(["/bin/sh"]));
    let page = project_text("docs/verdict.md");
    for member in verdict.as_object().unwrap().keys() {
        assert!(page.contains(&format!("`{member}`")), "{member}");
    }
    let page = project_text("docs/policy.md");
    for member in plan.as_object().unwrap().keys() {
        assert!(page.contains(&format!("`{member}`")), "{member}");
    }
}

#[test]
fn flags_that_are_typed_wrongly_are_explained() {
    let person = person(&[]);
    for (arguments, said) in [
        (["--limit", "wall"], "expected a length of time like 200ms or 5s, as in wall=1m"),
        (["--limit", "wal=5s"], "there is no \"wal\"; NAME is address-space, cpu"),
        (["--format", "xml"], "it takes bytes, utf8, json, ndjson, cbor, arrow or parquet"),
        (["--without", "all"], "it takes namespaces, network, limits"),
        (["--aad", "-"], "--aad \"-\": expected a file, not standard input or output"),
    ] {
        let output = run(&person, arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
    }
}

/// Somebody whose jobs may write to a directory, as root's and as nobody's.
fn with_writable(directory: &str) -> Person {
    let person = person(&["run=sh", "arg=-e", "arg={}", "write=work"]);
    let policy = POLICY.replace("/srv/work", directory);
    person.write("policy.toml", policy.replace("formats = [\"json\", \"bytes\"]\n", ""));
    person
}

/// A directory that jobs of somebody else may write to. The job of this person asks for nothing.
fn beside_writable() -> (tempfile::TempDir, std::path::PathBuf, Person) {
    let outside = tempfile::tempdir().unwrap();
    let granted = outside.path().canonicalize().unwrap();
    let person = person(&["run=sh"]);
    let other = format!("\n[[allow]]\nsigners = [\"bob\"]\nwrite = {{ work = {granted:?} }}\n");
    person.write("policy.toml", POLICY.to_owned() + &other);
    (outside, granted, person)
}

/// A job of one signer can leave a link for the results of a job of another, who asks for nothing.
#[test]
fn nothing_is_written_where_any_job_may_leave_a_link() {
    let (outside, granted, person) = beside_writable();
    let mine = person.path("mine");
    fs::write(&mine, "precious").unwrap();
    std::os::unix::fs::symlink(&mine, granted.join("planted")).unwrap();
    std::os::unix::fs::symlink(person.path("."), granted.join("away")).unwrap();
    // Links that are not in the directory, and lead into it, or through it.
    std::os::unix::fs::symlink(granted.join("other"), person.path("link")).unwrap();
    std::os::unix::fs::symlink(granted.join("away/made"), person.path("detour")).unwrap();
    std::os::unix::fs::symlink(outside.path(), person.path("directory")).unwrap();
    let places = [
        granted.join("out"),
        granted.join("planted"),
        granted.join("away/made"),
        granted.join("none/../../out"),
        person.path("link"),
        person.path("detour"),
        person.path("directory/out"),
    ];
    for option in ["-o", "--partial-output", "--report"] {
        for place in &places {
            let place = place.to_str().unwrap();
            for more in [&[][..], &["--explain"]] {
                if option == "--partial-output" && !more.is_empty() {
                    continue;
                }
                let mut command = person.brine(["run", "job", "--context", "jobs/a"]);
                command.args(["--policy", "policy.toml", option, place]).args(more);
                let output = command.output().unwrap();
                assert_refused(&output, 2, "where the policy lets jobs write");
            }
        }
    }
    assert_eq!(fs::read(&mine).unwrap(), b"precious");
    assert_eq!(fs::read_dir(&granted).unwrap().count(), 2);
    assert!(!person.path("made").exists());
}

/// The same directory under another name.
#[test]
fn a_place_where_jobs_write_is_known_by_any_name() {
    let (_outside, granted, person) = beside_writable();
    let policy = person.read("policy.toml");
    let text = String::from_utf8(policy).unwrap();
    fs::write(granted.join("file"), "").unwrap();
    fs::hard_link(granted.join("file"), person.path("hard")).unwrap();
    let file = granted.join("file");
    person.write("policy.toml", text.replace(granted.to_str().unwrap(), file.to_str().unwrap()));
    let output = run(&person, ["--policy", "policy.toml", "-o", "hard"]);
    assert_refused(&output, 2, "where the policy lets jobs write");
}

/// Only root can give a link to somebody else.
#[test]
fn a_link_of_another_user_is_not_followed() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let person = person(&[]);
    let target = person.path("target");
    let link = person.path("link");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(65_534), None).unwrap();
    for option in ["-o", "--partial-output", "--report"] {
        let output = run(&person, [option, "link", "--", "sh"]);
        assert_refused(&output, 2, "is a link of another user");
    }
    assert!(!target.exists());
}

/// What a job could exchange is not what decides about jobs.
#[test]
fn nothing_that_jobs_may_write_is_relied_on() {
    let (_outside, granted, person) = beside_writable();
    let sh = fs::canonicalize("/bin/sh").unwrap();
    for name in ["tool", "list", "trust.toml", "revoked", "alice.pub"] {
        fs::copy(&sh, granted.join(name)).unwrap();
    }
    fs::copy(person.path("policy.toml"), granted.join("policy.toml")).unwrap();
    let at = |name: &str| granted.join(name).to_str().unwrap().to_owned();
    let policy = String::from_utf8(person.read("policy.toml")).unwrap();
    let said = |name: &str| {
        format!("{:?} lies in {granted:?}, where the policy lets jobs write", granted.join(name))
    };
    for (option, name) in [
        ("--policy", "policy.toml"),
        ("--trust", "trust.toml"),
        ("--revoked", "revoked"),
        ("-p", "alice.pub"),
    ] {
        let mut command = person.brine(["run", "job", "--context", "jobs/a", "--report", "report"]);
        if option != "--policy" {
            command.args(["--policy", "policy.toml"]);
        }
        let output = command.args([option, &at(name)]).output().unwrap();
        assert_refused(&output, 6, &said(name));
    }
    person.write("tool.toml", policy.replace("\"/bin/sh\"", &format!("{:?}", at("tool"))));
    person.write(
        "list.toml",
        policy.replace("ports = [443]", &format!("pickle-imports = [{:?}]", at("list"))),
    );
    for (name, of) in [("tool.toml", "tool"), ("list.toml", "list")] {
        assert_refused(&run(&person, ["--policy", name]), 6, &said(of));
        let output = person.brine(["policy", "check", name]).output().unwrap();
        assert_refused(&output, 6, &said(of));
    }
    let output = person.brine(["policy", "check", &at("policy.toml")]).output().unwrap();
    assert_refused(&output, 6, &said("policy.toml"));
    // The operator's command.
    sign(&person, &[], "jobs/a");
    let output = run(&person, ["--policy", "policy.toml", "--", &at("tool")]);
    assert_refused(&output, 6, &said("tool"));
    assert!(!person.path("report").exists());
}

/// One job can leave a program, or what reads it, that a job of another entry runs.
#[test]
fn no_job_executes_what_another_may_write() {
    let (_outside, granted, person) = beside_writable();
    fs::create_dir_all(granted.join("sys/deep")).unwrap();
    std::os::unix::fs::symlink(granted.join("sys"), person.path("alias")).unwrap();
    let policy = String::from_utf8(person.read("policy.toml")).unwrap();
    let parent = granted.join("sys");
    let deep = policy.replace(granted.to_str().unwrap(), parent.join("deep").to_str().unwrap());
    let script = person.path("script");
    let interpreter = granted.join("sh");
    fs::copy("/bin/sh", &interpreter).unwrap();
    fs::write(&script, format!("#!{}\n", interpreter.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let system = |policy: &str, path: &std::path::Path| {
        policy.replace("ports = [443]", &format!("system = [\"/usr\", \"/bin\", {path:?}]"))
    };
    let alias = person.path("alias");
    for (policy, said) in [
        (system(&policy, &parent), format!("{parent:?} lies in {granted:?}")),
        (system(&policy, &granted), format!("{granted:?} lies in {granted:?}")),
        (system(&policy, &alias), format!("{alias:?} lies in {granted:?}")),
        // The other way round: the root is in the directory.
        (system(&deep, &parent), format!("{parent:?} holds {:?}", parent.join("deep"))),
        (
            policy.replace("\"/bin/sh\"", &format!("{script:?}")),
            format!("{interpreter:?} lies in {granted:?}"),
        ),
    ] {
        person.write("other.toml", policy);
        let said = said + ", where the policy lets jobs write";
        for more in [&[][..], &["--explain"]] {
            let mut command = person.brine(["run", "job", "--context", "jobs/a"]);
            let output = command.args(["--policy", "other.toml"]).args(more).output().unwrap();
            assert_explained(&output, 6, &said);
        }
        let output = person.brine(["policy", "check", "other.toml"]).output().unwrap();
        assert_refused(&output, 6, &said);
    }
}

/// Nobody writes to it: whoever opens it waits.
#[test]
fn a_fifo_is_not_waited_for_where_a_program_or_a_list_should_be() {
    let person = person(&["run=sh"]);
    person.program("mkfifo", &["-m", "755", "fifo"]).assert().success();
    let fifo = person.path("fifo").canonicalize().unwrap();
    person.write("tool.toml", POLICY.replace("\"/bin/sh\"", &format!("{fifo:?}")));
    assert_refused(&run(&person, ["--policy", "tool.toml"]), 126, "fifo");
    let output = run(&person, ["--policy", "tool.toml", "--explain", "--json"]);
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &plan["program"]),
        (Some(126), &fifo.to_str().unwrap().into())
    );
    let lists = POLICY.replace("ports = [443]", &format!("pickle-imports = [{fifo:?}]"));
    person.write("lists.toml", lists);
    assert_refused(&run(&person, ["--policy", "lists.toml"]), 4, "not a regular file");
    sign(&person, &[], "jobs/a");
    assert_refused(&run(&person, ["--", "./fifo"]), 126, "not a regular file");
    assert_refused(&run(&person, ["--explain", "--", "./fifo"]), 126, "not a regular file");
}

/// In a user namespace, the links of the system belong to nobody.
#[test]
fn descriptors_that_brine_was_given_are_no_links_of_another_user() {
    let person = person(&[]);
    let line = "unshare --user --map-root-user true 2>/dev/null || { echo none; exit; }; \
                unshare --user --map-root-user brine run job --context jobs/a --explain \
                -o /dev/stdout --report /dev/fd/2 -- sh";
    let output = person.shell(line).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stdout == "none\n" || stdout.contains("signed by    default\n"), "{stdout}{stderr}");
    // A link of somebody else to them is one. Only root can give a link to somebody else.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let link = person.path("link");
    std::os::unix::fs::symlink("/dev/stdout", &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(65_534), None).unwrap();
    let output = run(&person, ["--explain", "-o", "link", "--", "sh"]);
    assert_refused(&output, 2, "is a link of another user");
}

/// Somebody works where jobs write, and leaves it by `..`.
#[test]
fn the_way_out_of_a_place_where_jobs_write_is_not_in_it() {
    let person = person(&[]);
    fs::create_dir_all(person.path("rw/sub/deep")).unwrap();
    let root = person.path("rw").canonicalize().unwrap();
    person.write("policy.toml", POLICY.replace("\"/srv/work\"", &format!("{root:?}")));
    fs::copy(person.path("policy.toml"), root.join("policy.toml")).unwrap();
    let run = |policy: &str, up: &str| {
        let line = format!(
            "cd rw/sub && brine run ../../job --context jobs/a --policy {policy} \
             --explain -o {up}/plan --report {up}/report -- sh"
        );
        person.shell(&line).output().unwrap()
    };
    let output = run("../../policy.toml", "../..");
    assert!(output.status.success(), "{output:?}");
    assert!(person.path("plan").exists() && person.path("report").exists());
    for (policy, up, status) in [
        ("../policy.toml", "../..", 6),
        // A job could put a link in the place of these names.
        ("deep/../../../policy.toml", "../..", 6),
        ("../sub/../../policy.toml", "../..", 6),
        ("../../policy.toml", "..", 2),
        ("../../policy.toml", "deep/../../..", 2),
    ] {
        let output = run(policy, up);
        assert_refused(&output, status, "where the policy lets jobs write");
        let check = person.shell(&format!("cd rw/sub && brine policy check {policy}")).output();
        let refused = if status == 6 { Some(6) } else { Some(0) };
        assert_eq!(check.unwrap().status.code(), refused, "{policy}");
    }
}

/// The loader takes other libraries of the same name, and says nothing.
#[test]
fn a_program_outside_the_system_directories_is_said_to_be() {
    let person = person(&[]);
    fs::create_dir(person.path("bin")).unwrap();
    fs::copy("/bin/sh", person.path("bin/shell")).unwrap();
    let output = run(&person, ["--explain", "--", "./bin/shell"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    let home = person.path(".").canonicalize().unwrap();
    assert!(stderr.contains("lies outside the system directories of the plan"), "{stderr}");
    assert!(stderr.contains("hint: a policy that has system = ["), "{stderr}");
    assert!(stderr.contains(home.to_str().unwrap()), "{stderr}");
    let output = run(&person, ["--explain", "--json", "--", "./bin/shell"]);
    let verdict: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(verdict["outside"], serde_json::json!([home]));
    let output = run(&person, ["--explain", "--", "sh"]);
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn what_can_be_written_is_in_no_system_directory() {
    let person = with_writable("/usr/local/share");
    let output = run(&person, ["--policy", "policy.toml"]);
    assert_refused(
        &output,
        6,
        "\"/usr\" holds \"/usr/local/share\", where the policy lets jobs write",
    );
}

#[test]
fn the_time_of_a_job_runs_while_brine_is_stopped() {
    let person = Person::with_key();
    person.write("job", person.sign(["--job"], b"x"));
    // The job says that it lives; the shell stops brine, and looks again.
    let mark = format!("31.{}", std::process::id());
    let line = format!(
        "brine run --limit wall=1s job -- sleep {mark} & brine=$!; sleep 0.5; kill -STOP $brine; \
         ps -eo comm,args | grep -c '^sleep .*{mark}'; sleep 3; ps -eo comm,args | grep -c '^sleep .*{mark}'; \
         kill -CONT $brine; wait $brine; echo $?"
    );
    let output = person.shell(&line).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "1\n0\n124\n");
}
