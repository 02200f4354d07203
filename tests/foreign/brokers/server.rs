//! Brokers that run for one test, on this machine alone, on a port that nobody else has.

use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A process that is stopped when the test ends, however it ends.
pub(crate) struct Server {
    child: Child,
    /// What it writes to standard error, and whatever else it needs.
    directory: TempDir,
}

impl Server {
    /// Starts a program in a directory of its own.
    #[track_caller]
    pub(crate) fn start(directory: TempDir, program: &str, arguments: &[&str]) -> Self {
        let log = File::create(directory.path().join("log")).unwrap();
        // Should the test be killed, so is the server: nothing else would stop it then.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", program])
            .args(arguments)
            .current_dir(directory.path())
            // A producer that ends with its input does not end before the test does.
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("setpriv: {error}"));
        Self { child, directory }
    }

    /// Returns whether it answers, as `probe` finds out; false if it ended, as it does when another
    /// process was quicker to take its port.
    #[track_caller]
    pub(crate) fn is_ready(&mut self, mut probe: impl FnMut(&Self) -> bool) -> bool {
        let started = Instant::now();
        loop {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if probe(self) {
                return true;
            }
            assert!(started.elapsed() < PATIENCE, "not ready: {}", self.log());
            thread::sleep(PAUSE);
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server on some port, and on another if that one was taken meanwhile.
#[track_caller]
pub(crate) fn on_free_port(start: impl Fn(u16) -> Option<Server>) -> (Server, String) {
    for _ in 0..TRIES {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if let Some(server) = start(port) {
            return (server, port.to_string());
        }
    }
    panic!("no server started: is it installed? run ./scripts/test");
}

/// Runs a command that tells whether a server is there, and returns what it said.
pub(crate) fn ask(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new("timeout");
    let output = command.arg("10").arg(program).args(arguments).stdin(Stdio::null()).output();
    String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
}

const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);
const TRIES: usize = 10;
