//! What is granted can be used, and no more than was granted.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::PathBuf;

use brine_core::Classified as _;
use brine_job::{GrantedPath, Layer, PayloadDelivery, PlanParts};
use brine_sandbox::{JobEnd, LaunchError};
use sha2::{Digest, Sha256};

use crate::NOBODY;
use crate::jobs::{LAYERS, brine, plan, ran, run, shell};
use crate::shared_jobs::{run_by, started};
use crate::world::{World, is_root, neighbour, open_to_all, probe};

fn opening(source: PathBuf, target: &str, writable: bool) -> GrantedPath {
    GrantedPath { source, target: target.into(), writable }
}

/// Runs a script beside two openings, and demands that it ends with 0.
#[track_caller]
fn succeeds(plan: &PlanParts) -> String {
    let (outcome, output) = ran(plan, b"");
    assert_eq!(outcome.end, JobEnd::Exited(0), "{}", String::from_utf8_lossy(&outcome.errors));
    String::from_utf8(output).unwrap()
}

#[test]
fn what_is_granted_for_reading_is_read_and_not_written() {
    let world = World::new();
    let mut job = shell(
        "cat /data/secret && ! echo x > /data/secret && ! touch /data/new && ! rm /data/secret \
         && ! chmod 600 /data/owned && ! /data/tool && ! ls /data/..",
    );
    job.granted_paths.insert(opening(world.path().into(), "/data", false));
    assert_eq!(succeeds(&job), "secret\n");
}

#[test]
fn what_is_granted_for_writing_is_written_and_not_executed() {
    let world = World::new();
    let mut job = shell(
        "echo out > /data/new && mkdir /data/d && mv /data/new /data/d/n && cp /bin/true /data/p \
         && ! /data/p && ! mknod /data/dev c 1 3 && ! ls /data/..",
    );
    job.granted_paths.insert(opening(world.path().into(), "/data", true));
    succeeds(&job);
    assert_eq!(fs::read(world.at("d/n")).unwrap(), b"out\n");
}

#[test]
fn a_single_file_may_be_granted_and_one_place_within_another() {
    let world = World::new();
    fs::create_dir(world.at("out")).unwrap();
    open_to_all(&world.at("out"));
    let mut job =
        shell("cat /one && echo x > /data/out/x && ! echo x > /data/x && ! echo x > /one");
    job.granted_paths.insert(opening(world.at("secret"), "/one", false));
    job.granted_paths.insert(opening(world.path().into(), "/data", false));
    job.granted_paths.insert(opening(world.at("out"), "/data/out", true));
    assert_eq!(succeeds(&job), "secret\n");
    assert_eq!(fs::read(world.at("out/x")).unwrap(), b"x\n");
}

/// Neither in what is granted nor in what leads there.
#[test]
fn no_symbolic_link_is_followed_to_what_is_granted() {
    let world = World::new();
    symlink("/etc", world.at("link")).unwrap();
    for source in ["link", "link/passwd"] {
        let mut job = shell("true");
        job.granted_paths.insert(opening(world.at(source), "/data", false));
        let error = run(&job, b"").unwrap_err();
        assert_eq!((error.reason(), error.status()), ("opening", 125), "{error}");
        assert!(error.hint().unwrap().contains("symbolic link"));
    }
}

#[test]
fn a_link_in_what_is_granted_leads_nowhere_outside() {
    let (world, other) = (World::new(), World::new());
    symlink(other.at("secret"), world.at("link")).unwrap();
    let mut job = shell("! cat /data/link");
    job.granted_paths.insert(opening(world.path().into(), "/data", true));
    succeeds(&job);
}

