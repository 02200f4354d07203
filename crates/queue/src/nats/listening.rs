//! Whether a stream is whole: one that is being made, or found again, is there before it can be asked for anything.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use async_nats::HeaderMap;
use async_nats::header::NATS_EXPECTED_STREAM;
use tokio::time::Instant;

use super::api::Stored;
use super::link::Link;
use crate::error::QueueError;

/// How many subjects are remembered. Their streams are asked again after that.
const MAX_SUBJECTS: usize = 1024;

/// The subjects whose streams are known to be whole.
#[derive(Debug, Default)]
pub(super) struct Listening(Mutex<HashSet<String>>);

impl Link {
    /// Waits until a stream listens to a subject that is its own. Returns whether there is such a stream.
    ///
    /// A server describes a stream from the moment on at which its name is taken. nats-server 2.9 ends, with all that it
    /// serves, if a message of that stream is asked for before its store is open. It listens when that is done. A message
    /// that expects another stream is answered, and not kept.
    pub(super) async fn await_stream(
        &self,
        stream: &str,
        subject: &str,
        until: Instant,
    ) -> Result<bool, QueueError> {
        if self.listening.contains(subject) {
            return Ok(true);
        }
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_STREAM, "-");
        let is_there = match self.store(stream, subject, headers, b"", until).await {
            Ok(Stored::NoStream) => false,
            // Whoever may only read from it must do without.
            Ok(Stored::As { .. } | Stored::Refused { .. }) | Err(QueueError::Access { .. }) => true,
            Err(error) => return Err(error),
        };
        if is_there {
            self.listening.insert(subject);
        }
        Ok(is_there)
    }
}

impl Listening {
    fn contains(&self, subject: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(subject)
    }

    fn insert(&self, subject: &str) {
        let mut subjects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if subjects.len() >= MAX_SUBJECTS {
            subjects.clear();
        }
        subjects.insert(subject.to_owned());
    }
}
