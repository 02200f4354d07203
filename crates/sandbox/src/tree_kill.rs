//! Kills all processes of a job that has no process namespace.

use std::fs::File;
use std::io::Read;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions};

/// Kills and reaps every child of this process until none is left or time is up. As a subreaper, this process
/// inherits the children of those that die.
pub(super) fn kill_all(session: Pid) {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        // The session of the job first, as a whole: a process in it can fork as fast as it is killed.
        let _ = rustix::process::kill_process_group(session, Signal::KILL);
        for child in children() {
            let _ = rustix::process::kill_process(child, Signal::KILL);
        }
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
        sleep(Duration::from_millis(1));
    }
}

fn children() -> Vec<Pid> {
    let id = rustix::process::getpid();
    let path = format!("/proc/self/task/{id}/children");
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(1 << 20).read_to_string(&mut text));
    if read.is_err() {
        return Vec::new();
    }
    let numbers = text.split_ascii_whitespace().filter_map(|number| number.parse().ok());
    numbers.filter_map(Pid::from_raw).collect()
}

/// How long to try.
const PATIENCE: Duration = Duration::from_secs(2);
