//! Where a large payload is until it may be seen.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use brine_core::{Kept, Store};

use super::output::{Opened, Output};
use super::spool::Spool;
use super::whole_file::Access;

/// Keeps a payload in the output itself, where nobody sees that before it is finished, and in a temporary
/// file otherwise.
#[derive(Clone, Debug, Default)]
pub(crate) struct PayloadStore {
    output: Option<Output>,
    kept: Arc<Mutex<Option<KeptIn>>>,
}

/// The place that a payload was kept in.
#[derive(Debug)]
enum KeptIn {
    Output(Opened),
    TemporaryFile(File),
}

impl PayloadStore {
    /// Keeps payloads that go to `output`.
    pub(crate) fn new(output: Option<&Output>) -> Self {
        Self { output: output.cloned(), kept: Arc::default() }
    }

    /// Returns the output that the payload was kept in, if it was. It appears when it is finished.
    pub(crate) fn take_output(&self) -> Option<Opened> {
        match self.lock().take() {
            Some(KeptIn::Output(opened)) => Some(opened),
            Some(KeptIn::TemporaryFile(_)) | None => None,
        }
    }

    /// Returns the temporary file that the payload was kept in, if it was.
    pub(crate) fn take_temporary_file(&self) -> Option<File> {
        match self.lock().take() {
            Some(KeptIn::TemporaryFile(file)) => Some(file),
            Some(KeptIn::Output(_)) | None => None,
        }
    }

    /// Returns whether a payload is kept in the output.
    pub(crate) fn is_output(&self) -> bool {
        matches!(*self.lock(), Some(KeptIn::Output(_)))
    }

    fn lock(&self) -> MutexGuard<'_, Option<KeptIn>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for PayloadStore {
    fn keep(&mut self) -> io::Result<Box<dyn Kept>> {
        let unseen = self.output.as_ref().and_then(|output| output.open_unseen(Access::Ordinary));
        let (kept, spool) = match unseen {
            Some(opened) => {
                let spool = Spool::onto(opened.file().try_clone()?);
                (KeptIn::Output(opened), spool)
            }
            None => {
                let spool = Spool::on_disk()?;
                (KeptIn::TemporaryFile(spool.try_clone_file()?), spool)
            }
        };
        *self.lock() = Some(kept);
        Ok(Box::new(spool))
    }
}
