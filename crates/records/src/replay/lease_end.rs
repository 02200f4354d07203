//! The second phase: leases are committed or given back.

use brine_core::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::bookkeeping::Bookkeeping;
use super::channel::ChannelRow;
use super::number_rows;
use super::signer_share::{self, SignerShares};
use super::{RecordPlace, ReplayLease};
use crate::ledger::{NumberSpan, ReplayError, Settled};

/// How a lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeaseEnd {
    /// The record was handled.
    Done,
    /// The record was not handled, and may be tried again.
    GivenBack,
}

/// One call, in one transaction.
#[derive(Debug)]
pub(super) struct SettleLeases<'t> {
    pub(super) connection: &'t Connection,
    pub(super) state: &'t mut Bookkeeping,
    pub(super) shares: SignerShares,
    pub(super) now: Timestamp,
    pub(super) end: LeaseEnd,
}

/// A number of a channel under a lease, with its index in the call.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeasedNumber {
    pub(super) channel: i64,
    pub(super) token: u64,
    pub(super) seq: u64,
    pub(super) index: usize,
    issued: Timestamp,
}

impl LeasedNumber {
    /// Returns the leases of numbers by channel, token and number; `see_name` is passed all others, each with
    /// its index in the call, its name and its token.
    pub(super) fn sorted<'l>(
        leases: impl ExactSizeIterator<Item = &'l ReplayLease>,
        mut see_name: impl FnMut(usize, &[u8; 32], u64) -> Result<(), ReplayError>,
    ) -> Result<Vec<Self>, ReplayError> {
        let mut items = Vec::with_capacity(leases.len());
        for (index, ReplayLease { place, issued, token }) in leases.enumerate() {
            match *place {
                RecordPlace::Named(name) => see_name(index, &name, *token)?,
                RecordPlace::Numbered { channel, seq } => {
                    items.push(Self { channel, token: *token, seq, index, issued: *issued });
                }
            }
        }
        items.sort_unstable_by_key(|item| (item.channel, item.token, item.seq));
        Ok(items)
    }

    /// Returns whether `next` is the next number of the same channel, under the same token.
    pub(super) const fn precedes(&self, next: &Self) -> bool {
        self.channel == next.channel
            && self.token == next.token
            && next.seq == self.seq.saturating_add(1)
    }
}

impl SettleLeases<'_> {
    /// Ends the leases that are still held, and returns the outcome for each, in order.
    pub(super) fn all<'l>(
        mut self,
        leases: impl ExactSizeIterator<Item = &'l ReplayLease>,
    ) -> Result<Vec<Settled>, ReplayError> {
        let mut outcomes = Vec::with_capacity(leases.len());
        let items = LeasedNumber::sorted(leases, |index, name, token| {
            outcomes.push((index, self.named(name, token)?));
            Ok(())
        })?;
        for of_one in items.chunk_by(|one, next| one.channel == next.channel) {
            let Some(first) = of_one.first() else { continue };
            match ChannelRow::by_id(self.connection, first.channel)? {
                Some(channel) => self.channel(channel, of_one, &mut outcomes)?,
                None => outcomes.extend(of_one.iter().map(|item| (item.index, Settled::Lost))),
            }
        }
        self.shares.save(self.connection)?;
        outcomes.sort_unstable_by_key(|(index, _)| *index);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    fn channel(
        &mut self,
        mut channel: ChannelRow,
        items: &[LeasedNumber],
        outcomes: &mut Vec<(usize, Settled)>,
    ) -> Result<(), ReplayError> {
        for run in items.chunk_by(LeasedNumber::precedes) {
            let owned = self.take_back(&channel, run)?;
            for item in run {
                let kept = owned.iter().any(|span| span.contains(item.seq));
                outcomes.push((item.index, if kept { Settled::Done } else { Settled::Lost }));
            }
            if self.end == LeaseEnd::Done {
                for span in &owned {
                    self.record(&mut channel, span, run)?;
                }
            }
        }
        match self.end {
            LeaseEnd::Done => channel.save(self.connection),
            LeaseEnd::GivenBack => Ok(()),
        }
    }

    /// Takes numbers out of their leases, and returns those that were still under their own token.
    fn take_back(
        &mut self,
        channel: &ChannelRow,
        run: &[LeasedNumber],
    ) -> Result<Vec<NumberSpan>, ReplayError> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(Vec::new()) };
        let span = NumberSpan { first: first.seq, last: last.seq };
        let mut owned = Vec::new();
        for held in number_rows::leases(self.connection, channel.id, &span)? {
            let Some(hole) = held.span.overlap(&span) else { continue };
            if held.token == first.token {
                let growth = number_rows::carve(self.connection, channel.id, &held, &hole)?;
                self.shares.grow(self.connection, self.state, channel.key, growth)?;
                owned.push(hole);
            }
        }
        Ok(owned)
    }

    fn record(
        &mut self,
        channel: &mut ChannelRow,
        span: &NumberSpan,
        run: &[LeasedNumber],
    ) -> Result<(), ReplayError> {
        let times = run.iter().filter(|item| span.contains(item.seq)).map(|item| item.issued);
        let issued = times.max().unwrap_or(self.now);
        let growth = number_rows::add_done(self.connection, channel.id, span, issued)?;
        self.shares.grow(self.connection, self.state, channel.key, growth)?;
        channel.ranges = channel.ranges.saturating_add_signed(growth);
        channel.highest = channel.highest.max(Some(span.last));
        channel.seen = channel.seen.saturating_add(span.count());
        channel.issued = channel.issued.max(issued);
        channel.used = channel.used.max(self.now);
        Ok(())
    }

    fn named(&mut self, name: &[u8; 32], token: u64) -> Result<Settled, ReplayError> {
        let sql = match self.end {
            LeaseEnd::Done => {
                "UPDATE named SET taken = NULL, until = NULL, token = NULL \
                 WHERE name = ?1 AND token = ?2 RETURNING signer"
            }
            LeaseEnd::GivenBack => {
                "DELETE FROM named WHERE name = ?1 AND token = ?2 RETURNING signer"
            }
        };
        let mut statement = self.connection.prepare_cached(sql)?;
        let signer = statement.query_row(params![name, token], |row| row.get(0)).optional()?;
        let Some(signer) = signer else { return Ok(Settled::Lost) };
        if self.end == LeaseEnd::GivenBack {
            self.state.grow(-1);
            signer_share::forget_name(self.connection, signer)?;
        }
        Ok(Settled::Done)
    }
}
