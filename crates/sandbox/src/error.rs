//! Why a job did not start, or could not be watched to its end.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use brine_core::text::{in_words, quoted};
use brine_core::{Class, Classified};
use brine_job::Layer;

use super::private_root;

/// Why a job did not start, or could not be watched to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// A layer cannot be set up.
    #[error("confinement could not be set up: {}: {step}: {}", .layer.name(), in_words(.source))]
    Confinement {
        /// The layer.
        layer: Layer,
        /// What was being done.
        step: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The plan is a draft: the policy refused the job.
    #[error("the plan lacks what the policy refused, and is not carried out")]
    Draft,
    /// The input of the job cannot be read to its end. The job was killed.
    #[error("input of the job: {}", in_words(.0))]
    Input(#[source] io::Error),
    /// The program cannot be executed.
    #[error("{} cannot be executed: {}", quoted(.path), in_words(.source))]
    NotExecutable {
        /// The program.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The program does not exist.
    #[error("{} does not exist", quoted(.path))]
    NotFound {
        /// The program.
        path: PathBuf,
    },
    /// A path of the plan cannot be opened.
    #[error("{} was granted, but cannot be opened: {}", quoted(.path), in_words(.source))]
    Opening {
        /// The path.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The program does not have the SHA-256 that the policy states.
    #[error("{} has another SHA-256 than the policy states", quoted(.path))]
    OtherProgram {
        /// The program.
        path: PathBuf,
    },
    /// The output cannot be written.
    #[error("output of the job: {}", in_words(.0))]
    Output(#[source] io::Error),
    /// The payload is too large to be given as a file.
    #[error("payload is {found} bytes, limit is {limit} if it is given as a file")]
    PayloadTooLarge {
        /// The size of the payload.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// The job could not be watched to its end, and its end was not seen in time after it was killed.
    #[error("{source}; killed processes of the job may still be there")]
    StillThere {
        /// Why it could not be watched.
        source: Box<Self>,
    },
    /// The system failed, outside the job.
    #[error("{step}: {}", in_words(.source))]
    System {
        /// What was being done.
        step: String,
        /// The error of the system.
        source: io::Error,
    },
    /// This system refuses a call that setting up any job needs, as an older kernel or the filter of a container does.
    #[error("confinement could not be set up: {step}: {}", in_words(.source))]
    Withheld {
        /// What was being done.
        step: String,
        /// The error of the system.
        source: io::Error,
    },
}

impl Classified for LaunchError {
    fn class(&self) -> Class {
        match self {
            Self::Draft | Self::OtherProgram { .. } | Self::PayloadTooLarge { .. } => {
                Class::Untrusted
            }
            Self::StillThere { source } => source.class(),
            Self::Confinement { .. }
            | Self::Input(_)
            | Self::NotExecutable { .. }
            | Self::NotFound { .. }
            | Self::Opening { .. }
            | Self::Output(_)
            | Self::System { .. }
            | Self::Withheld { .. } => Class::System,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Confinement { .. } | Self::Withheld { .. } => "confinement",
            Self::Draft => "draft",
            Self::Input(_) => "input",
            Self::NotExecutable { .. } => "not-executable",
            Self::NotFound { .. } => "not-found",
            Self::Opening { .. } => "opening",
            Self::OtherProgram { .. } => "other-program",
            Self::Output(_) => "output",
            Self::PayloadTooLarge { .. } => "payload-too-large",
            Self::StillThere { source } => source.reason(),
            Self::System { .. } => "system",
        }
    }
}

impl LaunchError {
    /// Returns the exit status of a program that ends with this error: those that env(1) and timeout(1) use
    /// where the class says too little.
    #[must_use]
    pub const fn status(&self) -> u8 {
        match self {
            Self::StillThere { source } => source.status(),
            Self::Confinement { .. } | Self::Opening { .. } | Self::Withheld { .. } => 125,
            Self::NotExecutable { .. } => 126,
            Self::NotFound { .. } => 127,
            Self::Draft | Self::OtherProgram { .. } | Self::PayloadTooLarge { .. } => 5,
            Self::Input(_) | Self::Output(_) | Self::System { .. } => 4,
        }
    }

    /// Returns the layer that cannot be set up, if that is what failed.
    #[must_use]
    pub const fn layer(&self) -> Option<Layer> {
        match self {
            Self::Confinement { layer, .. } => Some(*layer),
            _ => None,
        }
    }

    /// Returns whether the user namespace of this process has one user or group only, where a job needs another.
    #[must_use]
    pub fn is_for_want_of_users(&self) -> bool {
        match self {
            Self::Confinement { layer, source, .. } => lacks_users(*layer, source),
            _ => false,
        }
    }

    /// Returns what to do about it, if there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Confinement { layer, step, source } => {
                hint_for_root(step).or_else(|| hint_for(*layer, source))
            }
            Self::StillThere { source } => source.hint(),
            Self::NotExecutable { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("its loader or interpreter must lie in a system directory that the plan names")
            }
            Self::Opening { source, .. }
            | Self::System { source, .. }
            | Self::Withheld { source, .. }
                if source.raw_os_error() == Some(libc::ENOSYS) =>
            {
                Some(NEWER_SYSTEM)
            }
            Self::Withheld { .. } => Some(FILTERED),
            Self::Opening { source, .. } if source.raw_os_error() == Some(libc::ELOOP) => {
                Some("no part of a granted path may be a symbolic link; name the path itself")
            }
            Self::Opening { source, .. } if source.kind() == io::ErrorKind::NotFound => Some(
                "make it, or name another root in the policy, which \"brine policy check\" holds against this system",
            ),
            _ => None,
        }
    }

    pub(super) fn system(step: &str, source: impl Into<io::Error>) -> Self {
        Self::System { step: step.to_owned(), source: source.into() }
    }

    /// Returns the error of a call before the program of a job has started. One that no supported system answers so,
    /// unless something withholds the call from brine, is told from one of the moment, such as a want of memory.
    pub(super) fn setting_up(step: &str, source: impl Into<io::Error>) -> Self {
        let (step, source) = (step.to_owned(), source.into());
        match source.raw_os_error() {
            Some(
                libc::EACCES
                | libc::EAFNOSUPPORT
                | libc::EINVAL
                | libc::ENOSYS
                | libc::EOPNOTSUPP
                | libc::EPERM
                | libc::EPROTONOSUPPORT,
            ) => Self::Withheld { step, source },
            _ => Self::System { step, source },
        }
    }
}

fn hint_for_root(step: &str) -> Option<&'static str> {
    match step {
        private_root::IS_INITRAMFS => Some(
            "the kernel exchanges only a root that was mounted over the initramfs: move to one with switch_root(8), as \
             systems do that start from a disk",
        ),
        private_root::IS_NO_MOUNT => Some(
            "the kernel exchanges only a root that is a mount, and makes no user namespaces after chroot(8): enter the \
             directory with pivot_root(8), as containers do",
        ),
        _ => None,
    }
}

fn lacks_users(layer: Layer, source: &io::Error) -> bool {
    let of_users = matches!(layer, Layer::Namespaces | Layer::Network | Layer::Privileges);
    let refused = matches!(source.raw_os_error(), Some(libc::EACCES | libc::EINVAL | libc::EPERM));
    of_users && refused && has_one_user()
}

fn hint_for(layer: Layer, source: &io::Error) -> Option<&'static str> {
    if lacks_users(layer, source) {
        return Some(
            "this user namespace has only one user or group, and a job needs another: run brine outside of it, or \
             map more of them (\"unshare --map-auto\", newuidmap)",
        );
    }
    match (layer, source.raw_os_error()) {
        (
            Layer::Namespaces | Layer::Network,
            Some(libc::EPERM | libc::EACCES | libc::ENOSPC | libc::EUSERS),
        ) => Some(
            "this system denies you user namespaces; \"brine doctor\" says what denies them, and what to type",
        ),
        (Layer::Namespaces | Layer::Network, Some(libc::ENOSYS)) => Some(NEWER_SYSTEM),
        (Layer::Privileges, Some(libc::EINVAL | libc::EPERM)) => Some(
            "root of a container that has no other user cannot become nobody: run brine as another user",
        ),
        (Layer::Landlock, Some(libc::ENOSYS | libc::EOPNOTSUPP)) => Some(
            "Landlock needs Linux 5.19 or later, 6.7 if ports are granted, 6.12 without namespaces or seccomp, \
                 and \"landlock\" in the kernel's lsm= list",
        ),
        (Layer::Seccomp, Some(libc::ENOSYS | libc::EINVAL)) => {
            Some("seccomp filters need a kernel that was built with CONFIG_SECCOMP_FILTER")
        }
        _ => None,
    }
}

/// What is said of a call that does not exist.
const NEWER_SYSTEM: &str =
    "brine needs Linux 5.15 or later, and in a container a seccomp profile that knows its calls";

/// What is said of a call that exists, and is refused.
const FILTERED: &str = "something around brine refuses it this call: the seccomp profile of a container, SystemCallFilter= of a service, \
     or a security module";

/// Returns whether the user namespace of this process has fewer than two users or groups (user_namespaces(7)).
fn has_one_user() -> bool {
    let has_one = |name: &str| {
        let mut map = String::new();
        let file = File::open(format!("/proc/self/{name}")).ok()?;
        file.take(MAX_MAP_BYTES).read_to_string(&mut map).ok()?;
        let counts = map.lines().map(|line| line.split_ascii_whitespace().nth(2)?.parse().ok());
        Some(counts.map(|count: Option<u64>| count.unwrap_or(0)).sum::<u64>() < 2)
    };
    has_one("uid_map") == Some(true) || has_one("gid_map") == Some(true)
}

/// As long as a map can be (user_namespaces(7)).
const MAX_MAP_BYTES: u64 = 4096;
