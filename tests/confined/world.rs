//! What lies around a job: files it was not granted, and a neighbour.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::NOBODY;

/// A directory that everybody may do anything in, but a job.
pub(crate) struct World {
    directory: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self { directory: tempfile::tempdir().unwrap() };
        open_to_all(world.path());
        for name in ["secret", "writable", "movable", "removable", "owned"] {
            fs::write(world.at(name), "secret\n").unwrap();
            open_to_all(&world.at(name));
        }
        fs::write(world.at("tool"), "#!/bin/sh\nexit 0\n").unwrap();
        open_to_all(&world.at("tool"));
        if is_root() {
            chown(world.at("owned"), Some(NOBODY), Some(NOBODY)).unwrap();
            fs::copy(probe(), world.at("setuid")).unwrap();
            fs::set_permissions(world.at("setuid"), Permissions::from_mode(0o4755)).unwrap();
        }
        world
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}

/// A process of the same user as jobs, and what it offers.
pub(crate) struct Neighbour {
    pub(crate) directory: TempDir,
    facts: Value,
    /// It ends with its standard input, which ends with this process.
    _process: Child,
}

impl Neighbour {
    /// A fact, as text.
    pub(crate) fn fact(&self, name: &str) -> String {
        match &self.facts[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

pub(crate) fn neighbour() -> &'static Neighbour {
    static NEIGHBOUR: OnceLock<Neighbour> = OnceLock::new();
    NEIGHBOUR.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        open_to_all(directory.path());
        let mut command = Command::new("python3");
        command.args(["-c", include_str!("neighbour.py")]).arg(directory.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let mut process = command.spawn().expect("python3 is missing: run ./scripts/test");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Neighbour { directory, facts: serde_json::from_str(&line).unwrap(), _process: process }
    })
}

/// The program that tries, compiled once.
pub(crate) fn probe() -> &'static Path {
    static PROBE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = PROBE.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        open_to_all(directory.path());
        let source = directory.path().join("probe.c");
        fs::write(&source, include_str!("probe.c")).unwrap();
        let path = directory.path().join("probe");
        let status = Command::new("cc").args(["-O1", "-o"]).arg(&path).arg(&source).status();
        assert!(status.expect("cc is missing: run ./scripts/test").success());
        open_to_all(&path);
        (directory, path)
    });
    path
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub(crate) fn open_to_all(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
}
