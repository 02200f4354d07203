//! Grants as CBOR, in one encoding.

use std::collections::BTreeMap;

use brine_core::cbor::{Decoder, Encoder, Malformed};

use super::{Grant, Grants, GrantsError, MAX_GRANTS_OF_A_KIND};
use crate::format::OutputFormat;
use crate::limits::Limit;
use crate::names::{InterpreterAlias, LogicalPath, NameError, VariableName};

/// The version that is written and read.
const VERSION: i64 = 1;

const ARGUMENTS: &str = "arg";
const ENVIRONMENT: &str = "env";
const FORMAT: &str = "format";
const PORTS: &str = "tcp";
const READ: &str = "read";
const RUN: &str = "run";
const VERSION_MEMBER: &str = "v";
const WRITE: &str = "write";

/// Reads a map whose members are in the order of deterministic encoding.
pub(super) fn decode(value: &[u8]) -> Result<Vec<Grant>, GrantsError> {
    let mut reader = GrantsReader { decoder: Decoder::new(value), grants: Vec::new() };
    let members = reader.decoder.map()?;
    let mut last = None;
    for _ in 0..members {
        let member = reader.decoder.text()?;
        let place = (member.len(), member);
        if last.is_some_and(|last| place <= last) {
            return form("its members are not in the order of their encoding");
        }
        // The version has the shortest name, so it comes before the members whose meaning it decides.
        match last {
            None => reader.version(member)?,
            Some(_) => reader.member(member)?,
        }
        last = Some(place);
    }
    reader.decoder.finish()?;
    if last.is_none() {
        return form("it has no version");
    }
    Ok(reader.grants)
}

struct GrantsReader<'a> {
    decoder: Decoder<'a>,
    grants: Vec<Grant>,
}

impl<'a> GrantsReader<'a> {
    fn version(&mut self, member: &str) -> Result<(), GrantsError> {
        if member != VERSION_MEMBER {
            return form("it has no version");
        }
        match self.decoder.int()? {
            VERSION => Ok(()),
            found => Err(GrantsError::Version { found }),
        }
    }

    fn member(&mut self, member: &str) -> Result<(), GrantsError> {
        match member {
            ARGUMENTS => self.list(Decoder::text, |text| Ok(Grant::Argument(text.to_owned()))),
            ENVIRONMENT => self.ascending(Decoder::text, |text| {
                VariableName::parse(text).map(Grant::Environment).map_err(|what| named(text, what))
            }),
            FORMAT => self.one(Decoder::text, format),
            PORTS => self.ascending(Decoder::int, port),
            READ => self.ascending(Decoder::text, |text| path(text).map(Grant::Read)),
            RUN => self.one(Decoder::text, |text| {
                InterpreterAlias::parse(text).map(Grant::Run).map_err(|what| named(text, what))
            }),
            WRITE => self.ascending(Decoder::text, |text| path(text).map(Grant::Write)),
            _ => {
                let limit = Limit::from_name(member).filter(|limit| limit.is_granted());
                let limit = limit.ok_or_else(|| unknown(member.to_owned()))?;
                self.one(Decoder::int, |value| {
                    let value = u64::try_from(value);
                    value
                        .map(|value| Grant::Limit(limit, value))
                        .map_err(|_| GrantsError::Range { member: limit.name() })
                })
            }
        }
    }

