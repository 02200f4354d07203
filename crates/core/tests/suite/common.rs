//! What several tests use.

use brine_core::hash::ReadAt;
use brine_core::{Clock, Error, Expectations, Opening, Result, Store, TrustSource, Verified};
use std::io::{self, Write};

/// What came out, and how it ended.
pub(crate) type Outcome = (Vec<u8>, Result<(), Error>);

/// Verifies what was opened, and reads all that is released.
pub(crate) fn release<T, C>(
    opening: Result<Opening>,
    expectations: &Expectations,
    trust: &T,
    clock: &C,
) -> Outcome
where
    T: TrustSource + Clone + 'static,
    C: Clock + Clone + 'static,
{
    match opening.and_then(|opening| opening.verify(expectations, trust, clock)) {
        Err(error) => (Vec::new(), Err(error)),
        Ok(verified) => drain(verified),
    }
}

/// Reads all that is released, and nothing after the end.
pub(crate) fn drain(mut verified: Verified) -> Outcome {
    let mut released = Vec::new();
    loop {
        match verified.next_piece() {
            Err(error) => return (released, Err(error)),
            Ok(None) => break,
            Ok(Some(piece)) => {
                assert!(!piece.is_empty(), "an empty piece");
                released.extend(piece);
            }
        }
    }
    assert!(verified.next_piece().unwrap().is_none(), "it goes on after its end");
    assert_eq!(verified.payload_bytes(), length_of(&released));
    (released, Ok(()))
}

pub(crate) fn length_of(bytes: &[u8]) -> u64 {
    bytes.len().try_into().unwrap()
}

/// A store in memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MemoryStore;

impl Store for MemoryStore {
    fn keep(&mut self) -> io::Result<Box<dyn brine_core::Kept>> {
        Ok(Box::new(KeptInMemory::default()))
    }
}

/// What was kept in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeptInMemory(pub(crate) Vec<u8>);

impl Write for KeptInMemory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadAt for KeptInMemory {
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.as_slice().read_at(room, offset)
    }
}
