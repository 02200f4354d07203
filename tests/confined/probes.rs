//! What a job must not be able to do, which layers stop it, each by itself, and that nothing else does.

use std::collections::BTreeSet;
use std::process::Command;

use brine_job::{Layer, PlanParts};
use brine_sandbox::{JobEnd, JobOutcome};

use crate::jobs::{LAYERS, plan, ran};
use crate::world::{World, is_root, neighbour, probe};

/// What a probe is told.
enum About {
    /// Nothing.
    Itself,
    /// A directory that was not granted.
    Files,
    /// The directory of the neighbour.
    Sockets,
    /// A fact about the neighbour.
    Neighbour(&'static str),
    /// A path.
    Path(&'static str),
    /// A system call.
    Call(i64),
}
use About::{Call, Files, Itself, Neighbour, Path, Sockets};

/// The name of a probe, what it is told, and the layers that stop it when they are alone: *N*amespaces,
/// n*E*twork, *R*esource limits, *P*rivileges, *L*andlock, *S*eccomp.
///
/// A small `e` stops it where brine is not root: then an empty network comes with a user namespace, from
/// which nobody looks into a process outside. A small `p` where it is: only root can empty the bounding
/// set, which without privileges and a namespace gives nobody anything.
const PROBES: &[(&str, About, &str)] = &[
    // Files that were not granted.
    ("file_read", Files, "NL"),
    ("file_create", Files, "NL"),
    ("file_write", Files, "NL"),
    ("file_truncate", Files, "NL"),
    ("file_by_link", Files, "NL"),
    ("file_by_hard_link", Files, "NL"),
    ("file_by_dots", Files, "NL"),
    ("file_by_proc", Files, "NL"),
    ("file_rename", Files, "NL"),
    ("file_unlink", Files, "NL"),
    ("file_mkdir", Files, "NL"),
    ("file_fifo", Files, "NLS"),
    ("file_symlink", Files, "NL"),
    ("file_list", Files, "NL"),
    ("file_stat", Files, "N"),
    ("file_chmod", Files, "N"),
    ("file_xattr", Files, "N"),
    ("file_utime", Files, "N"),
    ("file_chdir", Files, "N"),
    ("file_watch", Files, "NS"),
    // What outlives the job, or reaches others by way of what they may both use.
    ("file_set_id", Itself, "S"),
    ("file_set_id_at", Itself, "S"),
    ("file_set_id_open", Itself, "S"),
    ("file_set_id_made", Itself, "S"),
    ("file_whiteout", Itself, "S"),
    ("file_lease", Itself, "S"),
    ("file_notify", Itself, "S"),
    ("file_statfs", Files, "N"),
    ("shared_memory_file", Neighbour("memory"), "NL"),
    ("host_users", Itself, "NL"),
    ("device_ptmx", Itself, "NL"),
    ("device_mem_list", Itself, "L"),
    ("bind_path", Files, "NLS"),
    // Programs that were not granted.
    ("exec_outside", Files, "NL"),
    ("exec_written", Itself, "NL"),
    // Without a private root these are this system's, which Landlock does not let it write to.
    ("exec_written_in", Path("/tmp"), "NL"),
    ("exec_written_in", Path("/dev/shm"), "NL"),
    ("exec_by_loader", Itself, "N"),
    ("exec_memory", Itself, "S"),
    ("map_written", Itself, "N"),
    // Other processes.
    ("process_signal", Neighbour("pid"), "NL"),
    ("process_trace", Neighbour("pid"), "eNLS"),
    ("process_read", Neighbour("pid"), "eNLS"),
    ("process_environment", Neighbour("pid"), "eNL"),
    ("process_memory", Neighbour("pid"), "eNL"),
    ("process_command", Neighbour("pid"), "NL"),
    ("process_descriptor", Neighbour("pid"), "eNLS"),
    ("process_priority", Neighbour("pid"), "NS"),
    ("process_schedule", Neighbour("pid"), "NS"),
    ("process_io_priority", Neighbour("pid"), "NS"),
    // In a user namespace it stops at a process of brine's, which then has more capabilities than the job.
    ("user_io_priority", Itself, "eNS"),
    ("process_affinity", Neighbour("pid"), "N"),
    ("process_limit", Neighbour("pid"), "NS"),
    ("process_compare", Neighbour("pid"), "eNLS"),
    ("process_session", Neighbour("pid"), "N"),
    // What processes share.
    ("ipc_memory", Neighbour("key"), "NS"),
    ("ipc_queue", Neighbour("key"), "NS"),
    ("ipc_new_memory", Itself, "S"),
    ("host_name", Neighbour("host"), "N"),
    ("message_queue", Itself, "RLS"),
    // The network.
    ("tcp_connect", Neighbour("tcp"), "ELS"),
    ("tcp_listen", Itself, "LS"),
    // Landlock sees only what is bound by name.
    ("tcp_listen_unbound", Itself, "S"),
    ("tcp_fast_open", Neighbour("tcp"), "ES"),
    ("tcp_fast_open_message", Neighbour("tcp"), "ES"),
    ("udp_send", Neighbour("udp"), "ES"),
    ("mptcp_connect", Neighbour("tcp"), "ES"),
    ("unix_connect", Sockets, "NS"),
    ("unix_abstract", Neighbour("abstract"), "ELS"),
    ("unix_by_pair", Sockets, "NS"),
    ("netlink", Itself, "S"),
    // The kernel's wide doors.
    ("new_user", Itself, "S"),
    ("new_user_clone", Itself, "S"),
    ("new_user_clone_upper", Itself, "S"),
    ("clone_three", Itself, "S"),
    ("io_uring", Itself, "RS"),
    ("keyring", Itself, "S"),
    ("add_key", Itself, "S"),
    // The kernel keeps rules in memory that no limit counts.
    ("new_rules", Itself, "S"),
    ("user_fault", Itself, "S"),
    ("no_randomisation", Itself, "S"),
    ("performance", Itself, "S"),
    ("file_handle", Itself, "S"),
    ("fanotify", Itself, "S"),
    ("splice_memory", Itself, "S"),
    #[cfg(target_arch = "x86_64")]
    ("old_call", Itself, "S"),
    #[cfg(target_arch = "x86_64")]
    ("descriptor_table", Itself, "S"),
    // More than it may have.
    ("much_memory", Itself, "R"),
    ("locked_memory", Itself, "R"),
    ("large_file", Itself, "R"),
    ("many_files", Itself, "R"),
    ("many_processes", Itself, "R"),
    ("much_scratch", Itself, "N"),
    ("much_scratch_in_all", Itself, "NL"),
    ("many_scratch_files", Itself, "N"),
    ("core_file", Itself, "R"),
    // More than it is. Landlock and seccomp need the same promise of the kernel.
    ("may_gain", Itself, "PLS"),
    ("bounding_set", Itself, "p"),
];

#[test]
fn each_layer_alone_stops_what_it_should_and_nothing_else() {
    let wrong: Vec<String> =
        PROBES.iter().flat_map(|(name, about, stopped)| mistakes(name, about, stopped)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Tries a probe bare, behind each layer alone, and behind all of them.
fn mistakes(name: &str, about: &About, stopped: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let bare = attempt(name, about, &LAYERS);
    if !done(&bare) {
        wrong.push(format!("{name} proves nothing, as it fails bare: {}", told(&bare)));
    }
    for layer in LAYERS {
        let others: Vec<Layer> = LAYERS.into_iter().filter(|other| *other != layer).collect();
        let outcome = attempt(name, about, &others);
        assert_eq!(outcome.layers, [layer]);
        let here = if is_root() { 'p' } else { 'e' };
        let letter = letter(layer);
        let also = letter.to_ascii_lowercase() == here && stopped.contains(here);
        if done(&outcome) == (stopped.contains(letter) || also) {
            wrong.push(format!("{name} behind {} alone: {}", layer.name(), told(&outcome)));
        }
    }
    let outcome = attempt(name, about, &[]);
    if done(&outcome) {
        wrong.push(format!("{name} behind all layers: {}", told(&outcome)));
    }
    wrong
}

fn attempt(name: &str, about: &About, waived: &[Layer]) -> JobOutcome {
    let world = World::new();
    ran(&probing(name, &told_about(about, &world), waived), b"").0
}

fn probing(name: &str, about: &str, waived: &[Layer]) -> PlanParts {
    let mut plan = plan(probe(), &["probe", name, about]);
    plan.waived = BTreeSet::from_iter(waived.iter().copied());
    match name {
        "many_processes" => plan.limits.processes = 32,
        "much_memory" => plan.limits.address_space = 512 << 20,
        _ => {}
    }
    plan
}

fn told_about(about: &About, world: &World) -> String {
    match about {
        Itself => String::new(),
        Files => world.path().to_str().unwrap().to_owned(),
        Sockets => neighbour().directory.path().to_str().unwrap().to_owned(),
        Neighbour(fact) => neighbour().fact(fact),
        Path(path) => (*path).to_owned(),
        Call(number) => number.to_string(),
    }
}

fn done(outcome: &JobOutcome) -> bool {
    // A probe that does not know its name would be denied everything.
    assert_ne!(outcome.end, JobEnd::Exited(2));
    assert_ne!(outcome.end, JobEnd::Exited(3), "a probe could not prepare itself");
    outcome.end == JobEnd::Exited(0)
}

fn told(outcome: &JobOutcome) -> String {
    format!("{:?} {}", outcome.end, String::from_utf8_lossy(&outcome.errors).trim_end())
}

fn letter(layer: Layer) -> char {
    match layer {
        Layer::Namespaces => 'N',
        Layer::Network => 'E',
        Layer::Limits => 'R',
        Layer::Privileges => 'P',
        Layer::Landlock => 'L',
        Layer::Seccomp => 'S',
    }
}

#[test]
fn a_program_of_roots_gives_a_job_nothing() {
    if !is_root() {
        // Only root can make a program that others run as root.
        return;
    }
    assert_eq!(mistakes("set_user_id", &Files, "NPLS"), [""; 0]);
}

/// Calls that nobody makes by accident end the job, and brine says what it ran into.
#[test]
fn a_hostile_call_is_a_violation() {
    let calls = [
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_fsopen,
        libc::SYS_move_mount,
        libc::SYS_open_tree,
        libc::SYS_setns,
        libc::SYS_bpf,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_kexec_load,
        libc::SYS_open_by_handle_at,
        libc::SYS_userfaultfd,
        libc::SYS_swapon,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_sethostname,
        libc::SYS_acct,
    ];
    let probes = calls.map(|number| ("call", Call(number)));
    let others = ["terminal_input", "terminal_input_upper", "new_mounts", "new_user_clone"];
    for (name, about) in probes.into_iter().chain(others.map(|name| (name, Itself))) {
        let about = told_about(&about, &World::new());
        let (outcome, _) = ran(&probing(name, &about, &LAYERS), b"");
        assert_eq!(outcome.end, JobEnd::Exited(0), "{name} {about}, bare");
        let (outcome, _) = ran(&probing(name, &about, &[]), b"");
        let JobEnd::Violated(violation) = outcome.end else {
            panic!("{name} {about}: {}", told(&outcome))
        };
        assert_eq!(violation.layer, Layer::Seccomp);
        assert!(violation.call.is_some(), "{name} {about}");
    }
}

/// What no layer has to stop, since a job is never given it.
#[test]
fn a_job_is_not_given_what_brine_holds() {
    for waived in [&LAYERS[..], &[]] {
        for name in ["descriptors", "terminal", "writes_stdin"] {
            let (outcome, output) = ran(&probing(name, "", waived), b"payload");
            assert_eq!(outcome.end, JobEnd::Exited(1), "{name}: {output:?}");
        }
    }
    for name in ["reopens_stdin", "reopens_dev_stdin", "kill_all", "kill_one"] {
        let (outcome, _) = ran(&probing(name, "", &[]), b"payload");
        assert_eq!(outcome.end, JobEnd::Exited(1), "{name}: {}", told(&outcome));
    }
    let (outcome, _) = ran(&probing("trace_one", "", &[Layer::Seccomp]), b"");
    assert_eq!(outcome.end, JobEnd::Exited(1), "{}", told(&outcome));
}

/// Process 1 kills the job, and runs as its user. Whoever keeps it from running keeps the job alive.
#[test]
fn no_call_of_a_job_acts_on_process_1() {
    let (outcome, output) =
        ran(&probing("acts_on_one", "", &[Layer::Landlock, Layer::Seccomp]), b"");
    let done = String::from_utf8(output).unwrap();
    assert_eq!(outcome.end, JobEnd::Exited(0), "without seccomp: {}", told(&outcome));
    assert!(done.contains("sched_setaffinity") && done.contains("PRIO_USER"), "{done}");
    for waived in [&[][..], &[Layer::Landlock], &[Layer::Privileges, Layer::Limits]] {
        let (outcome, output) = ran(&probing("acts_on_one", "", waived), b"");
        let done = String::from_utf8_lossy(&output);
        assert_eq!(
            (outcome.end, &*done),
            (JobEnd::Exited(1), ""),
            "{waived:?}: {}",
            told(&outcome)
        );
    }
    let (outcome, _) = ran(&probing("acts_on_itself", "", &[]), b"");
    assert_eq!(outcome.end, JobEnd::Exited(0), "{}", told(&outcome));
}

/// The keys of a login are possessed by whoever has its session keyring.
#[test]
fn a_job_has_another_session_keyring() {
    let bare = Command::new(probe()).arg("session_keyring").output().unwrap();
    let ours = String::from_utf8(bare.stdout).unwrap();
    let (outcome, theirs) = ran(&probing("session_keyring", "", &LAYERS), b"");
    assert_eq!(outcome.end, JobEnd::Exited(0), "{}", told(&outcome));
    assert!(bare.status.success() && ours.as_bytes() != theirs, "{ours}");
}
