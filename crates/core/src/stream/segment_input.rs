//! Reads the parts of segments from an input, and never more than belongs to them.

use std::io::{self, Read};

use super::MAX_SEGMENT_BYTES;
use super::buffer::Buffer;
use crate::cbor::{Flaw, Head, Major, Malformed};
use crate::cose::{ContentType, FormError, HeaderMap, MAX_HEADER_BYTES, label};
use crate::error::{Error, Result, StreamError};
use crate::hash::MAX_DIGEST_BYTES;
use crate::kind::Kind;

/// Reads tag, array and protected header, and returns where the latter begins.
pub(crate) fn read_protected(input: &mut dyn Read, bytes: &mut Vec<u8>) -> Result<usize> {
    // 18([protected, unprotected, payload, signature])
    for expected in [0xd2, 0x84] {
        read_more(input, bytes, 1)?;
        if bytes.last() != Some(&expected) {
            return Err(form("it does not begin as one"));
        }
    }
    let too_large = |_| FormError::HeaderTooLarge { limit: MAX_HEADER_BYTES }.into();
    let length = read_head(input, bytes, MAX_HEADER_BYTES, too_large)?;
    let start = bytes.len();
    read_more(input, bytes, length)?;
    Ok(start)
}

/// Returns whether this protected header is that of a segment, broken or not.
pub(crate) fn starts_segment(protected: &[u8]) -> bool {
    let mut typ = None;
    let see = |found, value| {
        if found == label::TYP {
            typ = Some(value);
        }
    };
    let is_map = HeaderMap::decode_protected(protected, see).is_ok();
    let typ = typ.filter(|_| is_map).and_then(|value| ContentType::decode(value).ok());
    Kind::stated_by(typ) == Some(Kind::Segment)
}

/// Reads the rest of a segment's envelope: no unprotected header, a digest, and a signature.
pub(super) fn read_signature(input: &mut dyn Read, bytes: &mut Vec<u8>) -> Result<()> {
    read_more(input, bytes, 1)?;
    if bytes.last() != Some(&0xa0) {
        return Err(form("its unprotected header is not empty"));
    }
    let digest = read_head(input, bytes, MAX_DIGEST_BYTES, |_| form(TOO_LONG))?;
    read_more(input, bytes, digest)?;
    // The bound is longer than any signature field, so that the refusal can state its length.
    let too_long = |found| {
        let expected = crate::cose::Algorithm::EdDsa.signature_bytes();
        FormError::SignatureLength { expected, found }.into()
    };
    let signature = read_head(input, bytes, MAX_SIGNATURE_FIELD_BYTES, too_long)?;
    read_more(input, bytes, signature)
}

/// Reads the byte string after an envelope.
pub(super) fn read_content(input: &mut dyn Read, buffer: Buffer) -> Result<Buffer> {
    let mut head = Vec::new();
    let length = read_head(input, &mut head, MAX_SEGMENT_BYTES, |_| form(TOO_LONG))?;
    let mut content = buffer.with_room(length)?;
    input.read_exact(content.room()).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => cut(),
        _ => Error::input(error),
    })?;
    content.fill(length);
    Ok(content)
}

/// Demands that the input ends. The last segment is given out only then.
pub(super) fn refuse_more(input: &mut dyn Read) -> Result<()> {
    let mut one = [0];
    loop {
        match input.read(&mut one) {
            Ok(0) => return Ok(()),
            Ok(_) => return Err(StreamError::AfterLast.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::input(error)),
        }
    }
}

/// Reads the head of a byte string, and returns its length. `too_long` makes the error of one over `longest` bytes.
fn read_head(
    input: &mut dyn Read,
    bytes: &mut Vec<u8>,
    longest: usize,
    too_long: impl Fn(usize) -> Error,
) -> Result<usize> {
    let start = bytes.len();
    loop {
        read_more(input, bytes, 1)?;
        match Head::read_strict(bytes.get(start..).unwrap_or_default()) {
            Err(Malformed { flaw: Flaw::UnexpectedEnd, .. }) => {}
            Err(malformed) => return Err(malformed.into()),
            Ok(head) if head.major != Major::Bytes => return Err(form("a byte string is missing")),
            Ok(head) => {
                let length = usize::try_from(head.argument).unwrap_or(usize::MAX);
                return if length <= longest { Ok(length) } else { Err(too_long(length)) };
            }
        }
    }
}

fn read_more(input: &mut dyn Read, bytes: &mut Vec<u8>, count: usize) -> Result<()> {
    let start = bytes.len();
    bytes.resize(start.saturating_add(count), 0);
    let mut filled = start;
    while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
        match input.read(room) {
            Ok(0) => {
                bytes.truncate(filled);
                return Err(cut());
            }
            Ok(read) => filled = filled.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::input(error)),
        }
    }
    Ok(())
}

fn form(what: &'static str) -> Error {
    StreamError::Form { what }.into()
}

/// The caller knows how many segments there were.
fn cut() -> Error {
    StreamError::Cut { segments: 0 }.into()
}

const TOO_LONG: &str = "a byte string is too long";

/// A length that no signature field has, in bytes.
const MAX_SIGNATURE_FIELD_BYTES: usize = 4096;
