//! A place for payloads that do not fit memory.

use std::io::{self, Write};

use crate::hash::ReadAt;

/// Makes private places for payloads that do not fit memory until their signature has been seen.
pub trait Store: Send {
    /// Makes an empty place. Nobody else **must** be able to write to it, nor see it before the payload has
    /// verified.
    ///
    /// # Errors
    ///
    /// What the system reports.
    fn keep(&mut self) -> io::Result<Box<dyn Kept>>;
}

/// A private place that is written once and then read.
pub trait Kept: Write + ReadAt + Send {}

impl<T: Write + ReadAt + Send> Kept for T {}

/// A store that has no room: payloads that do not fit memory are refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoStore;

impl Store for NoStore {
    fn keep(&mut self) -> io::Result<Box<dyn Kept>> {
        Err(io::Error::new(io::ErrorKind::StorageFull, "no store for what does not fit memory"))
    }
}
