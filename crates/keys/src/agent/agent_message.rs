//! Messages of the agent protocol: a length, a type, and what belongs to it.

use std::io::{Read, Write};

use super::{AgentError, AgentExchange, FAILURE, MAX_AGENT_MESSAGE_BYTES};
use crate::openssh::Strings;

/// What an agent answered.
pub(super) struct Answer(Vec<u8>);

impl Answer {
    /// Returns what the answer holds, which must be of this type.
    pub(super) fn of_type(&self, expected: u8) -> Result<Fields<'_>, AgentError> {
        match self.0.split_first() {
            Some((found, rest)) if *found == expected => Ok(Fields(Strings(rest))),
            Some(_) => Err(AgentError::malformed("it is of another type than what was asked for")),
            None => Err(AgentError::malformed("it is empty")),
        }
    }
}

/// The fields of an answer, or of one of its fields.
pub(super) struct Fields<'a>(Strings<'a>);

impl<'a> Fields<'a> {
    pub(super) const fn of(field: &'a [u8]) -> Self {
        Self(Strings(field))
    }

    pub(super) fn number(&mut self) -> Result<u32, AgentError> {
        self.0.uint32().map_err(|_| ENDS_EARLY)
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8], AgentError> {
        self.0.string().map_err(|_| ENDS_EARLY)
    }

    /// Demands that nothing is left.
    pub(super) fn end(self) -> Result<(), AgentError> {
        match self.0.0 {
            [] => Ok(()),
            _ => Err(AgentError::malformed("something is left over")),
        }
    }
}

/// Sends a request of some type, which has these parts, and waits for its answer.
pub(super) fn ask(
    connection: &mut (impl Read + Write),
    request: u8,
    parts: &[&[u8]],
    exchange: AgentExchange,
) -> Result<Answer, AgentError> {
    let failed = |error| AgentError::talking(error, exchange);
    let length = parts.iter().fold(1, |sum: usize, part| sum.saturating_add(part.len()));
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    // In one piece: an agent may take half a message for a whole one that was cut.
    let message = [&length[..], &[request], &parts.concat()].concat();
    connection.write_all(&message).and_then(|()| connection.flush()).map_err(failed)?;
    let mut length = [0; 4];
    connection.read_exact(&mut length).map_err(failed)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_AGENT_MESSAGE_BYTES {
        return Err(AgentError::malformed("it is longer than 256 KiB"));
    }
    // What is claimed costs nothing: memory grows with what arrives.
    let (mut answer, most) = (Vec::new(), u64::try_from(length).unwrap_or(u64::MAX));
    connection.take(most).read_to_end(&mut answer).map_err(failed)?;
    if answer.len() < length {
        return Err(AgentError::HungUp);
    }
    match answer.as_slice() {
        [FAILURE] => Err(AgentError::Refused { exchange }),
        _ => Ok(Answer(answer)),
    }
}

/// Writes a string (RFC 4251, Section 5), in two parts. What is longer than its length can say is no message either.
pub(super) fn length_of(string: usize) -> [u8; 4] {
    u32::try_from(string).unwrap_or(u32::MAX).to_be_bytes()
}

const ENDS_EARLY: AgentError = AgentError::malformed("a field ends too early");
