//! Payloads that have verified, in files that nobody can change.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use brine_core::hash::{Digest, HashAlgorithm, Hasher, ReadAt, Section, digest_of};
use brine_core::{
    Beside, Expectations, Hashed, Input, Kept, MAX_MEMORY_BYTES, Opening, Store, TrustSource,
    WholeContent, open,
};

use super::{Facts, Heed, JudgingClock, Refused};
use crate::world::input::FileAt;
use crate::world::release::stored;
use crate::world::spool::{Spool, temporary};

/// A payload that has verified.
#[derive(Debug)]
#[non_exhaustive]
pub struct PrivateCopy {
    /// The payload, from its beginning, open for reading. It has no name. If it is sealed, nobody can change it. Else
    /// its owner can, who must change its mode first, and root.
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
        let bytes = verified.payload_bytes();
        let (clock, trust) = (self.clock, self.trust);
        verified.judge_again(self.expectations, trust, &clock)?;
        let facts = Facts::of(&verified).judged_by(clock);
        // It shares the spool.
        drop(verified);
        let place = spool.into_place().map_err(temporary)?;
        let digest = place.digest_of_verified(bytes).map_err(temporary)?;
        let ReadOnly { file, is_sealed, .. } = ReadOnly::of(place.spool)?;
        // Whoever may look into this process could write to it until it was sealed.
        let found = Content { file: &file, bytes, threads: self.threads, source: None }
            .checked(HashAlgorithm::Blake3);
        if found.map_err(temporary)? != digest {
            return Err(temporary(changed()).into());
        }
        Ok(PrivateCopy { file, facts, is_sealed })
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
        // What is verified is what nobody can change any more.
        let copy = ReadOnly::of(spool.filled(&[], content, content_name)?)?;
        let mut content =
            Content { file: &copy.file, bytes: copy.bytes, threads: self.threads, source: None };
        let verified =
            opening.verify_beside(&mut content, self.expectations, self.trust, &self.clock);
        let mut verified = verified.map_err(|error| stored(error, content_name))?;
        verified.judge_again(self.expectations, self.trust, &self.clock)?;
        let facts = Facts::of(&verified).judged_by(self.clock);
        let ReadOnly { file, is_sealed, .. } = copy;
        Ok(PrivateCopy { file, facts, is_sealed })
    }
}

/// A copy that is complete.
struct ReadOnly {
    file: File,
    bytes: u64,
    is_sealed: bool,
}

impl ReadOnly {
    fn of(spool: Spool) -> Result<Self, Refused> {
        let (bytes, is_sealed) = (spool.length(), spool.is_in_memory());
        let file = spool.into_read_only().map_err(temporary)?;
        Ok(Self { file, bytes, is_sealed })
    }
}

/// A spool that is a store, too, and comes back from there.
#[derive(Clone)]
struct SharedSpool(Arc<Mutex<Place>>);

struct Place {
    spool: Spool,
    /// Whether the library keeps a payload there.
    is_taken: bool,
    /// What was written.
    written: Hasher,
    /// What was read back to be verified, and how much.
    read: Hasher,
    read_bytes: u64,
    /// Whether it was read in another way than once, from its beginning.
    is_out_of_order: bool,
}

impl Place {
    /// Returns the digest of the bytes that verified: those that were read back for that, else those that had verified
    /// when they were written.
    fn digest_of_verified(&self, bytes: u64) -> io::Result<Digest> {
        match self.read_bytes {
            0 => Ok(self.written.clone().finish()),
            read if read == bytes && !self.is_out_of_order => Ok(self.read.clone().finish()),
            _ => Err(changed()),
        }
    }
}

impl SharedSpool {
    fn new(most_in_memory: u64) -> Result<Self, Refused> {
        let spool = Spool::in_memory_up_to(most_in_memory).map_err(temporary)?;
        Ok(Self::of(spool))
    }

    fn of(spool: Spool) -> Self {
        let hasher = || Hasher::new(HashAlgorithm::Blake3);
        Self(Arc::new(Mutex::new(Place {
            spool,
            is_taken: false,
            written: hasher(),
            read: hasher(),
            read_bytes: 0,
            is_out_of_order: false,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_taken(&self) -> bool {
        self.lock().is_taken
    }

    fn into_place(self) -> io::Result<Place> {
        let place = Arc::try_unwrap(self.0).map_err(|_| io::ErrorKind::ResourceBusy)?;
        Ok(place.into_inner().unwrap_or_else(PoisonError::into_inner))
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
        let mut place = self.lock();
        let count = place.spool.write(bytes)?;
        place.written.update(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadAt for SharedSpool {
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut place = self.lock();
        let count = place.spool.read_at(room, offset)?;
        place.is_out_of_order |= offset != place.read_bytes;
        place.read.update(room.get(..count).unwrap_or_default());
        place.read_bytes = offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }
}

/// A copy that is complete, as content of which the signature is elsewhere.
struct Content<'a> {
    file: &'a File,
    bytes: u64,
    threads: usize,
    source: Option<FileAt>,
}

impl Content<'_> {
    /// Returns its digest, if it is as long as it was.
    fn checked(&self, hash: HashAlgorithm) -> io::Result<Digest> {
        if self.file.metadata()?.len() != self.bytes {
            return Err(changed());
        }
        digest_of(hash, &FileAt::new(self.file.try_clone()?), self.bytes, self.threads)
    }
}

impl Beside for Content<'_> {
    fn digest(&mut self, hash: HashAlgorithm) -> io::Result<Hashed> {
        Ok(Hashed { digest: self.checked(hash)?, bytes: self.bytes })
    }

    fn whole(&mut self) -> io::Result<WholeContent<'_>> {
        let source = FileAt::new(self.file.try_clone()?);
        if self.bytes > MAX_MEMORY_BYTES {
            let source = self.source.insert(source);
            return Ok(WholeContent::Large(source, self.bytes));
        }
        let mut content = Vec::new();
        Section::new(&source, 0, self.bytes).read_to_end(&mut content)?;
        Ok(WholeContent::Bytes(content))
    }
}

fn changed() -> io::Error {
    io::Error::other("another process changed it before it was sealed")
}
