//! What several tests use.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Output;

use brine_core::time::ClockBefore1970;
use brine_core::{Clock, SigningKey, Timestamp};
use tempfile::TempDir;

use crate::schema;
use crate::typed::Command;

pub(crate) use brine_testkit::{hex, key, project, project_text, statement, unhex};

/// The clock of the system, for what the programs share with a test.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Result<Timestamp, ClockBefore1970> {
        Timestamp::from_system(std::time::SystemTime::now())
    }
}

/// The public half of a key, as a line of OpenSSH.
pub(crate) fn public_line(key: &SigningKey) -> String {
    brine_keys::openssh_line(key.verifying_key(), "")
}

/// A person with a home of their own, who types commands in an empty directory.
pub(crate) struct Person {
    home: TempDir,
    pub(crate) directory: TempDir,
}

impl Person {
    /// Somebody without keys.
    pub(crate) fn new() -> Self {
        // Files that a group may write decide nothing.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        Self { home: TempDir::new().unwrap(), directory: TempDir::new().unwrap() }
    }

    /// Somebody who has run `brinekey gen`.
    pub(crate) fn with_key() -> Self {
        let person = Self::new();
        person.brinekey(["gen"]).assert().success();
        person
    }

    /// The same, with a job whose script is this.
    pub(crate) fn with_job(script: &str) -> Self {
        let person = Self::with_key();
        person.sign_job(script);
        person
    }

    /// Signs a script as a job.
    pub(crate) fn sign_job(&self, script: &str) {
        self.write("script", script);
        let signed = self.brine(["sign", "--job", "script", "-o", "job"]).output().unwrap();
        assert!(signed.status.success(), "{signed:?}");
    }

    /// Starts `brine run` with pipes.
    pub(crate) fn start_job(&self, arguments: &[&str]) -> std::process::Child {
        std::process::Command::new(env!("CARGO_BIN_EXE_brine"))
            .arg("run")
            .args(arguments)
            .env("BRINE_HOME", self.home_path(""))
            .current_dir(self.path(""))
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    }

    pub(crate) fn brine<const N: usize>(&self, arguments: [&str; N]) -> Command {
        self.program(env!("CARGO_BIN_EXE_brine"), &arguments)
    }

    pub(crate) fn brinekey<const N: usize>(&self, arguments: [&str; N]) -> Command {
        self.program(env!("CARGO_BIN_EXE_brinekey"), &arguments)
    }

    /// A program in this person's world, and in nobody else's: without a terminal, too.
    pub(crate) fn program(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("setsid");
        command
            .arg("--wait")
            .arg(program)
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("BRINE_HOME", self.home.path())
            .timeout(std::time::Duration::from_secs(60));
        command
    }

    /// A command line as a person types it, run by `sh`.
    pub(crate) fn shell(&self, line: &str) -> Command {
        let mut command = self.program("sh", &["-c", line]);
        let programs = Path::new(env!("CARGO_BIN_EXE_brine")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", programs.display()));
        command
    }

    /// Signs with the default key.
    pub(crate) fn sign<const N: usize>(&self, arguments: [&str; N], payload: &[u8]) -> Vec<u8> {
        let mut command = self.brine(["sign"]);
        let output = command.args(arguments).write_stdin(payload).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    }

    pub(crate) fn home_path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, name: &str) {
        match fs::remove_file(self.directory.path().join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{name}: {error}"),
            _ => {}
        }
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The names of the files in the directory, hidden ones too.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// What was left behind is held to its schemas, too: verdicts, refused records, what was redirected.
impl Drop for Person {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for entry in fs::read_dir(self.directory.path()).into_iter().flatten().flatten() {
            let is_small = |found: fs::Metadata| found.is_file() && found.len() < 1 << 20;
            if entry.metadata().is_ok_and(is_small)
                && let Ok(bytes) = fs::read(entry.path())
            {
                schema::check_lines(&bytes);
            }
        }
    }
}

/// Asserts that the arguments were refused, and that this was said about them.
pub(crate) fn assert_mistyped(output: &Output, reason: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{stderr}");
    let line = stderr.lines().find(|line| line.contains(": error: ")).unwrap_or_default();
    assert!(line.contains(reason) && stderr.lines().count() <= 2, "{stderr:?}: {reason:?}");
}

/// Demands a refusal with a status, its reason in the first line of stderr, and nothing on stdout.
#[track_caller]
pub(crate) fn assert_refused(output: &Output, status: i32, reason: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    assert!(output.stdout.is_empty(), "released {} bytes", output.stdout.len());
    let line = stderr.lines().find(|line| line.contains(": error: ")).unwrap_or_default();
    assert!(line.contains(reason), "{stderr:?} does not say {reason:?}");
    assert!(stderr.lines().count() <= 2, "more than an error and a hint: {stderr:?}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}
