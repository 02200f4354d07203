//! Files that decide and that others may write, and private keys that others may read: both are refused.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use crate::common::{Person, assert_refused};

fn run(person: &Person, line: &str) -> Output {
    person.shell(line).output().unwrap()
}

#[track_caller]
fn done(person: &Person, line: &str) -> Output {
    let output = run(person, line);
    assert!(output.status.success(), "{line}: {output:?}");
    output
}

/// Returns what the hint says to type.
fn to_type(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let hint = said.lines().find_map(|line| line.split_once(": hint: ")).unwrap_or_default().1;
    hint.split_once("; \"--insecure-permissions\"").unwrap_or_default().0.to_owned()
}

const POLICY: &str = "[[allow]]\nsigners = [\"default\"]\n\
    interpreters.sh = { path = \"/bin/sh\", arguments = [[]] }\n";

/// Somebody with one of each file that decides, and something to decide about.
fn with_files() -> Person {
    let person = Person::with_key();
    person.write("policy.toml", POLICY);
    person.write("names", "collections:OrderedDict\n");
    let imports = format!("{POLICY}pickle-imports = [{:?}]\n", person.path("names"));
    person.write("imports.toml", imports);
    person.write("pickle", b"\x80\x04N.");
    let line = "brinekey pub > k.pub; sed 's/^/default /' k.pub > signers; : > revoked; \
        cp \"$BRINE_HOME/trust.toml\" t.toml; cp policy.toml \"$BRINE_HOME\"; printf x > one; \
        brinekey gen --no-trust other; brine sign -k other one > other.env; brine sign one > env; brine sign --job --grant run=sh one > job; \
        brine sign --job --grant run=sh pickle > pickle.job";
    done(&person, line);
    person
}

/// Each command that reads a file that decides, with that file. What is in braces is where an option goes.
const DECIDED: [(&str, &str); 23] = [
    ("brine verify {} env", "$BRINE_HOME/trust.toml"),
    ("brine verify {} -p other other.env", "$BRINE_HOME/keys/other.pub"),
    ("brine verify {} -p default env", "$BRINE_HOME/trust.toml"),
    ("brine verify {} -p ./k.pub env", "k.pub"),
    ("brine verify {} --trust t.toml env", "t.toml"),
    ("brine verify {} --trust signers env", "signers"),
    ("brine verify {} --revoked revoked env", "revoked"),
    ("brine verify {} --trust /dev/fd/3 env 3< t.toml", "t.toml"),
    ("brine run --explain {} job", "$BRINE_HOME/trust.toml"),
    ("brine run --explain {} job", "$BRINE_HOME/policy.toml"),
    ("brine run --explain {} --policy policy.toml job", "policy.toml"),
    ("brine run --explain {} --policy imports.toml pickle.job", "names"),
    ("brine policy check {} policy.toml", "policy.toml"),
    ("brine policy check {} imports.toml", "names"),
    ("brine scan {} --allow ./names pickle", "names"),
    ("brinekey pub {} ./k.pub", "k.pub"),
    ("brinekey show {} ./k.pub", "k.pub"),
    ("brinekey trust list {} --trust t.toml", "t.toml"),
    ("brinekey trust check {} --trust t.toml default", "t.toml"),
    ("brinekey trust check {} --revoked revoked default", "revoked"),
    ("brinekey trust add {} --trust t.toml other ./k.pub", "k.pub"),
    ("brinekey trust add {} --trust t.toml more ./k.pub", "t.toml"),
    ("brinekey trust remove {} --trust t.toml more", "t.toml"),
];

#[test]
fn every_file_that_decides_is_refused_if_others_may_write_it() {
    let person = with_files();
    for (command, file) in DECIDED {
        let line = command.replace("{}", "");
        // Of an error that comes from the middle of a policy, the hint is that of the policy.
        let is_nested = line.contains("imports.toml");
        for mode in ["664", "646"] {
            done(&person, &format!("chmod {mode} \"{file}\""));
            let output = run(&person, &line);
            assert_refused(&output, 6, &format!("others may write it (mode 0{mode})"));
            if !is_nested {
                let typed = to_type(&output);
                assert!(typed.starts_with("chmod go-w "), "{line}: {typed}");
            }
        }
        done(&person, &format!("chmod 666 \"{file}\""));
        let waived = command.replace("{}", "--insecure-permissions");
        if waived.contains("trust add") || waived.contains("trust remove") {
            let line = format!("cp t.toml kept && {waived}; mv kept t.toml; chmod 666 {file}");
            done(&person, &line);
        } else {
            done(&person, &waived);
        }
        // What is to be typed makes it good.
        let typed = to_type(&run(&person, &line));
        done(&person, if is_nested { "chmod go-w names" } else { &typed });
        done(&person, &line);
    }
}

