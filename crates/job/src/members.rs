//! Maps with a version, in one encoding: deterministic (RFC 8949, Section 4.2.1), with texts as keys.

use std::collections::BTreeMap;

use brine_core::cbor::{Decoder, Encoder, Malformed};

/// The version of all maps that are written and read.
const VERSION: i64 = 1;

/// The member that says it. It has the shortest name, so it comes before the members whose meaning it decides.
const VERSION_MEMBER: &str = "v";

/// Why a map is refused.
pub(crate) trait MembersError: From<Malformed> {
    /// It breaks a rule of its form.
    fn form(what: &str) -> Self;

    /// It is of another version.
    fn version(found: i64) -> Self;
}

/// Reads a map, and gives each member but the version to `take`.
pub(crate) fn read<'a, E: MembersError>(
    value: &'a [u8],
    mut take: impl FnMut(&mut Decoder<'a>, &'a str) -> Result<(), E>,
) -> Result<(), E> {
    let mut decoder = Decoder::new(value);
    let members = decoder.map()?;
    let mut last = None;
    for _ in 0..members {
        let member = decoder.text()?;
        let place = (member.len(), member);
        if last.is_some_and(|last| place <= last) {
            return Err(E::form("its members are not in the order of their encoding"));
        }
        match last {
            None => judge_version::<E>(&mut decoder, member)?,
            Some(_) => take(&mut decoder, member)?,
        }
        last = Some(place);
    }
    decoder.finish()?;
    last.map(drop).ok_or_else(|| E::form("it has no version"))
}

fn judge_version<E: MembersError>(decoder: &mut Decoder<'_>, member: &str) -> Result<(), E> {
    if member != VERSION_MEMBER {
        return Err(E::form("it has no version"));
    }
    match decoder.int()? {
        VERSION => Ok(()),
        found => Err(E::version(found)),
    }
}

/// Writes a map: its members in the order of their encoding, shorter names first.
pub(crate) struct MembersWriter(BTreeMap<(usize, &'static str), Encoder>);

impl MembersWriter {
    /// Makes a map with nothing but its version.
    pub(crate) fn new() -> Self {
        let mut writer = Self(BTreeMap::new());
        writer.put(VERSION_MEMBER, |value| value.int(VERSION));
        writer
    }

    pub(crate) fn put(
        &mut self,
        name: &'static str,
        write: impl FnOnce(&mut Encoder) -> &mut Encoder,
    ) {
        write(self.0.entry((name.len(), name)).or_default());
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        let mut map = Encoder::new();
        map.map(count(self.0.len()));
        for ((_, name), value) in self.0 {
            map.text(name).raw(value.as_bytes());
        }
        map.into_bytes()
    }
}

pub(crate) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
