//! What a signed job asks for: the private-use header parameter −70005.

mod typed;
mod wire;

use std::collections::BTreeSet;
use std::fmt;

use super::format::Format;
use super::limits::{Bounds, Limit};
use super::names::{Alias, LogicalPath, NameError, VariableName};
use crate::cbor::Malformed;
use crate::error::Class;
use crate::text::is_harmless;

pub use self::typed::GrantSyntaxError;

/// One thing that a job asks for. It is shown as it is typed: `read=data/in`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// An argument for the interpreter; `{}` stands for the payload.
    Argument(String),
    /// A variable of the environment, whose value is the operator's.
    Environment(VariableName),
    /// What the output will be.
    Format(Format),
    /// A bound, in the unit of its limit.
    Limit(Limit, u64),
    /// A file or directory to read.
    Read(LogicalPath),
    /// An interpreter.
    Run(Alias),
    /// A TCP port to connect to.
    Tcp(u16),
    /// A file or directory to read and write.
    Write(LogicalPath),
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(argument) => write!(f, "arg={argument}"),
            Self::Environment(name) => write!(f, "env={name}"),
            Self::Format(format) => write!(f, "format={}", format.name()),
            Self::Limit(limit, value) => write!(f, "{}={}", limit.name(), limit.show(*value)),
            Self::Read(path) => write!(f, "read={path}"),
            Self::Run(alias) => write!(f, "run={alias}"),
            Self::Tcp(port) => write!(f, "tcp={port}"),
            Self::Write(path) => write!(f, "write={path}"),
        }
    }
}

/// What a signed job asks for. It asks; what it gets is for a [`Policy`](super::Policy) to say.
///
/// ```cddl
/// grants = {
///   "v" => 1,
///   ? "arg" => [+ tstr], ? "env" => [+ tstr], ? "run" => tstr, ? "tcp" => [+ 1..65535],
///   ? "read" => [+ tstr], ? "write" => [+ tstr], ? "format" => tstr,
///   ? "cpu" => uint, ? "wall" => uint,
///   ? "file-size" => uint, ? "files" => uint, ? "memory" => uint, ? "output" => uint,
///   ? "processes" => uint, ? "scratch" => uint,
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    run: Option<Alias>,
    arguments: Vec<String>,
    environment: BTreeSet<VariableName>,
    ports: BTreeSet<u16>,
    read: BTreeSet<LogicalPath>,
    write: BTreeSet<LogicalPath>,
    format: Option<Format>,
    limits: Bounds,
}

impl Grants {
    /// Puts single grants together.
    ///
    /// # Errors
    ///
    /// - [`GrantsError::Form`] for what is there twice, for more than [`MAX_ENTRIES`] of a sort or
    ///   [`MAX_GRANTS_BYTES`] in all, and for arguments without an interpreter;
    /// - [`GrantsError::Path`] for a path that lies inside another, or is there to be read and to be
    ///   written;
    /// - [`GrantsError::Argument`], [`GrantsError::Range`].
    pub fn collect(grants: impl IntoIterator<Item = Grant>) -> Result<Self, GrantsError> {
        let mut all = Self::default();
        for grant in grants {
            all.add(grant)?;
        }
        all.judge()?;
        Ok(all)
    }

    fn add(&mut self, grant: Grant) -> Result<(), GrantsError> {
        let shown = grant.to_string();
        let is_new = match grant {
            Grant::Argument(argument) => {
                judge_argument(&argument)?;
                self.arguments.push(argument);
                true
            }
            Grant::Environment(name) => self.environment.insert(name),
            Grant::Format(format) => self.format.replace(format).is_none(),
            Grant::Limit(limit, value) => {
                if !limit.is_granted() || !limit.takes(value) {
                    return Err(GrantsError::Range { member: limit.name() });
                }
                self.limits.insert(limit, value).is_none()
            }
            Grant::Read(path) => self.read.insert(path),
            Grant::Run(alias) => self.run.replace(alias).is_none(),
            Grant::Tcp(0) => return Err(GrantsError::Range { member: "tcp" }),
            Grant::Tcp(port) => self.ports.insert(port),
            Grant::Write(path) => self.write.insert(path),
        };
        if is_new { Ok(()) } else { Err(GrantsError::Form(format!("{shown} is there twice"))) }
    }

    /// Holds all of it to the rules that no single grant can break.
    fn judge(&self) -> Result<(), GrantsError> {
        let form = |what: &str| Err(GrantsError::Form(what.to_owned()));
        if self.run.is_none() && !self.arguments.is_empty() {
            return form("arguments are there, and no interpreter");
        }
        let counts = [
            self.arguments.len(),
            self.environment.len(),
            self.ports.len(),
            self.read.len().saturating_add(self.write.len()),
        ];
        if counts.into_iter().any(|count| count > MAX_ENTRIES) {
            return form("there are more than 64 of a sort");
        }
        if self.encode().is_some_and(|encoded| encoded.len() > MAX_GRANTS_BYTES) {
            return form("they are over 32768 bytes");
        }
        let mut paths: Vec<_> = self.read.iter().chain(&self.write).collect();
        paths.sort_unstable_by_key(|path| path.as_str().split('/').collect::<Vec<_>>());
        // Whatever lies inside a path comes right behind it, in the order of the parts.
        let nested = paths.windows(2).find_map(|pair| match pair {
            [outer, inner] if inner.is_within(outer) => Some(*inner),
            _ => None,
        });
        nested.map_or(Ok(()), |path| {
            let what = NameError("it is, or lies inside, another path");
            Err(GrantsError::Path { path: path.to_string(), what })
        })
    }