#[test]
fn gen_adds_no_key_to_a_trust_file_that_others_may_write() {
    let person = Person::with_key();
    done(&person, "chmod 666 \"$BRINE_HOME/trust.toml\"");
    let output = run(&person, "brinekey gen new");
    assert_refused(&output, 6, "trust.toml\" decides what is accepted, and others may write it");
    assert!(!person.home_path("keys/new.key").exists());
    done(&person, "brinekey gen --insecure-permissions new");
}

#[test]
fn a_directory_on_the_way_is_refused_if_others_may_write_to_it_and_a_sticky_one_is_not() {
    let person = Person::with_key();
    person.write("env", person.sign([], b"x"));
    let line = "mkdir -p open/deep links; cp \"$BRINE_HOME/trust.toml\" open/deep/t.toml; \
        ln -s ../open/deep/t.toml links/t.toml; chmod 777 open";
    done(&person, line);
    let open = person.path("open").canonicalize().unwrap();
    for file in ["open/deep/t.toml", "links/t.toml", "../$(basename \"$PWD\")/open/deep/t.toml"] {
        let output = run(&person, &format!("brine verify --trust {file} env"));
        let reason = format!("others may replace it: they may write to {open:?} (mode 0777)");
        assert_refused(&output, 6, &reason);
        assert_eq!(to_type(&output), format!("chmod go-w {}", open.display()));
        done(&person, &format!("brine verify --insecure-permissions --trust {file} env"));
    }
    // From within, by a path that passes nothing but what is good.
    done(&person, "cp open/deep/t.toml t.toml; cd open && brine verify --trust ../t.toml ../env");
    done(&person, "chmod 1777 open; brine verify --trust open/deep/t.toml env");
    done(&person, "chmod 0777 open open/deep; chmod 666 open/deep/t.toml");
    let output = run(&person, "brine verify --trust open/deep/t.toml env");
    assert_refused(&output, 6, "others may write it (mode 0666)");
    let deep = open.join("deep");
    assert_eq!(
        to_type(&output),
        format!("chmod go-w open/deep/t.toml {} {}", deep.display(), open.display())
    );
    done(&person, &format!("{}; brine verify --trust open/deep/t.toml env", to_type(&output)));
}

/// The home itself is such a directory.
#[test]
fn a_home_that_others_may_write_to_is_refused() {
    let person = Person::with_key();
    person.write("env", person.sign([], b"x"));
    done(&person, "chmod 770 \"$BRINE_HOME\"");
    for line in ["brine verify env", "brine verify -p default env", "brinekey trust list"] {
        assert_refused(&run(&person, line), 6, "others may replace it");
    }
    // Nothing in it decides about a key that is given whole.
    done(&person, "brine verify -p \"$(brinekey pub --insecure-permissions)\" env");
}

#[test]
fn what_has_no_way_to_it_is_taken_from_whoever_hands_it_over() {
    let person = Person::with_key();
    person.write("env", person.sign([], b"x"));
    let home = "\"$BRINE_HOME/trust.toml\"";
    for line in [
        format!("cat {home} | brine verify --trust /dev/stdin env"),
        format!("mkfifo pipe; cat {home} > pipe & brine verify --trust pipe env"),
        format!(
            "mkdir open; chmod 777 open; cp {home} open/t; brine verify --trust /dev/fd/3 env 3< open/t"
        ),
        format!("brine verify --trust /dev/fd/3 env 3<<END\n$(cat {home})\nEND"),
        "brine verify --revoked /dev/null env".to_owned(),
    ] {
        done(&person, &line);
    }
    let output =
        run(&person, &format!("chmod 622 pipe; cat {home} > pipe & brine verify --trust pipe env"));
    assert_refused(&output, 6, "others may write it (mode 0622)");
}

