//! A job that is signed to be sent over a queue.

use std::time::Duration;

use brine_core::{Kind, SigningBackend, sign};
use brine_job::Grants;
use brine_queue::MAX_MESSAGE_BYTES;

use super::stated::{Said, Stated};
use crate::report::{Failure, QueueFailure, SignatureFacts};
use crate::world::clock;
use crate::world::input::InputFile;
use crate::world::queue;

/// A job, and what its signature says.
pub(super) struct SignedJob {
    pub(super) envelope: Vec<u8>,
    pub(super) facts: SignatureFacts,
}

impl SignedJob {
    /// Signs what an input has, once it has arrived. The job expires after `lifetime` unless another end was stated.
    pub(super) fn of(
        input: InputFile,
        grants: &Grants,
        stated: &Stated,
        lifetime: Option<Duration>,
        key: &dyn SigningBackend,
    ) -> Result<Self, Failure> {
        let (name, limit) = (input.name().to_owned(), MAX_MESSAGE_BYTES);
        let payload = queue::read_message(input)?;
        let Said { mut statement, mut facts } = stated.now()?;
        if let (None, Some(lifetime)) = (facts.expires, lifetime) {
            let expires = clock::read()?.plus(lifetime);
            statement = statement.expires(expires);
            facts.expires = Some(expires);
        }
        let envelope = sign(&grants.statement(statement), key, payload.as_slice())?.to_bytes();
        if envelope.len() > limit {
            return Err(QueueFailure::TooLarge { name, limit }.into());
        }
        let payload_bytes = u64::try_from(payload.len()).ok();
        let facts = SignatureFacts { kind: Kind::Job.name(), payload_bytes, ..facts };
        Ok(Self { envelope, facts })
    }
}
