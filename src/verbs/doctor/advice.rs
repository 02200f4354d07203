//! What to change where the system denies user namespaces and mounts, which most layers are made of.

use std::path::Path;

use crate::world::machine::Machine;

/// Returns what to type, as far as the system says what it forbids.
pub(super) fn for_namespaces(machine: &Machine) -> Option<String> {
    let sysctls = [
        (machine.most_user_namespaces == Some(0), "user.max_user_namespaces=15000"),
        (machine.userns_clone == Some(0), "kernel.unprivileged_userns_clone=1"),
    ];
    let found = sysctls.into_iter().filter(|(is_so, _)| *is_so);
    let mut steps: Vec<String> = found.map(|(_, set)| format!("sudo sysctl {set}")).collect();
    match &machine.container {
        Some(container) => {
            steps.extend(for_container(machine, container));
            // The restriction is that of the host, and holds for whom no profile confines.
            if machine.apparmor_restricts.is_some_and(|level| level > 0) {
                steps.push(format!("on the host: sudo sysctl {APPARMOR_RULE}=0"));
            }
        }
        None => {
            if machine.apparmor_restricts.is_some_and(|level| level > 0) {
                steps.push(apparmor_profile(machine.program.as_deref()));
            }
            if machine.has_filter {
                steps.push(
                    "a seccomp filter holds already: if it is that of a systemd unit, give it RestrictNamespaces=no \
                     and a SystemCallFilter= that allows @mount"
                        .to_owned(),
                );
            }
        }
    }
    if steps.is_empty() { None } else { Some(steps.join("; ")) }
}

/// Returns how a container is started that may make namespaces.
fn for_container(machine: &Machine, container: &str) -> Option<String> {
    let label = machine.label.as_deref().unwrap_or_default();
    let (apparmor, selinux) = (label.ends_with("(enforce)"), label.contains(":container_t"));
    if container == "kubernetes" {
        let profiles = [(machine.has_filter, "seccompProfile"), (apparmor, "appArmorProfile")];
        let found = profiles.into_iter().filter(|(is_so, _)| *is_so);
        let profiles: Vec<_> =
            found.map(|(_, profile)| format!("{profile}: {{type: Unconfined}}")).collect();
        return Some(match profiles.as_slice() {
            [] => "the nodes of this cluster deny it: ask whoever runs them".to_owned(),
            profiles => {
                format!("in the container's securityContext: {{{}}}", profiles.join(", "))
            }
        });
    }
    if !matches!(container, "docker" | "podman") {
        return Some(format!("start the container ({container}) with user namespaces in it"));
    }
    let options = [
        (machine.has_filter, "seccomp=unconfined"),
        (apparmor, "apparmor=unconfined"),
        (selinux, "label=disable"),
    ];
    let found = options.into_iter().filter(|(is_so, _)| *is_so);
    let options: String = found.map(|(_, option)| format!(" --security-opt {option}")).collect();
    if options.is_empty() {
        return None;
    }
    Some(format!("{container} run{options} ..., which lifts what confines the container itself"))
}

/// Returns what lets this program make user namespaces on Ubuntu, and no other.
fn apparmor_profile(program: Option<&Path>) -> String {
    let plain =
        |path: &&str| path.chars().all(|c| c.is_ascii_alphanumeric() || "/._+-".contains(c));
    let Some(path) = program.and_then(Path::to_str).filter(plain) else {
        return format!("sudo sysctl {APPARMOR_RULE}=0");
    };
    let profile = format!(
        "abi <abi/4.0>,\\ninclude <tunables/global>\\nprofile brine {path} flags=(unconfined) {{\\n  userns,\\n}}\\n"
    );
    format!(
        "printf '{profile}' | sudo tee /etc/apparmor.d/brine && sudo apparmor_parser -r /etc/apparmor.d/brine"
    )
}

const APPARMOR_RULE: &str = "kernel.apparmor_restrict_unprivileged_userns";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_forbid_namespaces_has_its_way_out() {
        let of = |machine: Machine| for_namespaces(&machine).unwrap_or_default();
        let named = |name: &str| Some(name.to_owned());
        let docker = Machine {
            container: named("docker"),
            has_filter: true,
            label: named("docker-default (enforce)"),
            ..Machine::default()
        };
        let ubuntu = Machine {
            apparmor_restricts: Some(1),
            program: Some("/usr/bin/brine".into()),
            ..Machine::default()
        };
        assert_eq!(of(Machine { most_user_namespaces: Some(1), ..Machine::default() }), "");
        for (machine, said) in [
            (
                Machine { most_user_namespaces: Some(0), ..Machine::default() },
                "sudo sysctl user.max_user_namespaces=15000",
            ),
            (
                Machine { userns_clone: Some(0), ..Machine::default() },
                "sudo sysctl kernel.unprivileged_userns_clone=1",
            ),
            (ubuntu.clone(), "profile brine /usr/bin/brine flags=(unconfined) {\\n  userns,\\n}"),
            (
                // A path that a profile would read otherwise.
                Machine { program: Some("/home/a b/brine*".into()), ..ubuntu.clone() },
                "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
            ),
            (
                docker.clone(),
                "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined ...",
            ),
            (
                // Unconfined in the container is not unconfined on the host.
                Machine { apparmor_restricts: Some(1), ..docker.clone() },
                "; on the host: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
            ),
            (
                Machine {
                    container: named("podman"),
                    label: named("system_u:system_r:container_t:s0:c1,c2"),
                    ..docker.clone()
                },
                "podman run --security-opt seccomp=unconfined --security-opt label=disable ...",
            ),
            (
                Machine { container: named("kubernetes"), ..docker.clone() },
                "securityContext: {seccompProfile: {type: Unconfined}, appArmorProfile: {type: Unconfined}}",
            ),
            (
                Machine { container: named("lxc"), ..docker },
                "start the container (lxc) with user namespaces in it",
            ),
            (Machine { has_filter: true, ..Machine::default() }, "RestrictNamespaces=no"),
        ] {
            let found = of(machine.clone());
            assert!(found.contains(said), "{machine:?}: {found}");
        }
    }
}
