//! The members of a ZIP archive, as the directory and the header before each describe them.
//!
//! A reader that trusts the directory and one that trusts the headers must find the same members in the same
//! bytes, so both are read and compared, and together the members fill the file up to the directory.

use std::collections::HashSet;
use std::ops::Range;

use super::fields::LittleEndianFields;
use super::zip_end::ZipEnd;
use crate::MAX_MEMBERS;
use crate::rule::{PickleRefusal, PickleRule};

/// How the bytes of a member are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Deflated,
    Stored,
}

/// A member.
#[derive(Clone, Debug)]
pub(super) struct ZipMember<'a> {
    pub(super) name: &'a [u8],
    /// Where its header is.
    pub(super) offset: usize,
    /// The bytes as they are kept.
    pub(super) packed: &'a [u8],
    /// How; or why it cannot be read.
    pub(super) packing: Result<Packing, PickleRule>,
    /// The length and the checksum of the bytes as they were.
    pub(super) length: u64,
    pub(super) checksum: u32,
}

/// Reads the directory and the headers.
///
/// # Errors
///
/// - [`PickleRule::ZipDirectory`] if the directory does not describe the whole file;
/// - [`PickleRule::ZipDuplicate`] if two members have one name;
/// - [`PickleRule::ZipHeaders`] if a member is described in two ways;
/// - [`PickleRule::TooManyMembers`] if there are more than [`MAX_MEMBERS`].
pub(super) fn members(bytes: &[u8]) -> Result<Vec<ZipMember<'_>>, PickleRefusal> {
    let end = ZipEnd::read(bytes)?;
    let entries = entries(bytes, &end)?;
    let mut names = HashSet::new();
    if let Some(second) = entries.iter().find(|entry| !names.insert(entry.name)) {
        return Err(PickleRefusal { rule: PickleRule::ZipDuplicate, offset: second.at });
    }
    let mut order: Vec<_> = entries.iter().collect();
    order.sort_by_key(|entry| entry.offset);
    let directory = end.directory.start;
    let ends = order.iter().skip(1).map(|entry| usize::try_from(entry.offset).unwrap_or(directory));
    let ends: Vec<_> = ends.chain([directory]).collect();
    let mut next = 0_usize;
    let mut found = Vec::new();
    for (entry, end) in order.into_iter().zip(ends) {
        let headers = PickleRefusal { rule: PickleRule::ZipHeaders, offset: entry.at };
        if usize::try_from(entry.offset) != Ok(next) {
            return Err(PickleRefusal { rule: PickleRule::ZipDirectory, offset: next });
        }
        let packed = entry.local(bytes, next).ok_or(headers)?;
        let rest = bytes.get(packed.end..end).ok_or(headers)?;
        if !entry.is_followed_by(rest) {
            // Bytes that belong to no member, or a descriptor that says something else.
            return Err(PickleRefusal { rule: PickleRule::ZipDirectory, offset: packed.end });
        }
        found.push(ZipMember {
            name: entry.name,
            offset: next,
            packed: bytes.get(packed).ok_or(headers)?,
            packing: entry.packing(),
            length: entry.length,
            checksum: entry.checksum,
        });
        next = end;
    }
    if next != end.directory.start {
        return Err(PickleRefusal { rule: PickleRule::ZipDirectory, offset: next });
    }
    Ok(found)
}

/// Reads the directory, which its entries fill.
fn entries<'a>(bytes: &'a [u8], end: &ZipEnd) -> Result<Vec<ZipEntry<'a>>, PickleRefusal> {
    let start = end.directory.start;
    if usize::try_from(end.members).is_ok_and(|members| members <= MAX_MEMBERS) {
        let mut fields =
            LittleEndianFields::at(bytes.get(..end.directory.end).unwrap_or_default(), start);
        let mut at = start;
        let mut entries = Vec::new();
        for _ in 0..end.members {
            let entry = ZipEntry::read(&mut fields, at)
                .ok_or(PickleRefusal { rule: PickleRule::ZipDirectory, offset: at })?;
            at = at.saturating_add(entry.bytes);
            entries.push(entry);
        }
        if !fields.is_empty() {
            return Err(PickleRefusal { rule: PickleRule::ZipDirectory, offset: at });
        }
        return Ok(entries);
    }
    Err(PickleRefusal { rule: PickleRule::TooManyMembers, offset: start })
}

/// An entry of the directory.
#[derive(Clone, Debug)]
struct ZipEntry<'a> {
    /// Where the entry is, and how many bytes it has.
    at: usize,
    bytes: usize,
    flags: u16,
    method: u16,
    checksum: u32,
    packed_length: u64,
    length: u64,
    name: &'a [u8],
    /// Where the header of the member is.
    offset: u64,
}

