//! What a job leaves is read when it is gone, and is what it was then.

use std::io::Read as _;

use brine_core::Classified as _;
use brine_job::{Layer, LogicalPath, PlanParts};
use brine_sandbox::{JobEnd, ScratchError, ScratchItem, TreeKill};

use crate::faults::python;
use crate::jobs::{ran, shell};
use crate::world::is_root;

/// Runs a job to its end, and collects what it left at these paths, as `name/`, `name=content` or `name->first`.
#[track_caller]
fn left(job: &PlanParts, paths: &[&str]) -> Result<Vec<String>, ScratchError> {
    let (outcome, _) = ran(job, b"");
    let errors = String::from_utf8_lossy(&outcome.errors);
    assert_eq!((outcome.end, outcome.tree), (JobEnd::Exited(0), TreeKill::Certain), "{errors}");
    let paths: Vec<_> = paths.iter().map(|path| LogicalPath::parse(path).unwrap()).collect();
    let mut found = Vec::new();
    outcome.scratch.unwrap().walk(&paths, &job.limits, |item| {
        found.push(match item {
            ScratchItem::Directory { path } => format!("{path}/"),
            ScratchItem::File { path, mut content } => {
                let mut text = String::new();
                content.read_to_string(&mut text).unwrap();
                format!("{path}={text}")
            }
            ScratchItem::Name { path, first } => format!("{path}->{first}"),
        });
        Ok::<(), ScratchError>(())
    })?;
    Ok(found)
}

#[test]
fn files_are_read_when_every_process_is_gone() {
    let script = "mkdir -p tree/below; echo 1 > tree/one; ln tree/one tree/same; echo out > out; \
         (while :; do echo more >> growing; done) & sleep 0.1";
    let found = left(&shell(script), &["tree", "out"]).unwrap();
    assert_eq!(found, ["tree/", "tree/below/", "tree/one=1\n", "tree/same->tree/one", "out=out\n"]);
}

/// The other scratch places are not what is collected, nor is anything outside.
#[test]
fn only_the_working_directory_is_collected() {
    let script =
        "echo x > /tmp/file; echo x > /dev/shm/file; ln -s /tmp/file link; ln -s .. up; true";
    for path in ["file", "tmp/file", "shm/file", "work/file", "none"] {
        assert_eq!(
            left(&shell(script), &[path]).unwrap_err().reason(),
            "collected-missing",
            "{path}"
        );
    }
    for path in ["link", "up", "up/tmp/file"] {
        assert_eq!(
            left(&shell(script), &[path]).unwrap_err().reason(),
            "collected-not-plain",
            "{path}"
        );
    }
    // With all layers a job makes neither sockets nor FIFOs.
    let mut job = python("import socket; socket.socket(socket.AF_UNIX).bind('here')");
    job.waived = [Layer::Seccomp, Layer::Landlock].into();
    assert_eq!(left(&job, &["here"]).unwrap_err().reason(), "collected-not-plain");
}

/// Root may read everything; anybody else what the job lets its own user read.
#[test]
fn what_a_job_keeps_to_itself_is_refused_to_its_user() {
    let found = left(&shell("echo x > file; chmod 0 file"), &["file"]);
    match found {
        Ok(found) => assert!(is_root() && found == ["file=x\n"], "{found:?}"),
        Err(error) => assert!(!is_root() && error.reason() == "collected-unreadable", "{error}"),
    }
}

#[test]
fn without_namespaces_there_is_nothing_to_collect() {
    let mut job = shell("echo x > file");
    job.waived = [Layer::Namespaces].into();
    assert!(ran(&job, b"").0.scratch.is_none());
}
