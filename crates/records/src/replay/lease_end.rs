//! The second phase: what was worked on is done, or given back.

use rusqlite::{Connection, params};

use super::channel::Channel;
use super::spans::{self, Span};
use super::state::State;
use super::{Lease, Place, ReplayError, Settled};
use crate::claims::Timestamp;

/// How a lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The record was handled.
    Done,
    /// It was not, and may be tried again.
    GivenBack,
}

/// One call, in one transaction.
#[derive(Debug)]
pub(super) struct Settle<'t> {
    pub(super) connection: &'t Connection,
    pub(super) state: &'t mut State,
    pub(super) now: Timestamp,
    pub(super) end: End,
}

/// A number of a channel under a lease, and which of the call's it is.
#[derive(Clone, Copy, Debug)]
struct Item {
    channel: i64,
    token: u64,
    seq: u64,
    index: usize,
    issued: Timestamp,
}

impl Settle<'_> {
    /// Ends the leases that nobody has taken over, and says of each whether it was one, in their order.
    pub(super) fn all(mut self, leases: &[Lease]) -> Result<Vec<Settled>, ReplayError> {
        let mut outcomes = Vec::with_capacity(leases.len());
        let mut items = Vec::with_capacity(leases.len());
        for (index, lease) in leases.iter().enumerate() {
            let Lease { place, issued, token } = *lease;
            match place {
                Place::Named(name) => outcomes.push((index, self.named(&name, token)?)),
                Place::Numbered { channel, seq } => {
                    items.push(Item { channel, token, seq, index, issued });
                }
            }
        }
        items.sort_unstable_by_key(|item| (item.channel, item.token, item.seq));
        for of_one in items.chunk_by(|one, next| one.channel == next.channel) {
            let Some(first) = of_one.first() else { continue };
            match Channel::by_id(self.connection, first.channel)? {
                Some(channel) => self.channel(channel, of_one, &mut outcomes)?,
                None => outcomes.extend(of_one.iter().map(|item| (item.index, Settled::Lost))),
            }
        }
        outcomes.sort_unstable_by_key(|(index, _)| *index);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    fn channel(
        &mut self,
        mut channel: Channel,
        items: &[Item],
        outcomes: &mut Vec<(usize, Settled)>,
    ) -> Result<(), ReplayError> {
        let follows = |one: &Item, next: &Item| {
            one.token == next.token && next.seq == one.seq.saturating_add(1)
        };
        for run in items.chunk_by(follows) {
            let owned = self.take_back(channel.id, run)?;
            for item in run {
                let kept = owned.iter().any(|span| span.contains(item.seq));
                outcomes.push((item.index, if kept { Settled::Done } else { Settled::Lost }));
            }
            if self.end == End::Done {
                for span in &owned {
                    self.record(&mut channel, span, run)?;
                }
            }
        }
        match self.end {
            End::Done => channel.save(self.connection),
            End::GivenBack => Ok(()),
        }
    }

    /// Takes numbers out of the leases they are under, and returns those whose token is theirs still.
    fn take_back(&mut self, channel: i64, run: &[Item]) -> Result<Vec<Span>, ReplayError> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(Vec::new()) };
        let span = Span { first: first.seq, last: last.seq };
        let mut owned = Vec::new();
        for held in spans::leases(self.connection, channel, &span)? {
            let Some(hole) = held.span.overlap(&span) else { continue };
            if held.token == first.token {
                self.state.grow(spans::carve(self.connection, channel, &held, &hole)?);
                owned.push(hole);
            }
        }
        Ok(owned)
    }

    fn record(
        &mut self,
        channel: &mut Channel,
        span: &Span,
        run: &[Item],
    ) -> Result<(), ReplayError> {
        let times = run.iter().filter(|item| span.contains(item.seq)).map(|item| item.issued);
        let issued = times.max().unwrap_or(self.now);
        let growth = spans::add_done(self.connection, channel.id, span, issued)?;
        self.state.grow(growth);
        channel.ranges = channel.ranges.saturating_add_signed(growth);
        channel.highest = channel.highest.max(Some(span.last));
        channel.seen = channel.seen.saturating_add(span.count());
        channel.issued = channel.issued.max(issued);
        channel.used = channel.used.max(self.now);
        Ok(())
    }

    fn named(&mut self, name: &[u8; 32], token: u64) -> Result<Settled, ReplayError> {
        let sql = match self.end {
            End::Done => {
                "UPDATE named SET taken = NULL, until = NULL, token = NULL \
                 WHERE name = ?1 AND token = ?2"
            }
            End::GivenBack => "DELETE FROM named WHERE name = ?1 AND token = ?2",
        };
        let rows = self.connection.prepare_cached(sql)?.execute(params![name, token])?;
        if rows == 0 {
            return Ok(Settled::Lost);
        }
        if self.end == End::GivenBack {
            self.state.grow(-1);
        }
        Ok(Settled::Done)
    }
}
