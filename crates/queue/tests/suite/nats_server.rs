//! NATS servers for the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::server::{Server, is_missing};

/// Returns the port of a server that all tests share, or `None` if the program is not there. It ends with the test
/// program.
pub(crate) fn shared() -> Option<u16> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    let server = SHARED.get_or_init(|| own(""));
    server.as_ref().map(|server| server.port)
}

/// Starts a server for one test, with more configuration.
pub(crate) fn own(more: &str) -> Option<Server> {
    program().map(|program| {
        Server::start(|directory, port| {
            command(&program, directory, port, &directory.join("store"), more)
        })
    })
}

/// Starts a server, or starts it again, whose store outlasts it.
pub(crate) fn with_store(store: &Path, port: u16) -> Option<Server> {
    let directory = TempDir::new().unwrap().keep();
    program().map(|program| {
        Server::start_in(&directory, port, |directory, port| {
            command(&program, directory, port, store, "")
        })
    })
}

/// Debian has it where only administrators look.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let found =
        directories.map(|directory| directory.join("nats-server")).find(|file| file.is_file());
    if is_missing("nats-server", found.is_some()) { None } else { found }
}

/// A message of 16 MiB fits, unless more configuration says something else.
fn command(program: &Path, directory: &Path, port: u16, store: &Path, more: &str) -> Command {
    let configuration = directory.join("configuration");
    let limit = if more.contains("max_payload") { "" } else { "max_payload: 20971520" };
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\n{limit}\n{more}\n\
         jetstream {{ store_dir: {store:?}, max_file_store: 1073741824 }}\n"
    );
    fs::write(&configuration, text).unwrap();
    let mut command = Command::new(program);
    command.arg("-c").arg(configuration);
    command
}
