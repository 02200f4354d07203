//! What an input claims, for showing it: everything but a payload that does not fit memory.

use std::io::{self, Write};

use super::input::Input;
use super::large::{Shell, read_some};
use super::{Found, Opening};
use crate::cose::{Ends, FormError, Front, Outline, Tagging};
use crate::error::{Error, Result};
use crate::hash::{ReadAt, Section};
use crate::kind::PROFILE;
use crate::store::{Kept, Store};
use crate::stream::read_opening;
use crate::unverified::UnverifiedEnvelope;

/// What was read of an input for showing it. Nothing of it is verified.
#[derive(Debug)]
pub enum Skimmed {
    /// It does not fit memory, and is no envelope as far as it was read.
    Broken {
        /// How it begins.
        beginning: Vec<u8>,
        /// Why it is none.
        why: Error,
    },
    /// An envelope whose payload does not fit memory.
    Large(LargeEnvelope),
    /// All of it; of a stream, the envelope of segment 0, whose header speaks for all of it.
    Whole(Vec<u8>),
}

/// An envelope that was read without its payload.
pub struct LargeEnvelope {
    shell: Shell,
}

impl Opening {
    /// Reads what can be shown of it, and passes over a payload that does not fit memory: whatever arrives, a few
    /// times [`MAX_MEMORY_BYTES`](super::MAX_MEMORY_BYTES) are held, or the text of an armored envelope.
    ///
    /// # Errors
    ///
    /// [`SystemError::Input`](crate::SystemError::Input); [`StreamError`](crate::StreamError) for a broken segment 0.
    pub fn skim(self) -> Result<Skimmed> {
        match self.found {
            Found::Large(input) => skim_large(input, Tagging::Any),
            Found::Stream { beginning, mut rest } => {
                read_opening(beginning, &mut rest).map(Skimmed::Whole)
            }
            Found::Whole(bytes) => Ok(Skimmed::Whole(bytes)),
        }
    }
}

/// Passes over the payload of what does not fit memory.
pub(super) fn skim_large(mut input: Input, tagging: Tagging) -> Result<Skimmed> {
    let mut beginning = input.beginning.clone();
    let shell = match input.anywhere.take() {
        Some(anywhere) => {
            let source = anywhere.source.as_ref();
            beginning.clear();
            let mut all = Section::new(source, anywhere.offset, anywhere.bytes);
            read_some(&mut all, Front::MAX_BYTES, &mut beginning)?;
            Shell::read_around(source, anywhere.offset, anywhere.bytes, tagging)
        }
        None => Shell::read(input, &mut Nowhere, tagging).map(|(shell, _)| shell),
    };
    let large = shell.and_then(|shell| {
        let large = LargeEnvelope { shell };
        large.outline()?;
        Ok(large)
    });
    match large {
        Ok(large) => Ok(Skimmed::Large(large)),
        Err(error) if error.is_input() => Err(error),
        Err(why) => {
            beginning.truncate(Front::MAX_BYTES);
            Ok(Skimmed::Broken { beginning, why })
        }
    }
}

impl LargeEnvelope {
    /// Returns its four parts. The payload is not there, as if it were detached, and of a signature field that is
    /// longer than any, only the beginning is.
    ///
    /// # Errors
    ///
    /// Those of [`Outline::parse`].
    pub fn outline(&self) -> Result<Outline<'_>, FormError> {
        self.front()?.outline(self.ends())
    }

    /// Returns the envelope, parsed.
    ///
    /// # Errors
    ///
    /// Those of [`UnverifiedEnvelope::parse`].
    pub fn parse(&self) -> Result<UnverifiedEnvelope<'_>, FormError> {
        UnverifiedEnvelope::new(self.front()?.with_ends(self.ends(), &PROFILE)?)
    }

    /// Returns how long the payload is; `None` if it is detached.
    #[must_use]
    pub fn payload_bytes(&self) -> Option<u64> {
        self.front().ok()?.payload_bytes()
    }

    /// Returns how long the signature field is.
    #[must_use]
    pub fn signature_bytes(&self) -> usize {
        Front::signature_bytes(self.ends()).unwrap_or(0)
    }

    /// Returns how long the whole envelope is.
    #[must_use]
    pub fn envelope_bytes(&self) -> u64 {
        let around = self.shell.payload_offset().saturating_add(self.shell.tail_bytes());
        around.saturating_add(self.payload_bytes().unwrap_or(0))
    }

    fn front(&self) -> Result<Front<'_>, FormError> {
        self.shell.front()
    }

    const fn ends(&self) -> Ends<'_> {
        self.shell.ends()
    }
}

impl std::fmt::Debug for LargeEnvelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LargeEnvelope").finish_non_exhaustive()
    }
}

/// A place for what nobody wants to read again.
struct Nowhere;

impl Store for Nowhere {
    fn keep(&mut self) -> io::Result<Box<dyn Kept>> {
        Ok(Box::new(Self))
    }
}

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadAt for Nowhere {
    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Ok(0)
    }
}
