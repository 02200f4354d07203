//! Grants: what a signed job requests, in the private-use header parameter −70005.

mod cbor;
mod error;
mod syntax;

use std::collections::BTreeSet;
use std::fmt;

use brine_core::text::all_harmless;

use super::format::OutputFormat;
use super::limits::{Limit, LimitValues};
use super::names::{InterpreterAlias, LogicalPath, NameError, PowerName, ReplyQueue, VariableName};

pub use self::error::GrantsError;
pub use self::syntax::GrantSyntaxError;

/// One thing that a job requests. It is shown as people type it: `read=data/in`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// An argument for the interpreter; `{}` stands for the payload.
    Argument(String),
    /// An environment variable. The operator sets its value.
    Environment(VariableName),
    /// The format of the output.
    Format(OutputFormat),
    /// A limit, and its value in the unit of the limit.
    Limit(Limit, u64),
    /// A power: a socket to a program of the operator.
    Power(PowerName),
    /// A file or directory to read.
    Read(LogicalPath),
    /// The queue that the result is to be put on.
    Reply(ReplyQueue),
    /// An interpreter.
    Run(InterpreterAlias),
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
            Self::Power(name) => write!(f, "power={name}"),
            Self::Read(path) => write!(f, "read={path}"),
            Self::Reply(queue) => write!(f, "reply={queue}"),
            Self::Run(alias) => write!(f, "run={alias}"),
            Self::Tcp(port) => write!(f, "tcp={port}"),
            Self::Write(path) => write!(f, "write={path}"),
        }
    }
}

/// What a signed job requests. A [`Policy`](super::Policy) decides what it gets.
///
/// ```cddl
/// grants = {
///   "v" => 1,
///   ? "arg" => [+ tstr], ? "env" => [+ tstr], ? "power" => [+ tstr], ? "reply" => tstr, ? "run" => tstr, ? "tcp" => [+ 1..65535],
///   ? "read" => [+ tstr], ? "write" => [+ tstr], ? "format" => tstr,
///   ? "address-space" => uint, ? "cpu" => uint, ? "wall" => uint,
///   ? "file-size" => uint, ? "files" => uint, ? "memory" => uint, ? "output" => uint,
///   ? "processes" => uint, ? "scratch" => uint,
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    run: Option<InterpreterAlias>,
    arguments: Vec<String>,
    environment: BTreeSet<VariableName>,
    ports: BTreeSet<u16>,
    powers: BTreeSet<PowerName>,
    read: BTreeSet<LogicalPath>,
    write: BTreeSet<LogicalPath>,
    reply: Option<ReplyQueue>,
    format: Option<OutputFormat>,
    limits: LimitValues,
}