    /// Reads the value of the header parameter.
    ///
    /// # Errors
    ///
    /// [`GrantsError`], whichever comes first.
    pub fn decode(value: &[u8]) -> Result<Self, GrantsError> {
        let grants = Self::collect(wire::decode(value)?)?;
        if grants.is_empty() {
            return Err(GrantsError::Form("nothing is asked for".to_owned()));
        }
        Ok(grants)
    }

    /// Returns the value of the header parameter; `None` where nothing is asked for, which has none.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        (!self.is_empty()).then(|| wire::encode(self))
    }

    /// Returns every grant, in the order of their names; arguments in their own.
    pub fn iter(&self) -> impl Iterator<Item = Grant> {
        let limits = self.limits.iter().map(|(limit, value)| Grant::Limit(*limit, *value));
        (self.run.iter().cloned().map(Grant::Run))
            .chain(self.arguments.iter().cloned().map(Grant::Argument))
            .chain(self.environment.iter().cloned().map(Grant::Environment))
            .chain(self.read.iter().cloned().map(Grant::Read))
            .chain(self.write.iter().cloned().map(Grant::Write))
            .chain(self.ports.iter().copied().map(Grant::Tcp))
            .chain(limits)
            .chain(self.format.map(Grant::Format))
    }

    /// Returns whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the interpreter.
    #[must_use]
    pub const fn run(&self) -> Option<&Alias> {
        self.run.as_ref()
    }

    /// Returns the arguments for it.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Returns the variables of the environment.
    #[must_use]
    pub const fn environment(&self) -> &BTreeSet<VariableName> {
        &self.environment
    }

    /// Returns the TCP ports.
    #[must_use]
    pub const fn ports(&self) -> &BTreeSet<u16> {
        &self.ports
    }

    /// Returns the paths that are to be read only.
    #[must_use]
    pub const fn read(&self) -> &BTreeSet<LogicalPath> {
        &self.read
    }

    /// Returns the paths that are to be written too.
    #[must_use]
    pub const fn write(&self) -> &BTreeSet<LogicalPath> {
        &self.write
    }

    /// Returns the limits.
    #[must_use]
    pub const fn limits(&self) -> &Bounds {
        &self.limits
    }

    /// Returns what the output will be.
    #[must_use]
    pub const fn format(&self) -> Option<Format> {
        self.format
    }
}

/// The most entries of a sort: arguments, variables, ports, or paths.
pub const MAX_ENTRIES: usize = 64;

/// The longest that all of them may be, encoded, in bytes: half of a header.
pub const MAX_GRANTS_BYTES: usize = 32 * 1024;

/// The longest argument, in bytes.
pub const MAX_ARGUMENT_BYTES: usize = 4096;

fn judge_argument(argument: &str) -> Result<(), GrantsError> {
    if argument.len() > MAX_ARGUMENT_BYTES {
        return Err(GrantsError::Argument("it has more than 4096 bytes"));
    }
    if !argument.chars().all(is_harmless) {
        return Err(GrantsError::Argument("it has control characters"));
    }
    Ok(())
}

/// Why what a job asks for was refused, whatever the policy says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantsError {
    /// An argument that no signer may ask for.
    #[error("grants: an argument is malformed: {0}")]
    Argument(&'static str),

    /// Not of the form that SPEC.md gives, or not in its encoding.
    #[error("grants are malformed: {0}")]
    Form(String),

    /// Not of the types that SPEC.md gives.
    #[error("grants are malformed: {0}")]
    Malformed(#[from] Malformed),

    /// An alias or the name of a variable is none.
    #[error("grants: {name:?} is no name: {what}")]
    Name {
        /// The text.
        name: String,
        /// What is wrong with it.
        what: NameError,
    },

    /// A path that no signer may ask for.
    #[error("grants: path {path:?} is malformed: {what}")]
    Path {
        /// The text.
        path: String,
        /// What is wrong with it.
        what: NameError,
    },

    /// A number that is out of range.
    #[error("grants: {member} is out of range")]
    Range {
        /// The member.
        member: &'static str,
    },

    /// A member that is not known: it may be a power that nobody here has thought of.
    #[error("grants: {member:?} is not known")]
    Unknown {
        /// The member, or the value that is not known.
        member: String,
    },

    /// A version that is not known.
    #[error("grants of version {found} are not supported")]
    Version {
        /// The version.
        found: i64,
    },
}

impl GrantsError {
    /// Returns whose fault it is.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Unknown { .. } | Self::Version { .. } => Class::Unsupported,
            Self::Argument(_)
            | Self::Form(_)
            | Self::Malformed(_)
            | Self::Name { .. }
            | Self::Path { .. }
            | Self::Range { .. } => Class::Altered,
        }
    }

    /// Returns a short name that does not change from version to version.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Argument(_) => "grants-argument",
            Self::Form(_) => "grants-form",
            Self::Malformed(error) => error.reason(),
            Self::Name { .. } => "grants-name",
            Self::Path { .. } => "grants-path",
            Self::Range { .. } => "grants-range",
            Self::Unknown { .. } => "grants-unknown",
            Self::Version { .. } => "grants-version",
        }
    }
}

#[cfg(test)]
mod tests;
