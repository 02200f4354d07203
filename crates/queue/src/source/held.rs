//! The messages that were received and are not settled.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use brine_records::{FrameBlock, Settled};

use super::figures::SourceFigures;
use crate::error::QueueError;
use crate::queue::{Queue, Retry};

/// The most that a block [weighs](FrameBlock::weight) that is kept for its memory, in bytes.
const SPARE_WEIGHT: usize = 6 * 1024 * 1024;

/// The messages of all blocks that are not settled, for the thread that receives and for the one that settles.
pub(super) struct HeldMessages<Q: Queue> {
    state: Mutex<HeldState<Q>>,
    has_room: Condvar,
}

/// The same, for one of them at a time.
pub(super) struct HeldState<Q: Queue> {
    pub(super) settling: Q,
    /// By their numbers, counted from 0 as they were received.
    messages: BTreeMap<u64, HeldMessage<Q::Lease>>,
    extended: Instant,
    /// Blocks that were used, for their memory.
    pub(super) spare: Vec<FrameBlock>,
    pub(super) figures: Arc<SourceFigures>,
    /// Whether the source ended because nothing came for as long as it was to wait.
    pub(super) has_waited: bool,
}

/// One of them.
pub(super) struct HeldMessage<L> {
    pub(super) attempt: u64,
    pub(super) lease: L,
    pub(super) since: Instant,
}

impl<Q: Queue> HeldMessages<Q> {
    pub(super) fn new(settling: Q) -> Self {
        let (messages, extended) = (BTreeMap::new(), Instant::now());
        let (spare, figures) = (Vec::new(), Arc::default());
        let state = HeldState { settling, messages, extended, spare, figures, has_waited: false };
        Self { state: Mutex::new(state), has_room: Condvar::new() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, HeldState<Q>> {
        // A panic elsewhere left a state that is as good: every change of it is one call.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until fewer than `most` messages are held, but not for long, and returns how many more can be.
    pub(super) fn wait_for_room(&self, most: usize, wait: Duration) -> usize {
        let state = self.state();
        let is_full = |state: &mut HeldState<Q>| state.messages.len() >= most;
        let waited = self.has_room.wait_timeout_while(state, wait, is_full);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        most.saturating_sub(state.messages.len())
    }

    /// Keeps a used block, unless it is of messages that are much longer than most.
    pub(super) fn keep(&self, block: FrameBlock) {
        if block.weight() <= SPARE_WEIGHT {
            self.state().spare.push(block);
        }
    }

    /// Wakes the thread that receives: messages were settled.
    pub(super) fn announce_room(&self) {
        self.has_room.notify_one();
    }
}

impl<Q: Queue> HeldState<Q> {
    pub(super) fn insert(&mut self, number: u64, message: HeldMessage<Q::Lease>) {
        self.figures.receive(message.attempt);
        self.messages.insert(number, message);
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<HeldMessage<Q::Lease>> {
        let message = self.messages.remove(&number)?;
        self.figures.settle(message.since.elapsed());
        Some(message)
    }

    pub(super) fn attempt(&self, number: u64) -> Option<u64> {
        self.messages.get(&number).map(|message| message.attempt)
    }

    /// Counts the messages of these numbers that are still held.
    pub(super) fn count(&self, numbers: Range<u64>) -> u64 {
        u64::try_from(self.messages.range(numbers).count()).unwrap_or(u64::MAX)
    }

    /// Extends all leases, when a third of their length has passed. Those that were lost are forgotten.
    pub(super) fn extend_when_due(&mut self) -> Result<(), QueueError> {
        if self.messages.is_empty() || self.extended.elapsed() < self.settling.lease_length() / 3 {
            return Ok(());
        }
        self.extended = Instant::now();
        let leases: Vec<_> = self.messages.values().map(|message| &message.lease).collect();
        let settled = self.settling.extend(&leases)?;
        let mut settled = settled.into_iter();
        self.messages.retain(|_, message| {
            let is_lost = settled.next() == Some(Settled::Lost);
            if is_lost {
                self.figures.settle(message.since.elapsed());
            }
            !is_lost
        });
        Ok(())
    }

    /// Takes the messages of these numbers that are still held.
    pub(super) fn take(
        &mut self,
        numbers: Range<u64>,
    ) -> impl Iterator<Item = HeldMessage<Q::Lease>> + use<Q> {
        let mut rest = self.messages.split_off(&numbers.start);
        let mut behind = rest.split_off(&numbers.end);
        self.messages.append(&mut behind);
        let figures = Arc::clone(&self.figures);
        rest.into_values().inspect(move |message| figures.settle(message.since.elapsed()))
    }

    /// Hands back all messages, to be delivered again at once.
    pub(super) fn hand_back(&mut self, why: &str) -> Result<(), QueueError> {
        let messages: Vec<_> = self.take(0..u64::MAX).collect();
        if messages.is_empty() {
            return Ok(());
        }
        let leases: Vec<_> = messages.iter().map(|message| &message.lease).collect();
        // One that was lost is with somebody else.
        self.settling.retry(&leases, Retry::untried(Duration::ZERO, why)).map(drop)
    }
}
