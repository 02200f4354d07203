//! Grants as CBOR, in one encoding.

use std::collections::BTreeMap;

use super::{Grant, Grants, GrantsError, MAX_ENTRIES};
use crate::cbor::{Decoder, Encoder};
use crate::job::format::Format;
use crate::job::limits::Limit;
use crate::job::names::{Alias, LogicalPath, VariableName};

/// The version of the format that is written and read.
const VERSION: i64 = 1;

const ARGUMENTS: &str = "arg";
const ENVIRONMENT: &str = "env";
const FORMAT: &str = "format";
const PORTS: &str = "tcp";
const READ: &str = "read";
const RUN: &str = "run";
const VERSION_MEMBER: &str = "v";
const WRITE: &str = "write";

/// Reads the members in the order of deterministic encoding, and no others.
pub(super) fn decode(value: &[u8]) -> Result<Vec<Grant>, GrantsError> {
    let mut decoder = Decoder::new(value);
    let members = decoder.map()?;
    let mut grants = Vec::new();
    let mut last = None;
    for _ in 0..members {
        let member = decoder.text()?;
        let place = (member.len(), member);
        if last.is_some_and(|last| place <= last) {
            return form("its members are not in the order of their encoding");
        }
        // The version comes first, being the shortest: what the others mean hangs on it.
        if last.is_none() {
            version(member, &mut decoder)?;
        } else {
            member_of(member, &mut decoder, &mut grants)?;
        }
        last = Some(place);
    }
    decoder.finish()?;
    if last.is_none() {
        return form("it has no version");
    }
    Ok(grants)
}

fn version(member: &str, decoder: &mut Decoder<'_>) -> Result<(), GrantsError> {
    if member != VERSION_MEMBER {
        return form("it has no version");
    }
    match decoder.int()? {
        VERSION => Ok(()),
        found => Err(GrantsError::Version { found }),
    }
}

fn member_of(
    member: &str,
    decoder: &mut Decoder<'_>,
    grants: &mut Vec<Grant>,
) -> Result<(), GrantsError> {
    match member {
        ARGUMENTS => list(decoder, Decoder::text, |text| {
            grants.push(Grant::Argument(text.to_owned()));
            Ok(())
        }),
        ENVIRONMENT => ascending(decoder, Decoder::text, |text| {
            let name = VariableName::parse(text).map_err(|what| named(text, what))?;
            grants.push(Grant::Environment(name));
            Ok(())
        }),
        FORMAT => {
            let text = decoder.text()?;
            let unknown = || GrantsError::Unknown { member: format!("format={text}") };
            grants.push(Grant::Format(Format::from_name(text).ok_or_else(unknown)?));
            Ok(())
        }
        PORTS => ascending(decoder, Decoder::int, |port| {
            let port = u16::try_from(port).map_err(|_| GrantsError::Range { member: PORTS })?;
            grants.push(Grant::Tcp(port));
            Ok(())
        }),
        READ => ascending(decoder, Decoder::text, |text| {
            grants.push(Grant::Read(path(text)?));
            Ok(())
        }),
        RUN => {
            let text = decoder.text()?;
            grants.push(Grant::Run(Alias::parse(text).map_err(|what| named(text, what))?));
            Ok(())
        }
        WRITE => ascending(decoder, Decoder::text, |text| {
            grants.push(Grant::Write(path(text)?));
            Ok(())
        }),
        _ => {
            let limit = Limit::from_name(member).filter(|limit| limit.is_granted());
            let unknown = || GrantsError::Unknown { member: member.to_owned() };
            let limit = limit.ok_or_else(unknown)?;
            let out_of_range = |_| GrantsError::Range { member: limit.name() };
            let value = u64::try_from(decoder.int()?).map_err(out_of_range)?;
            grants.push(Grant::Limit(limit, value));
            Ok(())
        }
    }
}

/// Reads an array that is not empty.
fn list<'a, T>(
    decoder: &mut Decoder<'a>,
    item: impl Fn(&mut Decoder<'a>) -> Result<T, crate::cbor::Malformed>,
    mut see: impl FnMut(T) -> Result<(), GrantsError>,
) -> Result<(), GrantsError> {
    let count = decoder.array()?;
    if count == 0 {
        return form("a list is empty");
    }
    if usize::try_from(count).is_ok_and(|count| count > MAX_ENTRIES) {
        return form("there are more than 64 of a sort");
    }
    for _ in 0..count {
        see(item(decoder)?)?;
    }
    Ok(())
}

/// Reads an array whose items ascend, and are thus distinct.
fn ascending<'a, T: Copy + PartialOrd>(
    decoder: &mut Decoder<'a>,
    item: impl Fn(&mut Decoder<'a>) -> Result<T, crate::cbor::Malformed>,
    mut see: impl FnMut(T) -> Result<(), GrantsError>,
) -> Result<(), GrantsError> {
    let mut last: Option<T> = None;
    list(decoder, item, |found| {
        if last.is_some_and(|last| found <= last) {
            return form("a list is not in ascending order");
        }
        last = Some(found);
        see(found)
    })
}

fn named(name: &str, what: crate::job::names::NameError) -> GrantsError {
    GrantsError::Name { name: name.to_owned(), what }
}

fn path(text: &str) -> Result<LogicalPath, GrantsError> {
    LogicalPath::parse(text).map_err(|what| GrantsError::Path { path: text.to_owned(), what })
}

fn form<T>(what: &str) -> Result<T, GrantsError> {
    Err(GrantsError::Form(what.to_owned()))
}

/// Writes the members, sorted by their encoding: shorter names first (RFC 8949, Section 4.2.1).
pub(super) fn encode(grants: &Grants) -> Vec<u8> {
    let mut members: BTreeMap<(usize, &str), Encoder> = BTreeMap::new();
    let mut member = |name: &'static str, write: &dyn Fn(&mut Encoder)| {
        let mut value = Encoder::new();
        write(&mut value);
        members.insert((name.len(), name), value);
    };
    member(VERSION_MEMBER, &|value| {
        value.int(VERSION);
    });
    if let Some(run) = &grants.run {
        member(RUN, &|value| {
            value.text(run.as_str());
        });
    }
    let texts: [(&'static str, Vec<&str>); 4] = [
        (ARGUMENTS, grants.arguments.iter().map(String::as_str).collect()),
        (ENVIRONMENT, grants.environment.iter().map(VariableName::as_str).collect()),
        (READ, grants.read.iter().map(LogicalPath::as_str).collect()),
        (WRITE, grants.write.iter().map(LogicalPath::as_str).collect()),
    ];
    for (name, list) in texts.iter().filter(|(_, list)| !list.is_empty()) {
        member(name, &|value| {
            value.array(count(list.len()));
            list.iter().for_each(|text| {
                value.text(text);
            });
        });
    }
    if !grants.ports.is_empty() {
        member(PORTS, &|value| {
            value.array(count(grants.ports.len()));
            grants.ports.iter().for_each(|port| {
                value.uint(u64::from(*port));
            });
        });
    }
    for (limit, number) in &grants.limits {
        member(limit.name(), &|value| {
            value.uint(*number);
        });
    }
    if let Some(format) = grants.format {
        member(FORMAT, &|value| {
            value.text(format.name());
        });
    }
    let mut map = Encoder::new();
    map.map(count(members.len()));
    for ((_, name), value) in members {
        map.text(name).raw(value.as_bytes());
    }
    map.into_bytes()
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
