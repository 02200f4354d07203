//! What the init of a job is told: the plan, with every path resolved to a descriptor.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use super::message::{layer_number, layer_of};
use crate::cbor::{Decoder, Encoder, Malformed};
use crate::job::plan::{Delivery, Layer, Limits};

/// What the init of a job is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Orders {
    pub(super) arguments: Vec<OsString>,
    /// `NAME=value`, as `execve` takes it.
    pub(super) environment: Vec<OsString>,
    pub(super) delivery: Delivery,
    pub(super) payload_bytes: u64,
    /// What is seen inside, parents before what lies in them.
    pub(super) places: Vec<Place>,
    pub(super) ports: Vec<u16>,
    pub(super) limits: Limits,
    pub(super) waived: Vec<Layer>,
    /// Whether the program begins with `#!`, so that its interpreter must be able to open it.
    pub(super) script: Script,
}

/// Whether a program is a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    No,
    Yes,
}

/// A place of this system that is seen inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) source: PathBuf,
    pub(super) target: PathBuf,
    pub(super) access: Access,
    pub(super) node: Node,
}

/// What may be done with a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Read and execute.
    Execute,
    /// Read.
    Read,
    /// Read and write.
    Write,
}

/// What a place is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Directory,
    File,
    /// A symbolic link to this, made anew inside. It has no descriptor.
    Link(OsString),
}

impl Orders {
    pub(super) fn waives(&self, layer: Layer) -> bool {
        self.waived.contains(&layer)
    }

    /// Returns the places that come with a descriptor, in the order of the descriptors.
    pub(super) fn opened_places(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().filter(|place| !matches!(place.node, Node::Link(_)))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new();
        encoder.array(9);
        write_strings(&mut encoder, &self.arguments);
        write_strings(&mut encoder, &self.environment);
        encoder.int(i64::from(self.delivery == Delivery::File)).uint(clamp(self.payload_bytes));
        encoder.array(wide(self.places.len()));
        for place in &self.places {
            write_place(&mut encoder, place);
        }
        encoder.array(wide(self.ports.len()));
        for port in &self.ports {
            encoder.uint((*port).into());
        }
        write_limits(&mut encoder, &self.limits);
        encoder.array(wide(self.waived.len()));
        for layer in &self.waived {
            encoder.int(layer_number(*layer));
        }
        encoder.bool(self.script == Script::Yes);
        encoder.into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut decoder = Decoder::new(bytes);
        let decoder = &mut decoder;
        decoder.array_of(9)?;
        let orders = Self {
            arguments: list(decoder, read_string)?,
            environment: list(decoder, read_string)?,
            delivery: if decoder.int()? == 1 { Delivery::File } else { Delivery::Stdin },
            payload_bytes: read_number(decoder)?,
            places: list(decoder, read_place)?,
            ports: list(decoder, |decoder| Ok(u16::try_from(decoder.int()?).unwrap_or(0)))?,
            limits: read_limits(decoder)?,
            waived: list(decoder, |decoder| Ok(layer_of(decoder.int()?)))?
                .into_iter()
                .flatten()
                .collect(),
            script: if decoder.bool()? { Script::Yes } else { Script::No },
        };
        decoder.finish()?;
        Ok(orders)
    }
}

fn write_strings(encoder: &mut Encoder, strings: &[OsString]) {
    encoder.array(wide(strings.len()));
    for string in strings {
        encoder.bytes(string.as_bytes());
    }
}

fn write_place(encoder: &mut Encoder, place: &Place) {
    encoder.array(4).bytes(place.source.as_os_str().as_bytes());
    encoder.bytes(place.target.as_os_str().as_bytes());
    encoder.uint(match place.access {
        Access::Execute => 0,
        Access::Read => 1,
        Access::Write => 2,
    });
    match &place.node {
        Node::Directory => encoder.uint(0),
        Node::File => encoder.uint(1),
        Node::Link(to) => encoder.bytes(to.as_bytes()),
    };
}

