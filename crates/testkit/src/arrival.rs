//! Inputs that arrive in pieces.

use std::io::{self, Read};

/// How much of an input comes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// At most so many bytes.
    AtOnce(usize),
    /// One byte, and each read is interrupted before it.
    Reluctant,
    /// As much as is asked for.
    Whole,
}

/// An input whose bytes arrive in pieces.
#[derive(Clone, Debug)]
pub struct Arriving {
    bytes: io::Cursor<Vec<u8>>,
    arrival: Arrival,
    interrupted: bool,
}

impl Arriving {
    /// Begins with nothing read.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>, arrival: Arrival) -> Self {
        Self { bytes: io::Cursor::new(bytes.into()), arrival, interrupted: false }
    }
}

impl Read for Arriving {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let at_once = match self.arrival {
            Arrival::AtOnce(bytes) => bytes,
            Arrival::Reluctant => {
                self.interrupted = !self.interrupted;
                if self.interrupted {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                1
            }
            Arrival::Whole => usize::MAX,
        };
        let at_once = room.len().min(at_once);
        self.bytes.read(&mut room[..at_once])
    }
}
