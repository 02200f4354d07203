//! The numbers of a channel: which were handled, and which are being handled.

mod encoding;
mod ends;
mod reserving;
#[cfg(test)]
mod tests;

use brine_core::Timestamp;

pub(super) use self::ends::{LeaseChange, LeasedNumber};
pub(super) use self::reserving::{ChannelLimits, LeaseTerm, NumberOutcome, NumberToReserve};
use super::meta::LedgerMeta;
use super::value::Token;
use crate::ledger::{MAX_SEQ, NumberSpan, is_live};

/// The value of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChannelNumbers {
    /// When its youngest record was issued, handled or not.
    issued: Timestamp,
    /// The highest number that was handled.
    highest: Option<u64>,
    /// How many records were handled.
    seen: u64,
    /// The first number that is still remembered.
    known_from: u64,
    /// In order. None overlaps or touches another.
    done: Vec<DoneNumbers>,
    /// In order. None overlaps another, or what is done.
    held: Vec<HeldNumbers>,
    /// The last commits, the oldest first: see [`ends`].
    commits: Vec<Token>,
}

/// Numbers that were handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DoneNumbers {
    span: NumberSpan,
    /// When the youngest of these records was issued.
    issued: Timestamp,
}

/// Numbers that are being handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct HeldNumbers {
    span: NumberSpan,
    /// When the youngest of these records was issued.
    issued: Timestamp,
    hold: NumberHold,
}

/// A lease, of which there can be several with one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct NumberHold {
    token: Token,
    taken: Timestamp,
    until: Timestamp,
}

impl ChannelNumbers {
    /// Returns a channel of which nothing is known.
    pub(super) const fn new(issued: Timestamp) -> Self {
        Self {
            issued,
            highest: None,
            seen: 0,
            known_from: 0,
            done: Vec::new(),
            held: Vec::new(),
            commits: Vec::new(),
        }
    }

    /// Returns whether there is nothing to remember.
    pub(super) const fn is_empty(&self) -> bool {
        self.done.is_empty() && self.held.is_empty() && self.highest.is_none()
    }

    /// Returns until when the value is kept.
    pub(super) fn keep_until(&self, meta: &LedgerMeta) -> Timestamp {
        let held_until = self.held.iter().map(|held| held.hold.until).max();
        meta.keep_number(self.issued, held_until.unwrap_or(self.issued))
    }

    /// Forgets what is too old for whoever asks from now on, and is not under a lease.
    pub(super) fn prune(&mut self, meta: &LedgerMeta, now: Timestamp) {
        let cut = meta.cut();
        let old = self.done.iter().filter(|done| done.issued < cut);
        if let Some(last) = old.map(|done| done.span.last).max() {
            self.known_from = self.known_from.max(last.saturating_add(1).min(MAX_SEQ));
            self.done.retain(|done| done.issued >= cut);
        }
        self.held.retain(|held| held.issued >= cut || held.hold.until > now);
    }

    /// Returns how many numbers were never handled, below the highest that was and as far back as is remembered.
    pub(super) fn missing(&self) -> u64 {
        let Some(highest) = self.highest else { return 0 };
        let known = NumberSpan { first: self.known_from, last: highest };
        let of = |done: &DoneNumbers| known.overlap(&done.span).map_or(0, |both| both.count());
        let all = if known.first <= known.last { known.count() } else { 0 };
        all.saturating_sub(self.done.iter().map(of).fold(0, u64::saturating_add))
    }

    fn is_done(&self, seq: u64) -> bool {
        let index = self.done.partition_point(|done| done.span.last < seq);
        self.done.get(index).is_some_and(|done| done.span.contains(seq))
    }

    fn touches_done(&self, span: &NumberSpan) -> bool {
        let wide = span.widened();
        let index = self.done.partition_point(|done| done.span.last < wide.first);
        self.done
            .get(index..)
            .unwrap_or_default()
            .iter()
            .take(2)
            .any(|done| done.span.touches(span))
    }

    /// Returns the lease that a number is under, whether or not it ran out.
    fn hold_of(&self, seq: u64) -> Option<&NumberHold> {
        let index = self.held.partition_point(|held| held.span.last < seq);
        let held = self.held.get(index).filter(|held| held.span.contains(seq));
        held.map(|held| &held.hold)
    }

    /// Returns the leases that overlap a span, by their indexes.
    fn held_in(&self, span: &NumberSpan) -> std::ops::Range<usize> {
        let first = self.held.partition_point(|held| held.span.last < span.first);
        let end = self.held.partition_point(|held| held.span.first <= span.last);
        first..end.max(first)
    }

    /// Takes a span out of the leases with this token, or out of all. Returns what was taken out.
    fn carve(&mut self, hole: &NumberSpan, token: Option<&Token>) -> Vec<NumberSpan> {
        let range = self.held_in(hole);
        let (mut left, mut taken) = (Vec::new(), Vec::new());
        for held in self.held.get(range.clone()).unwrap_or_default() {
            match held.span.overlap(hole) {
                Some(both) if token.is_none_or(|token| *token == held.hold.token) => {
                    let rest = held.span.without(hole).into_iter().flatten();
                    left.extend(rest.map(|span| HeldNumbers { span, ..*held }));
                    taken.push(both);
                }
                _ => left.push(*held),
            }
        }
        self.held.splice(range, left);
        taken
    }

    /// Adds numbers under a lease. None of them is under another.
    fn add_held(&mut self, held: HeldNumbers) {
        let index = self.held.partition_point(|other| other.span.first < held.span.first);
        self.held.insert(index, held);
        self.issued = self.issued.max(held.issued);
    }

    /// Adds handled numbers, and joins them with the spans they touch.
    fn add_done(&mut self, added: DoneNumbers) {
        let wide = added.span.widened();
        let first = self.done.partition_point(|done| done.span.last < wide.first);
        let end = self.done.partition_point(|done| done.span.first <= wide.last).max(first);
        let near = self.done.get(first..end).unwrap_or_default();
        let joined = near.iter().fold(added, |joined, done| DoneNumbers {
            span: NumberSpan {
                first: joined.span.first.min(done.span.first),
                last: joined.span.last.max(done.span.last),
            },
            issued: joined.issued.max(done.issued),
        });
        self.done.splice(first..end, [joined]);
        self.highest = self.highest.max(Some(added.span.last));
        self.seen = self.seen.saturating_add(added.span.count()).min(MAX_SEQ);
        self.issued = self.issued.max(added.issued);
    }
}

impl NumberHold {
    fn is_live(&self, now: Timestamp) -> bool {
        is_live(self.taken, self.until, now)
    }
}
