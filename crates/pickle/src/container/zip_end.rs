//! The end of a ZIP archive, which says where its directory is.
//!
//! Readers look for it from the end of the file, each in a manner of its own. brine takes an archive that all of
//! them read alike: the last record ends with the file, and the directory ends where that record begins.

use std::ops::Range;

use super::fields::LittleEndianFields;
use crate::rule::{PickleRefusal, PickleRule};

/// What the end of an archive says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ZipEnd {
    /// Where the directory is.
    pub(super) directory: Range<usize>,
    /// How many members it has.
    pub(super) members: u64,
}

/// Returns the offset of the last record that can end an archive.
///
/// This is where Python's zipfile and miniz, torch's library, find it.
pub(super) fn last_record(bytes: &[u8]) -> Option<usize> {
    let first = bytes.len().saturating_sub(END_BYTES.saturating_add(MAX_COMMENT_BYTES));
    let tail = bytes.get(first..)?;
    let found = tail.windows(4).rposition(|four| four == END)?;
    Some(first.saturating_add(found))
}

/// Returns where an archive is that has other bytes before it: a reader takes the distance between where the
/// directory is and where it should be for the length of these.
pub(super) fn find_after_other_bytes(bytes: &[u8]) -> Option<Range<usize>> {
    let end = last_record(bytes)?;
    let mut fields = LittleEndianFields::at(bytes, end);
    fields.take(12)?;
    let (size, start, comment) = (fields.u32()?, fields.u32()?, fields.u16()?);
    let is_long = end
        .checked_sub(LOCATOR_BYTES)
        .is_some_and(|at| LittleEndianFields::at(bytes, at).is_next(LOCATOR));
    let records = if is_long { ZIP64_END_BYTES.saturating_add(LOCATOR_BYTES) } else { 0 };
    let archive = usize::try_from(u64::from(size).saturating_add(start.into())).ok()?;
    // Where the lengths make no sense, the whole file is taken for the archive, and is none.
    let begin = end.checked_sub(records).and_then(|end| end.checked_sub(archive));
    let after = end.saturating_add(END_BYTES).saturating_add(usize::from(comment));
    Some(begin.unwrap_or_default()..after.min(bytes.len()))
}

impl ZipEnd {
    /// Reads the end of the archive.
    ///
    /// # Errors
    ///
    /// [`PickleRule::ZipDirectory`] if there is no end, or readers could disagree where the directory is.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, PickleRefusal> {
        let offset = last_record(bytes)
            .ok_or(PickleRefusal { rule: PickleRule::ZipDirectory, offset: bytes.len() })?;
        let end = Self::parse(bytes, offset);
        end.ok_or(PickleRefusal { rule: PickleRule::ZipDirectory, offset })
    }

    fn parse(bytes: &[u8], offset: usize) -> Option<Self> {
        let mut fields = LittleEndianFields::at(bytes, offset);
        fields.take(4)?;
        let (disk, directory_disk) = (fields.u16()?, fields.u16()?);
        let (members_here, members) = (fields.u16()?, fields.u16()?);
        let (size, start) = (fields.u32()?, fields.u32()?);
        let comment = fields.u16()?;
        fields.take(usize::from(comment))?;
        let one_disk = disk == 0 && directory_disk == 0 && members_here == members;
        if !one_disk || !fields.is_empty() {
            return None;
        }
        let short =
            ZipExtent { members: u64::from(members), size: size.into(), start: start.into() };
        let extent = match Zip64End::before(bytes, offset) {
            Some(long) => {
                let long = long?;
                let agrees = agree(short.members, u16::MAX.into(), long.extent.members)
                    && agree(short.size, u32::MAX.into(), long.extent.size)
                    && agree(short.start, u32::MAX.into(), long.extent.start);
                let end = long.offset;
                agrees.then_some((long.extent, end))?
            }
            None => (short.is_whole()).then_some((short, offset))?,
        };
        extent.0.range(extent.1)
    }
}

/// Where a directory is, as a record says it.
#[derive(Clone, Copy, Debug)]
struct ZipExtent {
    members: u64,
    size: u64,
    start: u64,
}

impl ZipExtent {
    /// Returns whether no field is at its limit, where a longer record has to say more.
    fn is_whole(&self) -> bool {
        self.members < u16::MAX.into()
            && self.size < u32::MAX.into()
            && self.start < u32::MAX.into()
    }

    /// Returns where the directory is, if it ends where the first record after it begins.
    fn range(self, end: usize) -> Option<ZipEnd> {
        let start = usize::try_from(self.start).ok()?;
        let size = usize::try_from(self.size).ok()?;
        let ends_there = start.checked_add(size) == Some(end);
        ends_there.then_some(ZipEnd { directory: start..end, members: self.members })
    }
}

/// Returns whether a short field says the same as a long one, or that it is too short.
const fn agree(short: u64, limit: u64, long: u64) -> bool {
    short == long || short == limit
}

/// The record for large archives, which torch always writes.
#[derive(Clone, Copy, Debug)]
struct Zip64End {
    extent: ZipExtent,
    offset: usize,
}

impl Zip64End {
    /// Reads the record before the last one. The outer `None` says that there is none, the inner that it is not
    /// well formed.
    fn before(bytes: &[u8], end: usize) -> Option<Option<Self>> {
        let locator = end.checked_sub(LOCATOR_BYTES)?;
        let mut fields = LittleEndianFields::at(bytes, locator);
        fields.is_next(LOCATOR).then(|| Self::parse(bytes, locator, fields))
    }

    fn parse(bytes: &[u8], locator: usize, mut fields: LittleEndianFields<'_>) -> Option<Self> {
        let (disk, offset, disks) = (fields.u32()?, fields.u64()?, fields.u32()?);
        let offset = usize::try_from(offset).ok()?;
        if disk != 0 || disks > 1 || offset.checked_add(ZIP64_END_BYTES) != Some(locator) {
            return None;
        }
        let mut fields = LittleEndianFields::at(bytes, offset);
        let known = fields.is_next(ZIP64_END) && fields.u64()? == ZIP64_REST_BYTES;
        fields.take(4)?;
        let (disk, directory_disk) = (fields.u32()?, fields.u32()?);
        let (members_here, members) = (fields.u64()?, fields.u64()?);
        let extent = ZipExtent { members, size: fields.u64()?, start: fields.u64()? };
        let one_disk = disk == 0 && directory_disk == 0 && members_here == members;
        (known && one_disk).then_some(Self { extent, offset })
    }
}

const END: [u8; 4] = *b"PK\x05\x06";
const END_BYTES: usize = 22;
const MAX_COMMENT_BYTES: usize = 0xffff;
const LOCATOR: [u8; 4] = *b"PK\x06\x07";
const LOCATOR_BYTES: usize = 20;
const ZIP64_END: [u8; 4] = *b"PK\x06\x06";
const ZIP64_END_BYTES: usize = 56;
/// The length that the record states: without its first 12 bytes.
const ZIP64_REST_BYTES: u64 = 44;
