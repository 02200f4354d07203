//! Everything that a command reads and writes is one set, and descriptors are not files.

use std::fs;
use std::process::Output;

use crate::common::{Person, assert_refused};

fn run(person: &Person, line: &str) -> Output {
    person.shell(line).output().unwrap()
}

#[track_caller]
fn done(person: &Person, line: &str) {
    let output = run(person, line);
    assert!(output.status.success(), "{line}: {output:?}");
}

fn with_records() -> Person {
    let person = Person::with_key();
    let line = "printf 'one\\ntwo\\n' | brine sign --lines > records; echo AAAA >> records; \
                echo hello > in; brine sign in -o env; brine replay init --accept-older seen";
    done(&person, line);
    person
}

/// Whatever others write to the same open file stays.
#[test]
fn a_descriptor_is_written_to_and_the_file_behind_it_is_never_replaced() {
    let person = with_records();
    done(&person, "brine sign --job in -o job; ln -s /dev/stdout link; ln -s link chain");
    for path in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link", "chain", "-"] {
        let line = format!("(echo header; brine verify -o {path} env; echo footer) > out");
        done(&person, &line);
        assert_eq!(person.read("out"), b"header\nhello\nfooter\n", "{path}");
        done(&person, &format!("echo old > out; brine verify -o {path} env >> out"));
        assert_eq!(person.read("out"), b"old\nhello\n", "{path}");
    }
    for line in [
        "exec 3> out; echo old >&3; brine verify -o /dev/fd/3 env; echo new >&3",
        "exec 3> out; echo old >&3; brine verify --whole -o /dev/fd/3 env; echo new >&3",
        "exec 3> out; echo old >&3; brine verify --lines --on-bad skip -o /proc/self/fd/3 records; echo new >&3",
        "exec 3> out; echo old >&3; brine verify --check --report /dev/fd/3 env; echo new >&3",
        "exec 3> out; echo old >&3; brine sign -o /dev/fd/3 in; echo new >&3",
        "exec 3> out; echo old >&3; brine verify --lines --reject-to /dev/fd/3 records; echo new >&3",
        "echo old > out; brine verify --check --report /dev/stderr env 2>> out; echo new >> out",
        "echo old > out; brinekey export --no-passphrase -o /dev/stdout >> out; echo new >> out",
    ] {
        run(&person, line);
        let out = person.read("out");
        assert!(out.starts_with(b"old\n") && out.ends_with(b"new\n"), "{line}: {out:?}");
        assert!(out.len() > 12, "{line}: {out:?}");
    }
    // What appears at the end does not go with a database, and a descriptor does.
    done(&person, "head -2 records | brine verify --lines --replay-db seen -o /dev/stdout > out");
    assert_eq!(person.read("out"), b"one\ntwo\n");
}

#[test]
fn a_descriptor_is_read_from_where_it_is() {
    let person = with_records();
    done(&person, "(echo header; cat env) > both; (echo header; brine sign -a in) > text");
    for line in [
        "(read line; brine verify /dev/stdin) < both",
        "exec 3< both; read line <&3; brine verify /dev/fd/3",
        "exec 3< both; read line <&3; brine inspect --json /dev/fd/3 >/dev/null && echo hello",
        "exec 3< text; read line <&3; brine verify /proc/self/fd/3",
    ] {
        assert_eq!(run(&person, line).stdout, b"hello\n", "{line}");
    }
    let output = run(&person, "brine verify /dev/fd/99");
    assert_refused(&output, 4, "\"/dev/fd/99\": Bad file descriptor");
    let output = run(&person, "brine verify env -o /dev/fd/99");
    assert_refused(&output, 4, "descriptor 99: Bad file descriptor");
}

