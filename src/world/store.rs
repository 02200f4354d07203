//! Where a large payload is until it may be seen.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use brine_core::{Kept, Store};

use super::output::{Opened, Output};
use super::spool::Spool;
use super::whole_file::Access;

/// Keeps a payload in the output itself, where nobody sees that before it is finished, and in a temporary
/// file otherwise.
#[derive(Clone, Debug, Default)]
pub(crate) struct PayloadStore {
    output: Option<Output>,
    opened: Arc<Mutex<Option<Opened>>>,
}

impl PayloadStore {
    /// Keeps payloads that go to `output`.
    pub(crate) fn new(output: Option<&Output>) -> Self {
        Self { output: output.cloned(), opened: Arc::default() }
    }

    /// Returns the output that the payload was kept in, if it was. It appears when it is finished.
    pub(crate) fn take_output(&self) -> Option<Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns whether a payload is kept in the output.
    pub(crate) fn is_output(&self) -> bool {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl Store for PayloadStore {
    fn keep(&mut self) -> io::Result<Box<dyn Kept>> {
        let unseen = self.output.as_ref().and_then(|output| output.open_unseen(Access::Ordinary));
        let Some(opened) = unseen else { return Ok(Box::new(Spool::new()?)) };
        let kept = Spool::onto(opened.file().try_clone()?);
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened);
        Ok(Box::new(kept))
    }
}
