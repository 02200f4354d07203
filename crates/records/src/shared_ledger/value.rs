//! How values are read: strictly, and as if somebody hostile had written them.

use std::time::Duration;

use brine_core::Timestamp;
use brine_core::cbor::{Decoder, Encoder, Malformed};

use super::MAX_VALUE_BYTES;
use crate::ledger::ReplayError;

/// The form of all values. It is the first item of each.
const VERSION: u64 = 1;

/// The bytes of a [`Token`].
pub(super) const TOKEN_BYTES: usize = 16;

/// A random number that names a lease, a ledger or a commit.
///
/// A counter in the value would do for one value. It would begin anew when the store lost the value, and a lease of
/// before could then commit under the number of another. Random tokens of 128 bits are unique without anybody who
/// counts.
pub(super) type Token = [u8; TOKEN_BYTES];

/// Returns a token that nobody else has.
pub(super) fn draw_token() -> Result<Token, ReplayError> {
    let mut token = Token::default();
    getrandom::fill(&mut token).map_err(|error| ReplayError::Database(Box::new(error)))?;
    Ok(token)
}

/// Begins a value of so many items, of which the version is one.
pub(super) fn begin(items: u64) -> Encoder {
    let mut encoder = Encoder::new();
    encoder.array(items).uint(VERSION);
    encoder
}

/// Reads a value item by item.
#[derive(Debug)]
pub(super) struct ValueReader<'v> {
    decoder: Decoder<'v>,
    what: &'static str,
}

impl<'v> ValueReader<'v> {
    /// Starts a value of so many items, of which the version is one. `what` is what it should be, for errors.
    pub(super) fn new(
        value: &'v [u8],
        what: &'static str,
        items: u64,
    ) -> Result<Self, ReplayError> {
        let mut reader = Self { decoder: Decoder::new(value), what };
        if value.len() > MAX_VALUE_BYTES {
            return Err(reader.contradicts("it is too long"));
        }
        let found = reader.read(Decoder::array)?;
        let version = reader.read(Decoder::int)?;
        if u64::try_from(version) != Ok(VERSION) {
            return Err(ReplayError::Version { found: version });
        }
        if found != items {
            return Err(reader.contradicts("it has another number of items"));
        }
        Ok(reader)
    }

    /// Demands that nothing is left.
    pub(super) fn finish(self) -> Result<(), ReplayError> {
        let what = self.what;
        self.decoder.finish().map_err(|error| malformed(what, &error))
    }

    /// Reads a number from 0 to 2^63 - 1.
    pub(super) fn uint(&mut self) -> Result<u64, ReplayError> {
        let number = self.read(Decoder::int)?;
        u64::try_from(number).map_err(|_| self.contradicts("a number is below 0"))
    }

    pub(super) fn moment(&mut self) -> Result<Timestamp, ReplayError> {
        let seconds = self.uint()?;
        self.moment_of(seconds)
    }

    /// Returns the moment so many seconds after 1970.
    pub(super) fn moment_of(&self, seconds: u64) -> Result<Timestamp, ReplayError> {
        Timestamp::from_unix(seconds).ok_or_else(|| self.contradicts("it has a moment after 9999"))
    }

    pub(super) fn seconds(&mut self) -> Result<Duration, ReplayError> {
        Ok(Duration::from_secs(self.uint()?))
    }

    pub(super) fn token(&mut self) -> Result<Token, ReplayError> {
        self.read(|decoder| decoder.sized().copied())
    }

    /// Reads a list of at most `most` groups of `size` items, each as `read` does.
    pub(super) fn list<T>(
        &mut self,
        most: usize,
        size: u64,
        mut read: impl FnMut(&mut Self) -> Result<T, ReplayError>,
    ) -> Result<Vec<T>, ReplayError> {
        let items = self.read(Decoder::array)?;
        let groups = items.checked_div(size).unwrap_or(0);
        let count = usize::try_from(groups).ok().filter(|count| *count <= most);
        let count = count.filter(|_| groups.checked_mul(size) == Some(items));
        let count =
            count.ok_or_else(|| self.contradicts("a list has a length that it cannot have"))?;
        // Not as much room as the list says that it needs: the bytes may not be there.
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(read(self)?);
        }
        Ok(list)
    }

    /// Reads nil as `None`, or what `read` reads.
    pub(super) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, ReplayError>,
    ) -> Result<Option<T>, ReplayError> {
        let mut ahead = self.decoder;
        if let Ok(None) = ahead.bytes_or_nil() {
            self.decoder = ahead;
            return Ok(None);
        }
        read(self).map(Some)
    }

    /// Reads the head of an array of so many items.
    pub(super) fn array_of(&mut self, items: u64) -> Result<(), ReplayError> {
        self.read(|decoder| decoder.array_of(items))
    }

    /// Says what is wrong.
    pub(super) fn contradicts(&self, why: &str) -> ReplayError {
        ReplayError::damaged(format!("{}: {why}", self.what))
    }

    fn read<T>(
        &mut self,
        read: impl FnOnce(&mut Decoder<'v>) -> Result<T, Malformed>,
    ) -> Result<T, ReplayError> {
        read(&mut self.decoder).map_err(|error| malformed(self.what, &error))
    }
}

fn malformed(what: &str, error: &Malformed) -> ReplayError {
    ReplayError::damaged(format!("{what}: {error}"))
}
