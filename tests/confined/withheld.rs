//! Each layer and each feature, by withholding what it needs: as containers do it, and older kernels.
//!
//! What the kernel would refuse, a filter refuses (`withhold.py`). What is said of it is what a person reads there.

use std::process::Command;

use brine_core::Classified as _;
use brine_job::{Layer, Plan};
use brine_sandbox::probe;

use crate::faults::{MARK, itself, mark, marked, python};
use crate::jobs::{BRINE, LAYERS, brine, ran, run, shell};
use crate::world::{World, is_root, open_to_all};

/// Runs a job from whose brine `rules` withhold system calls, and returns what is said of it.
fn said_without(rules: &[&str]) -> String {
    said_of("a_job_is_told_of_for_another_test", rules, &[])
}

fn said_of(test: &str, rules: &[&str], before: &[&str]) -> String {
    let world = World::new();
    let script = world.at("withhold.py");
    std::fs::write(&script, include_str!("withhold.py")).unwrap();
    open_to_all(&script);
    let mut words: Vec<String> = before.iter().map(|&word| word.to_owned()).collect();
    words.extend(["/usr/bin/python3".to_owned(), script.to_str().unwrap().to_owned()]);
    words.extend(rules.iter().map(|&rule| rule.to_owned()));
    words.push("--".to_owned());
    words.extend(itself(&format!("withheld::{test}")));
    let mark = mark();
    let mut command = Command::new(&words[0]);
    let output = command.args(&words[1..]).env(MARK, &mark).env(BRINE, brine()).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    // Whatever was withheld, nothing is left.
    assert_eq!(marked(&mark), [""; 0], "{said}");
    said
}

/// Not a test: what the others run, where something is withheld.
#[test]
#[ignore = "does nothing unless another test starts it"]
fn a_job_is_told_of_for_another_test() {
    let Ok(mark) = std::env::var(MARK) else { return };
    let mut job = shell(&format!(": {mark}; (sleep 100 &); test -e /proc/self && echo own"));
    if std::env::var_os(PORTS).is_some() {
        job.ports = [443].into();
    }
    if std::env::var_os(WAIVED).is_some() {
        job.waived.insert(Layer::Namespaces);
    }
    match run(&job, b"") {
        Ok((outcome, _)) => println!(
            "ran: {:?}, {} layers, memory {}, cpu {}, proc {}, {:?}",
            outcome.end,
            outcome.layers.len(),
            outcome.bounds.memory.name(),
            outcome.bounds.processor_time.name(),
            outcome.proc_view.name(),
            outcome.tree,
        ),
        Err(error) => println!(
            "status {} ({}): {error}; hint: {}",
            error.status(),
            error.reason(),
            error.hint().unwrap_or("none")
        ),
    }
}

const PORTS: &str = "BRINE_TEST_PORTS";

const WAIVED: &str = "BRINE_TEST_WAIVED";

/// Not a test: says which layers are missing, as `brine doctor` and `brine run --explain` find out.
#[test]
#[ignore = "does nothing unless another test starts it"]
fn the_layers_are_told_of_for_another_test() {
    if std::env::var_os(MARK).is_none() {
        return;
    }
    let probe = probe(Plan::from(shell("exit 0")), &brine());
    let missing: Vec<_> = probe.missing.iter().map(|(layer, _)| layer.name()).collect();
    println!("missing: {missing:?}, held: {:?}", probe.held.map(|held| held.len()));
}

/// What a layer needs, one call each: without it brine refuses, and says which layer, at which step, and what to do.
#[test]
fn a_layer_without_what_it_needs_is_refused_by_name() {
    let denied =
        "hint: this system denies you user namespaces; \"brine doctor\" says what denies them";
    let newer = "hint: brine needs Linux 5.15 or later, and in a container a seccomp profile that knows its calls";
    for (rule, step, hint) in [
        ("unshare=EPERM", "namespaces: making new namespaces: Operation not permitted", denied),
        ("mount=EPERM", "namespaces: keeping mounts to itself: Operation not permitted", denied),
        (
            "pivot_root=EPERM",
            "namespaces: entering the private root: Operation not permitted",
            denied,
        ),
        ("umount2=EPERM", "namespaces: entering the private root: Operation not permitted", denied),
        ("fsopen=ENOSYS", "namespaces: mounting /proc: Function not implemented", newer),
        (
            "move_mount=ENOSYS",
            "namespaces: making the private root: Function not implemented",
            newer,
        ),
        ("mount_setattr=ENOSYS", "namespaces: mounting \"/", newer),
        ("open_tree=ENOSYS", "namespaces: mounting \"/", newer),
        (
            "landlock_create_ruleset=ENOSYS",
            "landlock: asking for its version: Function not implemented",
            "hint: Landlock needs Linux 5.19 or later",
        ),
        (
            "landlock_create_ruleset=EOPNOTSUPP",
            "landlock: asking for its version: Operation not supported",
            "and \"landlock\" in the kernel's lsm= list",
        ),
        (
            "seccomp=ENOSYS",
            "seccomp: setting a filter: Function not implemented",
            "hint: seccomp filters need a kernel that was built with CONFIG_SECCOMP_FILTER",
        ),
    ] {
        let said = said_without(&[rule]);
        let begin = format!("status 125 (confinement): confinement could not be set up: {step}");
        assert!(said.contains(&begin) && said.contains(hint), "{rule}: {said}");
    }
}

