//! The orders of the init of a job: the plan, with every path resolved to a descriptor.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use brine_core::cbor::{Decoder, Encoder, Malformed};
use brine_job::{JobLimits, Layer, Limit, LimitValues, PayloadDelivery};

use super::SCRIPT_PATH;
use super::init_report::{layer_number, layer_of};

/// The orders of the init of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InitOrders {
    pub(super) arguments: Vec<OsString>,
    /// `NAME=value`, as `execve` takes it.
    pub(super) environment: Vec<OsString>,
    pub(super) delivery: PayloadDelivery,
    pub(super) payload_bytes: u64,
    /// The files and directories that are visible inside, each directory before those that lie in it.
    pub(super) places: Vec<PlaceInside>,
    pub(super) ports: Vec<u16>,
    /// How many sockets the job gets, from descriptor 3 on.
    pub(super) powers: usize,
    pub(super) limits: JobLimits,
    pub(super) exec_scratch: bool,
    pub(super) waived: Vec<Layer>,
    /// Whether the program begins with `#!`, so that its interpreter must be able to open it.
    pub(super) script: Script,
    /// The private copy of a program whose hash is pinned.
    pub(super) copy: Option<ProgramCopy>,
    pub(super) groups: GroupsGiven,
}

/// The private copy of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProgramCopy {
    /// Its path inside, which is that of the program.
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

/// What the init is given of the control groups of the job, after all other descriptors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GroupsGiven {
    /// Whether the directory of one of version 2 is the first.
    pub(super) cradle: bool,
    /// How many files `tasks` of version 1 follow.
    pub(super) tasks: usize,
}

/// Whether a program is a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    No,
    Yes,
}

/// A file or directory of this system that is visible inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlaceInside {
    pub(super) source: PathBuf,
    pub(super) target: PathBuf,
    pub(super) access: PlaceAccess,
    pub(super) node: PlaceNode,
}

impl PlaceInside {
    /// Returns whether it was given to this job, so that the job has the rights of nobody in it. In the system
    /// directories a job has the rights that everybody has.
    pub(super) fn keeps_owners(&self) -> bool {
        let is_script = self.target.as_os_str().as_bytes() == SCRIPT_PATH.to_bytes();
        let is_link = matches!(self.node, PlaceNode::Link(_));
        !is_link && (is_script || self.access != PlaceAccess::Execute)
    }
}

impl PlaceInside {
    /// Returns whether nobody has sockets there: it is a file, or a directory of programs, where only root writes.
    fn has_no_sockets(&self) -> bool {
        let of_programs = || PROGRAM_DIRECTORIES.iter().any(|path| self.source.starts_with(path));
        match self.node {
            PlaceNode::File | PlaceNode::Link(_) => true,
            PlaceNode::Directory => self.access == PlaceAccess::Execute && of_programs(),
        }
    }
}

/// The directories where systems have their programs and what belongs to these.
const PROGRAM_DIRECTORIES: [&str; 7] =
    ["/bin", "/etc", "/lib", "/lib32", "/lib64", "/sbin", "/usr"];

/// What the job may do with a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlaceAccess {
    /// Read and execute.
    Execute,
    /// Read.
    Read,
    /// Read and write.
    Write,
}

/// The type of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PlaceNode {
    Directory,
    File,
    /// A symbolic link to this target, made again inside. It has no descriptor.
    Link(OsString),
}

impl InitOrders {
    pub(super) fn waives(&self, layer: Layer) -> bool {
        self.waived.contains(&layer)
    }

    /// Returns whether every socket that the job can reach is its own, so that it may use local sockets by their names.
    ///
    /// Names without a path belong to a network namespace. Sockets with a path are reached wherever they are seen,
    /// also where everything is read-only, and neither Landlock (before Linux 7.1) nor seccomp tells one path from
    /// another. So no directory may be shown where anybody else can have one.
    pub(super) fn sockets_are_its_own(&self) -> bool {
        let isolated = !self.waives(Layer::Namespaces) && self.has_own_network();
        isolated && self.places.iter().all(PlaceInside::has_no_sockets)
    }

