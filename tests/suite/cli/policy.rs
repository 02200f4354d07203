//! `brine policy`.

use crate::common::{Person, assert_refused};

#[test]
fn a_policy_is_read_and_summed_up() {
    let person = Person::new();
    person.write(
        "policy.toml",
        "[[allow]]\nsigners = [\"bob\", \"alice\"]\n\n[[allow]]\nsigners = [\"carol\"]\n\
         contexts = [\"jobs/*\", \"x\"]\ncontent-types = [\"text/x-python\"]\n",
    );
    let output = person.brine(["policy", "check", "policy.toml"]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let expected = "line 1: alice, bob\n\
                    line 4: carol  only jobs/*, x  of type text/x-python\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    for hidden in ["\\u202e", "\\u3164", "\\U000E0061"] {
        person.write("policy.toml", format!("[[allow]]\nsigners = [\"carol{hidden}\"]\n"));
        let output = person.brine(["policy", "check", "policy.toml"]).output().unwrap();
        assert_refused(&output, 6, "line 2: signers contains a control character, or one that");
    }
}

#[test]
fn the_default_policy_is_checked_where_none_is_named() {
    let person = Person::new();
    let output = person.brine(["policy", "check"]).output().unwrap();
    assert_refused(&output, 6, "policy.toml");
    std::fs::write(person.home_path("policy.toml"), "version = 1").unwrap();
    let output = person.brine(["policy", "check"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
}

#[test]
fn a_key_that_there_is_not_is_answered_with_one_that_there_is() {
    let person = Person::new();
    for (line, said) in [
        (
            "signer = [\"bob\"]",
            "line 2: unknown key \"signer\"\nbrine: hint: did you mean \"signers\"?\n",
        ),
        ("context = [\"x\"]", "brine: hint: did you mean \"contexts\"?\n"),
        ("format = [\"json\"]", "brine: hint: did you mean \"formats\"?\n"),
        ("sudo = true", "brine: hint: \"man 5 policy.toml\" has every key\n"),
        ("signers = 3", "brine: hint: \"man 5 policy.toml\" has every key\n"),
    ] {
        person.write("policy.toml", format!("[[allow]]\n{line}\n"));
        let output = person.brine(["policy", "check", "policy.toml"]).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(6), 0), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.ends_with(said), "{line}: {stderr}");
    }
}

/// By such a policy no job would ever run.
#[test]
fn a_policy_that_no_job_can_run_by_is_refused() {
    let person = Person::new();
    let here = person.path(".").canonicalize().unwrap();
    std::fs::create_dir(person.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", person.path("link")).unwrap();
    person.write("text", "no program");
    for (name, content) in
        [("orphan", "#!/nonexistent -x\n"), ("empty", ""), ("plain", "echo\n"), ("bare", "#!sh\n")]
    {
        person.write(name, content);
        make_executable(&person.path(name));
    }
    person.program("mkfifo", &["-m", "755", "fifo"]).assert().success();
    let at = |name: &str| here.join(name).to_str().unwrap().to_owned();
    for (lines, said) in [
        (
            format!("interpreters.x = {{ path = {:?} }}", at("none")),
            format!("line 1: interpreter x: {:?}: No such file", at("none")),
        ),
        (
            format!("interpreters.x = {{ path = {:?} }}", at("text")),
            format!("line 1: interpreter x: {:?} cannot be executed", at("text")),
        ),
        (
            format!("interpreters.x = {{ path = {:?} }}", at("fifo")),
            format!("line 1: interpreter x: {:?} cannot be executed", at("fifo")),
        ),
        (
            format!("interpreters.x = {{ path = {:?} }}", at("orphan")),
            format!("line 1: interpreter x: {:?} is read by \"/nonexistent\": No such file", at("orphan")),
        ),
        (
            format!("interpreters.x = {{ path = {:?} }}", at("bare")),
            format!("line 1: interpreter x: {:?} is read by \"sh\": not an absolute path", at("bare")),
        ),
        (
            format!("interpreters.x = {{ path = {:?} }}", at("empty")),
            format!("line 1: interpreter x: {:?} is no ELF file", at("empty")),
        ),
        (
            format!("interpreters.x = {{ path = {:?} }}", at("plain")),
            format!("line 1: interpreter x: {:?} is no ELF file", at("plain")),
        ),
        (
            format!("pickle-imports = [{:?}]", at("fifo")),
            format!("pickle-imports: cannot read {:?}: it is not a regular file", at("fifo")),
        ),
        (
            format!("interpreters.x = {{ path = \"/bin/sh\", sha256 = \"{}\" }}", "0".repeat(64)),
            "line 1: interpreter x: \"/bin/sh\" has the SHA-256 ".to_owned(),
        ),
        (
            "write.work = \"/usr/share/work\"".to_owned(),
            "jobs may not write to \"/usr/share/work\", as it overlaps the system directory \"/usr\"".to_owned(),
        ),
        (
            "write.work = \"/opt\"\nsystem = [\"/usr\", \"/opt/tool\"]".to_owned(),
            "as it overlaps the system directory \"/opt/tool\"".to_owned(),
        ),
        (
            format!("read.data = {:?}", at("link/data")),
            format!("{:?} has a symbolic link in it", at("link/data")),
        ),
        (
            format!("write.data = {:?}", at("link")),
            format!("{:?} has a symbolic link in it", at("link")),
        ),
        (format!("pickle-imports = [{:?}]", at("names")), format!("{:?}: No such file", at("names"))),
    ] {
        person.write("policy.toml", format!("[[allow]]\nsigners = [\"bob\"]\n{lines}\n"));
        let output = person.brine(["policy", "check", "policy.toml"]).output().unwrap();
        assert_refused(&output, 6, &said);
    }
    let good = format!(
        "[[allow]]\nsigners = [\"bob\"]\nread.data = {:?}\ninterpreters.sh = {{ path = \"/bin/sh\" }}\n",
        at("later")
    );
    person.write("policy.toml", good);
    let output = person.brine(["policy", "check", "policy.toml"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert_eq!(
        stderr,
        format!("brine: warning: \"policy.toml\": line 1: there is no {:?} yet\n", at("later"))
    );
}

fn make_executable(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;

    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