/// A file that is read again is held to the same.
#[test]
fn a_stream_ends_where_others_may_write_the_trust_file() {
    let person = Person::with_key();
    done(&person, "head -c 200 /dev/zero > in; brine sign --segment-size 100 in > stream");
    let change = "chmod o+w \"$BRINE_HOME/trust.toml\"";
    let line = |change: &str| {
        format!(
            "(head -c 450 stream; sleep 0.5; {change}; tail -c +451 stream) | brine verify > out; echo $?"
        )
    };
    let output = run(&person, &line("true"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n");
    let output = run(&person, &line(change));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "6\n", "{said}");
    assert!(said.contains("others may write it (mode 0646)"), "{said}");
    assert!(person.read("out").len() < 200);
}

/// Whatever the umask is: what brine makes, it accepts.
#[test]
fn what_brine_makes_nobody_else_may_write() {
    for umask in ["000", "002", "022", "077"] {
        let person = Person::new();
        let line = format!(
            "umask {umask}; mkdir -m 755 h; export BRINE_HOME=$PWD/h/brine; brinekey gen; brinekey gen two; \
             brinekey trust add three default; brinekey trust remove three; echo x > in; \
             brine sign in > out; brine verify out; brine verify -p two -p default out"
        );
        done(&person, &line);
        for file in ["trust.toml", "keys/default.pub", "keys/default.key"] {
            let mode = fs::metadata(person.path(&format!("h/brine/{file}"))).unwrap();
            assert_eq!(mode.permissions().mode() & 0o022, 0, "{file} {umask}");
        }
    }
}

/// Only root can give a file to somebody else. Others are shown that they cannot, so that nothing is skipped unsaid;
/// what belongs to somebody else is judged by the unit tests, too.
#[test]
fn what_belongs_to_another_user_is_refused() {
    let person = Person::with_key();
    person.write("env", person.sign([], b"x"));
    done(
        &person,
        "mkdir theirs sticky; chmod 1777 sticky; cp \"$BRINE_HOME/trust.toml\" t.toml; \
        cp t.toml theirs; cp t.toml sticky; ln -s ../t.toml sticky/link",
    );
    if !rustix::process::geteuid().is_root() {
        assert!(!run(&person, "chown 65533 t.toml").status.success());
        return;
    }
    done(&person, "chown -h 65533 theirs sticky/t.toml sticky/link");
    let theirs = person.path("theirs").canonicalize().unwrap();
    for (file, status, reason) in [
        (
            "theirs/t.toml",
            6,
            format!("another user may replace it: {theirs:?} belongs to user 65533"),
        ),
        ("sticky/t.toml", 6, "another user may write it: it belongs to user 65533".to_owned()),
        ("sticky/link", 2, "is a link of another user".to_owned()),
    ] {
        let line = format!("brine verify --trust {file} env");
        let output = run(&person, &line);
        assert_refused(&output, status, &reason);
        if status == 6 {
            assert!(to_type(&output).starts_with("do this as user 65533, or "), "{output:?}");
        }
        done(&person, &line.replace("verify", "verify --insecure-permissions"));
    }
    // Root believes nobody, and everybody believes root.
    let everybody = "chmod 755 . \"$BRINE_HOME\"; chmod 644 env; setpriv --reuid 65533 --clear-groups \
        brine verify --trust t.toml env";
    done(&person, everybody);
}

/// Root may read everything, and becomes somebody else.
#[test]
fn the_key_store_of_another_user_is_not_an_empty_one() {
    let person = Person::with_key();
    person.write("in", "x");
    done(&person, "chmod 755 . \"$BRINE_HOME\"; chmod 000 \"$BRINE_HOME/keys\"");
    let somebody = match rustix::process::geteuid().is_root() {
        true => "setpriv --reuid 65533 --regid 65533 --clear-groups ",
        false => "",
    };
    for line in [
        "brine sign in -o out",
        "brine verify -p other in",
        "brinekey pub",
        "brinekey list",
        "brinekey passwd --no-passphrase",
        "brinekey export",
        "brinekey gen new",
    ] {
        let output = run(&person, &format!("{somebody}{line}"));
        assert_refused(&output, 6, "Permission denied");
    }
    // A private half that cannot be read is there all the same.
    done(&person, "chmod 755 \"$BRINE_HOME/keys\"; chmod 000 \"$BRINE_HOME/keys/default.key\"");
    let listed = run(&person, &format!("{somebody}brinekey list"));
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("private half unreadable"), "{listed}");
    done(&person, "chmod 700 \"$BRINE_HOME/keys\"");
}

/// Encrypted or not. It is used, since refusing it would make it no secret again.
#[test]
fn a_private_key_that_others_may_read_is_warned_of() {
    let person = Person::with_key();
    person.write("pass", "secret");
    person.write("in", "x");
    done(&person, "brinekey gen locked --passphrase-file pass; cp \"$BRINE_HOME/keys/\"*.key .");
    for (command, key) in [
        ("brine sign {} -k ./default.key in -o out", "default.key"),
        ("brine sign {} --passphrase-file pass -k ./locked.key in -o out", "locked.key"),
        ("brinekey passwd {} --no-passphrase ./default.key", "default.key"),
        ("brinekey export {} ./default.key -o \"$(mktemp -u ./XXXX)\"", "default.key"),
        ("brinekey import {} \"n$(date +%N)\" ./default.key", "default.key"),
    ] {
        let line = command.replace("{}", "");
        for mode in ["640", "604", "620", "444"] {
            done(&person, &format!("chmod {mode} {key}"));
            let output = run(&person, &line);
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            let said = String::from_utf8(output.stderr).unwrap();
            let expected = format!(
                "{key}\" is a private key, and others may read it (mode 0{mode}): chmod 600 ./{key}"
            );
            assert!(said.contains(&expected), "{said}");
        }
        for silent in
            [command.replace("{}", "--insecure-permissions"), format!("chmod 600 ./{key}; {line}")]
        {
            let said = String::from_utf8(run(&person, &silent).stderr).unwrap();
            assert!(!said.contains("others may read"), "{silent}: {said}");
        }
    }
}
