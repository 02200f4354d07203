//! Whoever signs an envelope: one key, or several.

use brine_core::{Content, Needed, SigningBackend, Statement, detach, sign, sign_together};

use super::sign::{write, write_bytes};
use crate::args::sign::Sign;
use crate::report::Failure;
use crate::world::key_place::{KeyPlace, SharedSigner};
use crate::world::output::Output;
use crate::world::passphrase::Source;

/// The keys that sign, in the order in which they were typed.
pub(super) struct Signers {
    pub(super) first: SharedSigner,
    others: Vec<SharedSigner>,
    /// Whether it is an envelope that others can cosign.
    is_several: bool,
    needed: Needed,
}

impl Signers {
    /// Opens all keys.
    pub(super) fn open(
        args: &Sign,
        keys: Vec<KeyPlace>,
        passphrases: &Source,
    ) -> Result<Self, Failure> {
        let open = |key: KeyPlace| key.open(passphrases, args.permissions);
        let mut keys = keys.into_iter().map(open).collect::<Result<Vec<_>, _>>()?.into_iter();
        let first = keys.next().ok_or_else(|| Failure::usage("no key was named".to_owned()))?;
        let needed = if args.needs_all { Needed::All } else { Needed::Any };
        Ok(Self { first, others: keys.collect(), is_several: is_several(args), needed })
    }

    /// Returns how long a message may be that all of them sign.
    pub(super) fn message_limit(&self) -> Option<usize> {
        self.all().into_iter().filter_map(SigningBackend::message_limit).min()
    }

    /// Returns whether it is an envelope of several signers, also if only one key signs it now.
    pub(super) const fn is_several(&self) -> bool {
        self.is_several
    }

    /// Signs content, and writes the envelope: with its payload, or without.
    pub(super) fn seal(
        &self,
        statement: &Statement,
        content: Content<'_>,
        (detached, armored): (bool, bool),
        output: &Output,
    ) -> Result<(), Failure> {
        if self.is_several {
            let envelope = sign_together(statement, &self.all(), content, self.needed)?;
            let envelope = if detached {
                detach(&envelope).map_err(brine_core::Error::from)?
            } else {
                envelope
            };
            return write_bytes(&envelope, armored, output);
        }
        let envelope = sign(statement, self.first.as_ref(), content)?;
        match detached {
            true => write_bytes(&envelope.detached(), armored, output),
            false => write(&envelope, armored, output),
        }
    }

    fn all(&self) -> Vec<&dyn SigningBackend> {
        std::iter::once(&self.first).chain(&self.others).map(AsRef::as_ref).collect()
    }
}

/// Returns whether an envelope of several signers was asked for.
pub(super) const fn is_several(args: &Sign) -> bool {
    args.keys.len() > 1 || args.cosignable || args.needs_all
}
