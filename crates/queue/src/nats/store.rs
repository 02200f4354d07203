//! The ledger of a queue: values that consumers share.

use std::time::Duration;

use brine_core::Timestamp;
use brine_records::{ReplayError, SharedStore, Stored};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::time::Instant;

use super::SETTLED_AT_ONCE;
use super::streams::QueueStreams;
use super::values::{Value, Values};
use crate::error::QueueError;

/// What is written in front of a value: until when it is kept, in seconds since 1970.
const PREFIX_BYTES: usize = 8;

/// How long the time of the server is reckoned with before it is asked for again.
const TIME_CHECK: Duration = Duration::from_secs(600);

/// Where a ledger on NATS keeps its values.
///
/// Keys with a dot, one for each channel and name, are in the stream of the ledger. The server forgets a value there when
/// it was not written for as long as the longest of them is kept. Keys without one, which say what the ledger is, are
/// beside the states of messages, and stay. Both are gone for readers as soon as their time is over by the clock of the
/// server.
#[derive(Debug)]
pub struct NatsStore {
    streams: QueueStreams,
    kept: Values,
    aging: Values,
    /// How long the server keeps what is in the stream of the ledger, at least.
    max_age: Duration,
    server: Option<ServerTime>,
}

/// What time it was on the server.
#[derive(Clone, Copy, Debug)]
struct ServerTime {
    time: Timestamp,
    at: Instant,
}

/// Which stream a value is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    Aging,
    Kept,
}

impl NatsStore {
    pub(super) fn new(streams: &QueueStreams) -> Self {
        let streams = streams.clone();
        let (kept, aging) = (Values::states(&streams), Values::ledger(&streams));
        Self { kept, aging, streams, max_age: Duration::ZERO, server: None }
    }

    fn place(&self, key: &str) -> (Home, &Values, String) {
        let id = &self.streams.id;
        match key.contains('.') {
            true => (Home::Aging, &self.aging, self.streams.names.ledger_prefix(id) + "." + key),
            false => (Home::Kept, &self.kept, self.streams.names.state_prefix(id) + ".l." + key),
        }
    }

    /// Returns what time it is on the server.
    async fn server_now(&mut self, until: Instant) -> Result<Timestamp, QueueError> {
        let known = self.server.filter(|server| server.at.elapsed() < TIME_CHECK);
        if let Some(ServerTime { time, at }) = known {
            return Ok(time.plus(at.elapsed()));
        }
        let at = Instant::now();
        let subject = self.streams.names.state_prefix(&self.streams.id) + ".time";
        let time = loop {
            let from = self.kept.get(&subject, until).await?.map_or(0, |found| found.revision);
            // Somebody else may be as fast, and as good.
            if self.kept.swap(&subject, from, b"", until).await?.is_some()
                && let Some(found) = self.kept.get(&subject, until).await?
            {
                break found.stored;
            }
        };
        self.server = Some(ServerTime { time, at });
        Ok(time)
    }

    async fn get_all(
        &mut self,
        keys: &[&str],
        until: Instant,
    ) -> Result<Vec<Option<Stored>>, QueueError> {
        let now = self.server_now(until).await?;
        let (store, mut found) = (&*self, Vec::with_capacity(keys.len()));
        // Those that say what the ledger is are read one after the other, and after all before them.
        for group in keys.chunk_by(|one, next| one.contains('.') && next.contains('.')) {
            let values = group.iter().copied().map(|key| async move {
                let (home, values, subject) = store.place(key);
                match values.get(&subject, until).await {
                    // No value was ever written.
                    Err(QueueError::Missing { .. }) if home == Home::Aging => Ok(None),
                    found => found,
                }
            });
            let values: Vec<_> = values.collect();
            let values: Vec<Option<Value>> =
                stream::iter(values).buffered(SETTLED_AT_ONCE).try_collect().await?;
            found.extend(values.into_iter().map(|value| value.and_then(|value| live(value, now))));
        }
        Ok(found)
    }

    async fn swap_one(
        &mut self,
        key: &str,
        from: Option<u64>,
        to: &[u8],
        keep_until: Timestamp,
        until: Instant,
    ) -> Result<bool, QueueError> {
        let now = self.server_now(until).await?;
        let age = Duration::from_secs(keep_until.unix().saturating_sub(now.unix()));
        if key.contains('.') && age > self.max_age {
            // Not every value is kept for a bit longer than the one before.
            let age = age.saturating_add(age / 8).saturating_add(Duration::from_secs(3600));
            self.max_age = self.streams.keep_ledger_for(age, until).await?;
        }
        let (_, values, subject) = self.place(key);
        let mut bytes = keep_until.unix().to_be_bytes().to_vec();
        bytes.extend_from_slice(to);
        if let Some(revision) = from {
            return Ok(values.swap(&subject, revision, &bytes, until).await?.is_some());
        }
        if values.swap(&subject, 0, &bytes, until).await?.is_some() {
            return Ok(true);
        }
        // One that is over is not there.
        let Some(found) = values.get(&subject, until).await? else { return Ok(false) };
        let revision = found.revision;
        if live(found, now).is_some() {
            return Ok(false);
        }
        Ok(values.swap(&subject, revision, &bytes, until).await?.is_some())
    }
}

/// Returns what a value holds, unless its time is over.
fn live(value: Value, now: Timestamp) -> Option<Stored> {
    let (prefix, content) = value.bytes.split_first_chunk::<PREFIX_BYTES>()?;
    let keep_until = u64::from_be_bytes(*prefix);
    let is_live = keep_until >= now.unix();
    is_live.then(|| Stored { value: content.to_vec(), revision: value.revision })
}

impl SharedStore for NatsStore {
    fn get(&mut self, keys: &[&str]) -> Result<Vec<Option<Stored>>, ReplayError> {
        let link = self.streams.link.clone();
        let until = link.deadline();
        link.wait_for(self.get_all(keys, until)).map_err(failed)
    }

    fn swap(
        &mut self,
        key: &str,
        from: Option<u64>,
        to: &[u8],
        keep_until: Timestamp,
    ) -> Result<bool, ReplayError> {
        let link = self.streams.link.clone();
        let until = link.deadline();
        link.wait_for(self.swap_one(key, from, to, keep_until, until)).map_err(failed)
    }

    fn delete(&mut self, key: &str, revision: u64) -> Result<bool, ReplayError> {
        let link = self.streams.link.clone();
        let until = link.deadline();
        let (_, values, _) = self.place(key);
        link.wait_for(values.delete(revision, until)).map_err(failed)
    }
}

fn failed(error: QueueError) -> ReplayError {
    match error {
        QueueError::Connection { server, source } => ReplayError::Connection { server, source },
        QueueError::Ledger(error) => error,
        other => ReplayError::Database(other.into()),
    }
}
