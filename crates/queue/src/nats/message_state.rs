//! What is known about a message that was delivered.

use std::time::Duration;

use brine_core::Timestamp;
use brine_core::time::LEEWAY;
use serde::{Deserialize, Serialize};

use crate::error::QueueError;
use crate::queue::{DeadMessage, RefusedMessage, Standing, kept};

/// The most bytes of a state that is read.
const MAX_STATE_BYTES: usize = 0x1_0000;

/// What is known about a message: a value of the stream of states, as JSON.
///
/// JetStream lets whoever was given a message settle it, also when somebody else was given it since. So whoever gets one
/// writes its state, in place of the revision that was there, and settles it by replacing that state. Of two, one fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MessageState {
    pub(super) phase: Phase,
    /// Drawn by whoever wrote the state first for this delivery.
    pub(super) token: String,
    /// How often the server had delivered the message by then.
    pub(super) delivery: u64,
    /// How many deliveries count.
    pub(super) attempts: u64,
    /// When somebody began to handle it, in seconds since 1970.
    pub(super) begun: Option<u64>,
    /// Since when it is held or waits, in seconds since 1970.
    pub(super) from: u64,
    /// Until when it does, or 0 where the server says that.
    pub(super) until: u64,
    /// Why it was handed back.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) why: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) dead: Option<DeadState>,
}

/// What may happen to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Phase {
    /// It is a dead letter.
    Dead,
    /// It was acknowledged or taken back, and is about to be deleted.
    Done,
    /// It is under a lease.
    Held,
    /// It was handed back.
    Waiting,
}

/// Why a message is a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DeadState {
    pub(super) bytes: u64,
    pub(super) sent: u64,
    pub(super) died: u64,
    pub(super) verified: bool,
    pub(super) reason: String,
    pub(super) detail: String,
}

impl MessageState {
    /// The state of a message that is held for the first time.
    pub(super) const fn held(
        token: String,
        delivery: u64,
        begun: Option<u64>,
        now: Timestamp,
    ) -> Self {
        Self {
            phase: Phase::Held,
            token,
            delivery,
            attempts: 1,
            begun,
            from: now.unix(),
            until: 0,
            why: String::new(),
            dead: None,
        }
    }

    /// Reads a state. One that cannot be read says nothing of attempts, and is taken for begun: then nobody handles the
    /// message without looking at it.
    pub(super) fn decode(bytes: &[u8]) -> Self {
        let short = Some(bytes).filter(|bytes| bytes.len() <= MAX_STATE_BYTES);
        let state = short.and_then(|bytes| serde_json::from_slice(bytes).ok());
        state.unwrap_or_else(|| Self {
            phase: Phase::Waiting,
            attempts: 0,
            ..Self::held(String::new(), 0, Some(0), moment(0))
        })
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, QueueError> {
        serde_json::to_vec(self).map_err(|error| QueueError::Database(error.into()))
    }

    /// Returns for how many seconds from `now` on nobody else may have the message, by this state.
    pub(super) fn seconds_left(&self, now: Timestamp) -> u64 {
        // What begins in the future was written while a clock was ahead.
        let is_sane = self.from <= now.plus(LEEWAY).unix();
        if is_sane { self.until.saturating_sub(now.unix()) } else { 0 }
    }

    /// Returns whether a delivery comes late: somebody else was given the message since. The server counts them, and can
    /// begin anew if it was killed. So whoever has held the message for longer than a lease has no more right to it.
    pub(super) fn is_late(&self, delivery: u64, lease: Duration, now: Timestamp) -> bool {
        let since = now.unix().saturating_sub(self.from);
        self.phase == Phase::Held && delivery <= self.delivery && since <= lease.as_secs()
    }

    /// Returns the dead letter of a number, if it is one.
    pub(super) fn dead_message(&self, number: u64) -> Option<DeadMessage> {
        let dead = self.dead.as_ref().filter(|_| self.phase == Phase::Dead)?;
        Some(DeadMessage {
            number,
            bytes: dead.bytes,
            sent: moment(dead.sent),
            died: moment(dead.died),
            attempts: self.attempts,
            begun: self.begun.is_some(),
            standing: if dead.verified { Standing::Verified } else { Standing::Unverified },
            reason: dead.reason.clone(),
            detail: dead.detail.clone(),
        })
    }
}

impl DeadState {
    /// What a dead letter takes beside what it holds. Without it, empty messages would take nothing.
    const ROW_BYTES: u64 = 256;

