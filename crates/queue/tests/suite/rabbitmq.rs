//! A RabbitMQ server for the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::server::{Server, free_port, is_missing};

/// Where packages have it, each version in a directory of its own.
const LIBRARY: &str = "/usr/lib/rabbitmq/lib";

/// Returns the port of a server that all tests share, since it takes ten seconds to start; `None` if the program is not
/// there. It ends with the test program.
pub(crate) fn shared() -> Option<u16> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    let start = || {
        let program = program()?;
        Some(Server::start(|directory, port| command(&program, directory, port)))
    };
    SHARED.get_or_init(start).as_ref().map(|server| server.port)
}

/// Starts a server with what is in this directory.
pub(crate) fn start(data: &Path, port: u16) -> Option<Server> {
    let program = program()?;
    let files = tempfile::TempDir::new().unwrap().keep();
    Some(Server::start_in(&files, port, |_, port| command(&program, data, port)))
}

/// Returns the program as it is packaged, below the scripts that change the user.
fn program() -> Option<PathBuf> {
    let versions = fs::read_dir(LIBRARY).into_iter().flatten().flatten();
    let programs = versions.map(|version| version.path().join("sbin/rabbitmq-server"));
    let found = programs.filter(|path| path.is_file()).last();
    if is_missing("rabbitmq-server", found.is_some()) { None } else { found }
}

/// Runs it as one process, without the daemon by which nodes find each other.
fn command(program: &Path, data: &Path, port: u16) -> Command {
    let nodes = free_port();
    let erlang = format!(
        "-sname brine-{port}@localhost -start_epmd false -erl_epmd_port {nodes} \
         -kernel inet_dist_use_interface {{127,0,0,1}}"
    );
    let file = |name: &str| data.join(name);
    fs::write(file("plugins"), "[].").unwrap();
    fs::write(file("rabbitmq.conf"), "disk_free_limit.absolute = 10MB\n").unwrap();
    let mut command = Command::new("sh");
    command.arg(program).env("HOME", data);
    for (name, value) in [
        ("NODENAME", format!("brine-{port}@localhost")),
        ("NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
        ("NODE_PORT", port.to_string()),
        ("CONF_ENV_FILE", "/dev/null".to_owned()),
        ("SERVER_ADDITIONAL_ERL_ARGS", erlang),
    ] {
        command.env(format!("RABBITMQ_{name}"), value);
    }
    for (name, place) in [
        ("MNESIA_BASE", "mnesia"),
        ("LOG_BASE", "logs"),
        ("ENABLED_PLUGINS_FILE", "plugins"),
        ("CONFIG_FILE", "rabbitmq.conf"),
        ("PID_FILE", "pid"),
    ] {
        command.env(format!("RABBITMQ_{name}"), file(place));
    }
    // It would start the daemon nevertheless, after a minute.
    command.env("ERL_ZFLAGS", "-start_epmd false");
    // The script becomes the server, and has its pid.
    command.env("RUNNING_UNDER_SYSTEMD", "true");
    command
}
