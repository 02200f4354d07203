//! What a job sees of a granted place that changes while it runs: the place itself, and no copy.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use brine_job::GrantedPath;
use brine_sandbox::JobEnd;

use crate::jobs::{ran, shell};
use crate::world::{World, is_root, open_to_all};

/// Runs a script that may read these. When it is at `change`, the change is made. Returns what it wrote.
#[track_caller]
fn seen(script: &str, granted: &[(&Path, &str)], change: impl FnOnce()) -> String {
    let signals = tempfile::tempdir().unwrap();
    open_to_all(signals.path());
    let change_it =
        "change() { touch /signals/ready; while [ ! -e /signals/changed ]; do sleep 0.01; done; }";
    let mut job = shell(&format!("{change_it}\n{script}"));
    let granted_path = |source: &Path, target: &str, writable| GrantedPath {
        source: source.into(),
        target: target.into(),
        writable,
    };
    job.granted_paths =
        granted.iter().map(|(source, target)| granted_path(source, target, false)).collect();
    job.granted_paths.insert(granted_path(signals.path(), "/signals", true));
    let (outcome, output) = std::thread::scope(|scope| {
        let job = scope.spawn(|| ran(&job, b""));
        while !signals.path().join("ready").exists() {
            assert!(!job.is_finished(), "the job ended before the change");
            std::thread::sleep(Duration::from_millis(10));
        }
        change();
        fs::write(signals.path().join("changed"), "").unwrap();
        job.join().unwrap()
    });
    assert_eq!(outcome.end, JobEnd::Exited(0), "{}", String::from_utf8_lossy(&outcome.errors));
    String::from_utf8(output).unwrap()
}

#[test]
fn a_directory_is_seen_as_it_is_at_each_moment() {
    let world = World::new();
    for (name, content) in [("changed", "old\n"), ("replaced", "old\n"), ("removed", "old\n")] {
        fs::write(world.at(name), content).unwrap();
    }
    let script = "exec 3< /data/replaced; cat /data/changed /data/removed
        change
        cat /data/made /data/changed /data/replaced
        ls /data/removed 2> /dev/null || echo gone
        echo kept $(cat <&3)";
    let seen = seen(script, &[(world.path(), "/data")], || {
        fs::write(world.at("made"), "made\n").unwrap();
        fs::write(world.at("changed"), "new\n").unwrap();
        fs::write(world.at("other"), "new\n").unwrap();
        fs::rename(world.at("other"), world.at("replaced")).unwrap();
        fs::remove_file(world.at("removed")).unwrap();
    });
    assert_eq!(seen, "old\nold\nmade\nnew\nnew\ngone\nkept old\n");
}

/// Whoever exchanges what lies at its path gives the job nothing new.
#[test]
fn a_granted_place_stays_the_one_that_it_was() {
    let world = World::new();
    let (directory, file) = (world.at("directory"), world.at("file"));
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("content"), "first\n").unwrap();
    fs::write(&file, "first\n").unwrap();
    let script = "cat /data/content /one; change; cat /data/content /one";
    let seen = seen(script, &[(&directory, "/data"), (&file, "/one")], || {
        fs::rename(&directory, world.at("moved")).unwrap();
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("content"), "second\n").unwrap();
        fs::rename(&file, world.at("moved file")).unwrap();
        fs::write(&file, "second\n").unwrap();
        // What is written to the file itself is seen, wherever it lies by now.
        fs::write(world.at("moved file"), "changed\n").unwrap();
    });
    assert_eq!(seen, "first\nfirst\nfirst\nchanged\n");
}

/// A link is followed from the root of the job, also one that was made while it ran.
#[test]
fn a_link_that_is_put_there_leads_nowhere_outside() {
    let world = World::new();
    fs::create_dir(world.at("inner")).unwrap();
    fs::create_dir(world.at("data")).unwrap();
    let script = "change; cat /data/outside || cat /data/beside || echo nothing";
    let data = world.at("data");
    let seen = seen(script, &[(&data, "/data")], || {
        symlink(world.at("secret"), data.join("outside")).unwrap();
        symlink("../secret", data.join("beside")).unwrap();
    });
    assert_eq!(seen, "nothing\n");
}

/// Only root can mount, and not in every container.
#[test]
fn what_is_mounted_there_while_the_job_runs_is_not_seen() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let point = world.at("point");
    fs::create_dir(&point).unwrap();
    fs::write(point.join("file"), "below\n").unwrap();
    let script = "change; cat /data/point/file";
    let mut mounted = true;
    let seen = seen(script, &[(world.path(), "/data")], || {
        let flags = rustix::mount::MountFlags::empty();
        mounted = rustix::mount::mount("none", &point, "tmpfs", flags, None).is_ok();
        if mounted {
            fs::write(point.join("file"), "above\n").unwrap();
        } else {
            println!("skipped: root may not mount here");
        }
    });
    if mounted {
        rustix::mount::unmount(&point, rustix::mount::UnmountFlags::DETACH).unwrap();
    }
    assert_eq!(seen, "below\n");
}
