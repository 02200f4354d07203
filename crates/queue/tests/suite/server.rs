//! Servers that the tests start on loopback ports, and that end with the test program, however it ends.

use std::env;
use std::fs::File;
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(120);

/// Starts a server, has its input end, and stops it by its pid when the input of this ends: when the test program closes
/// the pipe, or is gone. Nothing else holds the other end of that.
const GUARD: &str = r#"
directory=$1 log=$2; shift 2
"$@" </dev/null >"$log" 2>&1 &
pid=$!
read -r _
kill -KILL "$pid"
wait "$pid"
rm -rf "$directory"
"#;

/// A server that is stopped when this is dropped.
pub(crate) struct Server {
    guard: Child,
    /// Where its files are. The guard deletes it, if a test keeps it no longer.
    pub(crate) directory: std::path::PathBuf,
    pub(crate) port: u16,
}

impl Server {
    /// Starts a server with files of its own, and waits until it listens on the port that `command` makes it listen on.
    pub(crate) fn start(command: impl FnOnce(&Path, u16) -> Command) -> Self {
        let directory = TempDir::new().unwrap().keep();
        Self::start_in(&directory, free_port(), command)
    }

    /// Starts it in this directory, which goes with it.
    pub(crate) fn start_in(
        directory: &Path,
        port: u16,
        command: impl FnOnce(&Path, u16) -> Command,
    ) -> Self {
        let log = directory.join("log");
        let server = command(directory, port);
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard"]).arg(directory).arg(&log);
        guard.arg(server.get_program()).args(server.get_args());
        for (name, value) in server.get_envs() {
            match value {
                Some(value) => guard.env(name, value),
                None => guard.env_remove(name),
            };
        }
        // It would say that the server was killed.
        let guard = guard.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut started = Self { guard, directory: directory.to_owned(), port };
        started.wait(&log);
        started
    }

    fn wait(&mut self, log: &Path) {
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let is_gone = self.guard.try_wait().unwrap().is_some();
            if is_gone || begun.elapsed() > START {
                let mut told = String::new();
                let _ = File::open(log).and_then(|mut log| log.read_to_string(&mut told));
                panic!("the server does not listen:\n{told}");
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Returns whether a test is to be left out because a program is not installed, and says so. Where everything is to be
/// tested, it fails.
pub(crate) fn is_missing(program: &str, is_there: bool) -> bool {
    if is_there {
        return false;
    }
    let told = format!("not run: {program} is not installed");
    assert!(env::var_os("CI").is_none(), "{told}");
    println!("{told}");
    true
}

/// Returns a port that was free just now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
