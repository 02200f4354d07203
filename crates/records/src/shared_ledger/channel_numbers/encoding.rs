//! The value of a channel.

use std::collections::BTreeMap;

use brine_core::Timestamp;
use brine_core::cbor::Encoder;

use super::ends::MAX_COMMITS;
use super::reserving::MAX_NUMBERS;
use super::{ChannelNumbers, DoneNumbers, HeldNumbers, NumberHold};
use crate::ledger::{MAX_SEQ, NumberSpan, ReplayError};
use crate::shared_ledger::MAX_VALUE_BYTES;
use crate::shared_ledger::value::{self, ValueReader};

impl ChannelNumbers {
    /// Reads a value.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Damaged`] for anything that [`encode`](Self::encode) does not write; [`ReplayError::Version`].
    pub(in crate::shared_ledger) fn decode(value: &[u8]) -> Result<Self, ReplayError> {
        let mut reader = ValueReader::new(value, "a channel", ITEMS)?;
        let issued = reader.moment()?;
        let highest = reader.optional(ValueReader::uint)?;
        let (seen, known_from) = (reader.uint()?, reader.uint()?);
        let mut next = None;
        let done = reader.list(MAX_NUMBERS, 3, |reader| {
            let span = read_span(reader, next, 1)?;
            next = Some(span.last);
            Ok(DoneNumbers { span, issued: read_issued(reader, issued)? })
        })?;
        let holds = reader.list(MAX_NUMBERS, 3, |reader| {
            let (token, taken, until) = (reader.token()?, reader.moment()?, reader.moment()?);
            Ok(NumberHold { token, taken, until })
        })?;
        let mut next = None;
        let mut indexes = Vec::new();
        let held = reader.list(MAX_NUMBERS, 4, |reader| {
            let span = read_span(reader, next, 0)?;
            next = Some(span.last);
            let issued = read_issued(reader, issued)?;
            let index = reader.uint()?;
            indexes.push(index);
            let hold = usize::try_from(index).ok().and_then(|index| holds.get(index));
            let hold = *hold.ok_or_else(|| reader.contradicts("a lease has no holder"))?;
            Ok(HeldNumbers { span, issued, hold })
        })?;
        let commits = reader.list(MAX_COMMITS, 1, ValueReader::token)?;
        let channel = Self { issued, highest, seen, known_from, done, held, commits };
        channel.judge(&reader)?;
        let (known, found) = channel.holds();
        if known != holds || found != indexes {
            return Err(reader.contradicts("the holders are in another order"));
        }
        reader.finish()?;
        Ok(channel)
    }

    /// Writes the value.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Full`] if it is longer than a value may be, which nobody gets to: see
    /// [`MAX_NUMBERS`].
    pub(in crate::shared_ledger) fn encode(&self) -> Result<Vec<u8>, ReplayError> {
        let mut encoder = value::begin(ITEMS);
        encoder.uint(self.issued.unix());
        match self.highest {
            Some(highest) => encoder.uint(highest),
            None => encoder.nil(),
        };
        encoder.uint(self.seen).uint(self.known_from);
        encoder.array(length(self.done.len(), 3));
        let mut next = 0;
        for done in &self.done {
            self.write_span(&mut encoder, &mut next, &done.span, done.issued);
        }
        let (holds, indexes) = self.holds();
        encoder.array(length(holds.len(), 3));
        for NumberHold { token, taken, until } in &holds {
            encoder.bytes(token).uint(taken.unix()).uint(until.unix());
        }
        encoder.array(length(self.held.len(), 4));
        let mut next = 0;
        for (held, index) in self.held.iter().zip(indexes) {
            self.write_span(&mut encoder, &mut next, &held.span, held.issued);
            encoder.uint(index);
        }
        encoder.array(length(self.commits.len(), 1));
        for commit in &self.commits {
            encoder.bytes(commit);
        }
        let value = encoder.into_bytes();
        if value.len() > MAX_VALUE_BYTES {
            return Err(ReplayError::Full { limit: length(MAX_NUMBERS, 1) });
        }
        Ok(value)
    }

    /// Writes a span by its distance from the one before it, and when it was issued by the distance from the youngest.
    fn write_span(
        &self,
        encoder: &mut Encoder,
        next: &mut u64,
        span: &NumberSpan,
        issued: Timestamp,
    ) {
        encoder.uint(span.first.saturating_sub(*next)).uint(span.last.saturating_sub(span.first));
        encoder.uint(self.issued.unix().saturating_sub(issued.unix()));
        *next = span.last.saturating_add(1);
    }

    /// Returns the different leases in the order in which they occur, and which of them each span is under.
    fn holds(&self) -> (Vec<NumberHold>, Vec<u64>) {
        let mut known = BTreeMap::new();
        let (mut holds, mut indexes) = (Vec::new(), Vec::with_capacity(self.held.len()));
        for held in &self.held {
            let new = length(holds.len(), 1);
            let index = *known.entry(held.hold).or_insert(new);
            if index == new {
                holds.push(held.hold);
            }
            indexes.push(index);
        }
        (holds, indexes)
    }

    /// Refuses what contradicts itself.
    fn judge(&self, reader: &ValueReader<'_>) -> Result<(), ReplayError> {
        let last = self.done.last().map(|done| done.span.last);
        if last > self.highest {
            return Err(reader.contradicts("a number is higher than the highest"));
        }
        let is_both = |done: &DoneNumbers| !self.held_in(&done.span).is_empty();
        if self.done.iter().any(is_both) {
            return Err(reader.contradicts("a number was handled and is being handled"));
        }
        Ok(())
    }
}

/// Reads a span that begins at least `gap` numbers after the end of the one before it.
fn read_span(
    reader: &mut ValueReader<'_>,
    before: Option<u64>,
    gap: u64,
) -> Result<NumberSpan, ReplayError> {
    let (distance, more) = (reader.uint()?, reader.uint()?);
    let least = if before.is_some() { gap } else { 0 };
    let next = before.map_or(0, |last| last.saturating_add(1));
    let first = next.checked_add(distance).filter(|_| distance >= least);
    let last = first.and_then(|first| first.checked_add(more)).filter(|last| *last <= MAX_SEQ);
    match (first, last) {
        (Some(first), Some(last)) => Ok(NumberSpan { first, last }),
        _ => Err(reader.contradicts("a range of numbers is not where it can be")),
    }
}

/// Reads when something was issued, by its distance from the youngest.
fn read_issued(
    reader: &mut ValueReader<'_>,
    youngest: Timestamp,
) -> Result<Timestamp, ReplayError> {
    let before = reader.uint()?;
    let seconds = youngest.unix().checked_sub(before);
    reader.moment_of(seconds.unwrap_or(u64::MAX))
}

/// Returns how many items so many groups are.
fn length(groups: usize, size: u64) -> u64 {
    u64::try_from(groups).unwrap_or(u64::MAX).saturating_mul(size)
}

/// The items of a value, with the version.
const ITEMS: u64 = 9;