    /// Returns whether the job is in a network namespace of its own.
    pub(super) fn has_own_network(&self) -> bool {
        !self.waives(Layer::Network) && self.ports.is_empty()
    }

    /// Returns the places that come with a descriptor, in the order of the descriptors.
    pub(super) fn opened_places(&self) -> impl Iterator<Item = &PlaceInside> {
        self.places.iter().filter(|place| !matches!(place.node, PlaceNode::Link(_)))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new();
        encoder.array(13);
        write_strings(&mut encoder, &self.arguments);
        write_strings(&mut encoder, &self.environment);
        encoder
            .int(match self.delivery {
                PayloadDelivery::Stdin => 0,
                PayloadDelivery::File => 1,
                PayloadDelivery::FileAndInput => 2,
            })
            .uint(clamp(self.payload_bytes));
        encoder.array(wide(self.places.len()));
        for place in &self.places {
            write_place(&mut encoder, place);
        }
        encoder.array(wide(self.ports.len()));
        for port in &self.ports {
            encoder.uint((*port).into());
        }
        encoder.uint(wide(self.powers));
        write_limits(&mut encoder, &self.limits);
        encoder.bool(self.exec_scratch);
        encoder.array(wide(self.waived.len()));
        for layer in &self.waived {
            encoder.int(layer_number(*layer));
        }
        encoder.bool(self.script == Script::Yes);
        let copy = self.copy.iter();
        encoder.array(wide(copy.len()));
        for ProgramCopy { path, bytes } in copy {
            encoder.array(2).bytes(path.as_os_str().as_bytes()).uint(clamp(*bytes));
        }
        encoder.array(2).bool(self.groups.cradle).uint(wide(self.groups.tasks));
        encoder.into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut decoder = Decoder::new(bytes);
        let decoder = &mut decoder;
        decoder.array_of(13)?;
        let orders = Self {
            arguments: list(decoder, read_string)?,
            environment: list(decoder, read_string)?,
            delivery: match decoder.int()? {
                1 => PayloadDelivery::File,
                2 => PayloadDelivery::FileAndInput,
                _ => PayloadDelivery::Stdin,
            },
            payload_bytes: read_number(decoder)?,
            places: list(decoder, read_place)?,
            ports: list(decoder, |decoder| Ok(u16::try_from(decoder.int()?).unwrap_or(0)))?,
            powers: usize::try_from(decoder.int()?).unwrap_or(0),
            limits: read_limits(decoder)?,
            exec_scratch: decoder.bool()?,
            waived: list(decoder, |decoder| Ok(layer_of(decoder.int()?)))?
                .into_iter()
                .flatten()
                .collect(),
            script: if decoder.bool()? { Script::Yes } else { Script::No },
            copy: list(decoder, read_copy)?.pop(),
            groups: read_groups(decoder)?,
        };
        decoder.finish()?;
        Ok(orders)
    }
}

fn read_groups(decoder: &mut Decoder<'_>) -> Result<GroupsGiven, Malformed> {
    decoder.array_of(2)?;
    let cradle = decoder.bool()?;
    Ok(GroupsGiven { cradle, tasks: usize::try_from(decoder.int()?).unwrap_or(0) })
}

fn read_copy(decoder: &mut Decoder<'_>) -> Result<ProgramCopy, Malformed> {
    decoder.array_of(2)?;
    Ok(ProgramCopy { path: read_string(decoder)?.into(), bytes: read_number(decoder)? })
}

fn write_strings(encoder: &mut Encoder, strings: &[OsString]) {
    encoder.array(wide(strings.len()));
    for string in strings {
        encoder.bytes(string.as_bytes());
    }
}

fn write_place(encoder: &mut Encoder, place: &PlaceInside) {
    encoder.array(4).bytes(place.source.as_os_str().as_bytes());
    encoder.bytes(place.target.as_os_str().as_bytes());
    encoder.uint(match place.access {
        PlaceAccess::Execute => 0,
        PlaceAccess::Read => 1,
        PlaceAccess::Write => 2,
    });
    match &place.node {
        PlaceNode::Directory => encoder.uint(0),
        PlaceNode::File => encoder.uint(1),
        PlaceNode::Link(to) => encoder.bytes(to.as_bytes()),
    };
}

