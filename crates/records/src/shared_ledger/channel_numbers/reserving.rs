//! The first phase: numbers are reserved.

use brine_core::Timestamp;

use super::{ChannelNumbers, HeldNumbers, NumberHold};
use crate::ledger::NumberSpan;
use crate::shared_ledger::MAX_CHANNEL_RANGES;
use crate::shared_ledger::value::Token;

/// What leases are taken by in one call.
#[derive(Clone, Copy, Debug)]
pub(in crate::shared_ledger) struct LeaseTerm<'t> {
    pub(in crate::shared_ledger) now: Timestamp,
    pub(in crate::shared_ledger) until: Timestamp,
    pub(in crate::shared_ledger) token: Token,
    /// Tokens of calls that failed: nobody works under them.
    pub(in crate::shared_ledger) unused: &'t [Token],
    pub(in crate::shared_ledger) limits: ChannelLimits,
}

/// The bounds of a channel. Tests make them smaller.
#[derive(Clone, Copy, Debug)]
pub(in crate::shared_ledger) struct ChannelLimits {
    /// How many ranges the handled numbers may take.
    pub(in crate::shared_ledger) ranges: usize,
    /// How many leases there may be.
    pub(in crate::shared_ledger) held: usize,
    /// How many ranges there may be once all that is under a lease was handled.
    pub(in crate::shared_ledger) numbers: usize,
}

impl Default for ChannelLimits {
    fn default() -> Self {
        Self { ranges: MAX_CHANNEL_RANGES, held: MAX_HELD, numbers: MAX_NUMBERS }
    }
}

/// A record of a channel, with its index in the call.
#[derive(Clone, Copy, Debug)]
pub(in crate::shared_ledger) struct NumberToReserve {
    pub(in crate::shared_ledger) seq: u64,
    pub(in crate::shared_ledger) index: usize,
    pub(in crate::shared_ledger) issued: Timestamp,
}

/// The outcome of reserving a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shared_ledger) enum NumberOutcome {
    Busy { until: Timestamp },
    Fresh,
    Full,
    Replayed,
}

impl LeaseTerm<'_> {
    /// Returns whether somebody works under a lease.
    pub(in crate::shared_ledger) fn is_live(
        &self,
        token: &Token,
        taken: Timestamp,
        until: Timestamp,
    ) -> bool {
        // An attempt of this call may have taken it before.
        let is_own = *token == self.token || self.unused.contains(token);
        !is_own && crate::ledger::is_live(taken, until, self.now)
    }
}

impl ChannelNumbers {
    /// Reserves what can be reserved of these numbers, which are in order. Returns the outcome for each by its index.
    pub(in crate::shared_ledger) fn reserve(
        &mut self,
        items: &[NumberToReserve],
        term: &LeaseTerm<'_>,
    ) -> Vec<(usize, NumberOutcome)> {
        let mut outcomes = Vec::with_capacity(items.len());
        let mut fresh = Vec::with_capacity(items.len());
        for item in items {
            let hold = self.hold_of(item.seq);
            let hold = hold.filter(|hold| term.is_live(&hold.token, hold.taken, hold.until));
            if self.is_done(item.seq) {
                outcomes.push((item.index, NumberOutcome::Replayed));
            } else if let Some(hold) = hold {
                outcomes.push((item.index, NumberOutcome::Busy { until: hold.until }));
            } else {
                fresh.push(*item);
            }
        }
        for run in fresh.chunk_by(|one, next| next.seq == one.seq.saturating_add(1)) {
            let outcome = self.take(run, term);
            outcomes.extend(run.iter().map(|item| (item.index, outcome)));
        }
        outcomes
    }

    /// Takes a lease on consecutive numbers, all or none.
    fn take(&mut self, run: &[NumberToReserve], term: &LeaseTerm<'_>) -> NumberOutcome {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            return NumberOutcome::Fresh;
        };
        let span = NumberSpan { first: first.seq, last: last.seq };
        // Numbers that touch a range take no room of their own: in a channel that is full of gaps, the next number is
        // as welcome as one that closes a gap.
        if self.done.len() >= term.limits.ranges && !self.touches_done(&span) {
            return NumberOutcome::Full;
        }
        self.carve(&span, None);
        if !self.has_room(run.len(), term) {
            let end = self.next_end(term);
            return end.map_or(NumberOutcome::Full, |until| NumberOutcome::Busy { until });
        }
        let issued = run.iter().map(|item| item.issued).max().unwrap_or(term.now);
        let LeaseTerm { now: taken, until, token, .. } = *term;
        self.add_held(HeldNumbers { span, issued, hold: NumberHold { token, taken, until } });
        NumberOutcome::Fresh
    }

    /// Returns whether there is room for a lease on so many numbers. If there is not, it forgets leases that ran out.
    fn has_room(&mut self, numbers: usize, term: &LeaseTerm<'_>) -> bool {
        if self.fits(numbers, term.limits) {
            return true;
        }
        self.held.retain(|held| held.hold.is_live(term.now));
        self.fits(numbers, term.limits)
    }

    /// The value is bounded even if each number under a lease becomes a range of its own.
    fn fits(&self, numbers: usize, limits: ChannelLimits) -> bool {
        let held = self.held.iter().map(|held| usize::try_from(held.span.count()));
        let held =
            held.fold(0, |sum: usize, count| sum.saturating_add(count.unwrap_or(usize::MAX)));
        let all = self.done.len().saturating_add(held).saturating_add(numbers);
        all <= limits.numbers && self.held.len() < limits.held
    }

    /// Returns when the first of the leases ends that hold.
    fn next_end(&self, term: &LeaseTerm<'_>) -> Option<Timestamp> {
        let live = self.held.iter().filter(|held| held.hold.is_live(term.now));
        live.map(|held| held.hold.until).min()
    }
}

/// The most leases of a channel.
const MAX_HELD: usize = 4096;

/// The most ranges of a channel, if each number that is under a lease became one. They fit a value.
pub(super) const MAX_NUMBERS: usize = 24_576;
