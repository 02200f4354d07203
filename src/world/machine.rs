//! What this machine says of itself: its kernel, its control groups, and what it was told to forbid.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::home;

/// What was found out about the machine. Each fact is `None` where the system does not say it.
#[derive(Clone, Debug, Default)]
#[cfg_attr(
    not(all(feature = "sandbox", target_os = "linux")),
    expect(dead_code, reason = "only a program that runs jobs says what they lack")
)]
pub(crate) struct Machine {
    /// How user namespaces are restricted by AppArmor (Ubuntu): 0 is not at all.
    pub(crate) apparmor_restricts: Option<u64>,
    /// The container that this process is in.
    pub(crate) container: Option<String>,
    /// The label that a security module gave this process, such as `docker-default (enforce)`.
    pub(crate) label: Option<String>,
    /// How many user namespaces a user may have.
    pub(crate) most_user_namespaces: Option<u64>,
    /// The path of this program.
    pub(crate) program: Option<PathBuf>,
    /// Whether a seccomp filter holds already.
    pub(crate) has_filter: bool,
    /// Whether users may make user namespaces (Debian).
    pub(crate) userns_clone: Option<u64>,
    /// The kernel and its version.
    pub(crate) kernel: String,
}

impl Machine {
    /// Reads it all.
    pub(crate) fn survey() -> Self {
        let number = |path: &str| first_line(path)?.parse().ok();
        let system = rustix::system::uname();
        let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
        Self {
            apparmor_restricts: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            container: container(),
            label: first_line("/proc/self/attr/current").filter(|label| label != "unconfined"),
            most_user_namespaces: number("/proc/sys/user/max_user_namespaces"),
            program: std::fs::read_link("/proc/self/exe").ok(),
            has_filter: status_of("Seccomp:").is_some_and(|mode| mode != "0"),
            userns_clone: number("/proc/sys/kernel/unprivileged_userns_clone"),
            kernel: [text(system.sysname()), text(system.release()), text(system.machine())]
                .join(" "),
        }
    }
}

/// Says in what container this process is, by the marks that container engines leave.
fn container() -> Option<String> {
    if home::is_pod() {
        return Some("kubernetes".to_owned());
    }
    let marks = [("/run/.containerenv", "podman"), ("/.dockerenv", "docker")];
    let marked = marks.into_iter().find(|(mark, _)| Path::new(mark).exists());
    // systemd and those who follow it write its name (https://systemd.io/CONTAINER_INTERFACE).
    let named = || first_line("/run/systemd/container").filter(|name| !name.is_empty());
    marked.map(|(_, name)| name.to_owned()).or_else(named)
}

/// Returns whether systemd manages this system.
#[cfg(all(feature = "sandbox", target_os = "linux"))]
pub(crate) fn has_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Returns a line of what the kernel says of this process.
fn status_of(name: &str) -> Option<String> {
    let status = read("/proc/self/status")?;
    status.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
}

/// Returns whether hardware threads of one core are in use. What runs on the one can time what runs on the other.
pub(crate) fn shares_cores() -> bool {
    first_line("/sys/devices/system/cpu/smt/active").as_deref() == Some("1")
}

fn first_line(path: impl AsRef<Path>) -> Option<String> {
    read(path).map(|text| text.lines().next().unwrap_or_default().trim_end_matches('\0').to_owned())
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

/// More than any of these files has, in bytes.
const MAX_BYTES: u64 = 1 << 16;