fn read_place(decoder: &mut Decoder<'_>) -> Result<PlaceInside, Malformed> {
    decoder.array_of(4)?;
    let source = read_string(decoder)?.into();
    let target = read_string(decoder)?.into();
    let access = match decoder.int()? {
        0 => PlaceAccess::Execute,
        2 => PlaceAccess::Write,
        _ => PlaceAccess::Read,
    };
    let node = match decoder.peek()? {
        brine_core::cbor::ItemType::Bytes => PlaceNode::Link(read_string(decoder)?),
        _ if decoder.int()? == 0 => PlaceNode::Directory,
        _ => PlaceNode::File,
    };
    Ok(PlaceInside { source, target, access, node })
}

fn write_limits(encoder: &mut Encoder, limits: &JobLimits) {
    let values = limits.values();
    encoder.array(wide(values.len()));
    for value in values.into_values() {
        encoder.uint(clamp(value));
    }
}

/// Reads the limits in the order of [`Limit::ALL`], which is that of their values.
fn read_limits(decoder: &mut Decoder<'_>) -> Result<JobLimits, Malformed> {
    decoder.array_of(wide(Limit::ALL.len()))?;
    let mut values = LimitValues::new();
    for limit in Limit::ALL {
        values.insert(limit, read_number(decoder)?);
    }
    Ok(JobLimits::of(|limit| values.get(&limit).copied().unwrap_or_default()))
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

/// Lowers a number to 63 bits, which is what the reader takes. A larger limit is no limit anyway.
fn clamp(number: u64) -> u64 {
    number.min(i64::MAX.unsigned_abs())
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn orders_arrive_as_they_were_given() {
        let place = |target: &str, access, node| PlaceInside {
            source: "/source".into(),
            target: target.into(),
            access,
            node,
        };
        let mut orders = InitOrders {
            arguments: vec!["a".into(), OsStr::from_bytes(b"\xff").into()],
            environment: vec!["A=b".into()],
            delivery: PayloadDelivery::File,
            payload_bytes: 1 << 33,
            places: vec![
                place("/a", PlaceAccess::Execute, PlaceNode::Directory),
                place("/b", PlaceAccess::Read, PlaceNode::File),
                place("/c", PlaceAccess::Write, PlaceNode::Link("to".into())),
            ],
            ports: vec![443, 65535],
            powers: 2,
            limits: JobLimits {
                wall: Duration::from_millis(1500),
                grace: Duration::from_millis(200),
                cpu: Duration::from_millis(250),
                memory: 1,
                address_space: 8,
                output: 2,
                errors: 3,
                file_size: 4,
                processes: 5,
                files: 6,
                scratch: 7,
            },
            exec_scratch: true,
            waived: vec![Layer::Landlock, Layer::Network],
            script: Script::Yes,
            copy: Some(ProgramCopy { path: "/usr/bin/tool".into(), bytes: 1 << 20 }),
            groups: GroupsGiven { cradle: true, tasks: 2 },
        };
        assert_eq!(InitOrders::decode(&orders.encode()), Ok(orders.clone()));
        orders.delivery = PayloadDelivery::FileAndInput;
        assert_eq!(InitOrders::decode(&orders.encode()), Ok(orders.clone()));
        orders.delivery = PayloadDelivery::Stdin;
        orders.script = Script::No;
        orders.copy = None;
        orders.groups = GroupsGiven::default();
        assert_eq!(InitOrders::decode(&orders.encode()), Ok(orders.clone()));
        // A limit that is no limit stays one.
        orders.limits.memory = u64::MAX;
        let decoded = InitOrders::decode(&orders.encode()).unwrap();
        assert_eq!(decoded.limits.memory, i64::MAX.unsigned_abs());
    }
}
