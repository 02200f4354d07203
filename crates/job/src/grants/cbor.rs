//! Grants as CBOR, in one encoding.

use brine_core::cbor::{Decoder, Encoder, Malformed};

use super::{Grant, Grants, GrantsError, MAX_GRANTS_OF_A_KIND};
use crate::format::OutputFormat;
use crate::limits::Limit;
use crate::members::{self, MembersWriter, count};
use crate::names::{InterpreterAlias, LogicalPath, NameError, PowerName, ReplyQueue, VariableName};

const ARGUMENTS: &str = "arg";
const ENVIRONMENT: &str = "env";
const FORMAT: &str = "format";
const PORTS: &str = "tcp";
const POWERS: &str = "power";
const READ: &str = "read";
const REPLY: &str = "reply";
const RUN: &str = "run";
const WRITE: &str = "write";

/// Reads all grants.
pub(super) fn decode(value: &[u8]) -> Result<Vec<Grant>, GrantsError> {
    let mut grants = Vec::new();
    members::read(value, |decoder, member| {
        GrantsReader { decoder, grants: &mut grants }.member(member)
    })?;
    Ok(grants)
}

struct GrantsReader<'a, 'd> {
    decoder: &'d mut Decoder<'a>,
    grants: &'d mut Vec<Grant>,
}

impl<'a> GrantsReader<'a, '_> {
    fn member(&mut self, member: &str) -> Result<(), GrantsError> {
        match member {
            ARGUMENTS => self.list(Decoder::text, |text| Ok(Grant::Argument(text.to_owned()))),
            ENVIRONMENT => self.ascending(Decoder::text, |text| {
                VariableName::parse(text).map(Grant::Environment).map_err(|what| named(text, what))
            }),
            FORMAT => self.one(Decoder::text, format),
            PORTS => self.ascending(Decoder::int, port),
            POWERS => self.ascending(Decoder::text, |text| {
                PowerName::parse(text).map(Grant::Power).map_err(|what| named(text, what))
            }),
            READ => self.ascending(Decoder::text, |text| path(text).map(Grant::Read)),
            REPLY => self.one(Decoder::text, |text| {
                ReplyQueue::parse(text).map(Grant::Reply).map_err(|what| named(text, what))
            }),
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
        self.grants.push(grant(item(self.decoder)?)?);
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
    let mut writer = MembersWriter::new();
    if let Some(run) = &grants.run {
        writer.put(RUN, |value| value.text(run.as_str()));
    }
    put_texts(&mut writer, ARGUMENTS, grants.arguments.iter().map(String::as_str));
    put_texts(&mut writer, ENVIRONMENT, grants.environment.iter().map(VariableName::as_str));
    put_texts(&mut writer, POWERS, grants.powers.iter().map(PowerName::as_str));
    put_texts(&mut writer, READ, grants.read.iter().map(LogicalPath::as_str));
    put_texts(&mut writer, WRITE, grants.write.iter().map(LogicalPath::as_str));
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
    if let Some(queue) = &grants.reply {
        writer.put(REPLY, |value| value.text(queue.as_str()));
    }
    if let Some(format) = grants.format {
        writer.put(FORMAT, |value| value.text(format.name()));
    }
    writer.finish()
}

fn put_texts<'t>(
    writer: &mut MembersWriter,
    name: &'static str,
    texts: impl ExactSizeIterator<Item = &'t str>,
) {
    let length = texts.len();
    if length > 0 {
        writer.put(name, |value| texts.fold(value.array(count(length)), Encoder::text));
    }
}
