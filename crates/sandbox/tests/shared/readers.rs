//! Output that is read in confinement, by a reader that does what the output tells it: what the readers of formats
//! must not do, and what ends them.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use brine_core::Classified as _;
use brine_job::{FormatError, Layer, OutputFormat, Plan, PlanParts, ReaderEnd};
use brine_sandbox::{ConfinedReading, check_confined};

use crate::jobs::shell;

/// Acts as the reader of a format.
pub(crate) fn obey(_: OutputFormat, mut output: File) -> Result<(), String> {
    let mut told = String::new();
    output.read_to_string(&mut told).map_err(|error| error.to_string())?;
    match told.as_str() {
        "believe" => Ok(()),
        "panic" => panic!("as it was told"),
        "allocate" => Err(format!("had {} bytes", std::hint::black_box(vec![1_u8; 4 << 30]).len())),
        "compute" => loop {
            std::hint::black_box(());
        },
        "wait" => loop {
            std::thread::park();
        },
        "abort" => std::process::abort(),
        "exit" => std::process::exit(0),
        "claim and exit" => {
            std::io::stdout().write_all(b"believed").map_err(|error| error.to_string())?;
            std::process::exit(1)
        }
        "claim twice" => {
            std::io::stdout().write_all(b"believed").map_err(|error| error.to_string())
        }
        other => match reached(other, &output) {
            true => Err(format!("{other}: it could")),
            false => Err(format!("{other}: it could not")),
        },
    }
}

/// Tries to reach something outside.
fn reached(what: &str, mut output: &File) -> bool {
    let Some((what, argument)) = what.split_once(' ') else { return false };
    match what {
        "read" => File::open(argument).is_ok(),
        "write" => File::create(argument).is_ok(),
        "change" => output.rewind().and_then(|()| output.write_all(b"x")).is_ok(),
        "listen" => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).is_ok(),
        "start" => Command::new(argument).status().is_ok(),
        "signal" => rustix::process::Pid::from_raw(argument.parse().unwrap_or(1))
            .is_some_and(|process| rustix::process::test_kill_process(process).is_ok()),
        "user" => rustix::process::geteuid().is_root(),
        "environment" => std::env::var_os(argument).is_some(),
        _ => false,
    }
}

fn read_by(plan: PlanParts, told: &str) -> Result<(), FormatError> {
    let mut output = tempfile::tempfile().unwrap();
    output.write_all(told.as_bytes()).unwrap();
    let plan = &Plan::from(plan);
    let program_reader = Path::new("/proc/self/exe");
    check_confined(&ConfinedReading { plan, output: &output, program_reader })
}

fn arrow() -> PlanParts {
    let mut plan = shell("true");
    plan.format = OutputFormat::Arrow;
    plan.limits.cpu = Duration::from_secs(1);
    plan
}

pub(crate) fn only_a_reader_that_says_so_and_exits_with_0_is_believed() {
    read_by(arrow(), "believe").unwrap();
    for (told, reason) in [
        ("panic", "output-reader-panicked"),
        ("allocate", "output-reader-out-of-memory"),
        ("compute", "output-reader-out-of-processor-time"),
        ("abort", "output-reader-killed"),
        ("exit", "output-reader-failed"),
        ("claim and exit", "output-reader-failed"),
        ("claim twice", "output-reader-failed"),
    ] {
        let error = read_by(arrow(), told).unwrap_err();
        assert_eq!(error.reason(), reason, "{told}: {error}");
    }
    let mut short = arrow();
    short.limits.wall = Duration::from_millis(200);
    assert_eq!(read_by(short, "wait").unwrap_err().reason(), "output-reader-timed-out");
    let FormatError::Reader { end, .. } = read_by(arrow(), "panic").unwrap_err() else { panic!() };
    assert_eq!(end, ReaderEnd::Panicked("as it was told".to_owned()));
}

pub(crate) fn a_reader_reaches_nothing() {
    let this = std::process::id().to_string();
    let file = tempfile::NamedTempFile::new().unwrap();
    let file = file.path().to_str().unwrap();
    let refused = |plan: PlanParts, what: &str| {
        let said = read_by(plan, what).unwrap_err().to_string();
        assert_eq!(said, format!("output is not arrow: {what}: it could not"));
    };
    for what in [
        "read /etc/passwd",
        &format!("read {file}"),
        &format!("write {file}"),
        "change output",
        "listen here",
        "start /bin/true",
        &format!("signal {this}"),
        "environment PATH",
    ] {
        refused(arrow(), what);
    }
    // Under the filter it could not even ask who it is.
    let mut plan = arrow();
    plan.waived.insert(Layer::Seccomp);
    refused(plan, "user 0");
    // The two layers that keep it from files, each alone.
    for layer in [Layer::Landlock, Layer::Seccomp] {
        let mut plan = arrow();
        plan.waived.extend([layer, Layer::Limits]);
        for what in ["read /etc/passwd", &format!("write {file}"), "start /bin/true"] {
            refused(plan.clone(), what);
        }
    }
}

/// What is tried can be done: only confinement keeps a reader from it.
pub(crate) fn what_a_reader_cannot_reach_is_there() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let name = file.path().to_str().unwrap();
    let this = std::process::id();
    for what in [
        "read /etc/passwd".to_owned(),
        format!("write {name}"),
        "change output".to_owned(),
        "listen here".to_owned(),
        "start /bin/true".to_owned(),
        format!("signal {this}"),
        "environment PATH".to_owned(),
    ] {
        assert!(reached(&what, file.as_file()), "{what}");
    }
}
