//! Ledgers in a store that consumers on several hosts share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use brine_core::text::hex;
use brine_core::{Clock, Timestamp};
use brine_records::{Ledger as _, Settled, SharedLease, SharedLedger, SharedOptions, SharedStore};

use super::{Ends, LedgerNotes, LedgerPlace, MessageKey, NotedFigures};
use crate::error::QueueError;
use crate::url::QueueName;

/// Opens the store of a queue. Those of two queues have no key in common.
type OpenStore<S> = dyn Fn(&QueueName) -> Result<S, QueueError> + Send + Sync;

/// Stores with the ledgers of queues, such as those of Redis and NATS. They count nothing.
pub struct SharedLedgerPlace<S> {
    open: Box<OpenStore<S>>,
    options: SharedOptions,
    clock: Arc<dyn Clock>,
}

/// Notes beside the ledger of one queue.
#[derive(Debug)]
pub struct SharedNotes<S> {
    ledger: SharedLedger<S>,
    store: S,
    max_age: Duration,
}

impl<S: SharedStore> SharedLedgerPlace<S> {
    /// Has the ledgers in stores that this opens.
    pub fn new(
        open: impl Fn(&QueueName) -> Result<S, QueueError> + Send + Sync + 'static,
        options: SharedOptions,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { open: Box::new(open), options, clock }
    }

    fn open(
        &self,
        queue: &QueueName,
        options: &SharedOptions,
    ) -> Result<SharedLedger<S>, QueueError> {
        Ok(SharedLedger::open((self.open)(queue)?, options, self.clock.now()?)?)
    }
}

impl<S: SharedStore + fmt::Debug> LedgerPlace for SharedLedgerPlace<S> {
    type Ledger = SharedLedger<S>;
    type Notes = SharedNotes<S>;

    fn ledger(&self, queue: &QueueName, lease: Duration) -> Result<SharedLedger<S>, QueueError> {
        self.open(queue, &SharedOptions { lease, ..self.options })
    }

    fn notes(&self, queue: &QueueName) -> Result<SharedNotes<S>, QueueError> {
        let ledger = self.open(queue, &self.options)?;
        Ok(SharedNotes { ledger, store: (self.open)(queue)?, max_age: self.options.max_age })
    }
}

impl<S: SharedStore> LedgerNotes for SharedNotes<S> {
    type Lease = SharedLease;

    fn commit(
        &mut self,
        records: &[&SharedLease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, QueueError> {
        let records: Vec<_> = records.iter().map(|record| (*record).clone()).collect();
        Ok(self.ledger.commit_many(&records, now)?)
    }

    fn begin(
        &mut self,
        message: &MessageKey,
        record: &SharedLease,
        now: Timestamp,
    ) -> Result<Settled, QueueError> {
        // If it is there already, somebody began before, and the ledger says so.
        let _ = self.store.swap(&key(message), None, b"", now.plus(self.max_age))?;
        let settled = self.ledger.commit_many(std::slice::from_ref(record), now)?;
        Ok(settled.into_iter().next().unwrap_or(Settled::Lost))
    }

    fn begun(&mut self, messages: &[MessageKey]) -> Result<Vec<bool>, QueueError> {
        let keys: Vec<_> = messages.iter().map(key).collect();
        let found = self.store.get(&keys.iter().map(String::as_str).collect::<Vec<_>>())?;
        Ok(found.into_iter().map(|stored| stored.is_some()).collect())
    }

    /// What was noted in the ledger was durable at once.
    fn end(&mut self, begun: &[MessageKey], _: Ends<'_>) -> Result<(), QueueError> {
        for key in begun.iter().map(key) {
            let found = self.store.get(&[&key])?.into_iter().next().flatten();
            if let Some(stored) = found {
                // If somebody was faster, it is gone.
                let _ = self.store.delete(&key, stored.revision)?;
            }
        }
        Ok(())
    }

    fn figures(&mut self) -> Result<NotedFigures, QueueError> {
        Ok(NotedFigures::default())
    }
}

/// The ledger has no key that begins like this.
fn key(message: &MessageKey) -> String {
    format!("begun/{}", hex(&message.0))
}

impl<S> fmt::Debug for SharedLedgerPlace<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLedgerPlace").field("options", &self.options).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use brine_core::{Expectations, Sequence, Statement, Unique, open};
    use brine_records::{ReplayError, SharedBirth, Stored, Subject};
    use brine_testkit::{key as signing_key, now, signers, unique};

    use super::*;

    /// A store in memory.
    #[derive(Clone, Debug, Default)]
    struct Memory(Arc<Mutex<(u64, BTreeMap<String, Stored>)>>);

    impl SharedStore for Memory {
        fn get(&mut self, keys: &[&str]) -> Result<Vec<Option<Stored>>, ReplayError> {
            let store = self.0.lock().unwrap();
            Ok(keys.iter().map(|key| store.1.get(*key).cloned()).collect())
        }

        fn swap(
            &mut self,
            key: &str,
            from: Option<u64>,
            to: &[u8],
            _: Timestamp,
        ) -> Result<bool, ReplayError> {
            let mut store = self.0.lock().unwrap();
            if store.1.get(key).map(|stored| stored.revision) != from {
                return Ok(false);
            }
            store.0 += 1;
            let stored = Stored { value: to.to_vec(), revision: store.0 };
            store.1.insert(key.to_owned(), stored);
            Ok(true)
        }

        fn delete(&mut self, key: &str, revision: u64) -> Result<bool, ReplayError> {
            let mut store = self.0.lock().unwrap();
            let is_it = store.1.get(key).is_some_and(|stored| stored.revision == revision);
            if is_it {
                store.1.remove(key);
            }
            Ok(is_it)
        }
    }

    #[test]
    fn a_message_is_begun_until_it_ends_and_its_record_is_known_for_good() {
        let store = Memory::default();
        let options = SharedOptions { birth: SharedBirth::AcceptOlder, ..Default::default() };
        let place = SharedLedgerPlace::new(move |_| Ok(store.clone()), options, Arc::new(now()));
        let queue = QueueName::new("q").unwrap();
        let mut ledger = place.ledger(&queue, Duration::from_secs(60)).unwrap();
        let [mut notes, mut other] = [0, 1].map(|_| place.notes(&queue).unwrap());

        let sequence = Some(Sequence { channel: [9; 16], seq: 0 });
        let numbered = Statement::at(now()).unique(Unique { sequence, ..unique(7) });
        let envelope = brine_core::sign(&numbered, &signing_key(1), b"work").unwrap().to_bytes();
        let verified =
            open(envelope).unwrap().verify(&Expectations::new(), &signers(&[1]), &now()).unwrap();
        let subject = [Subject::of(&verified).unwrap()];
        let mut reserve = || ledger.reserve_many(&subject, now()).unwrap().remove(0).into_lease();
        let record = reserve().unwrap();
        let messages = [[1; 32], [2; 32]].map(MessageKey);
        assert_eq!(notes.begun(&messages).unwrap(), [false, false]);
        assert_eq!(notes.begin(&messages[0], &record, now()).unwrap(), Settled::Done);
        assert_eq!(other.begun(&messages).unwrap(), [true, false]);
        other.end(&messages, Ends::Acknowledged(2)).unwrap();
        assert_eq!(notes.begun(&messages).unwrap(), [false, false]);
        assert_eq!(brine_core::Classified::reason(&reserve().unwrap_err()), "replayed");
    }
}