    fn one<T>(
        &mut self,
        item: fn(&mut Decoder<'a>) -> Result<T, Malformed>,
        grant: impl FnOnce(T) -> Result<Grant, GrantsError>,
    ) -> Result<(), GrantsError> {
        self.grants.push(grant(item(&mut self.decoder)?)?);
        Ok(())
    }

    /// Reads an array that is not empty.
    fn list<T>(
        &mut self,
        item: fn(&mut Decoder<'a>) -> Result<T, Malformed>,
        mut grant: impl FnMut(T) -> Result<Grant, GrantsError>,
    ) -> Result<(), GrantsError> {
        let count = self.decoder.array()?;
        if count == 0 {
            return form("a list is empty");
        }
        if usize::try_from(count).is_ok_and(|count| count > MAX_GRANTS_OF_A_KIND) {
            return form("there are more than 64 of one kind");
        }
        (0..count).try_for_each(|_| self.one(item, &mut grant))
    }

    /// Reads an array whose items ascend, so that no two are the same.
    fn ascending<T: Copy + PartialOrd>(
        &mut self,
        item: fn(&mut Decoder<'a>) -> Result<T, Malformed>,
        grant: impl Fn(T) -> Result<Grant, GrantsError>,
    ) -> Result<(), GrantsError> {
        let mut last: Option<T> = None;
        self.list(item, |found| {
            if last.is_some_and(|last| found <= last) {
                return form("a list is not in ascending order");
            }
            last = Some(found);
            grant(found)
        })
    }
}

fn format(text: &str) -> Result<Grant, GrantsError> {
    let format = OutputFormat::from_name(text).map(Grant::Format);
    format.ok_or_else(|| unknown(format!("{FORMAT}={text}")))
}

fn path(text: &str) -> Result<LogicalPath, GrantsError> {
    LogicalPath::parse(text).map_err(|what| GrantsError::Path { path: text.to_owned(), what })
}

fn port(number: i64) -> Result<Grant, GrantsError> {
    let port = u16::try_from(number).map(Grant::Tcp);
    port.map_err(|_| GrantsError::Range { member: PORTS })
}

fn named(name: &str, what: NameError) -> GrantsError {
    GrantsError::Name { name: name.to_owned(), what }
}

fn unknown(member: String) -> GrantsError {
    GrantsError::Unknown { member }
}

fn form<T>(what: &str) -> Result<T, GrantsError> {
    Err(GrantsError::Form(what.to_owned()))
}

/// Writes the members, sorted by their encoding: shorter names first (RFC 8949, Section 4.2.1).
pub(super) fn encode(grants: &Grants) -> Vec<u8> {
    let mut writer = GrantsWriter::default();
    writer.put(VERSION_MEMBER, |value| value.int(VERSION));
    if let Some(run) = &grants.run {
        writer.put(RUN, |value| value.text(run.as_str()));
    }
    writer.put_texts(ARGUMENTS, grants.arguments.iter().map(String::as_str));
    writer.put_texts(ENVIRONMENT, grants.environment.iter().map(VariableName::as_str));
    writer.put_texts(READ, grants.read.iter().map(LogicalPath::as_str));
    writer.put_texts(WRITE, grants.write.iter().map(LogicalPath::as_str));
    if !grants.ports.is_empty() {
        writer.put(PORTS, |value| {
            let ports = grants.ports.iter().copied();
            ports
                .fold(value.array(count(grants.ports.len())), |value, port| value.uint(port.into()))
        });
    }
    for (limit, number) in &grants.limits {
        writer.put(limit.name(), |value| value.uint(*number));
    }
    if let Some(format) = grants.format {
        writer.put(FORMAT, |value| value.text(format.name()));
    }
    writer.finish()
}

/// The members of a map, in the order of their encoding.
#[derive(Default)]
struct GrantsWriter(BTreeMap<(usize, &'static str), Encoder>);

impl GrantsWriter {
    fn put(&mut self, name: &'static str, write: impl FnOnce(&mut Encoder) -> &mut Encoder) {
        write(self.0.entry((name.len(), name)).or_default());
    }

    fn put_texts<'t>(&mut self, name: &'static str, texts: impl ExactSizeIterator<Item = &'t str>) {
        let length = texts.len();
        if length > 0 {
            self.put(name, |value| texts.fold(value.array(count(length)), Encoder::text));
        }
    }

    fn finish(self) -> Vec<u8> {
        let mut map = Encoder::new();
        map.map(count(self.0.len()));
        for ((_, name), value) in self.0 {
            map.text(name).raw(value.as_bytes());
        }
        map.into_bytes()
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
