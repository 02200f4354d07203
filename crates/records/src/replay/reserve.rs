//! The first phase: who may work on a record.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::channel::Channel;
use super::spans::{self, Held, Span};
use super::state::{State, is_live, moment};
use super::{Lease, Limits, Place, ReplayError, Reservation, Subject, prune};
use crate::claims::Timestamp;
use crate::cose::CHANNEL_BYTES;
use crate::error::{Error, Result};
use crate::key::KeyId;
use crate::record::replay::subject::Identity;

/// One call, in one transaction.
#[derive(Debug)]
pub(super) struct Reserve<'t> {
    pub(super) connection: &'t Connection,
    pub(super) state: &'t mut State,
    pub(super) limits: Limits,
    pub(super) now: Timestamp,
    pub(super) until: Timestamp,
}

/// A record of a channel, and which of the call's it is.
#[derive(Clone, Copy, Debug)]
struct Item {
    seq: u64,
    index: usize,
    issued: Timestamp,
}

/// What became of each record, by its place in the call.
type Outcomes = Vec<(usize, Reservation)>;

impl Reserve<'_> {
    /// Reserves what can be, and says of each subject what became of it, in their order.
    pub(super) fn all(mut self, subjects: &[Subject]) -> Result<Vec<Reservation>> {
        let mut outcomes = Outcomes::with_capacity(subjects.len());
        let mut met = HashMap::with_capacity(subjects.len());
        let mut channels: BTreeMap<(KeyId, [u8; CHANNEL_BYTES]), Vec<Item>> = BTreeMap::new();
        // One token for the whole call: what is given out later has a larger one.
        self.state.token = self.state.token.saturating_add(1);
        for (index, subject) in subjects.iter().enumerate() {
            let issued = match self.state.judge(subject, self.now) {
                Err(error @ Error::Replay(ReplayError::ClockBehind { .. })) => return Err(error),
                Err(error) => {
                    outcomes.push((index, Reservation::Refused(error)));
                    continue;
                }
                Ok(issued) => issued,
            };
            if let Some(of) = met.insert(subject.identity, index) {
                met.insert(subject.identity, of);
                outcomes.push((index, Reservation::Twin { of }));
                continue;
            }
            match subject.identity {
                Identity::Named(name) => {
                    outcomes.push((index, self.named(&name, subject, issued)?));
                }
                Identity::Sequenced(key, sequence) => {
                    let items = channels.entry((key, sequence.channel)).or_default();
                    items.push(Item { seq: sequence.seq, index, issued });
                }
            }
        }
        for ((key, name), mut items) in channels {
            items.sort_unstable_by_key(|item| item.seq);
            self.channel(key, name, &items, &mut outcomes)?;
        }
        outcomes.sort_unstable_by_key(|(index, _)| *index);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    fn channel(
        &mut self,
        key: KeyId,
        name: [u8; CHANNEL_BYTES],
        items: &[Item],
        outcomes: &mut Outcomes,
    ) -> Result<(), ReplayError> {
        let issued = items.iter().map(|item| item.issued).max().unwrap_or(self.now);
        let mut found = Channel::find(self.connection, key, &name)?;
        if !self.fits(found.as_ref()) {
            self.make_room()?;
            found = Channel::find(self.connection, key, &name)?;
        }
        let channel = match found {
            Some(channel) => channel,
            None if self.fits(None) => {
                Channel::insert(self.connection, self.state, key, name, issued)?
            }
            None => {
                outcomes.extend(items.iter().map(|item| (item.index, self.full())));
                return Ok(());
            }
        };
        for run in items.chunk_by(|one, next| next.seq == one.seq.saturating_add(1)) {
            self.run(&channel, run, outcomes)?;
        }
        Ok(())
    }

    /// Reserves consecutive numbers, but for those that are done or that somebody works on.
    fn run(
        &mut self,
        channel: &Channel,
        run: &[Item],
        outcomes: &mut Outcomes,
    ) -> Result<(), ReplayError> {
        let Some(span) = span_of(run) else { return Ok(()) };
        let done = spans::done(self.connection, channel.id, &span.widened())?;
        let leases = spans::leases(self.connection, channel.id, &span)?;
        let mut fresh = Vec::with_capacity(run.len());
        for item in run {
            let held = leases.iter().find(|held| held.span.contains(item.seq));
            let held = held.filter(|held| is_live(held.taken, held.until, self.now));
            if done.iter().any(|(span, _)| span.contains(item.seq)) {
                outcomes.push((item.index, Reservation::Replayed));
            } else if let Some(held) = held {
                outcomes.push((item.index, Reservation::Busy { until: held.until }));
            } else {
                fresh.push(*item);
            }
        }
        for items in fresh.chunk_by(|one, next| next.seq == one.seq.saturating_add(1)) {
            let Some(span) = span_of(items) else { continue };
            // What touches numbers that are done takes no room of its own: the next number of a channel
            // that is full of gaps is as welcome as one that closes a gap.
            let joins = done.iter().any(|(done, _)| done.touches(&span));
            if !joins && !self.fits(Some(channel)) {
                outcomes.extend(items.iter().map(|item| (item.index, self.full())));
                continue;
            }
            if !leases.is_empty() {
                self.take_over(channel, &span)?;
            }
            self.take(channel, &span, items)?;
            let token = self.state.token;
            outcomes.extend(items.iter().map(|item| {
                let place = Place::Numbered { channel: channel.id, seq: item.seq };
                (item.index, Reservation::Fresh(Lease { place, issued: item.issued, token }))
            }));
        }
        Ok(())
    }

    /// Ends the leases that ran out on these numbers.
    fn take_over(&mut self, channel: &Channel, span: &Span) -> Result<(), ReplayError> {
        for held in spans::leases(self.connection, channel.id, span)? {
            self.state.grow(spans::carve(self.connection, channel.id, &held, span)?);
        }
        Ok(())
    }

    /// Writes down who works on these numbers from now on.
    fn take(&mut self, channel: &Channel, span: &Span, items: &[Item]) -> Result<(), ReplayError> {
        let issued = items.iter().map(|item| item.issued).max().unwrap_or(self.now);
        let (taken, until, token) = (self.now, self.until, self.state.token);
        let held = Held { span: *span, issued, taken, until, token };
        spans::add_lease(self.connection, channel.id, &held)?;
        self.state.grow(1);
        Ok(())
    }

    /// Reserves a record that is held by its name.
    fn named(
        &mut self,
        name: &[u8; 32],
        subject: &Subject,
        issued: Timestamp,
    ) -> Result<Reservation> {
        let Some(expires) = subject.expires else {
            return Ok(Reservation::Refused(ReplayError::ExpiryMissing.into()));
        };
        let known = find_named(self.connection, name)?;
        match known {
            Some(None) => return Ok(Reservation::Replayed),
            Some(Some((taken, until))) if is_live(taken, until, self.now) => {
                return Ok(Reservation::Busy { until });
            }
            Some(Some(_)) => {}
            None if !self.fits(None) && !self.make_room()? => return Ok(self.full()),
            None => self.state.grow(1),
        }
        let token = self.state.token;
        let sql = "INSERT OR REPLACE INTO named VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut statement = self.connection.prepare_cached(sql).map_err(ReplayError::from)?;
        let times = [issued, expires, self.now, self.until].map(Timestamp::unix);
        let [issued_at, expires, taken, until] = times;
        statement
            .execute(params![name, issued_at, expires, taken, until, token])
            .map_err(ReplayError::from)?;
        Ok(Reservation::Fresh(Lease { place: Place::Named(*name), issued, token }))
    }

    /// Returns whether there is room for a row more.
    fn fits(&self, channel: Option<&Channel>) -> bool {
        let ranges = channel.map_or(0, |channel| channel.ranges);
        ranges < self.limits.ranges && self.state.entries < self.limits.entries
    }

    /// Throws away what nobody needs any more. Returns whether there is room now, as far as all channels
    /// go.
    fn make_room(&mut self) -> Result<bool, ReplayError> {
        // Once a second is enough: time is counted in seconds.
        if self.state.pruned < self.state.latest {
            prune::prune(self.connection, self.state, self.now)?;
        }
        Ok(self.fits(None))
    }

    fn full(&self) -> Reservation {
        let (limit, what) = if self.state.entries < self.limits.entries {
            (self.limits.ranges, "ranges in one channel")
        } else {
            (self.limits.entries, "entries in all")
        };
        Reservation::Refused(ReplayError::Full { limit, what }.into())
    }
}

/// Returns whether a name is known, and if somebody works on it, from when until when.
pub(super) type Named = Option<Option<(Timestamp, Timestamp)>>;

pub(super) fn find_named(connection: &Connection, name: &[u8; 32]) -> Result<Named, ReplayError> {
    let sql = "SELECT taken, until FROM named WHERE name = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let times = statement.query_row([name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some(times) = times else { return Ok(None) };
    match times {
        (Some(taken), Some(until)) => Ok(Some(Some((moment(taken)?, moment(until)?)))),
        (None, None) => Ok(Some(None)),
        _ => Err(ReplayError::damaged("a name has half a lease")),
    }
}

fn span_of(items: &[Item]) -> Option<Span> {
    Some(Span { first: items.first()?.seq, last: items.last()?.seq })
}