/// Whoever the job is outside, it has the rights of nobody in what is granted, and makes files of nobody's.
#[test]
fn what_is_granted_keeps_its_owners() {
    if !is_root() {
        return;
    }
    let world = World::new();
    for (name, owner) in [("nobodys", NOBODY), ("roots", 0), ("somebodys", 1000)] {
        fs::write(world.at(name), name).unwrap();
        chown(world.at(name), Some(owner), Some(owner)).unwrap();
        fs::set_permissions(world.at(name), Permissions::from_mode(0o600)).unwrap();
    }
    let script = "cat /data/nobodys && ! cat /data/roots && ! cat /data/somebodys && touch /data/made \
                  && mkdir /data/directory && ! chmod 666 /data/roots && chmod 640 /data/made \
                  && stat -c %u.%g /data/nobodys /data/made";
    let mut job = shell(script);
    job.granted_paths.insert(opening(world.path().into(), "/data", true));
    assert_eq!(succeeds(&job), "nobodys65534.65534\n65534.65534\n");
    for name in ["nobodys", "made", "directory"] {
        let found = fs::metadata(world.at(name)).unwrap();
        assert_eq!((found.uid(), found.gid()), (NOBODY, NOBODY), "{name}");
    }
    // A program that only nobody may execute, and one that only root may.
    for (owner, mode, runs) in [(NOBODY, 0o700, true), (0, 0o700, false), (0, 0o711, true)] {
        let tool = world.at("program");
        fs::copy("/bin/true", &tool).unwrap();
        chown(&tool, Some(owner), Some(owner)).unwrap();
        fs::set_permissions(&tool, Permissions::from_mode(mode)).unwrap();
        assert_eq!(run(&plan(&tool, &["true"]), b"").is_ok(), runs, "{owner} {mode:o}");
    }
    let mut job = shell("cat /data/nobodys; ! cat /data/roots");
    job.granted_paths.insert(opening(world.path().into(), "/data", false));
    assert_eq!(succeeds(&job), "nobodys");
}

/// A place is made for a grant in the private root, never on this system.
#[test]
fn a_grant_makes_nothing_on_this_system() {
    let world = World::new();
    let mut job = shell("true");
    job.granted_paths.insert(opening(world.path().into(), "/data", true));
    job.granted_paths.insert(opening(world.at("secret"), "/data/new/place", false));
    let error = run(&job, b"").unwrap_err();
    assert_eq!((error.reason(), error.status()), ("confinement", 125), "{error}");
    assert!(!world.at("new").exists());
    for target in ["relative", "/", "/data/../etc"] {
        let mut job = shell("true");
        job.granted_paths.insert(opening(world.path().into(), target, false));
        assert_eq!(run(&job, b"").unwrap_err().reason(), "opening", "{target}");
    }
}

/// Ports that are granted are granted to TCP alone, and no others with them.
#[test]
fn a_port_that_is_granted_is_all_of_the_network_there_is() {
    let attempt = |name: &str, fact: &str, ports: &[&str]| {
        let mut job = plan(probe(), &["probe", name, &neighbour().fact(fact)]);
        job.ports = ports.iter().map(|port| neighbour().fact(port).parse().unwrap()).collect();
        let (outcome, _) = ran(&job, b"");
        assert!(!outcome.layers.contains(&Layer::Network));
        outcome.end
    };
    assert_eq!(attempt("tcp_connect", "tcp", &["tcp"]), JobEnd::Exited(0));
    assert_eq!(attempt("tcp_connect", "other", &["tcp", "other"]), JobEnd::Exited(0));
    assert_eq!(attempt("tcp_connect", "other", &["tcp"]), JobEnd::Exited(1));
    for name in ["mptcp_connect", "tcp_fast_open", "tcp_fast_open_message"] {
        assert_eq!(attempt(name, "tcp", &["tcp"]), JobEnd::Exited(1), "{name}");
        assert_eq!(attempt(name, "other", &["tcp"]), JobEnd::Exited(1), "{name}");
    }
    assert_eq!(attempt("udp_send", "udp", &["udp"]), JobEnd::Exited(1));
    for name in ["tcp_listen", "tcp_listen_unbound", "netlink", "local_socket"] {
        assert_eq!(attempt(name, "tcp", &["tcp"]), JobEnd::Exited(1), "{name}");
    }
    assert_eq!(attempt("unix_abstract", "abstract", &["tcp"]), JobEnd::Exited(1));
}

