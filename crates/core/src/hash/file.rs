//! The digest of something large that can be read from anywhere, on several threads.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use blake3::hazmat::{
    ChainingValue, HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root,
};

use super::{Digest, HashAlgorithm, Hasher};
use crate::pool::STACK_BYTES;

/// Reads bytes from an offset, as `pread(2)` does: how many there were, 0 at the end.
pub trait ReadAt: Sync {
    /// Reads into `room` from `offset` on.
    ///
    /// # Errors
    ///
    /// What the system reports.
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for [u8] {
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        io::Read::read(&mut self.get(start..).unwrap_or_default(), room)
    }
}

/// A part of something that can be read from anywhere, read from its beginning to its end.
#[derive(Debug)]
pub struct Section<'s, S: ?Sized> {
    source: &'s S,
    offset: u64,
    left: u64,
}

impl<'s, S: ReadAt + ?Sized> Section<'s, S> {
    /// Begins at `offset`, and ends after `length` bytes or where `source` does.
    #[must_use]
    pub const fn new(source: &'s S, offset: u64, length: u64) -> Self {
        Self { source, offset, left: length }
    }
}

impl<S: ReadAt + ?Sized> io::Read for Section<'_, S> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(room.len());
        let count = self.source.read_at(room.get_mut(..wanted).unwrap_or_default(), self.offset)?;
        let read = u64::try_from(count).unwrap_or(u64::MAX);
        self.offset = self.offset.saturating_add(read);
        self.left = self.left.saturating_sub(read);
        Ok(count)
    }
}

/// Returns the digest of the first `length` bytes of `source`.
///
/// BLAKE3 is a tree, whose subtrees are hashed on `threads` threads; the other algorithms are not,
/// and are hashed on one. Ordinary reads, and no memory map: a file that is cut while it is mapped
/// ends the process, and what is mapped counts as its memory.
///
/// # Errors
///
/// What `source` reports, and [`io::ErrorKind::UnexpectedEof`] if it has fewer bytes.
pub fn digest_of(
    algorithm: HashAlgorithm,
    source: &(impl ReadAt + ?Sized),
    length: u64,
    threads: usize,
) -> io::Result<Digest> {
    let subtrees = length.div_ceil(SUBTREE_BYTES);
    if algorithm != HashAlgorithm::Blake3 || threads < 2 || subtrees < 2 {
        let mut hasher = Hasher::new(algorithm);
        each_piece(source, 0, length, |piece| hasher.update(piece))?;
        return Ok(hasher.finish());
    }
    let next = AtomicU64::new(0);
    let nodes = Mutex::new(Vec::new());
    let work = || -> io::Result<()> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= subtrees {
                return Ok(());
            }
            let node = subtree(source, index, length)?;
            nodes.lock().unwrap_or_else(PoisonError::into_inner).push((index, node));
        }
    };
    thread::scope(|scope| {
        // This thread works, too, so that the work is done however few others the system grants.
        let builder = || thread::Builder::new().stack_size(STACK_BYTES);
        let start = |_| builder().spawn_scoped(scope, work).ok();
        let workers: Vec<_> = (1..threads).map_while(start).collect();
        let done = work();
        let lost = |_| Err(io::Error::other("a thread ended before its work was done"));
        workers.into_iter().fold(done, |done, worker| done.and(worker.join().unwrap_or_else(lost)))
    })?;
    let mut nodes = nodes.into_inner().unwrap_or_else(PoisonError::into_inner);
    nodes.sort_unstable_by_key(|(index, _)| *index);
    Ok(Digest(root(nodes.into_iter().map(|(_, node)| node)).to_vec()))
}

/// Hashes the subtree at `index`; the last one can be shorter.
fn subtree(source: &(impl ReadAt + ?Sized), index: u64, length: u64) -> io::Result<ChainingValue> {
    let start = index.saturating_mul(SUBTREE_BYTES);
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(start);
    let bytes = length.saturating_sub(start).min(SUBTREE_BYTES);
    each_piece(source, start, bytes, |piece| {
        hasher.update(piece);
    })?;
    Ok(hasher.finalize_non_root())
}

/// Joins the subtrees of a tree, from left to right (the BLAKE3 paper, Section 5.1.2).
///
/// Two neighbours of the same size are joined as soon as there is something to their right; what is
/// left at the end hangs off the right edge, and the last join makes the root.
fn root(nodes: impl Iterator<Item = ChainingValue>) -> [u8; 32] {
    let mut edge: Vec<ChainingValue> = Vec::new();
    for (index, node) in (0_u64..).zip(nodes) {
        // As many on the edge as there are ones in the count of those before.
        while edge.len() > usize::try_from(index.count_ones()).unwrap_or(usize::MAX) {
            join_last(&mut edge);
        }
        edge.push(node);
    }
    while edge.len() > 2 {
        join_last(&mut edge);
    }
    match edge.as_slice() {
        [left, right] => *merge_subtrees_root(left, right, Mode::Hash).as_bytes(),
        // Fewer than two subtrees are hashed as a whole.
        _ => [0; 32],
    }
}

fn join_last(edge: &mut Vec<ChainingValue>) {
    if let (Some(right), Some(left)) = (edge.pop(), edge.pop()) {
        edge.push(merge_subtrees_non_root(&left, &right, Mode::Hash));
    }
}

/// Gives `count` bytes from `start` on to `use_piece`, piece by piece.
pub(crate) fn each_piece(
    source: &(impl ReadAt + ?Sized),
    start: u64,
    count: u64,
    mut use_piece: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(PIECE_BYTES).map_err(|_| io::ErrorKind::OutOfMemory)?;
    memory.resize(PIECE_BYTES, 0);
    let mut done = 0;
    while done < count {
        let wanted = usize::try_from(count - done).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let room = memory.get_mut(..wanted).unwrap_or_default();
        match source.read_at(room, start.saturating_add(done)) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                use_piece(memory.get(..read).unwrap_or_default());
                done = done.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// How much one thread hashes before it takes more: a power of two, as subtrees are.
const SUBTREE_BYTES: u64 = 4 * 1024 * 1024;

/// How much is read at once: what fits the second level of a processor's cache.
const PIECE_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn content(length: u64) -> Vec<u8> {
        (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect()
    }

    /// Around every shape of the tree's right edge.
    #[test]
    fn any_number_of_threads_gives_the_digest_of_the_whole() {
        let n = SUBTREE_BYTES;
        for length in [0, 1, n - 1, n, n + 1, 2 * n, 2 * n + 1, 3 * n, 4 * n + 5, 7 * n, 9 * n - 1]
        {
            let content = content(length);
            let expected = blake3::hash(&content);
            for threads in [1, 2, 3] {
                let digest =
                    digest_of(HashAlgorithm::Blake3, content.as_slice(), length, threads).unwrap();
                assert_eq!(digest.as_ref(), expected.as_bytes(), "{length} on {threads}");
            }
        }
    }

    #[test]
    fn other_algorithms_are_hashed_as_they_are() {
        let content = content(600_000);
        for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512] {
            let digest = digest_of(algorithm, content.as_slice(), 600_000, 4).unwrap();
            assert_eq!(digest, algorithm.digest(&content));
            assert_eq!(digest.as_ref().len(), algorithm.digest_bytes());
        }
    }

    #[test]
    fn fewer_bytes_than_announced_are_an_error() {
        let content = content(3 * SUBTREE_BYTES);
        for threads in [1, 2] {
            let outcome = digest_of(
                HashAlgorithm::Blake3,
                content.as_slice(),
                3 * SUBTREE_BYTES + 1,
                threads,
            );
            assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
