//! The ledger of a queue: values that consumers share.

use std::fmt;

use brine_core::Timestamp;
use brine_core::key::random;
use brine_records::{ReplayError, SharedStore, Stored};
use redis::cmd;

use super::connection::{RedisConnection, RedisPlace};
use super::scripts::{Keys, SWAP};
use crate::error::QueueError;

/// Where a ledger on Redis keeps its values: each is a string, with its revision in front.
pub struct RedisStore {
    connection: RedisConnection,
    keys: Keys,
}

/// The bytes of a revision, which is random.
const REVISION_BYTES: usize = 8;

impl RedisStore {
    pub(super) fn new(place: &RedisPlace) -> Self {
        Self { connection: place.connection(), keys: Keys::of(place.queue.as_str()) }
    }

    fn replace(
        &mut self,
        key: &str,
        from: Option<u64>,
        to: &[u8],
        expiry: &str,
    ) -> Result<bool, ReplayError> {
        let mut script = SWAP.prepare_invoke();
        let from = from.map(u64::to_be_bytes);
        script.key(self.keys.ledger(key)).arg(from.as_ref().map_or(&[][..], |from| from));
        self.connection.run(script.arg(to).arg(expiry)).map_err(of_ledger)
    }
}

impl SharedStore for RedisStore {
    fn get(&mut self, keys: &[&str]) -> Result<Vec<Option<Stored>>, ReplayError> {
        let mut command = cmd("MGET");
        for key in keys {
            command.arg(self.keys.ledger(key));
        }
        let found: Vec<Option<Vec<u8>>> =
            self.connection.query(&command, std::time::Duration::ZERO).map_err(of_ledger)?;
        let stored = |bytes: Vec<u8>| {
            let parts = bytes.split_first_chunk::<REVISION_BYTES>();
            let (revision, value) = parts.ok_or_else(|| ReplayError::Damaged {
                what: "a value on the server has no revision".to_owned(),
            })?;
            Ok(Stored { value: value.to_vec(), revision: u64::from_be_bytes(*revision) })
        };
        found.into_iter().map(|value| value.map(stored).transpose()).collect()
    }

    fn swap(
        &mut self,
        key: &str,
        from: Option<u64>,
        to: &[u8],
        keep_until: Timestamp,
    ) -> Result<bool, ReplayError> {
        let revision = random::<REVISION_BYTES>();
        let revision = revision.map_err(|error| ReplayError::Database(error.into()))?;
        let value = [&revision, to].concat();
        let expiry = match keep_until {
            Timestamp::MAX => String::new(),
            until => until.unix().saturating_add(1).saturating_mul(1000).to_string(),
        };
        self.replace(key, from, &value, &expiry)
    }

    fn delete(&mut self, key: &str, revision: u64) -> Result<bool, ReplayError> {
        self.replace(key, Some(revision), b"", "")
    }
}

fn of_ledger(error: QueueError) -> ReplayError {
    match error {
        QueueError::Connection { server, source } => ReplayError::Connection { server, source },
        error => ReplayError::Database(error.into()),
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("keys", &self.keys).finish_non_exhaustive()
    }
}
