//! The messages that this process holds.
//!
//! AMQP has no leases: the server leaves a message to whoever has it until the connection ends. So a lease ends here:
//! the message is handed back when its time is over, by the thread of the runtime, whatever its holder does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use brine_records::Settled;
use lapin::options::BasicNackOptions;
use lapin::{Acker, Channel};
use tokio::sync::Notify;

use super::message::Arrival;
use crate::ledger_place::MessageKey;

/// How long the thread sleeps if nothing is held.
const IDLE: Duration = Duration::from_secs(3600);

/// The number of the last lease of this process.
static LAST_LEASE: AtomicU64 = AtomicU64::new(0);

/// The right to settle a message, until it runs out and the message is handed back.
#[derive(Debug, PartialEq, Eq)]
pub struct AmqpLease {
    pub(super) number: u64,
}

/// A message that is held. Its tag is good for the channel alone on which it came.
#[derive(Debug)]
pub(super) struct HeldMessage {
    pub(super) content: Vec<u8>,
    pub(super) arrival: Arrival,
    pub(super) key: MessageKey,
    pub(super) acker: Acker,
    /// It stays open as long as the message is held.
    pub(super) channel: Channel,
}

/// All messages that one connection holds.
#[derive(Debug)]
pub(super) struct HeldMessages {
    entries: Mutex<BTreeMap<u64, Entry>>,
    changed: Arc<Notify>,
    length: Duration,
}

#[derive(Clone, Debug)]
struct Entry {
    message: Arc<HeldMessage>,
    until: Instant,
    begun: bool,
}

impl HeldMessages {
    /// Holds nothing yet. Leases last for `length`.
    pub(super) fn new(length: Duration) -> Self {
        Self { entries: Mutex::default(), changed: Arc::default(), length }
    }

    /// Hands messages back whose leases run out, as long as these messages are held by anybody.
    pub(super) async fn keep_time(held: Weak<Self>) {
        while let Some(those) = held.upgrade() {
            let next = those.end_leases().await;
            let changed = Arc::clone(&those.changed);
            drop(those);
            let wait = next.map_or(IDLE, |next| next.saturating_duration_since(Instant::now()));
            let _ = tokio::time::timeout(wait, changed.notified()).await;
        }
    }

    /// Hands back what is held for too long, in the order in which it came. Returns when the next lease runs out.
    pub(super) async fn end_leases(&self) -> Option<Instant> {
        let now = Instant::now();
        let ended = self.take_ended(now);
        for message in ended {
            // If that fails, the connection has ended, and the server hands everything back.
            let requeue = BasicNackOptions { requeue: true, multiple: false };
            let _ = message.acker.nack(requeue).await;
        }
        self.entries().values().map(|entry| entry.until).min()
    }

    fn take_ended(&self, now: Instant) -> Vec<Arc<HeldMessage>> {
        let mut ended = Vec::new();
        self.entries().retain(|_, entry| {
            let is_over = entry.until <= now || !entry.message.acker.usable();
            if is_over {
                ended.push(Arc::clone(&entry.message));
            }
            !is_over
        });
        ended
    }

    /// Takes a new message.
    pub(super) fn hold(&self, message: Arc<HeldMessage>) -> u64 {
        let number = LAST_LEASE.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let entry = Entry { message, until: self.end(), begun: false };
        self.entries().insert(number, entry);
        self.changed.notify_one();
        number
    }

    /// Returns a message that is held, and whether it was begun.
    pub(super) fn get(&self, number: u64) -> Option<(Arc<HeldMessage>, bool)> {
        let entries = self.entries();
        let entry = entries.get(&number).filter(|entry| entry.message.acker.usable())?;
        Some((Arc::clone(&entry.message), entry.begun))
    }

    /// Takes a message out, to settle it.
    pub(super) fn take(&self, number: u64) -> Option<Arc<HeldMessage>> {
        let entry = self.entries().remove(&number)?;
        Some(entry.message).filter(|message| message.acker.usable())
    }

    pub(super) fn extend(&self, number: u64) -> Settled {
        let until = self.end();
        match self.entries().get_mut(&number).filter(|entry| entry.message.acker.usable()) {
            Some(entry) => {
                entry.until = until;
                Settled::Done
            }
            None => Settled::Lost,
        }
    }

    pub(super) fn note_begun(&self, number: u64) {
        if let Some(entry) = self.entries().get_mut(&number) {
            entry.begun = true;
        }
    }

    /// Returns on how many channels messages came that are held.
    pub(super) fn channels(&self) -> usize {
        let entries = self.entries();
        let channels: BTreeSet<_> =
            entries.values().map(|entry| entry.message.channel.id()).collect();
        channels.len()
    }

    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.entries().len()).unwrap_or(u64::MAX)
    }

    fn end(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.length).or_else(|| now.checked_add(IDLE)).unwrap_or(now)
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HeldMessages {
    fn drop(&mut self) {
        // The thread sees that they are gone.
        self.changed.notify_one();
    }
}
