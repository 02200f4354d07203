//! A command as a test types it. What it says in JSON is held to docs/schema/.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use assert_cmd::assert::{Assert, OutputAssertExt as _};

use crate::schema;

/// A command as a test types it.
#[derive(Debug)]
pub(crate) struct Command(assert_cmd::Command);

impl Command {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self(assert_cmd::Command::new(program))
    }

    pub(crate) fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Self {
        self.0.arg(argument);
        self
    }

    pub(crate) fn args(
        &mut self,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> &mut Self {
        self.0.args(arguments);
        self
    }

    pub(crate) fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.0.current_dir(directory);
        self
    }

    pub(crate) fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn env_clear(&mut self) -> &mut Self {
        self.0.env_clear();
        self
    }

    pub(crate) fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.0.env_remove(name);
        self
    }

    pub(crate) fn timeout(&mut self, most: Duration) -> &mut Self {
        self.0.timeout(most);
        self
    }

    pub(crate) fn write_stdin(&mut self, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.0.write_stdin(bytes);
        self
    }

    /// Runs it.
    #[track_caller]
    pub(crate) fn output(&mut self) -> std::io::Result<Output> {
        let output = self.0.output()?;
        schema::check_lines(&output.stdout);
        schema::check_lines(&output.stderr);
        Ok(output)
    }

    /// Runs it, to be held to what is expected.
    #[track_caller]
    pub(crate) fn assert(&mut self) -> Assert {
        self.output().unwrap().assert()
    }
}
