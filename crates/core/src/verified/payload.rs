//! A payload that may be read, wherever it is.

use std::fmt;
use std::io;
use std::ops::Range;

use crate::error::{Error, Result, SystemError};
use crate::store::Kept;
use crate::stream::StreamReader;
use crate::time::Timestamp;

/// The payload of an envelope that has verified.
#[derive(Debug)]
pub(crate) struct Payload {
    place: Place,
    /// How many bytes of the current piece have been read.
    used: usize,
    /// How many bytes have been read in all.
    read: u64,
}

enum Place {
    /// Beside the envelope, or not wanted: only its length is known.
    Elsewhere { bytes: u64 },
    /// In a store.
    Kept { kept: Box<dyn Kept>, bytes: u64, at: u64, piece: Vec<u8> },
    /// In memory, behind what came before it in the envelope.
    Memory { bytes: Vec<u8>, start: usize },
    /// In segments, each verified when its turn comes.
    Segments(Box<StreamReader>),
}

impl Payload {
    /// Takes a part of some bytes, which stays where it is.
    pub(crate) fn within(mut bytes: Vec<u8>, place: Range<usize>) -> Self {
        bytes.truncate(place.end);
        Self::new(Place::Memory { bytes, start: place.start })
    }

    pub(crate) const fn elsewhere(bytes: u64) -> Self {
        Self::new(Place::Elsewhere { bytes })
    }

    pub(crate) fn kept(kept: Box<dyn Kept>, bytes: u64) -> Self {
        Self::new(Place::Kept { kept, bytes, at: 0, piece: Vec::new() })
    }

    pub(crate) fn segments(reader: StreamReader) -> Self {
        Self::new(Place::Segments(Box::new(reader)))
    }

    const fn new(place: Place) -> Self {
        Self { place, used: 0, read: 0 }
    }

    /// Takes only the length of another payload, which stays where it is.
    pub(crate) fn point_to(&mut self, payload: &[u8]) {
        *self = Self::elsewhere(length_of(payload));
    }

    /// Takes a copy of another payload, in the same memory.
    pub(crate) fn copy_in(&mut self, payload: &[u8]) {
        (self.used, self.read) = (0, 0);
        match &mut self.place {
            Place::Memory { bytes, start } => {
                *start = 0;
                bytes.clear();
                // Memory for a long payload is not kept for short ones.
                if bytes.capacity() / 2 > payload.len().max(KEPT_BYTES) {
                    *bytes = Vec::new();
                }
                bytes.extend_from_slice(payload);
            }
            other => *other = Place::Memory { bytes: payload.to_vec(), start: 0 },
        }
    }

    /// Returns how long it is; of segments, how much has been read.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.place {
            Place::Elsewhere { bytes } | Place::Kept { bytes, .. } => *bytes,
            Place::Memory { .. } => length_of(self.place.piece()),
            Place::Segments(_) => self.read,
        }
    }

    /// Returns when a segment was judged last, if there are segments.
    pub(crate) fn judged_at(&self) -> Option<Timestamp> {
        match &self.place {
            Place::Segments(reader) => Some(reader.judged_at()),
            Place::Elsewhere { .. } | Place::Kept { .. } | Place::Memory { .. } => None,
        }
    }

    pub(crate) fn in_memory(&self) -> Option<&[u8]> {
        match &self.place {
            Place::Memory { .. } => Some(self.place.piece()),
            Place::Elsewhere { .. } | Place::Kept { .. } | Place::Segments(_) => None,
        }
    }

    /// Returns the next bytes and counts them as read; `None` at the end.
    pub(crate) fn next_piece(&mut self) -> Result<Option<&[u8]>> {
        self.fill()?;
        let used = self.used;
        let piece = self.place.piece().get(used..).unwrap_or_default().len();
        self.consume(piece);
        let piece = self.place.piece().get(used..).unwrap_or_default();
        Ok(if piece.is_empty() { None } else { Some(piece) })
    }

    /// Returns what has not been read yet.
    pub(crate) fn into_bytes(mut self) -> Result<Vec<u8>> {
        if let Place::Memory { mut bytes, start } = self.place {
            bytes.drain(..start.saturating_add(self.used).min(bytes.len()));
            return Ok(bytes);
        }
        let mut bytes = Vec::new();
        while let Some(piece) = self.next_piece()? {
            bytes.extend_from_slice(piece);
        }
        Ok(bytes)
    }

    /// Returns what there is of the current piece, or the next one; nothing at the end.
    pub(crate) fn fill(&mut self) -> Result<&[u8]> {
        if self.place.piece().len() <= self.used && self.place.advance()? {
            self.used = 0;
        }
        Ok(self.place.piece().get(self.used..).unwrap_or_default())
    }

    pub(crate) fn consume(&mut self, count: usize) {
        let left = self.place.piece().len().saturating_sub(self.used);
        let count = count.min(left);
        self.used = self.used.saturating_add(count);
        self.read = self.read.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }
}

impl Place {
    /// The bytes that can be read without asking for more.
    fn piece(&self) -> &[u8] {
        match self {
            Self::Elsewhere { .. } => &[],
            Self::Kept { piece, .. } => piece,
            Self::Memory { bytes, start } => bytes.get(*start..).unwrap_or_default(),
            Self::Segments(reader) => reader.current(),
        }
    }

    /// Gets the next piece, and returns whether there is one.
    fn advance(&mut self) -> Result<bool> {
        match self {
            Self::Elsewhere { .. } | Self::Memory { .. } => Ok(false),
            Self::Kept { kept, bytes, at, piece } => {
                let left = usize::try_from(bytes.saturating_sub(*at)).unwrap_or(usize::MAX);
                piece.resize(left.min(PIECE_BYTES), 0);
                let read = read_at(kept.as_ref(), piece, *at);
                // What was not read must not be there either, whatever becomes of the error.
                piece.truncate(*read.as_ref().unwrap_or(&0));
                *at = at.saturating_add(length_of(piece));
                read.map(|read| read > 0)
            }
            Self::Segments(reader) => {
                // An empty segment is no end.
                while let Some(segment) = reader.next_segment()? {
                    if !segment.is_empty() {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

/// Reads as much of a store as it gives at once. It **must** give something, unless nothing is asked for.
fn read_at(kept: &dyn Kept, room: &mut [u8], offset: u64) -> Result<usize> {
    loop {
        match kept.read_at(room, offset) {
            Ok(0) if !room.is_empty() => return Err(store(io::ErrorKind::UnexpectedEof.into())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read.map_err(store),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Elsewhere { .. } => "Elsewhere",
            Self::Kept { .. } => "Kept",
            Self::Memory { .. } => "Memory",
            Self::Segments(_) => "Segments",
        })
    }
}

fn store(error: io::Error) -> Error {
    SystemError::Store(error).into()
}

fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

const PIECE_BYTES: usize = 256 * 1024;

/// How much memory is kept for the next payload, whatever that is.
const KEPT_BYTES: usize = 256 * 1024;