impl<'a> ZipEntry<'a> {
    fn read(fields: &mut LittleEndianFields<'a>, at: usize) -> Option<Self> {
        if !fields.is_next(*b"PK\x01\x02") {
            return None;
        }
        // The versions of the writer and of the reader.
        fields.take(4)?;
        let (flags, method) = (fields.u16()?, fields.u16()?);
        // The time and the date.
        fields.take(4)?;
        let checksum = fields.u32()?;
        let (packed, length) = (fields.u32()?, fields.u32()?);
        let (name, extra, comment) = (fields.u16()?, fields.u16()?, fields.u16()?);
        let disk = fields.u16()?;
        // The attributes.
        fields.take(6)?;
        let offset = fields.u32()?;
        let name = fields.take(usize::from(name))?;
        let extra = fields.take(usize::from(extra))?;
        let comment = fields.take(usize::from(comment))?;
        let bytes = ENTRY_BYTES
            .checked_add(name.len())?
            .checked_add(extra.len())?
            .checked_add(comment.len())?;
        let [length, packed_length, offset] = lengthen(extra, [length, packed, offset])?;
        (disk == 0).then_some(Self {
            at,
            bytes,
            flags,
            method,
            checksum,
            packed_length,
            length,
            name,
            offset,
        })
    }

    /// Reads the header before the member, and returns where the bytes of the member are. `None` if it says
    /// anything else than the directory.
    fn local(&self, bytes: &[u8], start: usize) -> Option<Range<usize>> {
        let mut fields = LittleEndianFields::at(bytes, start);
        if !fields.is_next(*b"PK\x03\x04") {
            return None;
        }
        fields.take(2)?;
        let same_form = fields.u16()? == self.flags && fields.u16()? == self.method;
        fields.take(4)?;
        let checksum = fields.u32()?;
        let (packed, length) = (fields.u32()?, fields.u32()?);
        let (name_length, extra_length) = (fields.u16()?, fields.u16()?);
        let name = fields.take(usize::from(name_length))?;
        let extra = fields.take(usize::from(extra_length))?;
        let [length, packed] = lengthen(extra, [length, packed])?;
        let same = (checksum, packed, length) == (self.checksum, self.packed_length, self.length);
        // With a descriptor, the header can leave open what was not known when it was written.
        let open = self.has_descriptor() && (checksum, packed, length) == (0, 0, 0);
        let data =
            LOCAL_BYTES.checked_add(start)?.checked_add(name.len())?.checked_add(extra.len())?;
        let end = data.checked_add(usize::try_from(self.packed_length).ok()?)?;
        let whole = self.packing() != Ok(Packing::Stored) || self.packed_length == self.length;
        (same_form && name == self.name && (same || open) && whole).then_some(data..end)
    }

    const fn has_descriptor(&self) -> bool {
        self.flags & FLAG_DESCRIPTOR != 0
    }

    /// Returns whether these bytes are all that stands between a member and the next one: its descriptor, if it
    /// has one. A descriptor has four forms.
    fn is_followed_by(&self, rest: &[u8]) -> bool {
        if !self.has_descriptor() {
            return rest.is_empty();
        }
        let lengths = [self.packed_length, self.length];
        let long = lengths.map(u64::to_le_bytes).concat();
        let short = lengths.map(|length| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        [long, short.concat()].iter().any(|lengths| {
            let described = [&self.checksum.to_le_bytes(), lengths.as_slice()].concat();
            rest == described || rest.strip_prefix(b"PK\x07\x08") == Some(&described)
        })
    }

    const fn packing(&self) -> Result<Packing, PickleRule> {
        match (self.flags, self.method) {
            (flags, _) if flags & FLAGS_ENCRYPTED != 0 => Err(PickleRule::ZipEncrypted),
            (flags, _) if flags & !FLAGS_KNOWN != 0 => Err(PickleRule::ZipMethod),
            (_, METHOD_STORED) => Ok(Packing::Stored),
            (_, METHOD_DEFLATED) => Ok(Packing::Deflated),
            _ => Err(PickleRule::ZipMethod),
        }
    }
}

/// Replaces lengths that are too long for their fields by those of the extra field 1, which has just these, in
/// this order. `None` if it has others: some readers take them, and some do not.
fn lengthen<const N: usize>(extra: &[u8], short: [u32; N]) -> Option<[u64; N]> {
    let mut fields = LittleEndianFields::at(extra, 0);
    let mut long = None;
    while !fields.is_empty() {
        let (kind, length) = (fields.u16()?, fields.u16()?);
        let content = fields.take(usize::from(length))?;
        if kind == EXTRA_ZIP64 && long.replace(content).is_some() {
            return None;
        }
    }
    let mut long = LittleEndianFields::at(long.unwrap_or_default(), 0);
    let mut lengths = [0; N];
    for (length, short) in lengths.iter_mut().zip(short) {
        *length = if short == u32::MAX { long.u64()? } else { short.into() };
    }
    long.is_empty().then_some(lengths)
}

const ENTRY_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;
const EXTRA_ZIP64: u16 = 1;
const METHOD_STORED: u16 = 0;
const METHOD_DEFLATED: u16 = 8;
const FLAG_DESCRIPTOR: u16 = 1 << 3;
/// The contents are encrypted, or the headers are.
const FLAGS_ENCRYPTED: u16 = 1 | (1 << 6) | (1 << 13);
/// Two bits say how hard the writer tried, one that a descriptor follows, and one that the name is UTF-8.
const FLAGS_KNOWN: u16 = (1 << 1) | (1 << 2) | FLAG_DESCRIPTOR | (1 << 11);
