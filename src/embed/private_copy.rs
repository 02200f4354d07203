//! Payloads that have verified, in files that nobody can change.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use brine_core::hash::{HashAlgorithm, ReadAt, digest_of};
use brine_core::{
    Beside, Expectations, Hashed, Input, Kept, MAX_MEMORY_BYTES, Opening, Store, TrustSource,
    Verified, WholeContent, open,
};

use super::{Facts, Heed, JudgingClock, Refused};
use crate::world::release::stored;
use crate::world::spool::{Spool, temporary};

/// A payload that has verified.
#[derive(Debug)]
#[non_exhaustive]
pub struct PrivateCopy {
    /// The payload, from its beginning, open for reading. It has no name, and nobody can open it for writing but its
    /// owner, who can change its mode first; if it is sealed, nobody at all.
    pub file: File,
    /// What is known of it.
    pub facts: Facts,
    /// Whether it is in memory and sealed. Else it is on a disk.
    pub is_sealed: bool,
}

/// How private copies are made.
#[derive(Debug)]
pub struct PrivateCopies<'a, T> {
    /// What is asked of the envelope.
    pub expectations: &'a Expectations,
    /// Who is believed.
    pub trust: &'a T,
    /// What time it is.
    pub clock: JudgingClock,
    /// The largest payload that is kept in memory, in bytes.
    pub most_in_memory: u64,
    /// How many threads verify a stream, or hash a file.
    pub threads: usize,
}

impl<T: TrustSource + Clone + 'static> PrivateCopies<'_, T> {
    /// Verifies an envelope or a stream that holds its payload. `name` is what it is called.
    ///
    /// # Errors
    ///
    /// What the programs say of it.
    pub fn embedded(&self, input: Input, name: &str, heed: &Heed) -> Result<PrivateCopy, Refused> {
        let reading = |error| stored(error, name);
        let opening = open(input).map_err(reading)?;
        if opening.lies_beside(self.expectations) {
            return Err(Refused::usage(format!(
                "{name} is a signature that lies beside its file: name the file, and this as its signature"
            )));
        }
        let spool = SharedSpool::new(self.most_in_memory)?;
        let threads = if opening.is_stream() { self.threads } else { 1 };
        let opening = opening.store(spool.clone()).threads(threads);
        let verified = opening.verify(self.expectations, self.trust, &self.clock);
        let mut verified = verified.map_err(reading)?;
        if !spool.is_taken() {
            let mut to = spool.clone();
            while let Some(piece) = verified.next_piece().map_err(reading)? {
                to.write_all(piece).map_err(temporary)?;
                heed().map_err(|error| reading(brine_core::SystemError::Input(error).into()))?;
            }
        }
        self.released(verified, spool)
    }

    /// Verifies a signature over `content`, which lies beside it, or a copy of that. `name` is what the signature is
    /// called, and `content_name` the content.
    ///
    /// # Errors
    ///
    /// What the programs say of it.
    pub fn beside(
        &self,
        signature: Input,
        name: &str,
        content: &mut impl Read,
        content_name: &str,
    ) -> Result<PrivateCopy, Refused> {
        let opening: Opening = open(signature).map_err(|error| stored(error, name))?;
        let spool = Spool::in_memory_up_to(self.most_in_memory).map_err(temporary)?;
        let spool = spool.filled(&[], content, content_name)?;
        let mut copy = SpoolContent { spool, threads: self.threads };
        let verified = opening.verify_beside(&mut copy, self.expectations, self.trust, &self.clock);
        let verified = verified.map_err(|error| stored(error, content_name))?;
        self.released(verified, SharedSpool::of(copy.spool))
    }

    /// Judges once more what took its time, and gives it out.
    fn released(&self, mut verified: Verified, spool: SharedSpool) -> Result<PrivateCopy, Refused> {
        verified.judge_again(self.expectations, self.trust, &self.clock)?;
        let facts = Facts::of(&verified).judged_by(self.clock);
        // It shares the spool.
        drop(verified);
        let spool = spool.into_spool().map_err(temporary)?;
        let is_sealed = spool.is_in_memory();
        let file = spool.into_read_only().map_err(temporary)?;
        Ok(PrivateCopy { file, facts, is_sealed })
    }
}

/// A spool that is a store, too, and comes back from there.
#[derive(Clone, Debug)]
struct SharedSpool(Arc<Mutex<Place>>);

#[derive(Debug)]
struct Place {
    spool: Spool,
    /// Whether the library keeps a payload there.
    is_taken: bool,
}

impl SharedSpool {
    fn new(most_in_memory: u64) -> Result<Self, Refused> {
        let spool = Spool::in_memory_up_to(most_in_memory).map_err(temporary)?;
        Ok(Self::of(spool))
    }

    fn of(spool: Spool) -> Self {
        Self(Arc::new(Mutex::new(Place { spool, is_taken: false })))
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_taken(&self) -> bool {
        self.lock().is_taken
    }

    fn into_spool(self) -> io::Result<Spool> {
        let place = Arc::try_unwrap(self.0).map_err(|_| io::ErrorKind::ResourceBusy)?;
        Ok(place.into_inner().unwrap_or_else(PoisonError::into_inner).spool)
    }
}

impl Store for SharedSpool {
    fn keep(&mut self) -> io::Result<Box<dyn Kept>> {
        let mut place = self.lock();
        // There is room for one payload.
        if std::mem::replace(&mut place.is_taken, true) {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        drop(place);
        Ok(Box::new(self.clone()))
    }
}

impl Write for SharedSpool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().spool.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadAt for SharedSpool {
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        self.lock().spool.read_at(room, offset)
    }
}

/// A copy of content whose signature is elsewhere.
struct SpoolContent {
    spool: Spool,
    threads: usize,
}

impl Beside for SpoolContent {
    fn digest(&mut self, hash: HashAlgorithm) -> io::Result<Hashed> {
        let bytes = self.spool.length();
        Ok(Hashed { digest: digest_of(hash, &self.spool, bytes, self.threads)?, bytes })
    }

    fn whole(&mut self) -> io::Result<WholeContent<'_>> {
        let bytes = self.spool.length();
        if bytes > MAX_MEMORY_BYTES {
            return Ok(WholeContent::Large(&self.spool, bytes));
        }
        let mut content = Vec::new();
        self.spool.reader().read_to_end(&mut content)?;
        Ok(WholeContent::Bytes(content))
    }
}