/// A root that the kernel does not exchange is told from other reasons for the same error.
#[test]
fn a_root_that_cannot_be_exchanged_is_named() {
    let said = said_without(&["pivot_root=EINVAL"]);
    assert!(said.contains("entering the private root: Invalid argument"), "{said}");
    if !is_root() {
        // Nobody else may leave the root of the system.
        return;
    }
    let filled = "mount -t tmpfs none /mnt && cd /mnt && mkdir root root/mnt && $bind && for name in /*; do
        if test -L $name; then cp -P $name root
        elif test $name != /mnt && test -d $name; then mkdir root$name && mount --rbind $name root$name; fi
    done && cd root && $enter \"$@\"";
    let said_inside = |bind: &str, enter: &str| {
        let script = filled.replace("$bind", bind).replace("$enter", enter);
        let before = ["unshare", "--mount", "sh", "-c", &script, "sh"];
        said_of("a_job_is_told_of_for_another_test", &["setns=EPERM"], &before)
    };
    let said = said_inside("true", "exec chroot .");
    let root =
        "namespaces: exchanging the root, which is a directory and no mount: Invalid argument";
    assert!(said.contains(root) && said.contains("with pivot_root(8)"), "{said}");
    // What the hint says works.
    let said = said_inside("mount --bind root root", "pivot_root . mnt && exec");
    assert!(said.contains("ran: Exited(0), 6 layers"), "{said}");
}

/// Calls that all supported kernels have, and some profiles of containers do not know.
#[test]
fn a_system_without_an_older_call_says_what_it_lacks() {
    let newer = "hint: brine needs Linux 5.15 or later, and in a container a seccomp profile that knows its calls";
    for (call, step) in [
        ("memfd_create", "writing the orders of the init (memfd_create): "),
        ("close_range", "arranging descriptors (close_range): "),
        ("pidfd_open", "watching the job (pidfd_open): "),
        ("socketpair", "making a pair of sockets: "),
        ("pipe2", "making a pipe: "),
        ("setsid", "leaving the session: "),
        ("personality", "resetting the personality: "),
        ("recvmsg", "hearing of the job (recvmsg): "),
    ] {
        for (errno, hint) in [("ENOSYS", newer), ("EPERM", "refuses it this call")] {
            let said = said_without(&[&format!("{call}={errno}")]);
            let begin = "status 125 (confinement): confinement could not be set up: ";
            let says = said.contains(&format!("{begin}{step}")) && said.contains(hint);
            assert!(says, "{call}={errno}: {said}");
        }
    }
    let said = said_without(&["openat2=ENOSYS"]);
    assert!(said.contains("status 125 (opening): \"/") && said.contains(newer), "{said}");
}

/// A job that nothing would end with the init does not start where nobody can watch it.
#[test]
fn a_job_without_namespaces_that_cannot_be_watched_is_not_started() {
    let waived = ["env", "BRINE_TEST_WAIVED=namespaces"];
    let said = said_of("a_job_is_told_of_for_another_test", &["setns=EPERM"], &waived);
    assert!(said.contains("ran: Exited(0), 5 layers"), "{said}");
    let said = said_of("a_job_is_told_of_for_another_test", &["pidfd_open=ENOSYS"], &waived);
    let expected = "status 125 (confinement): confinement could not be set up: watching the job";
    assert!(said.contains(expected), "{said}");
}

/// What brine does without, or in another way: the job runs behind every layer.
#[test]
fn what_is_not_needed_is_done_without() {
    for rule in [
        "clone3=ENOSYS",
        "clone:0&0x7e020000=EPERM",
        "faccessat2=ENOSYS",
        "pidfd_send_signal=ENOSYS",
        "memfd_create:1&0x10=EINVAL",
        "setns=EPERM",
    ] {
        let said = said_without(&[rule]);
        let all = format!("ran: Exited(0), {} layers", LAYERS.len());
        assert!(said.contains(&all) && said.contains("proc own, Certain"), "{rule}: {said}");
    }
}

