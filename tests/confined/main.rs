//! Confinement, tried by programs that mean harm: in C, Python and shell.
//!
//! Run as root these tests run twice: as root, whose jobs are nobody's, and once more by a user without
//! any privileges. A system on which a job cannot be confined fails them, and says why.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, reads the environment and small files, and tells another one"
)]

mod benign;
mod bounds;
mod changing;
mod ending;
mod faults;
mod files;
mod granted;
mod inputs;
mod jobs;
mod place;
mod probes;
mod proc;
mod programs;
#[path = "../../crates/sandbox/tests/shared/jobs.rs"]
mod shared_jobs;
mod standing;
mod withheld;
mod world;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The user that nobody is, and every job of root's.
const NOBODY: u32 = 65_534;

#[test]
fn all_of_this_holds_without_privileges() {
    if !world::is_root() {
        // Then it is what the other tests show.
        return;
    }
    // Where the build lies others may not be able to go.
    let reachable = tempfile::tempdir().unwrap();
    fs::set_permissions(reachable.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (tests, brine) = (reachable.path().join("tests"), reachable.path().join("brine"));
    fs::copy(std::env::current_exe().unwrap(), &tests).unwrap();
    fs::copy(jobs::brine(), &brine).unwrap();
    let output = Command::new(&tests)
        .args(["--skip", "all_of_this_holds_without_privileges", "--test-threads", "2"])
        .env(jobs::BRINE, &brine)
        .current_dir("/")
        .gid(NOBODY)
        .uid(NOBODY)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
