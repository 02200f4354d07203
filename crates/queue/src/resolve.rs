//! Names of hosts.

use crate::error::QueueError;
use crate::url::Server;

/// Refuses names of hosts where this program cannot find out their addresses.
///
/// The C library asks modules of the system for them, which a program that has the library in itself cannot load
/// soundly.
pub(crate) fn refuse_names(server: &Server) -> Result<(), QueueError> {
    let is_address = |name: &str| name.parse::<std::net::IpAddr>().is_ok();
    match server.hosts.iter().find(|host| !is_address(&host.name)) {
        Some(host) if cfg!(all(target_env = "gnu", target_feature = "crt-static")) => {
            Err(QueueError::Unsuitable {
                what: format!(
                    "this build finds no hosts by their names: write the address of {} instead",
                    host.name
                ),
            })
        }
        _ => Ok(()),
    }
}
