//! Refused messages become dead letters, within bounds. They stay in the stream of messages, and their states say that
//! nobody is to be given them.

use brine_core::Timestamp;
use brine_core::key::random;
use brine_records::{DeadLetter, Settled};
use tokio::time::Instant;

use super::counts::Counts;
use super::message_state::{DeadState, MessageState, Phase};
use super::scan::number_of;
use super::settle::NatsLease;
use super::stream_info::info;
use super::{Shared, ack};
use crate::error::QueueError;
use crate::queue::{Buried, RefusedMessage, Standing};

/// How many of the sample are deleted for one message at most.
const MAX_EVICTED: usize = 64;

/// What becomes of a message and the sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sampled {
    Dropped,
    /// It is kept, and others are not any more.
    InPlaceOfOthers,
    Kept,
}

impl Shared {
    /// Makes a message a dead letter.
    pub(super) async fn bury(
        &self,
        lease: &NatsLease,
        why: &RefusedMessage<'_>,
        now: Timestamp,
        until: Instant,
    ) -> Result<Buried, QueueError> {
        let dead = DeadState::new(why, lease.bytes, lease.address.published, now);
        match why.standing {
            Standing::Verified => self.keep_verified(lease, dead, until).await,
            Standing::Unverified => self.sample(lease, dead, until).await,
        }
    }

    async fn keep_verified(
        &self,
        lease: &NatsLease,
        dead: DeadState,
        until: Instant,
    ) -> Result<Buried, QueueError> {
        let (cost, limit) = (dead.cost(), self.options.dead_letters.verified);
        let reserve = |counts: &mut Counts| {
            let bytes = counts.verified_bytes.saturating_add(cost);
            let has_room = bytes <= limit;
            if has_room {
                counts.verified = counts.verified.saturating_add(1);
                counts.verified_bytes = bytes;
                counts.refuse(&dead.reason);
            }
            has_room
        };
        if !self.count(until, reserve).await? {
            // A consumer that died can have left room that nothing takes.
            self.recount(until).await?;
            if !self.count(until, reserve).await? {
                return Err(QueueError::DeadLettersFull { limit });
            }
        }
        let reason = dead.reason.clone();
        if self.lay(lease, dead, until).await? {
            return Ok(Buried::Done(DeadLetter::Kept));
        }
        self.count(until, |counts| {
            counts.free(cost, true);
            counts.unrefuse(&reason);
        })
        .await?;
        Ok(Buried::Lost)
    }

    /// Keeps a random sample of what anybody can send: each is as likely to be among those that are kept (reservoir
    /// sampling), as far as their sizes let it.
    async fn sample(
        &self,
        lease: &NatsLease,
        dead: DeadState,
        until: Instant,
    ) -> Result<Buried, QueueError> {
        let (cost, limit) = (dead.cost(), self.options.dead_letters.unverified);
        if self.look(lease, until).await? == Settled::Lost {
            return Ok(Buried::Lost);
        }
        let share = u64::from_le_bytes(random()?);
        let meet = |counts: &mut Counts| {
            counts.refuse(&dead.reason);
            counts.unverified = counts.unverified.saturating_add(1);
            let has_room = keep(counts, cost, limit);
            let is_drawn = below(share, counts.unverified) < counts.unverified_kept;
            match () {
                () if has_room => Sampled::Kept,
                () if cost <= limit && is_drawn => Sampled::InPlaceOfOthers,
                () => Sampled::Dropped,
            }
        };
        let mut sampled = self.count(until, meet).await?;
        let reason = dead.reason.clone();
        if sampled == Sampled::InPlaceOfOthers && !self.make_room(cost, limit, until).await? {
            sampled = Sampled::Dropped;
        }
        if sampled == Sampled::Dropped {
            return Ok(match self.acknowledge(lease, until).await? {
                Settled::Done => Buried::Done(DeadLetter::Dropped),
                Settled::Lost => {
                    self.count(until, |counts| counts.unrefuse(&reason)).await?;
                    Buried::Lost
                }
            });
        }
        let marker = self.sample_subject(lease.address.sequence);
        if !self.lay(lease, dead, until).await? {
            self.count(until, |counts| {
                counts.free(cost, false);
                counts.unrefuse(&reason);
            })
            .await?;
            return Ok(Buried::Lost);
        }
        // By this, one of the sample is found at random. Without it, this one stays.
        self.states.swap(&marker, 0, b"", until).await?;
        Ok(Buried::Done(match sampled {
            Sampled::Kept => DeadLetter::Kept,
            Sampled::Dropped | Sampled::InPlaceOfOthers => DeadLetter::Dropped,
        }))
    }

