//! A record that is known by its name.

use brine_core::Timestamp;

use super::meta::LedgerMeta;
use super::value::{self, Token, ValueReader};
use crate::ledger::ReplayError;

/// The value of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NameRecord {
    pub(super) issued: Timestamp,
    pub(super) expires: Timestamp,
    /// The token of the lease, also when the record was handled.
    pub(super) token: Token,
    /// From when until when the record is under a lease; `None` if it was handled.
    pub(super) held: Option<(Timestamp, Timestamp)>,
}

impl NameRecord {
    pub(super) fn decode(value: &[u8]) -> Result<Self, ReplayError> {
        let mut reader = ValueReader::new(value, "a name", 5)?;
        let [issued, expires] = [reader.moment()?, reader.moment()?];
        let token = reader.token()?;
        let held = reader.optional(|reader| {
            reader.array_of(2)?;
            Ok((reader.moment()?, reader.moment()?))
        })?;
        reader.finish()?;
        Ok(Self { issued, expires, token, held })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut encoder = value::begin(5);
        encoder.uint(self.issued.unix()).uint(self.expires.unix()).bytes(&self.token);
        match self.held {
            Some((taken, until)) => encoder.array(2).uint(taken.unix()).uint(until.unix()),
            None => encoder.nil(),
        };
        encoder.into_bytes()
    }

    /// Returns until when the value is kept.
    pub(super) fn keep_until(&self, meta: &LedgerMeta) -> Timestamp {
        let held_until = self.held.map_or(self.issued, |(_, until)| until);
        meta.keep_name(self.issued, self.expires, held_until)
    }
}
