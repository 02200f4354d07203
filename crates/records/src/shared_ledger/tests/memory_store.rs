//! A store in memory, which fails on command.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use brine_core::Timestamp;

use crate::ledger::ReplayError;
use crate::shared_ledger::{MAX_VALUE_BYTES, SharedStore, Stored};

/// A store in memory. A clone is another consumer's connection to the same store.
#[derive(Clone)]
pub(crate) struct MemoryStore {
    state: Arc<Mutex<State>>,
}

struct State {
    values: BTreeMap<String, Value>,
    /// The clock of the store.
    now: Timestamp,
    revision: u64,
    /// What happens to the next calls that change something.
    faults: VecDeque<Fault>,
    gets: u32,
    swaps: u32,
}

#[derive(Clone)]
struct Value {
    stored: Stored,
    keep_until: Timestamp,
}

/// What happens to a call that changes something.
pub(crate) enum Fault {
    /// It is done, and its answer is lost.
    AnswerLost,
    /// Somebody else is faster, every time.
    Conflict,
    /// It does not arrive.
    Lost,
    /// Nothing, after somebody else did this.
    Meanwhile(Box<dyn FnOnce() + Send>),
    /// Nothing.
    None,
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemoryStore")
    }
}

impl MemoryStore {
    pub(crate) fn new(now: Timestamp) -> Self {
        let (values, faults) = (BTreeMap::new(), VecDeque::new());
        let state = State { values, now, revision: 0, faults, gets: 0, swaps: 0 };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Loses everything.
    pub(crate) fn lose(&self) {
        self.lock().values.clear();
    }

    /// Loses one value.
    pub(crate) fn lose_one(&self, key: &str) {
        self.lock().values.remove(key).unwrap();
    }

    /// Lets the time of the store pass, and forgets what it may.
    pub(crate) fn pass(&self, now: Timestamp) {
        let mut state = self.lock();
        state.now = state.now.max(now);
        let now = state.now;
        state.values.retain(|_, value| value.keep_until > now);
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.lock().values.keys().cloned().collect()
    }

    pub(crate) fn value(&self, key: &str) -> Vec<u8> {
        self.lock().values[key].stored.value.clone()
    }

    /// Puts a value there, as only a stranger would.
    pub(crate) fn put(&self, key: &str, value: &[u8]) {
        let mut state = self.lock();
        state.revision += 1;
        let stored = Stored { value: value.to_owned(), revision: state.revision };
        state.values.insert(key.to_owned(), Value { stored, keep_until: Timestamp::MAX });
    }

    /// Returns a copy of what is there, for [`restore`](Self::restore).
    pub(crate) fn copy(&self) -> impl FnOnce(&Self) + use<> {
        let values = self.lock().values.clone();
        move |store: &Self| {
            let mut state = store.lock();
            state.values = values;
            let mut revision = state.revision;
            for value in state.values.values_mut() {
                revision += 1;
                value.stored.revision = revision;
            }
            state.revision = revision;
        }
    }

    /// Has this happen to the next calls that change something.
    pub(crate) fn plan(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults = faults.into_iter().collect();
    }

    /// Returns how many calls there were since the last time: those that read, and those that changed something.
    pub(crate) fn calls(&self) -> (u32, u32) {
        let mut state = self.lock();
        (std::mem::take(&mut state.gets), std::mem::take(&mut state.swaps))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Has happen what is planned. Returns whether the call is done, and then whether its answer arrives.
    fn fault(&self) -> Result<(bool, bool), ReplayError> {
        let mut state = self.lock();
        state.swaps += 1;
        let fault = state.faults.pop_front();
        drop(state);
        Ok(match fault {
            None | Some(Fault::None) => (true, true),
            Some(Fault::AnswerLost) => (true, false),
            Some(Fault::Conflict) => {
                self.lock().faults.push_front(Fault::Conflict);
                (false, true)
            }
            Some(Fault::Lost) => return Err(gone()),
            Some(Fault::Meanwhile(work)) => {
                work();
                (true, true)
            }
        })
    }

    fn change(&self, key: &str, from: Option<u64>, to: Option<Value>) -> Result<bool, ReplayError> {
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_=/.-".contains(letter);
        assert!((1..=100).contains(&key.len()) && key.chars().all(allowed), "{key}");
        let (is_done, is_heard) = self.fault()?;
        let mut state = self.lock();
        let known = state.values.get(key).map(|value| value.stored.revision);
        let is_done = is_done && known == from;
        if is_done {
            state.revision += 1;
            let revision = state.revision;
            match to {
                Some(mut value) => {
                    value.stored.revision = revision;
                    state.values.insert(key.to_owned(), value);
                }
                None => drop(state.values.remove(key)),
            }
        }
        if is_heard { Ok(is_done) } else { Err(gone()) }
    }
}

impl SharedStore for MemoryStore {
    fn get(&mut self, keys: &[&str]) -> Result<Vec<Option<Stored>>, ReplayError> {
        let mut state = self.lock();
        state.gets += 1;
        let stored = keys.iter().map(|key| Some(state.values.get(*key)?.stored.clone()));
        Ok(stored.collect())
    }

    fn swap(
        &mut self,
        key: &str,
        from: Option<u64>,
        to: &[u8],
        keep_until: Timestamp,
    ) -> Result<bool, ReplayError> {
        assert!(to.len() <= MAX_VALUE_BYTES);
        let stored = Stored { value: to.to_owned(), revision: 0 };
        self.change(key, from, Some(Value { stored, keep_until }))
    }

    fn delete(&mut self, key: &str, revision: u64) -> Result<bool, ReplayError> {
        self.change(key, Some(revision), None)
    }
}

fn gone() -> ReplayError {
    ReplayError::Database("the connection is gone".into())
}
