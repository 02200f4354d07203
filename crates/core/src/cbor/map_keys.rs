//! The keys of a map, of which no two may be equal.

use super::{Flaw, Malformed};

/// Where the keys of a map are. Those of small maps take no memory of their own.
#[derive(Default)]
pub(super) struct KeyPlaces {
    first: [Place; 8],
    count: usize,
    more: Vec<Place>,
}

/// Where a key begins and ends.
type Place = (usize, usize);

impl KeyPlaces {
    #[inline]
    pub(super) fn push(&mut self, place: Place) {
        match self.first.get_mut(self.count) {
            Some(free) => {
                *free = place;
                self.count += 1;
            }
            None => self.more.push(place),
        }
    }

    /// Refuses equal keys of a map in `input`, which need not be in any order: they are sorted, and compared with
    /// their neighbours.
    pub(super) fn refuse_duplicates(&self, input: &[u8]) -> Result<(), Malformed> {
        let key = |&(start, end): &Place| (input.get(start..end).unwrap_or_default(), start);
        let mut keys: Vec<_> = self.iter().map(key).collect();
        keys.sort_unstable();
        let twice = keys.windows(2).find_map(|pair| match pair {
            [(one, _), (other, offset)] if one == other => Some(*offset),
            _ => None,
        });
        twice.map_or(Ok(()), |offset| Err(Malformed::new(offset, Flaw::DuplicateKey)))
    }

    fn iter(&self) -> impl Iterator<Item = &Place> {
        self.first.iter().take(self.count).chain(&self.more)
    }
}