/// Linux 5.15 has version 1 of Landlock, 6.2 version 3, and 6.7 version 4.
#[test]
fn a_version_of_landlock_that_is_too_old_is_said_with_the_one_that_is_needed() {
    let said = said_without(&["landlock@1"]);
    assert!(
        said.contains("landlock: this kernel has version 1, and 2 is needed for the plan"),
        "{said}"
    );
    assert!(said.contains("hint: Landlock needs Linux 5.19 or later"), "{said}");
    for version in ["landlock@2", "landlock@3"] {
        let said = said_without(&[version]);
        assert!(said.contains("ran: Exited(0), 6 layers"), "{said}");
    }
    let ports = ["env", "BRINE_TEST_PORTS=443"];
    let said = said_of("a_job_is_told_of_for_another_test", &["landlock@3"], &ports);
    assert!(
        said.contains("landlock: this kernel has version 3, and 4 is needed for the plan"),
        "{said}"
    );
    assert!(said.contains("6.7 if ports are granted"), "{said}");
    let said = said_of("a_job_is_told_of_for_another_test", &["landlock@4"], &ports);
    assert!(said.contains("ran: Exited(0), 5 layers"), "{said}");
}

/// Where no control group can be made, brine looks at the job; where nothing counts its time, too.
#[test]
fn bounds_are_held_by_what_there_is() {
    let before: &[&str] = if is_root() { &WITHOUT_GROUPS } else { &[] };
    let said = |rules: &[&str]| said_of("a_job_is_told_of_for_another_test", rules, before);
    let counted = said(&["setns=EPERM"]);
    let expected = "memory looks, cpu perf-event, proc own, Certain";
    assert!(counted.contains("6 layers") && counted.contains(expected), "{counted}");
    for errno in ["EPERM", "EACCES", "ENOSYS"] {
        let said = said(&[&format!("perf_event_open={errno}")]);
        let expected = "memory looks, cpu looks, proc own, Certain";
        assert!(said.contains("6 layers") && said.contains(expected), "{errno}: {said}");
    }
}

/// Sockets that list others (`NETLINK_SOCK_DIAG`): without them what waits in sockets is not counted, so there are none.
#[test]
fn a_job_whose_sockets_cannot_be_counted_makes_none() {
    let before: &[&str] = if is_root() { &WITHOUT_GROUPS } else { &[] };
    let said = |rules: &[&str]| said_of("sockets_are_told_of_for_another_test", rules, before);
    let counted = said(&["setns=EPERM"]);
    assert!(counted.contains("[made, made], memory looks, 6 layers"), "{counted}");
    // A container refuses to make one, or to ask with it: no other message of brine's has as many bytes.
    for rule in ["socket:2:4=EPROTONOSUPPORT", "sendto:2:40=EPERM"] {
        let said = said(&[rule]);
        assert!(said.contains("[EPERM, EPERM], memory looks, 6 layers"), "{rule}: {said}");
    }
}

/// Not a test: says what becomes of sockets that a job makes.
#[test]
#[ignore = "does nothing unless another test starts it"]
fn sockets_are_told_of_for_another_test() {
    let Ok(mark) = std::env::var(MARK) else { return };
    let script = format!(
        "import errno, socket  # {mark}\ndef said(make):\n try: make()\n except OSError as e: return errno.errorcode[e.errno]\n return 'made'\nprint('[%s, %s]' % (said(socket.socketpair), said(lambda: socket.socket(socket.AF_UNIX))), end='')"
    );
    let (outcome, output) = ran(&python(&script), b"");
    println!(
        "{}, memory {}, {} layers",
        String::from_utf8_lossy(&output),
        outcome.bounds.memory.name(),
        outcome.layers.len()
    );
}

/// What root types before a command that makes no control group.
const WITHOUT_GROUPS: [&str; 6] =
    ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /sys/fs/cgroup; exec \"$@\"", "sh"];

/// What Docker and Kubernetes refuse by default to a container without privileges.
const CONTAINER: [&str; 10] = [
    "unshare=EPERM",
    "mount=EPERM",
    "umount2=EPERM",
    "pivot_root=EPERM",
    "setns=EPERM",
    "clone:0&0x7e020000=EPERM",
    "clone3=ENOSYS",
    "fsopen=EPERM",
    "open_tree=EPERM",
    "perf_event_open=EPERM",
];

/// All layers that are missing there are named at once, and the others hold.
#[test]
fn in_a_container_without_privileges_each_missing_layer_is_named() {
    let said = said_of("the_layers_are_told_of_for_another_test", &CONTAINER, &[]);
    assert!(said.contains("missing: [\"namespaces\", \"network\"], held: Ok(4)"), "{said}");
    let said = said_without(&CONTAINER);
    assert!(said.contains("namespaces: making new namespaces: Operation not permitted"), "{said}");
}

/// Two layers that are missing are both named.
#[test]
fn every_layer_that_is_missing_is_found() {
    let rules = ["landlock_create_ruleset=ENOSYS", "seccomp=ENOSYS"];
    let said = said_of("the_layers_are_told_of_for_another_test", &rules, &[]);
    assert!(said.contains("missing: [\"landlock\", \"seccomp\"], held: Ok(4)"), "{said}");
    assert_eq!(Layer::ALL.len(), 6);
}
