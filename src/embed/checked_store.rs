//! Payloads that wait in temporary files, and come back as they were written or not at all.

use std::io::{self, Read as _, Write};
use std::sync::{Mutex, PoisonError};

use brine_core::hash::{Digest, HashAlgorithm, ReadAt, Section};
use brine_core::{Kept, Store};

use crate::world::spool::Spool;

/// Keeps payloads that do not fit memory in temporary files without a name. A process that may look into this one could
/// write to such a file between the verification and the reading: what it changes is an error, and is not given out.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckedStore;

impl Store for CheckedStore {
    fn keep(&mut self) -> io::Result<Box<dyn Kept>> {
        let read = Mutex::new(Block { index: usize::MAX, bytes: Vec::new() });
        Ok(Box::new(CheckedSpool {
            spool: Spool::on_disk()?,
            digests: Vec::new(),
            last: Vec::new(),
            read,
        }))
    }
}

/// A file in blocks of [`BLOCK_BYTES`], of which the digests are in memory.
struct CheckedSpool {
    spool: Spool,
    digests: Vec<Digest>,
    /// What follows the last whole block.
    last: Vec<u8>,
    /// The block that was read last.
    read: Mutex<Block>,
}

struct Block {
    index: usize,
    bytes: Vec<u8>,
}

impl Write for CheckedSpool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = BLOCK_BYTES.saturating_sub(self.last.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.last.extend_from_slice(taken);
        if self.last.len() == BLOCK_BYTES {
            self.spool.write_all(&self.last)?;
            self.digests.push(HASH.digest(&self.last));
            self.last.clear();
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadAt for CheckedSpool {
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let (index, start) = (offset / BLOCK_BYTES, offset % BLOCK_BYTES);
        let Some(digest) = self.digests.get(index) else {
            let is_last = index == self.digests.len();
            let rest = self.last.get(start..).filter(|_| is_last);
            return rest.unwrap_or_default().read(room);
        };
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.index != index {
            *read = Block { index, bytes: self.block(index, digest)? };
        }
        read.bytes.get(start..).unwrap_or_default().read(room)
    }
}

impl CheckedSpool {
    fn block(&self, index: usize, digest: &Digest) -> io::Result<Vec<u8>> {
        let offset = index.saturating_mul(BLOCK_BYTES);
        let mut bytes = vec![0; BLOCK_BYTES];
        let offset = u64::try_from(offset).map_err(io::Error::other)?;
        Section::new(&self.spool, offset, u64::MAX).read_exact(&mut bytes)?;
        match HASH.digest(&bytes) == *digest {
            true => Ok(bytes),
            false => Err(io::Error::other("another process changed it")),
        }
    }
}

const HASH: HashAlgorithm = HashAlgorithm::Blake3;

const BLOCK_BYTES: usize = 256 * 1024;
