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
