//! The second phase: leases are committed, given back or renewed.

use brine_core::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{ChannelNumbers, DoneNumbers, NumberHold};
use crate::ledger::{NumberSpan, Settled};
use crate::shared_ledger::value::Token;

/// What becomes of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shared_ledger) enum LeaseChange {
    /// The record was handled.
    Done,
    /// The record was not handled, and may be tried again.
    GivenBack,
    /// The record is still being handled.
    Renewed { taken: Timestamp, until: Timestamp },
}

/// A number under a lease, with its index in the call.
#[derive(Clone, Copy, Debug)]
pub(in crate::shared_ledger) struct LeasedNumber {
    pub(in crate::shared_ledger) token: Token,
    pub(in crate::shared_ledger) seq: u64,
    pub(in crate::shared_ledger) index: usize,
    pub(in crate::shared_ledger) issued: Timestamp,
}

impl LeasedNumber {
    /// Returns whether `next` is the next number under the same token.
    fn precedes(&self, next: &Self) -> bool {
        self.token == next.token && next.seq == self.seq.saturating_add(1)
    }
}

impl ChannelNumbers {
    /// Changes the leases that are still held, of numbers in the order of tokens and numbers. Returns the outcome for each by
    /// its index.
    pub(in crate::shared_ledger) fn change(
        &mut self,
        items: &[LeasedNumber],
        change: LeaseChange,
    ) -> Vec<(usize, Settled)> {
        let mut outcomes = Vec::with_capacity(items.len());
        for run in items.chunk_by(LeasedNumber::precedes) {
            let owned = self.change_run(run, change);
            outcomes.extend(run.iter().map(|item| {
                let kept = owned.iter().any(|span| span.contains(item.seq));
                (item.index, if kept { Settled::Done } else { Settled::Lost })
            }));
        }
        if change == LeaseChange::Done {
            self.remember_commit(items, &mut outcomes);
        }
        outcomes
    }

    /// Changes the leases on consecutive numbers with one token, and returns those that were still held.
    fn change_run(&mut self, run: &[LeasedNumber], change: LeaseChange) -> Vec<NumberSpan> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Vec::new() };
        let span = NumberSpan { first: first.seq, last: last.seq };
        match change {
            LeaseChange::Done => {
                let owned = self.carve(&span, Some(&first.token));
                for span in &owned {
                    let times = run.iter().filter(|item| span.contains(item.seq));
                    let issued = times.map(|item| item.issued).max().unwrap_or(first.issued);
                    self.add_done(DoneNumbers { span: *span, issued });
                }
                owned
            }
            LeaseChange::GivenBack => self.carve(&span, Some(&first.token)),
            LeaseChange::Renewed { taken, until } => {
                let hold = NumberHold { token: first.token, taken, until };
                self.renew(&span, hold)
            }
        }
    }

    /// Renews what has this token and overlaps the span, which ends together.
    fn renew(&mut self, span: &NumberSpan, hold: NumberHold) -> Vec<NumberSpan> {
        let range = self.held_in(span);
        let held = self.held.get_mut(range).unwrap_or_default().iter_mut();
        let own = held.filter(|held| held.hold.token == hold.token);
        own.map(|held| {
            held.hold = hold;
            held.span
        })
        .collect()
    }

    /// Notes a commit of which nothing was lost. If all was, it may be a commit whose answer was lost, and which is tried
    /// again: then it is done.
    fn remember_commit(&mut self, items: &[LeasedNumber], outcomes: &mut [(usize, Settled)]) {
        let is = |what| outcomes.iter().all(|(_, settled)| *settled == what);
        let (is_done, is_lost) = (is(Settled::Done), is(Settled::Lost));
        if !is_done && !is_lost {
            return;
        }
        let commit = name_of(items);
        if is_lost && self.commits.contains(&commit) {
            outcomes.iter_mut().for_each(|(_, settled)| *settled = Settled::Done);
        } else if is_done {
            let surplus = (self.commits.len() + 1).saturating_sub(MAX_COMMITS);
            self.commits.drain(..surplus.min(self.commits.len()));
            self.commits.push(commit);
        }
    }
}

/// Returns what nobody else commits: the tokens are random.
fn name_of(items: &[LeasedNumber]) -> Token {
    let mut hash = Sha256::new();
    for item in items {
        hash.update(item.token);
        hash.update(item.seq.to_be_bytes());
    }
    let hash: [u8; 32] = hash.finalize().into();
    hash.first_chunk().copied().unwrap_or_default()
}

/// How many commits a channel remembers by name.
pub(super) const MAX_COMMITS: usize = 32;