/// A socket with a path is reached wherever it is seen, so a job that sees somebody else's directory has no sockets.
#[test]
fn a_socket_in_what_is_granted_is_out_of_reach() {
    let sockets = neighbour().directory.path();
    for writable in [false, true] {
        for waived in [&[][..], &[Layer::Landlock]] {
            for name in ["unix_connect", "unix_by_pair", "local_socket"] {
                let mut job = plan(probe(), &["probe", name, "/data"]);
                job.granted_paths.insert(opening(sockets.into(), "/data", writable));
                job.waived = waived.iter().copied().collect();
                let (outcome, _) = ran(&job, b"");
                let said = String::from_utf8_lossy(&outcome.errors).into_owned();
                assert_eq!(
                    (outcome.end, &*said),
                    (JobEnd::Exited(1), "Operation not permitted\n"),
                    "{name}"
                );
            }
        }
    }
    // Nor may the operator show one among the system directories.
    let mut job = plan(probe(), &["probe", "unix_connect", sockets.to_str().unwrap()]);
    job.system.insert(sockets.into());
    assert_eq!(ran(&job, b"").0.end, JobEnd::Exited(1));
    // Without seccomp it is reached: nothing else stops it (before Linux 7.1).
    job.waived = [Layer::Seccomp].into();
    assert_eq!(ran(&job, b"").0.end, JobEnd::Exited(0));
    // Where nobody else can have one, a job has its own; a file that is granted is no directory.
    let world = World::new();
    let mut job = plan(probe(), &["probe", "local_socket"]);
    job.granted_paths.insert(opening(world.at("secret"), "/data", false));
    assert_eq!(ran(&job, b"").0.end, JobEnd::Exited(0));
    for waived in [Layer::Namespaces, Layer::Network] {
        job.waived = [waived].into();
        assert_eq!(run(&job, b"").map_or(JobEnd::Exited(1), |(ran, _)| ran.end), JobEnd::Exited(1));
    }
}

/// Clouds give credentials to whoever asks the right address.
#[test]
fn a_metadata_server_is_out_of_reach() {
    let url = format!("http://127.0.0.1:{}/latest", neighbour().fact("metadata"));
    let ask = format!("import urllib.request; print(urllib.request.urlopen('{url}').read())");
    let mut job = plan("/usr/bin/python3", &["python3", "-I", "-c", &ask]);
    let (outcome, output) = ran(&job, b"");
    assert_eq!(outcome.end, JobEnd::Exited(1));
    assert!(output.is_empty());
    assert!(String::from_utf8_lossy(&outcome.errors).contains("Operation not permitted"));
    job.waived = BTreeSet::from([Layer::Network, Layer::Seccomp, Layer::Landlock]);
    assert_eq!(ran(&job, b"").1, b"b'credentials'\n");
}

#[test]
fn the_payload_is_a_file_that_is_read_only() {
    let mut job =
        shell("cat /job/payload && ! echo x > /job/payload && ! rm /job/payload && ! read x");
    job.delivery = PayloadDelivery::File;
    let (outcome, output) = ran(&job, b"payload\n");
    assert_eq!((outcome.end, &output[..]), (JobEnd::Exited(0), &b"payload\n"[..]));
    let mut job = plan("/bin/cat", &["cat", "{}"]);
    job.delivery = PayloadDelivery::File;
    let large = vec![7; 40_000];
    for waived in [&[][..], &LAYERS] {
        job.waived = waived.iter().copied().collect();
        assert_eq!(ran(&job, &large).1, large);
    }
}

#[test]
fn a_script_is_executed_behind_every_layer_and_behind_none() {
    let world = World::new();
    let script = world.at("script");
    fs::write(&script, "#!/bin/sh\necho \"$0 $1\"\n").unwrap();
    open_to_all(&script);
    let mut job = plan(&script, &["script", "argument"]);
    assert_eq!(succeeds(&job), "/job/program argument\n");
    job.waived = LAYERS.into();
    assert!(succeeds(&job).ends_with(" argument\n"));
    fs::write(&script, "#!/nowhere/sh\n").unwrap();
    let error = run(&plan(&script, &["script"]), b"").unwrap_err();
    assert_eq!((error.reason(), error.status()), ("not-executable", 126), "{error}");
    assert!(error.hint().unwrap().contains("interpreter"));
}

#[test]
fn a_program_is_executed_only_if_it_is_the_one_that_was_hashed() {
    let mut job = shell("exit 3");
    job.program.sha256 = Some(Sha256::digest(fs::read("/bin/sh").unwrap()).into());
    assert_eq!(ran(&job, b"").0.end, JobEnd::Exited(3));
    job.program.sha256 = Some([0; 32]);
    let error = run(&job, b"").unwrap_err();
    assert!(matches!(error, LaunchError::OtherProgram { .. }), "{error}");
    assert_eq!(error.status(), 5);
}

