//! Where records come from, and how they are settled there.

use std::ops::Range;

use super::error::{HandlerFailure, RecordError};
use crate::framing::FrameBlock;

/// Where records come from: a pipe, a file or a queue.
pub trait Source {
    /// Settles the records of a block.
    type Deliveries: Deliveries<Error = Self::Error>;
    /// Why the source fails.
    type Error;

    /// Returns the next records as soon as there are any, and waits while there are none. Returns `None` at
    /// the end.
    ///
    /// # Errors
    ///
    /// If reading fails. All records before that were returned.
    fn next_block(&mut self) -> Result<Option<DeliveredBlock<Self::Deliveries>>, Self::Error>;
}

/// Records as they were delivered.
#[derive(Debug)]
pub struct DeliveredBlock<D> {
    /// The records, not yet verified.
    pub block: FrameBlock,
    /// Settles them with the source.
    pub deliveries: D,
}

/// Settles the records of one block with their source. A record is named by its index in the block.
///
/// A queue delivers a record under a lease, and delivers it again if the lease runs out before the record is
/// settled: acknowledged, handed back, or made a dead letter. A pipe delivers a record once, and is not told
/// what becomes of it.
pub trait Deliveries {
    /// Why the source fails.
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
    /// If a lease cannot be extended, for example because it ran out.
    fn extend(&mut self, records: Range<usize>) -> Result<(), Self::Error>;

    /// Hands back a record that another process handles, to be delivered again a little later, and returns whether it
    /// did. If not, the record is waited for, and all others behind it.
    ///
    /// # Errors
    ///
    /// If it cannot be handed back. It is then delivered again when its lease runs out.
    fn postpone(&mut self, record: usize) -> Result<bool, Self::Error> {
        let _ = record;
        Ok(false)
    }

    /// Acknowledges records that were handled or kept, so that they are never delivered again. Those that were handed
    /// back are passed over.
    ///
    /// # Errors
    ///
    /// If they cannot be acknowledged. They are then delivered again.
    fn acknowledge(&mut self, records: Range<usize>) -> Result<(), Self::Error>;

    /// Hands back records whose handling failed. The source delivers them again after a delay, which grows
    /// with the number of attempts, or makes them dead letters when there were enough.
    ///
    /// # Errors
    ///
    /// If they cannot be handed back. They are then delivered again when their lease runs out.
    fn retry(&mut self, records: Range<usize>, why: &HandlerFailure) -> Result<(), Self::Error>;

    /// Makes a refused record a dead letter, with the reason.
    ///
    /// # Errors
    ///
    /// If it cannot become one. It is then delivered again.
    fn dead_letter(&mut self, record: usize, why: &RecordError) -> Result<DeadLetter, Self::Error>;

    /// Takes the block back, for its memory, once all of its records are settled.
    fn finish(self, block: FrameBlock);
}

/// What the source did with a record that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetter {
    /// It has no more place for dead letters, and dropped the record, or another in its place.
    Dropped,
    /// It keeps the record with the reason.
    Kept,
}
