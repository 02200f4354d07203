//! A job has an input through a pipe of its own, and nothing of whoever gives it.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;

use brine_core::Classified as _;
use brine_job::{PayloadDelivery, Plan, PlanParts};
use brine_sandbox::{JobEnd, JobOutcome, Launch, LaunchError, launch};

use crate::faults::{mark, marked, python};
use crate::jobs::{brine, shell};
use crate::shared_jobs::started;

/// Runs a job with this input, and returns how it ended and what it wrote.
fn run(job: PlanParts, input: Option<File>) -> Result<(JobOutcome, Vec<u8>), LaunchError> {
    let job = PlanParts { delivery: PayloadDelivery::FileAndInput, ..job };
    let plan = &Plan::from(job);
    let mut payload = tempfile::tempfile().unwrap();
    payload.write_all(b"payload").unwrap();
    payload.rewind().unwrap();
    let mut output = Vec::new();
    let outcome = launch(
        Launch { plan, payload, input, powers: Vec::new(), stop: None, program_init: &brine() },
        &mut output,
    )?;
    Ok((outcome, output))
}

fn file(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file.rewind().unwrap();
    file
}

#[test]
fn a_job_reads_its_input_and_its_payload() {
    let (outcome, output) = started(run(shell("cat; cat /job/payload"), Some(file(b"input "))));
    assert_eq!((outcome.end, &output[..]), (JobEnd::Exited(0), &b"input payload"[..]));
    assert_eq!(outcome.input_bytes, Some(6));
    // A plan that speaks of an input, and nobody who gives one.
    let (outcome, output) = started(run(shell("cat; cat /job/payload"), None));
    assert_eq!((outcome.input_bytes, &output[..]), (None, &b"payload"[..]));
}

/// It could change the position of a file, or the mode of a terminal, that others share.
#[test]
fn a_job_has_no_descriptor_of_whoever_gives_the_input() {
    let input = file(b"input");
    let inode = input.metadata().unwrap().ino();
    let script = "import os, stat\n\
                  print(stat.S_ISFIFO(os.fstat(0).st_mode), os.fstat(0).st_ino)\n\
                  for number in range(3, 64):\n \
                   try: print(number, os.fstat(number))\n \
                   except OSError: pass\n\
                  try: os.write(0, b'x')\n\
                  except OSError as error: print(error.errno)";
    let (outcome, output) = started(run(python(script), Some(input)));
    assert_eq!(outcome.end, JobEnd::Exited(0), "{}", String::from_utf8_lossy(&outcome.errors));
    let output = String::from_utf8(output).unwrap();
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!((lines.len(), lines[1]), (2, libc::EBADF.to_string().as_str()), "{output}");
    assert!(lines[0].starts_with("True ") && !lines[0].ends_with(&format!(" {inode}")), "{output}");
}

/// What has arrived is not all of it, and the job must not take it for that.
#[test]
fn a_job_whose_input_fails_is_killed() {
    let mark = mark();
    let job = shell(&format!(": {mark}; cat && echo all"));
    let error = run(job, Some(File::open("/").unwrap())).unwrap_err();
    assert_eq!((error.reason(), error.status()), ("input", 4), "{error}");
    assert_eq!(marked(&mark), [""; 0]);
}
