//! A short run of `scripts/soak`: processes that are killed, and records that come out once all the same.

use std::path::Path;
use std::process::Command;

use crate::common::project;

#[test]
fn no_record_is_lost_or_released_twice_when_processes_are_killed() {
    let programs = Path::new(env!("CARGO_BIN_EXE_brine")).parent().unwrap();
    // Twenty seconds of it; `timeout` is for what would hang, and lets it stop its processes.
    let output = Command::new("timeout")
        .args(["--kill-after=10", "300"])
        .arg(project("scripts/soak"))
        .args(["0.34", "--programs"])
        .arg(programs)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    assert!(said.contains("\n... lost                    0\n"), "{said}");
}