#[test]
fn all_outputs_are_held_against_all_inputs_and_each_other() {
    let person = with_records();
    done(
        &person,
        "ln -s new ahead; mkdir d; ln -s . d/here; ln -s ../seen d/link; brinekey pub > k.pub",
    );
    let before = |name: &str| fs::read(person.path(name)).ok();
    let verify = "brine verify --lines records --on-bad skip --reject-to";
    for line in [
        format!("{verify} new --report new"),
        format!("{verify} new --report d/here/../new"),
        format!("{verify} ahead --report new"),
        format!("{verify} new --report ahead -o out"),
        format!("{verify} new -o ahead"),
        format!("{verify} records"),
        format!("{verify} new 2>> new"),
        format!("{verify} new --report /dev/stdout >> new"),
        format!("{verify} new --replay-db seen --report seen-wal > out"),
        format!("{verify} seen-shm --replay-db d/link > out"),
        format!("{verify} new --replay-db d/link --report seen > out"),
        "brine verify --retry records --out lines --reject-to records".to_owned(),
        "brine verify --lines --replay-db seen seen".to_owned(),
        "brine verify --lines --replay-db seen --trust seen-journal records".to_owned(),
        "brine verify --lines --replay-db seen < seen".to_owned(),
        "brine inspect --lines records >> records".to_owned(),
        "brine inspect < env >> env".to_owned(),
        "brine scan in >> in".to_owned(),
        "brine scan --allow in env >> in".to_owned(),
        "brine replay status d/link >> seen-wal".to_owned(),
        "brine replay prune seen >> seen".to_owned(),
        "brine policy check in >> in".to_owned(),
        "brinekey trust list --trust in >> in".to_owned(),
        "brinekey trust check --trust in ./env >> env".to_owned(),
        "brinekey show ./k.pub >> k.pub".to_owned(),
        "brinekey pub ./k.pub >> k.pub".to_owned(),
        "brine sign -d in d/../in".to_owned(),
        "brine sign in -o /dev/fd/3 3>> in".to_owned(),
        "brine sign --lines --reject-to ahead in -o new".to_owned(),
        "brine sign --lines --reject-to d/here/../in in -o new".to_owned(),
        "brine run env --partial-output new --report ahead -- cat".to_owned(),
        "mkfifo p; brine verify <> p >&0".to_owned(),
    ] {
        let names = ["records", "env", "in", "new", "seen", "k.pub"];
        let (files, contents) = (person.files(), names.map(before));
        let output = run(&person, &line);
        // Where standard output or error is one of the files, the shell has made it.
        let _ = ["new", "seen-wal", "p", "out"].map(|name| fs::remove_file(person.path(name)));
        assert_eq!(output.status.code(), Some(2), "{line}: {output:?}");
        let said = [&output.stderr[..], &before("new").unwrap_or_default()].concat();
        if !line.contains("2>>") {
            assert!(
                String::from_utf8_lossy(&said).contains("are the same file"),
                "{line}: {output:?}"
            );
        }
        assert_eq!((person.files(), names.map(before)), (files, contents), "{line}");
    }
    // Two of a kind that takes anything from anybody.
    done(&person, "brine verify env -o /dev/null --report /dev/null < /dev/null");
    done(&person, "brine sign /dev/null -o /dev/null");
}

/// Edits by two names at once, of which one is a link: each is there in the end.
#[test]
fn no_edit_of_a_trust_file_is_lost_by_whatever_name() {
    let person = Person::with_key();
    done(&person, "brinekey pub > k.pub; mkdir d; ln -s ../t.toml d/inner; ln -s d/inner link");
    let line = "for i in 1 2 3 4 5 6 7 8; do \
                brinekey trust add --trust t.toml a$i ./k.pub & \
                brinekey trust add --trust link b$i ./k.pub & \
                brinekey trust add --trust d/inner c$i ./k.pub & done; wait; \
                brinekey trust list --trust link | wc -l";
    let output = run(&person, line);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "24", "{output:?}");
    assert_eq!(person.files(), ["d", "k.pub", "link", "t.toml", "t.toml.lock"]);
    for link in ["link", "d/inner"] {
        assert!(fs::symlink_metadata(person.path(link)).unwrap().is_symlink(), "{link}");
    }
}

/// Runs a line in a place of its own, where it may mount things; `None` where that is not allowed.
fn apart(person: &Person, line: &str) -> Option<Output> {
    let may = run(person, "unshare -rm mount -t tmpfs none /proc").status.success();
    may.then(|| run(person, &format!("unshare -rm sh -c '{line}'")))
}

#[test]
fn a_file_that_is_mounted_by_itself_is_not_replaced_and_the_way_out_is_named() {
    let person = with_records();
    done(
        &person,
        "echo \"# before\" > src; touch out; mkdir c; touch c/seen; brinekey pub > k.pub",
    );
    for line in [
        "brine verify env -o out",
        "brine verify --lines --on-bad skip records -o out",
        "brine verify env --check --report out",
        "brinekey trust add --trust out bob ./k.pub",
    ] {
        let line = format!("mount --bind src out; {line}");
        let Some(output) = apart(&person, &line) else { return };
        assert_refused(
            &output,
            4,
            "out\" is mounted without its directory, and cannot be replaced",
        );
        let hint = String::from_utf8_lossy(&output.stderr).contains("hint: mount the directory");
        assert!(hint, "{output:?}");
        assert_eq!(person.read("src"), b"# before\n", "{line}");
    }
    let output = apart(&person, "mount --bind src out; brine verify env > out").unwrap();
    assert_eq!((output.status.code(), person.read("src")), (Some(0), b"hello\n".to_vec()));
    let line = "mount --bind seen c/seen; brine verify --lines --replay-db c/seen records";
    let output = apart(&person, line).unwrap();
    assert_refused(&output, 4, "is mounted without its directory");
    assert!(String::from_utf8_lossy(&output.stderr).contains("hint: mount the directory"));
}