    pub(super) fn new(
        why: &RefusedMessage<'_>,
        bytes: u64,
        sent: Timestamp,
        died: Timestamp,
    ) -> Self {
        Self {
            bytes,
            sent: sent.unix(),
            died: died.unix(),
            verified: why.standing == Standing::Verified,
            reason: kept(why.reason),
            detail: why.kept_detail(),
        }
    }

    pub(super) const fn cost(&self) -> u64 {
        self.bytes.saturating_add(Self::ROW_BYTES)
    }
}

fn moment(seconds: u64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let why =
            RefusedMessage {
                reason: "r", detail: &"ü".repeat(5000), standing: Standing::Verified
            };
        let at = Timestamp::from_unix(7).unwrap();
        let dead = Some(DeadState::new(&why, 3, at, at));
        let state = MessageState {
            phase: Phase::Dead,
            dead,
            ..MessageState::held("t".to_owned(), 2, Some(5), at)
        };
        assert_eq!(MessageState::decode(&state.encode().unwrap()), state);
        let letter = state.dead_message(9).unwrap();
        assert_eq!((letter.number, letter.bytes, letter.attempts, letter.begun), (9, 3, 1, true));
        assert_eq!(letter.detail, "ü".repeat(1024));
        let held = MessageState::held("t".to_owned(), 2, None, at);
        let text = r#"{"phase":"held","token":"t","delivery":2,"attempts":1,"begun":null,"from":7,"until":0}"#;
        assert_eq!(String::from_utf8(held.encode().unwrap()).unwrap(), text);
        assert!(held.dead_message(9).is_none());
    }

    #[test]
    fn what_a_stranger_wrote_counts_as_begun() {
        for bytes in [&b""[..], b"{}", b"[]", &[b'['; MAX_STATE_BYTES + 1], b"\xff"] {
            let state = MessageState::decode(bytes);
            let found = (state.phase, state.attempts, state.begun);
            assert_eq!(found, (Phase::Waiting, 0, Some(0)));
        }
    }

    #[test]
    fn a_clock_that_was_ahead_holds_nothing_for_long() {
        let now = Timestamp::from_unix(1000).unwrap();
        let state = |from, until| MessageState {
            from,
            until,
            ..MessageState::held(String::new(), 1, None, now)
        };
        assert_eq!(state(1000, 1030).seconds_left(now), 30);
        assert_eq!(state(1060, 1090).seconds_left(now), 90);
        assert_eq!(state(1061, 1091).seconds_left(now), 0);
        assert_eq!(state(900, 930).seconds_left(now), 0);
    }

    #[test]
    fn a_delivery_is_late_if_there_was_another_within_a_lease() {
        let at = |seconds| Timestamp::from_unix(seconds).unwrap();
        let lease = Duration::from_secs(30);
        let held = MessageState::held(String::new(), 3, None, at(1000));
        let cases =
            [(3, 1000, true), (2, 1030, true), (3, 1031, false), (4, 1000, false), (3, 900, true)];
        for (delivery, now, is_late) in cases {
            assert_eq!(held.is_late(delivery, lease, at(now)), is_late, "{delivery} {now}");
        }
        let waiting = MessageState { phase: Phase::Waiting, ..held };
        assert!(!waiting.is_late(1, lease, at(1000)));
    }
}
