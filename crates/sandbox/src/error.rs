//! Why a job did not start, or could not be watched to its end.

use std::io;
use std::path::PathBuf;

use crate::job::plan::Layer;

/// Why a job did not start, or could not be watched to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// A layer could not be set up.
    #[error("confinement could not be set up: {}: {step}: {source}", layer.name())]
    Confinement {
        /// Which.
        layer: Layer,
        /// What was being done.
        step: String,
        /// What the system said.
        source: io::Error,
    },
    /// The program cannot be executed.
    #[error("{path:?} cannot be executed: {source}")]
    NotExecutable {
        /// The program.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no such program.
    #[error("{path:?} does not exist")]
    NotFound {
        /// The program.
        path: PathBuf,
    },
    /// What was granted cannot be opened as it was granted.
    #[error("{path:?} was granted, but cannot be opened: {source}")]
    Opening {
        /// What was granted.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The program is not the one that the policy states.
    #[error("{path:?} has another SHA-256 than the policy states")]
    OtherProgram {
        /// The program.
        path: PathBuf,
    },
    /// The output could not be written.
    #[error("output of the job: {0}")]
    Output(#[source] io::Error),
    /// A payload that is given as a file is too large for it.
    #[error("payload is {found} bytes, limit is {limit} where it is given as a file")]
    PayloadTooLarge {
        /// How large it is.
        found: u64,
        /// How large it may be.
        limit: u64,
    },
    /// The system failed, outside the job.
    #[error("{step}: {source}")]
    System {
        /// What was being done.
        step: String,
        /// What the system said.
        source: io::Error,
    },
}

impl LaunchError {
    /// Returns the stable short name that stands in JSON verdicts.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Confinement { .. } => "confinement",
            Self::NotExecutable { .. } => "not-executable",
            Self::NotFound { .. } => "not-found",
            Self::Opening { .. } => "opening",
            Self::OtherProgram { .. } => "other-program",
            Self::Output(_) => "output",
            Self::PayloadTooLarge { .. } => "payload-too-large",
            Self::System { .. } => "system",
        }
    }

    /// Returns the exit status of a program that ends with this.
    #[must_use]
    pub const fn status(&self) -> u8 {
        match self {
            Self::Confinement { .. } | Self::Opening { .. } => 125,
            Self::NotExecutable { .. } => 126,
            Self::NotFound { .. } => 127,
            Self::OtherProgram { .. } | Self::PayloadTooLarge { .. } => 5,
            Self::Output(_) | Self::System { .. } => 4,
        }
    }

    /// Returns what to do about it, where something can be done.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Confinement { layer, source, .. } => hint_for(*layer, source),
            Self::NotExecutable { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("its loader or interpreter must lie in a system directory that the plan names")
            }
            Self::Opening { source, .. } if source.raw_os_error() == Some(libc::ELOOP) => {
                Some("no part of a granted path may be a symbolic link; name the place itself")
            }
            _ => None,
        }
    }

    pub(super) fn system(step: &str, source: impl Into<io::Error>) -> Self {
        Self::System { step: step.to_owned(), source: source.into() }
    }
}

fn hint_for(layer: Layer, source: &io::Error) -> Option<&'static str> {
    match (layer, source.raw_os_error()) {
        (
            Layer::Namespaces | Layer::Network,
            Some(libc::EPERM | libc::EACCES | libc::ENOSPC | libc::EUSERS),
        ) => Some(
            "this system keeps user namespaces from you: on Ubuntu give brine an AppArmor profile with \
             \"userns,\", on Debian see kernel.unprivileged_userns_clone, else user.max_user_namespaces; a \
             container must be started with them",
        ),
        (Layer::Privileges, Some(libc::EINVAL | libc::EPERM)) => Some(
            "root of a container that has no other user cannot become nobody: run brine as another user",
        ),
        (Layer::Landlock, Some(libc::ENOSYS | libc::EOPNOTSUPP)) => {
            Some("Landlock needs Linux 5.19 or later, and \"landlock\" in the kernel's lsm= list")
        }
        (Layer::Seccomp, Some(libc::ENOSYS | libc::EINVAL)) => {
            Some("seccomp filters need a kernel that was built with CONFIG_SECCOMP_FILTER")
        }
        _ => None,
    }
}
