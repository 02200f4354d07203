//! Plans as bytes: one encoding for each, and its digest; and what an operator may lower in one.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::format::Format;
use super::limits::{self, Bounds, Limit};
use super::plan::{Delivery, Layer, Plan};
use super::policy::PolicyError;
use crate::cbor::Encoder;
use crate::hash::HashAlgorithm;

impl Layer {
    /// All of them, from the outside in.
    pub const ALL: [Self; 6] = [
        Self::Namespaces,
        Self::Network,
        Self::Limits,
        Self::Privileges,
        Self::Landlock,
        Self::Seccomp,
    ];

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Network => "network",
            Self::Limits => "limits",
            Self::Privileges => "privileges",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        }
    }
}

impl Plan {
    /// Lowers each limit to that of `bounds`, where this is smaller.
    pub fn lower(&mut self, bounds: &Bounds) {
        self.limits = limits::lowered(&self.limits, bounds);
    }

    /// Holds the output to a format, where the signer declared none or the same.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Format`].
    pub fn hold_to(&mut self, format: Format) -> Result<(), PolicyError> {
        if self.format != Format::Bytes && self.format != format {
            let (asked, declared) = (format.name(), self.format.name());
            return Err(PolicyError::Format { asked, declared });
        }
        self.format = format;
        Ok(())
    }

    /// Returns all of it in one encoding: deterministic CBOR (RFC 8949, Section 4.2.1).
    ///
    /// ```cddl
    /// plan = [
    ///   version: 1,
    ///   program: [path: bstr, sha256: bstr .size 32 / nil, arguments: [+ bstr]],
    ///   delivery: "stdin" / "file",
    ///   environment: [* [name: bstr, value: bstr]],
    ///   system: [* bstr],
    ///   openings: [* [source: bstr, target: bstr, writable: bool]],
    ///   ports: [* uint],
    ///   limits: [* [name: tstr, uint]],
    ///   format: tstr,
    ///   waived: [* tstr],
    /// ]
    /// ```
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        let Self {
            program,
            delivery,
            environment,
            system,
            openings,
            ports,
            limits,
            format,
            waived,
        } = self;
        let mut plan = Encoder::new();
        plan.array(10).int(1);
        plan.array(3).bytes(raw(&program.path));
        match &program.sha256 {
            Some(digest) => plan.bytes(digest),
            None => plan.nil(),
        };
        plan.array(count(program.arguments.len()));
        for argument in &program.arguments {
            plan.bytes(raw(argument));
        }
        plan.text(delivery.name()).array(count(environment.len()));
        for (name, value) in environment {
            plan.array(2).bytes(raw(name)).bytes(raw(value));
        }
        plan.array(count(system.len()));
        for path in system {
            plan.bytes(raw(path));
        }
        plan.array(count(openings.len()));
        for opening in openings {
            plan.array(3).bytes(raw(&opening.source)).bytes(raw(&opening.target));
            plan.bool(opening.writable);
        }
        plan.array(count(ports.len()));
        for port in ports {
            plan.uint(u64::from(*port));
        }
        plan.array(count(Limit::ALL.len()));
        for (limit, number) in limits::numbers(limits) {
            plan.array(2).text(limit.name()).uint(number);
        }
        plan.text(format.name()).array(count(waived.len()));
        for layer in waived {
            plan.text(layer.name());
        }
        plan.into_bytes()
    }

    /// Returns the SHA-256 of [`to_cbor`](Self::to_cbor): the name of what held.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let digest = HashAlgorithm::Sha256.digest(&self.to_cbor());
        digest.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

impl Delivery {
    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdin => "stdin",
            Self::File => "file",
        }
    }
}

fn raw(text: &(impl AsRef<OsStr> + ?Sized)) -> &[u8] {
    text.as_ref().as_bytes()
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
