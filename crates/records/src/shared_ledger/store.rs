//! Where a shared ledger keeps its values.

use brine_core::Timestamp;

use crate::ledger::ReplayError;

/// A store of small values that consumers on several hosts share.
///
/// Keys are 1 to 100 characters of `A-Z a-z 0-9 _ = / . -`, and values at most
/// [`MAX_VALUE_BYTES`](super::MAX_VALUE_BYTES) long. Two ledgers in one broker need two stores, or keys with a prefix.
///
/// The ledger is right only if the store is:
///
/// - A swap is atomic, and seen by every later [`get`](Self::get).
/// - A revision names one value of one key for ever. It **must not** return after the value was deleted or lost: a
///   counter that begins anew is no revision, and a random number is.
/// - A value is kept until its `keep_until`, and forgotten soon afterwards. Values are forgotten in the order of their
///   `keep_until`. A store that gives way to new values when it is full is no place for a ledger. One that forgets
///   nothing is, if there is room.
///
/// A store that loses *all* it has is noticed: what was issued before is refused from then on. One that loses some of
/// its values is not.
pub trait SharedStore: Send {
    /// Returns what the store has for each key, in order, without anything that is past its `keep_until`.
    ///
    /// Each answer is what the store had at some moment of the call: a replica that is behind **must not** answer. The
    /// moments are in the order of the keys, if they are not one.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Database`] if the store cannot be reached or gives no answer.
    fn get(&mut self, keys: &[&str]) -> Result<Vec<Option<Stored>>, ReplayError>;

    /// Creates the value of a key if `from` is `None`, or replaces the revision that it has. Returns whether it did:
    /// if not, somebody else was faster, and nothing was changed. When it returns, the value is as durable as the store
    /// makes values.
    ///
    /// `keep_until` may be as late as [`Timestamp::MAX`], which means for ever.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Database`]. Then it is not known whether the value was swapped, or will be.
    fn swap(
        &mut self,
        key: &str,
        from: Option<u64>,
        to: &[u8],
        keep_until: Timestamp,
    ) -> Result<bool, ReplayError>;

    /// Deletes a key that has this revision. Returns whether it did.
    ///
    /// # Errors
    ///
    /// Those of [`swap`](Self::swap).
    fn delete(&mut self, key: &str, revision: u64) -> Result<bool, ReplayError>;
}

/// A value of a [`SharedStore`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The value.
    pub value: Vec<u8>,
    /// What the store calls this value of this key, and no other.
    pub revision: u64,
}

impl<S: SharedStore + ?Sized> SharedStore for Box<S> {
    fn get(&mut self, keys: &[&str]) -> Result<Vec<Option<Stored>>, ReplayError> {
        (**self).get(keys)
    }

    fn swap(
        &mut self,
        key: &str,
        from: Option<u64>,
        to: &[u8],
        keep_until: Timestamp,
    ) -> Result<bool, ReplayError> {
        (**self).swap(key, from, to, keep_until)
    }

    fn delete(&mut self, key: &str, revision: u64) -> Result<bool, ReplayError> {
        (**self).delete(key, revision)
    }
}
