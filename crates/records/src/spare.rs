//! Values that are used again.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values that were used, kept for their memory until any thread needs one.
///
/// What a block of records takes is so large that the allocator would return it to the system, and ask for it again,
/// each time.
#[derive(Debug)]
pub(crate) struct Spare<T>(Mutex<Vec<T>>);

impl<T> Spare<T> {
    /// Returns one of them, if there is any.
    pub(crate) fn take(&self) -> Option<T> {
        self.values().pop()
    }

    /// Keeps a value.
    pub(crate) fn give_back(&self, used: T) {
        self.values().push(used);
    }

    fn values(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