/// As in a chroot, an initramfs, or a container without it.
#[test]
fn everything_is_written_where_there_is_no_proc() {
    let person = with_records();
    let line = "mount -t tmpfs none /proc; set -e; \
                brine verify env -o out; cmp in out; brine sign -d in; brine verify -d in; \
                brine verify -o /dev/stdout env; brine verify /dev/stdin < env > out; cmp in out; \
                brinekey gen other --no-passphrase; brinekey export -o exported; \
                brinekey trust add bob \"$(brinekey pub other)\"; \
                head -c 5000000 /dev/zero > big; brine sign --single big -o big.env; \
                brine verify --whole big.env | cmp - big; brine verify big.env -o big.out; cmp big big.out; \
                brine replay init --accept-older made";
    let Some(output) = apart(&person, line) else { return };
    assert!(output.status.success(), "{output:?}");
    assert!(!person.files().iter().any(|name| name.starts_with('.')), "{:?}", person.files());
}

/// Nothing is given to more people than the file that it replaces, and a directory that cannot be written is named.
#[test]
fn what_is_needed_is_named_where_it_is_missing() {
    let person = with_records();
    let output = run(&person, "brine verify env -o none/out");
    assert_refused(&output, 4, "\"none/out\" cannot be made: there is no directory \"none\"");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("hint: \"mkdir -p none\" makes it"),
        "{output:?}"
    );
    // It is made under another name, which nobody typed.
    let output = run(&person, "brine replay init none/seen");
    assert_refused(&output, 4, "\"none/seen\" cannot be made: there is no directory \"none\"");
    let large = "head -c 5000000 /dev/zero | brine sign | TMPDIR=./none brine verify --whole";
    let output = run(&person, large);
    assert_refused(&output, 4, "cannot keep a temporary file in \"./none\": No such file");
    assert!(String::from_utf8_lossy(&output.stderr).contains("TMPDIR"), "{output:?}");
    // What is small needs no place.
    done(&person, "TMPDIR=./none brine verify --whole env");
}

/// The reason in the line of JSON about a refusal.
fn reason(output: &Output) -> String {
    let verdict: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    verdict["reason"].as_str().unwrap().to_owned()
}

/// Only root can give a link to somebody else. Everybody may leave one in a directory such as /tmp.
#[test]
fn no_command_writes_through_a_link_that_another_user_left_where_everybody_may() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let person = with_records();
    done(&person, "brinekey pub > k.pub; mkdir -m 1777 open; ln -s ../target open/link");
    done(&person, "mkdir aim; ln -s ../aim open/way; chown -h 65534 open/link open/way");
    for path in ["open/link", "open/way/new"] {
        for line in [
            format!("brine verify --json env -o {path}"),
            format!("brine verify --json --whole env -o {path}"),
            format!("brine verify --json --lines records --reject-to {path}"),
        ] {
            let output = run(&person, &line);
            assert_eq!(
                (output.status.code(), &*reason(&output)),
                (Some(2), "foreign-link"),
                "{line}"
            );
        }
        for line in [
            format!("brine sign in -o {path}"),
            format!("brine verify env --report {path}"),
            format!("brinekey trust add --trust {path} bob ./k.pub"),
            format!("brine replay init {path}"),
        ] {
            let output = run(&person, &line);
            assert_refused(&output, 2, "is a link of another user");
        }
    }
    assert!(!person.path("target").exists());
    assert_eq!(fs::read_dir(person.path("aim")).unwrap().count(), 0);
    // Their own links in their own directories lead where they say.
    done(&person, "chmod 755 open; brine verify env -o open/link; cmp in target");
}