/// A program that is started in place of the init: it changes what was hashed, and becomes the init.
fn meddling_init(world: &World, meddle: &str) -> PathBuf {
    let path = world.at("init");
    let brine = brine();
    let text = format!("#!/bin/bash\n{meddle}\nexec -a brine-init {} \"$@\"\n", brine.display());
    fs::write(&path, text).unwrap();
    open_to_all(&path);
    path
}

/// Whoever may write to the program, or beside it, may do so at the worst of moments: after it was hashed.
#[test]
fn what_was_hashed_is_what_runs() {
    let world = World::new();
    let (tool, other) = (world.at("pinned"), world.at("other"));
    let script = "#!/bin/sh\necho good\n";
    let evil = script.replace("good", "evil");
    let echo = fs::read("/bin/echo").unwrap();
    for (good, bad) in [(script.as_bytes(), evil.as_bytes()), (&echo, evil.as_bytes())] {
        fs::write(&other, bad).unwrap();
        open_to_all(&other);
        for meddle in [
            format!("cat {} > {}", other.display(), tool.display()),
            format!("cp {0} {0}2; mv {0}2 {1}", other.display(), tool.display()),
        ] {
            let init = meddling_init(&world, &meddle);
            let attempt = |job: &PlanParts| started(run_by(&init, job, b"")).1;
            let mut job = plan(&tool, &["pinned", "good"]);
            job.program.sha256 = Some(Sha256::digest(good).into());
            for waived in [&[][..], &[Layer::Namespaces], &LAYERS] {
                job.waived = waived.iter().copied().collect();
                fs::write(&tool, good).unwrap();
                open_to_all(&tool);
                assert_eq!(attempt(&job), b"good\n", "{meddle} {waived:?}");
                assert_eq!(fs::read(&tool).unwrap(), bad, "{meddle} did nothing");
            }
        }
    }
}

/// A program that looks for itself, or for what lies beside it, looks there.
#[test]
fn what_was_hashed_lies_at_its_own_path_and_cannot_be_written() {
    let world = World::new();
    let tool = world.at("pinned");
    let text = "#!/bin/sh\necho \"$0\"; cmp \"$0\" /job/program && ! echo >> \"$0\" && ! rm \"$0\" && ! chmod 700 \"$0\"\n";
    fs::write(&tool, text).unwrap();
    open_to_all(&tool);
    let mut job = plan(&tool, &["pinned"]);
    job.program.sha256 = Some(Sha256::digest(text).into());
    assert_eq!(succeeds(&job), format!("{}\n", tool.canonicalize().unwrap().display()));
    // Inside a system directory, and by a symbolic link.
    let link = world.at("link");
    symlink("/bin/sh", &link).unwrap();
    let shell = fs::read("/bin/sh").unwrap();
    for path in ["/bin/sh".into(), link] {
        let sh = fs::canonicalize("/bin/sh").unwrap();
        let script = format!("cmp {} /job/program && ! echo >> {0} && echo same", sh.display());
        let mut job = plan(path, &["sh", "-c", &script]);
        job.program.sha256 = Some(Sha256::digest(&shell).into());
        assert_eq!(succeeds(&job), "same\n");
    }
}

#[test]
fn what_cannot_be_executed_is_said_so() {
    let world = World::new();
    for (path, reason, status) in
        [(world.at("missing"), "not-found", 127), (world.path().to_owned(), "not-executable", 126)]
    {
        let error = run(&plan(path, &["x"]), b"").unwrap_err();
        assert_eq!((error.reason(), error.status()), (reason, status), "{error}");
    }
    fs::write(world.at("empty"), "").unwrap();
    let error = run(&plan(world.at("empty"), &["x"]), b"").unwrap_err();
    assert_eq!(error.reason(), "not-executable");
    open_to_all(&world.at("empty"));
    let error = run(&plan(world.at("empty"), &["x"]), b"").unwrap_err();
    assert_eq!(error.reason(), "not-executable");
}
