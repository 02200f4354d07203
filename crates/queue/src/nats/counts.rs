//! What a queue counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::Shared;
use super::growing_delay::GrowingDelay;
use crate::error::QueueError;

/// The most reasons that are counted apart.
const MAX_REASONS: usize = 256;

/// What a queue counts: a value of the stream of states, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    /// Messages that became dead letters or were dropped, by their reasons.
    pub(super) refused: BTreeMap<String, u64>,
    /// How many dead letters there are that verified.
    pub(super) verified: u64,
    /// What these take.
    pub(super) verified_bytes: u64,
    /// Refused messages that never verified.
    pub(super) unverified: u64,
    /// How many of them are kept.
    pub(super) unverified_kept: u64,
    /// What these take.
    pub(super) unverified_bytes: u64,
    /// Dead letters that were queued again.
    pub(super) revived: u64,
    /// Messages that were taken back.
    pub(super) withdrawn: u64,
}

impl Counts {
    pub(super) fn refuse(&mut self, reason: &str) {
        let is_known = self.refused.contains_key(reason);
        let reason = if is_known || self.refused.len() < MAX_REASONS { reason } else { "other" };
        let count = self.refused.entry(reason.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    pub(super) fn unrefuse(&mut self, reason: &str) {
        if let Some(count) = self.refused.get_mut(reason) {
            *count = count.saturating_sub(1);
        }
        self.refused.retain(|_, count| *count > 0);
    }

    /// Returns how many dead letters there are.
    pub(super) const fn dead(&self) -> u64 {
        self.verified.saturating_add(self.unverified_kept)
    }

    /// Gives back the room of a dead letter.
    pub(super) const fn free(&mut self, cost: u64, is_verified: bool) {
        if is_verified {
            self.verified = self.verified.saturating_sub(1);
            self.verified_bytes = self.verified_bytes.saturating_sub(cost);
        } else {
            self.unverified_kept = self.unverified_kept.saturating_sub(1);
            self.unverified_bytes = self.unverified_bytes.saturating_sub(cost);
        }
    }
}

impl Shared {
    pub(super) async fn counts(&self, until: Instant) -> Result<Counts, QueueError> {
        let found = self.states.get(&self.counts_subject(), until).await?;
        Ok(found.map(|found| decode(&found.bytes)).unwrap_or_default())
    }

    /// Changes the counts. If the answer to a change was lost, it can be counted twice.
    pub(super) async fn count<T>(
        &self,
        until: Instant,
        mut change: impl FnMut(&mut Counts) -> T,
    ) -> Result<T, QueueError> {
        let subject = self.counts_subject();
        let mut delay = GrowingDelay::default();
        loop {
            let found = self.states.get(&subject, until).await?;
            let before = found.as_ref().map(|found| decode(&found.bytes)).unwrap_or_default();
            let mut after = before.clone();
            let outcome = change(&mut after);
            if after == before {
                return Ok(outcome);
            }
            let revision = found.map_or(0, |found| found.revision);
            let bytes =
                serde_json::to_vec(&after).map_err(|error| QueueError::Database(error.into()))?;
            if self.states.swap(&subject, revision, &bytes, until).await?.is_some() {
                return Ok(outcome);
            }
            if Instant::now() >= until {
                return Err(QueueError::Locked);
            }
            sleep(delay.next()? / 4).await;
        }
    }
}

/// Counts that cannot be read begin anew.
fn decode(bytes: &[u8]) -> Counts {
    serde_json::from_slice(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_bounded() {
        let mut counts = Counts::default();
        for number in 0..MAX_REASONS + 5 {
            counts.refuse(&number.to_string());
        }
        counts.refuse("7");
        assert_eq!(counts.refused.len(), MAX_REASONS + 1);
        assert_eq!((counts.refused["other"], counts.refused["7"]), (5, 2));
        counts.unrefuse("8");
        assert_eq!(counts.refused.get("8"), None);
        assert_eq!(decode(&serde_json::to_vec(&counts).unwrap()), counts);
        assert_eq!(decode(b"?"), Counts::default());
    }
}
