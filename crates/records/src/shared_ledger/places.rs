//! Where records are kept in the store.

use std::collections::BTreeMap;

use brine_core::{CHANNEL_BYTES, KeyId, Sequence, Timestamp};

use super::keys;
use super::value::Token;
use crate::ledger::{Identity, Subject};

/// Where a value is kept: one for each channel, and one for each record without a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ValuePlace {
    Channel(KeyId, [u8; CHANNEL_BYTES]),
    Name([u8; 32]),
}

impl ValuePlace {
    pub(super) fn key(&self) -> String {
        match self {
            Self::Channel(key, channel) => keys::of_channel(*key, channel),
            Self::Name(name) => keys::of_name(name),
        }
    }
}

/// The right to handle a record, until it runs out and another consumer reserves the record.
///
/// It is committed once: committing it once more says that it was done.
#[derive(Clone, Debug)]
#[must_use = "a lease that is not committed blocks the record until it runs out"]
pub struct SharedLease {
    pub(super) place: ValuePlace,
    /// The number in the channel; 0 for a name.
    pub(super) seq: u64,
    pub(super) issued: Timestamp,
    pub(super) token: Token,
    /// The ledger that gave it.
    pub(super) ledger: Token,
}

impl SharedLease {
    pub(super) fn new(subject: &Subject, issued: Timestamp, token: Token, ledger: Token) -> Self {
        let (place, seq) = place_of(subject);
        Self { place, seq, issued, token, ledger }
    }
}

/// Returns where a record is kept, and by which number there.
pub(super) const fn place_of(subject: &Subject) -> (ValuePlace, u64) {
    match subject.identity {
        Identity::Named(_, name) => (ValuePlace::Name(name), 0),
        Identity::Sequenced(key, Sequence { channel, seq }) => {
            (ValuePlace::Channel(key, channel), seq)
        }
    }
}

/// Returns the places of items, and the items of each, by their indexes.
pub(super) fn by_place(
    places: impl Iterator<Item = ValuePlace>,
) -> BTreeMap<ValuePlace, Vec<usize>> {
    let mut found: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, place) in places.enumerate() {
        found.entry(place).or_default().push(index);
    }
    found
}