impl Grants {
    /// Collects single grants.
    ///
    /// # Errors
    ///
    /// - [`GrantsError::Form`] for a repeated grant, for more than [`MAX_GRANTS_OF_A_KIND`] of one kind or
    ///   [`MAX_GRANTS_BYTES`] in all, and for arguments without an interpreter;
    /// - [`GrantsError::Path`] for a path that lies inside another, or that is requested both for reading and
    ///   for writing;
    /// - [`GrantsError::Argument`] and [`GrantsError::Range`] by the rules of a single grant.
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
            Grant::Power(name) => self.powers.insert(name),
            Grant::Read(path) => self.read.insert(path),
            Grant::Reply(queue) => self.reply.replace(queue).is_none(),
            Grant::Run(alias) => self.run.replace(alias).is_none(),
            Grant::Tcp(0) => return Err(GrantsError::Range { member: "tcp" }),
            Grant::Tcp(port) => self.ports.insert(port),
            Grant::Write(path) => self.write.insert(path),
        };
        if is_new { Ok(()) } else { Err(GrantsError::Form(format!("{shown} is there twice"))) }
    }

    /// Judges the grants by the rules that a single grant cannot break.
    fn judge(&self) -> Result<(), GrantsError> {
        let form = |what: &str| Err(GrantsError::Form(what.to_owned()));
        if self.run.is_none() && !self.arguments.is_empty() {
            return form("there are arguments, but no interpreter");
        }
        let counts = [
            self.arguments.len(),
            self.environment.len(),
            self.ports.len(),
            self.read.len().saturating_add(self.write.len()),
        ];
        if counts.into_iter().any(|count| count > MAX_GRANTS_OF_A_KIND) {
            return form("there are more than 64 of one kind");
        }
        if self.powers.len() > MAX_POWERS {
            return form("there are more than 16 powers");
        }
        if self.encode().is_some_and(|encoded| encoded.len() > MAX_GRANTS_BYTES) {
            return form("they are over 32768 bytes");
        }
        let mut paths: Vec<_> = self.read.iter().chain(&self.write).collect();
        paths.sort_unstable_by_key(|path| path.as_str().split('/').collect::<Vec<_>>());
        // Sorted part by part, a path comes directly before those that lie inside it.
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
    /// [`GrantsError`].
    pub fn decode(value: &[u8]) -> Result<Self, GrantsError> {
        let grants = Self::collect(cbor::decode(value)?)?;
        if grants.is_empty() {
            return Err(GrantsError::Form("they request nothing".to_owned()));
        }
        Ok(grants)
    }

    /// Returns the value of the header parameter; `None` if nothing is requested, which has no encoding.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        (!self.is_empty()).then(|| cbor::encode(self))
    }

    /// Returns all grants, the interpreter first and the format last.
    pub fn iter(&self) -> impl Iterator<Item = Grant> {
        let limits = self.limits.iter().map(|(limit, value)| Grant::Limit(*limit, *value));
        (self.run.iter().cloned().map(Grant::Run))
            .chain(self.arguments.iter().cloned().map(Grant::Argument))
            .chain(self.environment.iter().cloned().map(Grant::Environment))
            .chain(self.read.iter().cloned().map(Grant::Read))
            .chain(self.write.iter().cloned().map(Grant::Write))
            .chain(self.ports.iter().copied().map(Grant::Tcp))
            .chain(self.powers.iter().cloned().map(Grant::Power))
            .chain(self.reply.iter().cloned().map(Grant::Reply))
            .chain(limits)
            .chain(self.format.map(Grant::Format))
    }

    /// Returns whether nothing is requested.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the interpreter.
    #[must_use]
    pub const fn run(&self) -> Option<&InterpreterAlias> {
        self.run.as_ref()
    }

    /// Returns the arguments for the interpreter.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Returns the environment variables.
    #[must_use]
    pub const fn environment(&self) -> &BTreeSet<VariableName> {
        &self.environment
    }

    /// Returns the TCP ports.
    #[must_use]
    pub const fn ports(&self) -> &BTreeSet<u16> {
        &self.ports
    }

    /// Returns the powers.
    #[must_use]
    pub const fn powers(&self) -> &BTreeSet<PowerName> {
        &self.powers
    }

    /// Returns the paths to read.
    #[must_use]
    pub const fn read(&self) -> &BTreeSet<LogicalPath> {
        &self.read
    }

    /// Returns the paths to read and write.
    #[must_use]
    pub const fn write(&self) -> &BTreeSet<LogicalPath> {
        &self.write
    }

    /// Returns the queue that the result is to be put on.
    #[must_use]
    pub const fn reply(&self) -> Option<&ReplyQueue> {
        self.reply.as_ref()
    }

    /// Returns the limits.
    #[must_use]
    pub const fn limits(&self) -> &LimitValues {
        &self.limits
    }

    /// Returns the format of the output.
    #[must_use]
    pub const fn format(&self) -> Option<OutputFormat> {
        self.format
    }
}

/// The most grants of one kind: arguments, variables, ports, or paths.
pub const MAX_GRANTS_OF_A_KIND: usize = 64;

/// The most powers of a job. Each is a descriptor.
pub const MAX_POWERS: usize = 16;

/// The longest encoding of all grants, in bytes: half of a header.
pub const MAX_GRANTS_BYTES: usize = 32 * 1024;

/// The longest argument, in bytes.
pub const MAX_ARGUMENT_BYTES: usize = 4096;

fn judge_argument(argument: &str) -> Result<(), GrantsError> {
    if argument.len() > MAX_ARGUMENT_BYTES {
        return Err(GrantsError::Argument("it is over 4096 bytes"));
    }
    if !all_harmless(argument) {
        return Err(GrantsError::Argument("it has control characters, or such as cannot be seen"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
