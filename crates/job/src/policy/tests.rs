use brine_core::Classified as _;

use super::*;
use crate::format::OutputFormat;

fn grants(texts: &[&str]) -> Grants {
    Grants::collect(texts.iter().map(|text| text.parse().unwrap())).unwrap()
}

fn system() -> BTreeSet<PathBuf> {
    BTreeSet::from(["/usr".into()])
}

/// Asks for alice, in the context `jobs/a`, with the type `text/plain`.
fn ask(
    policy: &Policy,
    texts: &[&str],
    command: Option<&OperatorCommand>,
) -> Result<PlanParts, PolicyError> {
    let system = system();
    let question = PolicyQuestion {
        signer: "alice",
        context: Some("jobs/a"),
        content_type: Some("text/plain"),
        system: &system,
    };
    policy.plan(&question, &grants(texts), command).map(|permit| permit.plan.parts().clone())
}

fn cat() -> OperatorCommand {
    OperatorCommand { path: "/bin/cat".into(), arguments: vec!["-v".into()] }
}

fn policy(lines: &str) -> Policy {
    let text = format!("[[allow]]\nsigners = [\"alice\"]\n{lines}\n");
    Policy::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

const FULL: &str = r#"
ports = [443]
formats = ["json", "bytes"]
environment = { LANG = "C.UTF-8", PATH = "/opt/bin" }
limits = { wall = "5m", memory = "256MiB" }
read = { data = "/srv/data" }
write = { work = "/srv/work" }
interpreters.sh = { path = "/bin/sh", arguments = [[], ["-e", "{}"]] }
"#;

#[track_caller]
fn refused(outcome: Result<PlanParts, PolicyError>, reason: &str, said: &str) {
    let error = outcome.unwrap_err();
    assert_eq!(error.reason(), reason, "{error}");
    assert!(error.to_string().contains(said), "{error}");
}

#[test]
fn a_job_without_grants_has_the_default_plan() {
    let plan = ask(&Policy::none(), &[], Some(&cat())).unwrap();
    assert_eq!(plan.program.path, Path::new("/bin/cat"));
    assert_eq!(plan.program.arguments, ["/bin/cat", "-v"]);
    assert_eq!((plan.delivery, plan.format), (PayloadDelivery::Stdin, OutputFormat::Bytes));
    assert_eq!(plan.system, system());
    assert!(plan.granted_paths.is_empty() && plan.ports.is_empty() && plan.waived.is_empty());
    assert_eq!(plan.limits.wall.as_secs(), 60);
    let names: Vec<_> = plan.environment.keys().map(|name| name.to_str().unwrap()).collect();
    assert_eq!(names, ["HOME", "PATH", "TMPDIR"]);
    assert_eq!(plan.environment[&OsString::from("HOME")], SCRATCH_PATH);
}

#[test]
fn without_a_policy_every_grant_is_refused() {
    for text in ["env=LANG", "read=a", "write=a", "tcp=443", "wall=5s", "format=json", "run=sh"] {
        let said = format!("asks for {text:?}, and there is no policy");
        refused(ask(&Policy::none(), &[text], None), "policy-absent", &said);
    }
    refused(ask(&Policy::none(), &[], None), "no-program", "what to run");
}

#[test]
fn what_is_asked_for_and_allowed_holds() {
    let texts = [
        "run=sh",
        "arg=-e",
        "arg={}",
        "env=LANG",
        "read=data/in",
        "write=work",
        "tcp=443",
        "wall=10m",
        "memory=1MiB",
        "files=7",
        "format=bytes",
    ];
    let plan = ask(&policy(FULL), &texts, None).unwrap();
    assert_eq!(plan.program.path, Path::new("/bin/sh"));
    assert_eq!(plan.program.arguments, ["/bin/sh", "-e", "{}"]);
    assert_eq!(plan.delivery, PayloadDelivery::File);
    assert_eq!(plan.environment[&OsString::from("LANG")], "C.UTF-8");
    // Named by the policy, and not asked for.
    assert_eq!(plan.environment[&OsString::from("PATH")], "/usr/local/bin:/usr/bin:/bin");
    let opening = |source: &str, target: &str, writable| GrantedPath {
        source: source.into(),
        target: target.into(),
        writable,
    };
    let openings = [
        opening("/srv/data/in", "/job/files/data/in", false),
        opening("/srv/work", "/job/files/work", true),
    ];
    assert_eq!(plan.granted_paths, openings.into());
    assert_eq!(plan.ports, [443].into());
    assert_eq!(plan.limits.wall.as_secs(), 300, "the policy's");
    assert_eq!(plan.limits.memory, 1 << 20, "the signer's");
    assert_eq!(plan.limits.files, 7, "the signer's");
    assert_eq!(plan.limits.processes, 64, "nobody's");
    assert_eq!(plan.format, OutputFormat::Bytes);
    let unsaid = ask(&policy(FULL), &["run=sh"], None).unwrap();
    assert_eq!(unsaid.limits.wall.as_secs(), 60, "what is not asked for is the default");
    assert_eq!(unsaid.format, OutputFormat::Json, "the first of the policy's");
    assert_eq!(unsaid.delivery, PayloadDelivery::Stdin);
    let readable = ask(&policy(FULL), &["run=sh", "read=work/a"], None).unwrap();
    assert_eq!(readable.granted_paths, [opening("/srv/work/a", "/job/files/work/a", false)].into());
}

#[test]
fn what_is_not_allowed_is_named() {
    for (text, reason) in [
        ("env=HOME", "grant-not-allowed"),
        ("read=other", "grant-not-allowed"),
        ("read=dat", "grant-not-allowed"),
        ("write=data", "grant-not-allowed"),
        ("tcp=80", "grant-not-allowed"),
        ("format=cbor", "grant-not-allowed"),
    ] {
        let said = format!("does not allow {text:?}");
        refused(ask(&policy(FULL), &[text], Some(&cat())), reason, &said);
    }
    refused(ask(&policy(FULL), &["run=python3"], None), "grant-not-allowed", "\"run=python3\"");
    let arguments = ask(&policy(FULL), &["run=sh", "arg=-c"], None);
    refused(arguments, "grant-arguments", "does not allow sh with arguments [\"-c\"]");
    refused(ask(&policy(FULL), &[], None), "no-program", "what to run");
    for text in ["env=LANG", "read=data", "write=work", "tcp=443", "run=sh"] {
        refused(
            ask(&policy(""), &[text], None),
            if text == "run=sh" { "grant-not-allowed" } else { "no-program" },
            "",
        );
        let command = cat();
        let command = (text != "run=sh").then_some(&command);
        refused(ask(&policy(""), &[text], command), "grant-not-allowed", text);
    }
}

#[test]
fn a_command_of_the_operators_excludes_that_of_the_signer() {
    let both = ask(&policy(FULL), &["run=sh"], Some(&cat()));
    refused(both, "grant-with-command", "asks for \"run=sh\", and a command was given");
    assert!(ask(&policy(FULL), &["env=LANG"], Some(&cat())).is_ok());
    let by_name = OperatorCommand { path: "/bin/cat".into(), arguments: vec!["{}".into()] };
    assert_eq!(ask(&policy(FULL), &[], Some(&by_name)).unwrap().delivery, PayloadDelivery::File);
    let within = OperatorCommand { path: "/{}".into(), arguments: vec!["a{}".into()] };
    assert_eq!(ask(&policy(FULL), &[], Some(&within)).unwrap().delivery, PayloadDelivery::Stdin);
}

#[test]
fn there_is_one_entry_for_a_job_or_none_holds() {
    for (lines, fits) in [
        ("", true),
        ("contexts = [\"jobs/*\"]", true),
        ("contexts = [\"jobs\", \"*/a\"]", true),
        ("contexts = [\"jobs/b\"]", false),
        ("contexts = []", false),
        ("content-types = [\"text/plain\"]", true),
        ("content-types = [\"text/*\"]", false),
        ("content-types = []", false),
    ] {
        let outcome = ask(&policy(lines), &[], Some(&cat()));
        if fits {
            assert!(outcome.is_ok(), "{lines}");
        } else {
            let said = "no entry for this job of alice (context \"jobs/a\", type \"text/plain\")";
            refused(outcome, "policy-no-entry", said);
        }
    }
    let other = Policy::parse(b"[[allow]]\nsigners = [\"Alice\", \"alice*\", \"\"]").unwrap();
    refused(ask(&other, &[], Some(&cat())), "policy-no-entry", "of alice");
    refused(ask(&Policy::parse(b"").unwrap(), &[], Some(&cat())), "policy-no-entry", "of alice");
    let two = "contexts = [\"jobs/*\"]\n[[allow]]\nsigners = [\"alice\"]\ncontexts = [\"*/a\"]";
    refused(ask(&policy(two), &[], Some(&cat())), "policy-ambiguous", "in lines 1 and 4");
    // What an entry names, a job has to have.
    let system = system();
    let bare =
        PolicyQuestion { signer: "alice", context: None, content_type: None, system: &system };
    for (lines, fits) in
        [("", true), ("contexts = [\"*\"]", false), ("content-types = [\"a/b\"]", false)]
    {
        let outcome = policy(lines).plan(&bare, &Grants::default(), Some(&cat()));
        assert_eq!(outcome.is_ok(), fits, "{lines}");
    }
}

#[test]
fn a_permit_has_the_import_lists_of_the_entry() {
    let lists = |lines: &str| {
        let system = system();
        let question =
            PolicyQuestion { signer: "alice", context: None, content_type: None, system: &system };
        policy(lines).plan(&question, &Grants::default(), Some(&cat())).unwrap().pickle_imports
    };
    assert_eq!(lists(""), None);
    assert_eq!(lists("pickle-imports = []"), Some(Vec::new()));
    let named = ["std", "numpy"].map(|name| ImportList::BuiltIn(name.to_owned()));
    assert_eq!(lists("pickle-imports = [\"std\", \"numpy\"]"), Some(named.into()));
}

#[test]
fn system_directories_are_those_of_the_policy() {
    let named = ask(&policy("system = [\"/opt\"]"), &[], Some(&cat())).unwrap();
    assert_eq!(named.system, BTreeSet::from(["/opt".into()]));
    let none = ask(&policy("system = []"), &[], Some(&cat())).unwrap();
    assert_eq!(none.system, BTreeSet::new());
}

/// One job can leave a link for another, so it does not matter whose entry it is.
#[test]
fn the_roots_that_any_job_may_write_are_those_of_all_entries() {
    let text = "[defaults]\nwrite = { work = \"/srv/work\" }\n[[allow]]\nsigners = [\"alice\"]\n\
                [[allow]]\nsigners = [\"bob\"]\nread = { data = \"/srv/data\" }\n\
                write = { out = \"/srv/out\", more = \"/srv/work\" }\n";
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let roots: Vec<_> = policy.write_roots().into_iter().collect();
    assert_eq!(roots, [Path::new("/srv/out"), Path::new("/srv/work")]);
    assert!(Policy::none().write_roots().is_empty());
}

/// Everything that is refused, in the order in which a plan refuses it; and what is left.
#[test]
fn an_appraisal_goes_on_after_a_refusal() {
    let asked = [
        "run=sh",
        "arg=-e",
        "arg={}",
        "env=HOME",
        "env=LANG",
        "read=secret/a",
        "read=data/in",
        "write=data2",
        "tcp=443",
        "tcp=80",
        "tcp=22",
        "format=cbor",
        "wall=10m",
    ];
    let system = system();
    let question =
        PolicyQuestion { signer: "alice", context: None, content_type: None, system: &system };
    let policy = policy(FULL);
    let appraisal = policy.appraise(&question, &grants(&asked), None);
    let first = policy.plan(&question, &grants(&asked), None).unwrap_err();
    let (refused, rest) = appraisal.into_parts();
    let said: Vec<_> = refused.iter().map(ToString::to_string).collect();
    let named = ["env=HOME", "read=secret/a", "write=data2", "tcp=22", "tcp=80", "format=cbor"];
    assert_eq!(said, named.map(|grant| format!("the policy does not allow {grant:?}")));
    assert_eq!(refused[0], first);
    let plan = rest.unwrap().plan;
    assert!(plan.is_draft());
    assert_eq!(plan.parts().ports, BTreeSet::from([443]));
    assert_eq!(plan.parts().granted_paths.len(), 1);

    // What is allowed as a whole is a plan like any other.
    let grants = grants(&["run=sh"]);
    let (refused, rest) = policy.appraise(&question, &grants, None).into_parts();
    assert_eq!(refused, []);
    let permit = rest.unwrap();
    assert!(!permit.plan.is_draft());
    assert_eq!(permit, policy.plan(&question, &grants, None).unwrap());
}

#[test]
fn without_a_policy_every_grant_is_refused_by_name() {
    let system = system();
    let question =
        PolicyQuestion { signer: "alice", context: None, content_type: None, system: &system };
    let asked = grants(&["run=sh", "tcp=80", "wall=5s"]);
    let (refused, rest) = Policy::none().appraise(&question, &asked, None).into_parts();
    assert!(refused.iter().all(|error| error.reason() == "policy-absent"), "{refused:?}");
    assert_eq!((refused.len(), rest), (3, None));
}

/// The result goes where the policy lets it, whatever else is refused.
#[test]
fn a_result_goes_only_where_the_policy_lets_it() {
    let open = policy("replies = [\"answers/*\"]");
    let shut = policy("");
    for (policy, asked, allowed) in [
        (&open, "reply=answers/7", true),
        (&open, "reply=answers/7/8", false),
        (&open, "reply=orders", false),
        (&shut, "reply=answers/7", false),
    ] {
        let refused = ask(policy, &[asked], Some(&cat())).err().map(|error| error.reason());
        assert_eq!(refused, (!allowed).then_some("grant-not-allowed"), "{asked}");
        let asked = [asked, "tcp=1"].map(|text| text.parse().unwrap());
        let grants = Grants::collect(asked).unwrap();
        let system = BTreeSet::new();
        let question =
            PolicyQuestion { signer: "alice", context: None, content_type: None, system: &system };
        assert!(policy.plan(&question, &grants, Some(&cat())).is_err());
        assert_eq!(policy.reply(&question, &grants).is_some(), allowed);
    }
}
