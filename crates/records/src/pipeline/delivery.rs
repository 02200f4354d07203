//! Where records come from, and how they are settled there.

use std::ops::Range;

use super::error::{HandlerFailure, RecordError};
use crate::framing::FrameBlock;

/// Where records come from: a pipe, a file or a queue.
pub trait Source {
    /// How the records of a block are settled.
    type Deliveries: Deliveries<Error = Self::Error>;
    /// Why records can be neither had nor settled.
    type Error;

    /// Returns the next records as soon as there are any, and waits while there are none. Returns `None` at the
    /// end.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from reading. All records before it were returned.
    fn next_block(&mut self) -> Result<Option<DeliveredBlock<Self::Deliveries>>, Self::Error>;
}

/// Records as they were delivered.
#[derive(Debug)]
pub struct DeliveredBlock<D> {
    /// The records, parsed in nothing and not yet verified.
    pub block: FrameBlock,
    /// How they are settled.
    pub deliveries: D,
}

/// Settles the records of one block with their source. A record is named by its index in the block.
///
/// A queue delivers a record under a lease, and delivers it again if the lease runs out before the record is settled:
/// acknowledged, handed back, or made a dead letter. A pipe delivers a record once, and is not told what becomes of
/// it.
pub trait Deliveries {
    /// Why a record cannot be settled.
    type Error;

    /// Returns whether the source delivers records again that are not settled. If it does not,
    /// [`finish`](Self::finish) is the only method that is called.
    fn are_leased(&self) -> bool;

    /// Extends the leases of records that are still being handled.
    ///
    /// It is called often. An implementation does something only when a good part of the lease has passed.
    ///
    /// # Errors
    ///
    /// Whatever keeps the leases from being extended, for example that one ran out.
    fn extend(&mut self, records: Range<usize>) -> Result<(), Self::Error>;

    /// Acknowledges records that were handled or kept, so that they are never delivered again.
    ///
    /// # Errors
    ///
    /// Whatever keeps them from being acknowledged. They are then delivered again.
    fn acknowledge(&mut self, records: Range<usize>) -> Result<(), Self::Error>;

    /// Hands back records whose handling failed. The source delivers them again after a delay, which grows with the
    /// number of attempts, or makes them dead letters when there were enough.
    ///
    /// # Errors
    ///
    /// Whatever keeps them from being handed back. They are then delivered again when their lease runs out.
    fn retry(&mut self, records: Range<usize>, why: &HandlerFailure) -> Result<(), Self::Error>;

    /// Makes a refused record a dead letter, with the reason.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being one. It is then delivered again.
    fn dead_letter(&mut self, record: usize, why: &RecordError) -> Result<DeadLetter, Self::Error>;

    /// Takes the block back, for its memory, once all of its records are settled.
    fn finish(self, block: FrameBlock);
}

/// What became of a record that is refused for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetter {
    /// The source has no place for dead letters. The record is gone.
    Dropped,
    /// The source keeps it, durably and with the reason.
    Kept,
}
