//! Jobs, for the tests that run them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use brine::job::format::Format;
use brine::job::plan::{Delivery, Layer, Limits, Plan, Program};
use brine::sandbox::{Launch, LaunchError, Outcome, launch};

/// Every layer that can be waived.
pub(crate) const LAYERS: [Layer; 6] = [
    Layer::Namespaces,
    Layer::Network,
    Layer::Limits,
    Layer::Privileges,
    Layer::Landlock,
    Layer::Seccomp,
];

/// The plan of a program that is given nothing but the system.
pub(crate) fn plan(path: impl Into<PathBuf>, arguments: &[&str]) -> Plan {
    Plan {
        program: Program {
            path: path.into(),
            sha256: None,
            arguments: arguments.iter().map(Into::into).collect(),
        },
        delivery: Delivery::Stdin,
        environment: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
        system: ["/bin", "/lib", "/lib64", "/usr"].map(PathBuf::from).into(),
        openings: BTreeSet::new(),
        ports: BTreeSet::new(),
        limits: Limits {
            wall: Duration::from_secs(20),
            cpu: Duration::from_secs(5),
            memory: 512 << 20,
            output: 1 << 16,
            errors: 1 << 12,
            file_size: 1 << 20,
            processes: 1000,
            files: 64,
            scratch: 1 << 20,
        },
        format: Format::Bytes,
        waived: BTreeSet::new(),
    }
}

/// The plan of a shell that is given a script.
pub(crate) fn shell(script: &str) -> Plan {
    plan("/bin/sh", &["sh", "-c", script])
}

/// Runs a job, and returns how it ended and what it wrote.
pub(crate) fn run(plan: &Plan, payload: &[u8]) -> Result<(Outcome, Vec<u8>), LaunchError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(payload).unwrap();
    file.rewind().unwrap();
    let mut output = Vec::new();
    let outcome = launch(Launch { plan, payload: file, program_init: &brine() }, &mut output)?;
    Ok((outcome, output))
}

/// Runs a job that must start. Where this system does not let it, there is nothing to be skipped: what
/// brine promises does not hold here.
#[track_caller]
pub(crate) fn ran(plan: &Plan, payload: &[u8]) -> (Outcome, Vec<u8>) {
    run(plan, payload).unwrap_or_else(|error| {
        panic!("no job can be confined here: {error}; {}", error.hint().unwrap_or_default())
    })
}

/// The program under test, or a copy of it that other users can reach.
pub(crate) fn brine() -> PathBuf {
    let copy = std::env::var_os(BRINE).map(PathBuf::from);
    copy.unwrap_or_else(|| Path::new(env!("CARGO_BIN_EXE_brine")).to_owned())
}

/// Names a copy of the program, in a directory that other users can reach.
pub(crate) const BRINE: &str = "BRINE_TEST_PROGRAM";