/// Opened by its number, it would be written over from its beginning.
#[test]
fn the_log_of_another_process_is_not_written_over_in_place() {
    let person = with_records();
    let fd = "/proc/$other/fd/3";
    let line = |command: &str| {
        format!(
            "exec 3> log; echo an old and long line >&3; sleep 60 & other=$!; exec 3>&-; \
             {command}; status=$?; kill $other; exit $status"
        )
    };
    done(&person, "mkfifo pipe");
    for command in [
        format!("brine verify --json env -o {fd}"),
        format!("brine verify --json --check env --report {fd}"),
        format!("ln -sf {fd} link; brine verify --json env -o link"),
    ] {
        let output = run(&person, &line(&command));
        let found = (output.status.code(), &*reason(&output));
        assert_eq!(found, (Some(2), "written-in-place"), "{command}");
        assert_eq!(person.read("log"), b"an old and long line\n", "{command}");
    }
    let output = run(&person, &line(&format!("brine verify env -o {fd}")));
    assert!(String::from_utf8_lossy(&output.stderr).contains("hint: name the file itself"));
    // A pipe has no beginning.
    let line = "exec 4<> pipe; sleep 60 4>&4 & other=$!; \
                brine verify env -o /proc/$other/fd/4 && head -n 1 <&4; kill $other";
    assert_eq!(run(&person, line).stdout, b"hello\n");
}

/// A payload that took one of these names would decide about all that come after it.
#[test]
fn what_is_released_becomes_no_trust_file_policy_or_key_that_is_not_there_yet() {
    let person = with_records();
    done(&person, "brinekey pub > k.pub; rm -f $BRINE_HOME/trust.toml $BRINE_HOME/policy.toml");
    done(&person, "ln -s $BRINE_HOME home; ln -s home/trust.toml ahead; mkdir afar");
    done(&person, "ln -s $PWD/afar/policy $BRINE_HOME/policy.toml");
    for place in [
        "$BRINE_HOME/trust.toml",
        "$BRINE_HOME/policy.toml",
        "$BRINE_HOME/keys/x.pub",
        "$BRINE_HOME/keys/../keys/x.key",
        "home/trust.toml",
        "home/keys/x.pub",
        "ahead",
        "afar/policy",
    ] {
        for line in [
            format!("brine verify --json -p ./k.pub env -o {place}"),
            format!("brine verify --json -p ./k.pub env --check --report {place}"),
            format!("brine verify --json --lines -p ./k.pub records --reject-to {place}"),
        ] {
            let output = run(&person, &line);
            let found = (output.status.code(), &*reason(&output));
            assert_eq!(found, (Some(2), "precious-file"), "{line}");
        }
    }
    assert!(!person.home_path("trust.toml").exists() && !person.home_path("keys/x.pub").exists());
    assert!(!person.path("afar/policy").exists());
    done(
        &person,
        "brine verify -p ./k.pub env -o $BRINE_HOME/other; brinekey trust add bob ./k.pub",
    );
}

#[test]
fn every_output_follows_links_to_what_is_not_there_yet() {
    let person = with_records();
    done(&person, "mkdir d; ln -s d/inner link; ln -s ../end d/inner");
    run(&person, "brine verify --lines records --reject-to link");
    assert!(person.read("end").starts_with(b"{\"schema\":\"brine.rejected/1\""));
    let before = person.read("end").len();
    run(&person, "brine verify --lines records --reject-to link");
    assert!(person.read("end").len() > before);
    for line in ["brine verify env -o link", "brine replay init link"] {
        done(&person, &format!("rm -f end; {line}; test -f end"));
    }
    assert!(fs::symlink_metadata(person.path("link")).unwrap().is_symlink());
}

#[test]
fn a_name_that_only_a_directory_can_have_makes_no_file() {
    let person = with_records();
    done(&person, "brinekey pub > k.pub; ln -s new/ link");
    let files = person.files();
    for name in ["new/", "new/.", "new//", "link", "./new/./"] {
        for line in [
            format!("brine verify env -o {name}"),
            format!("brine sign in -o {name}"),
            format!("brine verify env --check --report {name}"),
            format!("brine verify --lines records --reject-to {name}"),
            format!("brine replay init {name}"),
            format!("brinekey trust add --trust {name} bob ./k.pub"),
        ] {
            assert_refused(&run(&person, &line), 4, "Is a directory");
            assert_eq!(person.files(), files, "{line}");
        }
        let output = run(&person, &format!("brinekey export --no-passphrase -o {name}"));
        // A private key goes over nothing, not even a link.
        let said = if name == "link" { "exists already" } else { "Is a directory" };
        assert_refused(&output, 4, said);
    }
}
