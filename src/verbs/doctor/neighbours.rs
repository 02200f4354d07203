//! What lies around jobs that confinement does not hide: secrets that a policy gives away, a metadata service, hardware
//! that is shared.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use brine_core::text::quoted;
use brine_job::Policy;

use super::check::Check;
use crate::verbs::policy;
use crate::world::home::{Home, user_home};
use crate::world::machine;
use crate::world::permissions::PermissionRule;

/// Looks at all of it.
pub(super) fn checks() -> Vec<Check> {
    let current = policy::watch(None, PermissionRule::Strict).and_then(|watched| watched.current());
    let mut checks = Vec::new();
    // Whether the policy can be read is a check of its own.
    if let Ok(policy) = current {
        checks.push(of_secrets(&policy, &secret_places()));
        checks.push(of_metadata(&policy, is_reachable));
    }
    checks.push(of_siblings(machine::shares_cores()));
    checks
}

/// A job reads what is below a root that the policy names.
fn of_secrets(policy: &Policy, secrets: &[PathBuf]) -> Check {
    let name = "exposed";
    let entries = policy.entries();
    let roots = entries.iter().flat_map(|entry| entry.read_roots().chain(entry.write_roots()));
    let exposed = roots
        .filter_map(|root| {
            let inside = |secret: &&PathBuf| secret.starts_with(root) || root.starts_with(secret);
            Some((root, secrets.iter().find(inside)?))
        })
        .next();
    match exposed {
        None => {
            Check::ok(name, "the policy lets jobs read no place where keys and passwords are kept")
        }
        Some((root, secret)) => Check::limited(
            name,
            format!(
                "the policy lets jobs read {}, and {} is kept there",
                quoted(root),
                quoted(secret)
            ),
        )
        .hint("name a directory that holds only what jobs need"),
    }
}

/// Where keys and passwords are kept, as far as it is there.
fn secret_places() -> Vec<PathBuf> {
    let home = user_home();
    let in_home = home.iter().flat_map(|home| OF_USERS.iter().map(move |name| home.join(name)));
    let own = Home::find().ok().map(|home| home.directory().to_owned());
    let all = in_home.chain(own).chain(OF_SYSTEM.iter().map(PathBuf::from));
    all.filter(|path| path.exists()).collect()
}

/// Whoever can ask the metadata service of a cloud gets the credentials of the machine.
fn of_metadata(policy: &Policy, is_reachable: impl FnOnce() -> bool) -> Check {
    let name = "metadata";
    let grants =
        policy.entries().iter().any(|entry| entry.ports().any(|port| port == METADATA.port()));
    if !is_reachable() {
        return Check::ok(name, "no metadata service of a cloud answers here");
    }
    if grants {
        return Check::limited(
            name,
            format!(
                "the policy grants port {}, and the metadata service of this machine answers there",
                METADATA.port()
            ),
        )
        .hint("do not grant it; or drop packets to 169.254.169.254 from users other than root");
    }
    Check::ok(
        name,
        "a metadata service answers here, and jobs do not reach it: the policy grants no such port",
    )
}

fn is_reachable() -> bool {
    TcpStream::connect_timeout(&METADATA, PATIENCE).is_ok()
}

fn of_siblings(shared: bool) -> Check {
    let name = "siblings";
    if shared {
        return Check::limited(
            name,
            "cores have several hardware threads: a job can time what runs beside it on the same core",
        )
        .hint("echo off | sudo tee /sys/devices/system/cpu/smt/control");
    }
    Check::ok(name, "no hardware threads share a core, as far as the kernel knows")
}

const OF_USERS: [&str; 9] = [
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".config/gcloud",
    ".docker/config.json",
    ".kube",
    ".netrc",
    ".pypirc",
];

const OF_SYSTEM: [&str; 6] =
    ["/etc/shadow", "/etc/ssl/private", "/etc/ssh", "/run/secrets", "/var/run/secrets", "/root"];

/// The address that clouds have agreed on.
const METADATA: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80);

/// A service on this machine's own link answers at once.
const PATIENCE: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    fn policy(text: &str) -> Policy {
        let head = "[[allow]]\nsigners = [\"a\"]\n";
        Policy::parse(format!("{head}{text}\n").as_bytes()).unwrap()
    }

    #[test]
    fn a_root_above_or_in_a_place_of_secrets_is_said() {
        let secrets = [PathBuf::from("/home/u/.ssh"), PathBuf::from("/root")];
        for (root, state) in [
            ("/home", State::Limited),
            ("/home/u/.ssh", State::Limited),
            ("/root/data", State::Limited),
            ("/home/u/.sshd", State::Ok),
            ("/srv", State::Ok),
        ] {
            for key in ["read", "write"] {
                let policy = policy(&format!("{key} = {{ data = \"{root}\" }}"));
                let check = of_secrets(&policy, &secrets);
                assert_eq!(check.state, state, "{key} {root}: {check:?}");
                assert_eq!(check.hint.is_some(), state != State::Ok);
            }
        }
    }

    #[test]
    fn a_metadata_service_matters_where_its_port_is_granted() {
        for (ports, reachable, state) in [
            ("[80, 443]", true, State::Limited),
            ("[443]", true, State::Ok),
            ("[80]", false, State::Ok),
        ] {
            let check = of_metadata(&policy(&format!("ports = {ports}")), || reachable);
            assert_eq!(check.state, state, "{ports} {reachable}: {check:?}");
        }
    }

    #[test]
    fn shared_cores_are_said() {
        assert_eq!(of_siblings(true).state, State::Limited);
        assert_eq!(of_siblings(false).state, State::Ok);
    }
}
