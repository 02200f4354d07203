//! `brine policy`.

use crate::common::{Person, assert_refused};

#[test]
fn a_policy_is_read_and_summed_up() {
    let person = Person::new();
    person.write(
        "policy.toml",
        "[[allow]]\nsigners = [\"bob\", \"alice\"]\n\n[[allow]]\nsigners = [\"carol\\u202e\"]\n\
         contexts = [\"jobs/*\", \"x\"]\ncontent-types = [\"text/x-python\"]\n",
    );
    let output = person.brine(["policy", "check", "policy.toml"]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let expected = "line 1: alice, bob\n\
                    line 4: carol\\u{202e}  only jobs/*, x  of type text/x-python\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
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