    /// Writes that a message is a dead letter. Returns whether it is.
    async fn lay(
        &self,
        lease: &NatsLease,
        dead: DeadState,
        until: Instant,
    ) -> Result<bool, QueueError> {
        let turn = |state: &MessageState| MessageState {
            phase: Phase::Dead,
            dead: Some(dead.clone()),
            why: String::new(),
            ..state.clone()
        };
        if self.turn(lease, until, turn).await?.is_none() {
            return Ok(false);
        }
        lease.end();
        // If this fails, it is said when the server delivers the message again.
        let _ = ack::reply(&self.streams.link, &lease.address.subject, ack::TERM, until).await;
        Ok(true)
    }

    /// Deletes some of the sample until there is room for a message, which is taken. Returns whether there is.
    async fn make_room(&self, cost: u64, limit: u64, until: Instant) -> Result<bool, QueueError> {
        for _ in 0..MAX_EVICTED {
            if self.count(until, |counts| keep(counts, cost, limit)).await? {
                return Ok(true);
            }
            if !self.evict(until).await? {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Deletes one of the sample at random. Returns whether there was one.
    async fn evict(&self, until: Instant) -> Result<bool, QueueError> {
        let share = u64::from_le_bytes(random()?);
        let from = below(share, self.last_revision(until).await?).saturating_add(1);
        let pattern = self.sample_pattern();
        let found = match self.states.next(from, &pattern, until).await? {
            None => self.states.next(1, &pattern, until).await?,
            found => found,
        };
        let Some(marker) = found else { return Ok(false) };
        let number = number_of(&marker.subject);
        // Whoever deletes it has the letter.
        if self.states.delete(marker.revision, until).await?
            && let Some(number) = number
        {
            self.take_letter(number, until, |_| ()).await?;
        }
        Ok(true)
    }

    /// Returns the last revision of a state.
    async fn last_revision(&self, until: Instant) -> Result<u64, QueueError> {
        let found = info(&self.streams.link, &self.streams.names.states, until).await?;
        Ok(found.map_or(0, |found| found.state.last_seq))
    }

    /// Takes out a dead letter for good, and counts that and what it changes. Returns whether there was one.
    pub(super) async fn take_letter(
        &self,
        number: u64,
        until: Instant,
        change: impl Fn(&mut Counts),
    ) -> Result<bool, QueueError> {
        let subject = self.state_subject(number);
        let Some(found) = self.states.get(&subject, until).await? else { return Ok(false) };
        let state = MessageState::decode(&found.bytes);
        let Some(dead) = state.dead.clone().filter(|_| state.phase == Phase::Dead) else {
            return Ok(false);
        };
        let done = MessageState { phase: Phase::Done, ..state }.encode()?;
        let Some(revision) = self.states.swap(&subject, found.revision, &done, until).await? else {
            return Ok(false);
        };
        self.forget(number, revision, until).await?;
        if !dead.verified
            && let Some(marker) = self.states.get(&self.sample_subject(number), until).await?
        {
            self.states.delete(marker.revision, until).await?;
        }
        self.count(until, |counts| {
            counts.free(dead.cost(), dead.verified);
            change(counts);
        })
        .await?;
        Ok(true)
    }

    /// Counts dead letters anew.
    pub(super) async fn recount(&self, until: Instant) -> Result<(), QueueError> {
        let mut found = Counts::default();
        self.scan(until, |_, state| {
            let Some(dead) = state.dead.as_ref().filter(|_| state.phase == Phase::Dead) else {
                return;
            };
            let (kept, bytes) = match dead.verified {
                true => (&mut found.verified, &mut found.verified_bytes),
                false => (&mut found.unverified_kept, &mut found.unverified_bytes),
            };
            *kept = kept.saturating_add(1);
            *bytes = bytes.saturating_add(dead.cost());
        })
        .await?;
        self.count(until, |counts| {
            let Counts { verified, verified_bytes, unverified_kept, unverified_bytes, .. } = found;
            (counts.verified, counts.verified_bytes) = (verified, verified_bytes);
            (counts.unverified_kept, counts.unverified_bytes) = (unverified_kept, unverified_bytes);
        })
        .await
    }
}

/// Takes room for a message that never verified, if there is any.
const fn keep(counts: &mut Counts, cost: u64, limit: u64) -> bool {
    let bytes = counts.unverified_bytes.saturating_add(cost);
    let has_room = bytes <= limit;
    if has_room {
        counts.unverified_kept = counts.unverified_kept.saturating_add(1);
        counts.unverified_bytes = bytes;
    }
    has_room
}

/// Returns a number below `end` by a random share of 2^64.
fn below(share: u64, end: u64) -> u64 {
    let scaled = u128::from(share).saturating_mul(u128::from(end)) >> 64;
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_below_its_end() {
        assert_eq!(below(u64::MAX, 10), 9);
        assert_eq!(below(u64::MAX / 2, 10), 4);
        assert_eq!(below(0, 10), 0);
        assert_eq!(below(u64::MAX, 0), 0);
    }
}