fn read_place(decoder: &mut Decoder<'_>) -> Result<Place, Malformed> {
    decoder.array_of(4)?;
    let source = read_string(decoder)?.into();
    let target = read_string(decoder)?.into();
    let access = match decoder.int()? {
        0 => Access::Execute,
        2 => Access::Write,
        _ => Access::Read,
    };
    let node = match decoder.peek()? {
        crate::cbor::Kind::Bytes => Node::Link(read_string(decoder)?),
        _ if decoder.int()? == 0 => Node::Directory,
        _ => Node::File,
    };
    Ok(Place { source, target, access, node })
}

fn write_limits(encoder: &mut Encoder, limits: &Limits) {
    let Limits { wall, cpu, memory, output, errors, file_size, processes, files, scratch } = limits;
    let millis = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let numbers = [
        millis(wall),
        millis(cpu),
        *memory,
        *output,
        *errors,
        *file_size,
        u64::from(*processes),
        u64::from(*files),
        *scratch,
    ];
    encoder.array(wide(numbers.len()));
    for number in numbers {
        encoder.uint(clamp(number));
    }
}

fn read_limits(decoder: &mut Decoder<'_>) -> Result<Limits, Malformed> {
    decoder.array_of(9)?;
    let mut next = || read_number(decoder);
    Ok(Limits {
        wall: Duration::from_millis(next()?),
        cpu: Duration::from_millis(next()?),
        memory: next()?,
        output: next()?,
        errors: next()?,
        file_size: next()?,
        processes: u32::try_from(next()?).unwrap_or(0),
        files: u32::try_from(next()?).unwrap_or(0),
        scratch: next()?,
    })
}

fn list<T>(
    decoder: &mut Decoder<'_>,
    mut item: impl FnMut(&mut Decoder<'_>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let count = decoder.array()?;
    (0..count).map(|_| item(decoder)).collect()
}

fn read_string(decoder: &mut Decoder<'_>) -> Result<OsString, Malformed> {
    Ok(OsStr::from_bytes(decoder.bytes()?).to_owned())
}

fn read_number(decoder: &mut Decoder<'_>) -> Result<u64, Malformed> {
    Ok(u64::try_from(decoder.int()?).unwrap_or(0))
}

/// The reader takes integers of 63 bits; a limit beyond them bounds nothing anyhow.
fn clamp(number: u64) -> u64 {
    number.min(i64::MAX.unsigned_abs())
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_arrive_as_they_were_given() {
        let place = |target: &str, access, node| Place {
            source: "/source".into(),
            target: target.into(),
            access,
            node,
        };
        let mut orders = Orders {
            arguments: vec!["a".into(), OsStr::from_bytes(b"\xff").into()],
            environment: vec!["A=b".into()],
            delivery: Delivery::File,
            payload_bytes: 1 << 33,
            places: vec![
                place("/a", Access::Execute, Node::Directory),
                place("/b", Access::Read, Node::File),
                place("/c", Access::Write, Node::Link("to".into())),
            ],
            ports: vec![443, 65535],
            limits: Limits {
                wall: Duration::from_millis(1500),
                cpu: Duration::from_millis(250),
                memory: 1,
                output: 2,
                errors: 3,
                file_size: 4,
                processes: 5,
                files: 6,
                scratch: 7,
            },
            waived: vec![Layer::Landlock, Layer::Network],
            script: Script::Yes,
        };
        assert_eq!(Orders::decode(&orders.encode()), Ok(orders.clone()));
        orders.delivery = Delivery::Stdin;
        orders.script = Script::No;
        assert_eq!(Orders::decode(&orders.encode()), Ok(orders.clone()));
        // What bounds nothing goes on bounding nothing.
        orders.limits.memory = u64::MAX;
        let decoded = Orders::decode(&orders.encode()).unwrap();
        assert_eq!(decoded.limits.memory, i64::MAX.unsigned_abs());
    }
}
