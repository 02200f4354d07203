//! Options that mean the same wherever they are typed.

use std::process::Output;

use crate::common::{Person, assert_refused};

fn run(person: &Person, line: &str) -> Output {
    person.shell(line).output().unwrap()
}

#[test]
fn c_is_the_context_wherever_one_is_named() {
    let person = Person::with_key();
    let line = "echo payload > in; brine sign -c a/b in -o in.brine; brine sign --job -c a/b in -o in.job; \
        brinekey pub > me.pub; brinekey trust add --trust ./list -c 'a/*' me ./me.pub";
    let output = run(&person, line);
    assert!(output.status.success(), "{output:?}");
    for line in [
        "brine verify -c a/b in.brine",
        "brine verify --context a/b in.brine",
        "brine run -c a/b --explain in.job -- /bin/cat",
        "brinekey trust check --trust ./list -c a/c ./me.pub",
    ] {
        let output = run(&person, line);
        assert!(output.status.success() && !output.stdout.is_empty(), "{line}: {output:?}");
    }
    for line in ["brine verify -c a in.brine", "brine run -c a --explain in.job -- /bin/cat"] {
        assert_refused(&run(&person, line), 5, "context");
    }
    let output = run(&person, "brinekey trust check --trust ./list -c b/c ./me.pub");
    assert_refused(&output, 5, "context");
}

#[test]
fn a_rule_of_make_signs_again_what_has_changed() {
    let person = Person::with_key();
    for recipe in ["brine sign -d -f $<", "brine sign -d -o $@ $<", "brine sign $< -o $@"] {
        let file = if recipe.contains("-d") { "in.sig" } else { "in.brine" };
        let suffix = file.trim_start_matches("in");
        person.write("Makefile", format!("%{suffix}: %\n\t{recipe}\n"));
        person.write("in", "first");
        let make = format!("make -s {file}");
        let verify = format!("brine verify {file}");
        let output = run(&person, &format!("{make} && {verify}"));
        assert!(output.status.success(), "{recipe}: {output:?}");
        let first = person.read(file);
        let output = run(&person, &format!("sleep 0.01; printf second > in; {make} && {verify}"));
        assert!(output.status.success(), "{recipe}: {output:?}");
        assert!(person.read(file) != first, "{recipe}");
        // What cannot be signed leaves the signature that was there, and make ends.
        let second = person.read(file);
        let output = run(&person, &format!("sleep 0.01; touch in; BRINE_HOME=none {make}"));
        assert_eq!(output.status.code(), Some(2), "{recipe}: {output:?}");
        assert!(person.read(file) == second, "{recipe}");
    }
    assert_eq!(person.files(), ["Makefile", "in", "in.brine", "in.sig"]);
}

#[test]
fn force_replaces_a_regular_file_and_nothing_else() {
    let person = Person::with_key();
    person.write("in", "x");
    for (made, reason) in [
        ("mkdir in.sig", "is no regular file"),
        ("mkfifo in.sig", "is no regular file"),
        ("ln -s other in.sig", "is no regular file"),
        ("echo kept > other; ln -s other in.sig", "is no regular file"),
    ] {
        assert!(run(&person, made).status.success());
        assert_refused(&run(&person, "brine sign -d in"), 4, "\"in.sig\" exists already");
        assert_refused(&run(&person, "brine sign -d -f in"), 4, reason);
        assert!(
            run(&person, "[ ! -e other ] || grep -q kept other; rm -rf in.sig").status.success()
        );
    }
    assert!(run(&person, "brine sign -d -f in && brine verify in.sig").status.success());
}

#[test]
fn a_private_key_is_never_written_over() {
    let person = Person::with_key();
    let made = "cp $BRINE_HOME/keys/default.key in.sig; brinekey export --form openssh -o id; \
        printf 'AGE-SECRET-KEY-1QQQ\\n' > age; brine sign id -o id.brine; echo x > in; ln -s id link; \
        ssh-keygen -q -t rsa -b 2048 -N '' -m PEM -f rsa";
    assert!(run(&person, made).status.success());
    let before: Vec<_> =
        ["in.sig", "id", "age", "rsa"].iter().map(|name| person.read(name)).collect();
    for line in [
        "brine sign -d -f in",
        "brine sign -d in -o in.sig",
        "brine sign in -o id",
        "brine sign in -o link",
        "brine verify id.brine -o id",
        "brine verify id.brine -o age",
        "brine verify id.brine -o rsa",
        "brine verify id.brine --report rsa",
    ] {
        assert_refused(&run(&person, line), 2, "which is a private key");
    }
    let found: Vec<_> =
        ["in.sig", "id", "age", "rsa"].iter().map(|name| person.read(name)).collect();
    assert!(found == before);
    // The public half, and what only speaks of keys, can be replaced.
    let line =
        "echo 'a PRIVATE KEY' > out; brine verify id.brine -o out && brine sign in -o rsa.pub";
    assert!(run(&person, line).status.success());
}
