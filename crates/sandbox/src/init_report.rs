//! The reports of the init of a job to brine.

use std::io;
use std::time::Duration;

use brine_core::cbor::{Decoder, Encoder, Malformed};
use brine_job::Layer;

use super::init_channel::MAX_MESSAGE_BYTES;
use super::outcome::{LAYERS, ProcView, ResourceUsage};

/// Why the init gave up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InitFault {
    /// The layer that could not be set up, if any.
    pub(super) layer: Option<Layer>,
    /// What was being done.
    pub(super) step: String,
    /// The error number of the system; `None` if this is not about a call, so that nothing can have withheld it.
    pub(super) errno: Option<i32>,
}

/// A report of the init of a job.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InitReport {
    /// These layers hold, the job sees this as `/proc`, and the program is about to start.
    Held(Vec<Layer>, ProcView),
    /// The program will not start.
    Failed(InitFault),
    /// The program cannot be executed, for the reason with this error number.
    NotExecuted(i32),
    /// The program exited with this status.
    Exited(u8),
    /// This signal ended the program, after it and everything that was reaped before had used this much
    /// processor time.
    Signalled(i32, Duration),
    /// Every process is gone, and they used this much.
    Gone(ResourceUsage),
    /// A process made the hostile call of this number, if it is known, and the job is being ended for that.
    Violated(Option<i32>),
    /// The first process of the job was forked; all others descend from it. This is its number for brine.
    Forked(i32),
    /// That process waits for brine to let it go on. These descriptors come with the message, in this order.
    Ready(Vec<ShownToBrine>, Membership),
    /// That process counts its processor time, as brine asked, and goes on. The counter comes with the message.
    Counting,
}

/// Which control groups of the job its first process is in by itself, so that brine need not move it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Membership {
    /// All of version 1.
    pub(super) of_version_1: bool,
    /// That of version 2.
    pub(super) of_version_2: bool,
}

/// What brine is shown of a job that is about to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShownToBrine {
    /// A `/proc` of the job's process namespace.
    Processes,
    /// The scratch directory.
    Scratch,
    /// A `NETLINK_SOCK_DIAG` socket of the job's network namespace, if that is its own.
    Sockets,
}

impl ShownToBrine {
    const ALL: [Self; 3] = [Self::Processes, Self::Scratch, Self::Sockets];
}

impl InitFault {
    /// Returns the error of the system, or one that stands for none of its.
    pub(super) fn source(&self) -> io::Error {
        self.errno.map_or_else(|| io::ErrorKind::InvalidInput.into(), io::Error::from_raw_os_error)
    }

    /// Returns the fault of a layer that could not be set up.
    pub(super) fn of(layer: Layer, step: &str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::new(Some(layer), step, &error)
    }

    pub(super) fn new(layer: Option<Layer>, step: &str, error: &io::Error) -> Self {
        // An error that is not the system's has no number, so its text is kept.
        match error.raw_os_error() {
            Some(errno) => Self { layer, step: step.to_owned(), errno: Some(errno) },
            None => Self { layer, step: format!("{step}: {error}"), errno: None },
        }
    }
}

impl InitReport {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new();
        match self {
            Self::Held(layers, view) => {
                encoder.array(3).uint(0).array(wide(layers.len()));
                for layer in layers {
                    encoder.int(layer_number(*layer));
                }
                encoder.text(view.name());
            }
            Self::Violated(call) => drop(encoder.array(2).uint(8).int(call.unwrap_or(-1).into())),
            Self::Failed(fault) => {
                let layer = fault.layer.map_or(-1, layer_number);
                // A step can name a path of any length.
                let step: String = fault.step.chars().take(MAX_MESSAGE_BYTES / 8).collect();
                encoder
                    .array(4)
                    .uint(1)
                    .int(layer)
                    .text(&step)
                    .int(fault.errno.unwrap_or(NO_ERRNO).into());
            }
            Self::NotExecuted(errno) => drop(encoder.array(2).uint(2).int((*errno).into())),
            Self::Exited(status) => drop(encoder.array(2).uint(3).uint((*status).into())),
            Self::Signalled(signal, used) => {
                encoder.array(3).uint(4).int((*signal).into()).uint(micros(*used));
            }
            Self::Gone(usage) => {
                encoder.array(4).uint(5).uint(micros(usage.user)).uint(micros(usage.system));
                encoder.uint(usage.peak_memory);
            }
            Self::Forked(process) => drop(encoder.array(2).uint(6).int((*process).into())),
            Self::Ready(shown, Membership { of_version_1, of_version_2 }) => {
                encoder.array(4).uint(7).bool(*of_version_1).bool(*of_version_2);
                encoder.array(wide(shown.len()));
                for one in shown {
                    let place = ShownToBrine::ALL.iter().position(|other| other == one);
                    encoder.uint(wide(place.unwrap_or_default()));
                }
            }
            Self::Counting => drop(encoder.array(1).uint(9)),
        }
        encoder.into_bytes()
    }

    /// Reads a report; `None` if it is malformed.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        Self::read(bytes).ok().flatten()
    }

    fn read(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let mut decoder = Decoder::new(bytes);
        decoder.array()?;
        let kind = decoder.int()?;
        let message = match kind {
            0 => {
                let mut layers = Vec::new();
                for _ in 0..decoder.array()? {
                    layers.extend(layer_of(decoder.int()?));
                }
                let name = decoder.text()?;
                let views = [ProcView::Missing, ProcView::Own, ProcView::System];
                let view = views.into_iter().find(|view| view.name() == name);
                view.map(|view| Self::Held(layers, view))
            }
            1 => {
                let layer = layer_of(decoder.int()?);
                let step = decoder.text()?.to_owned();
                let errno = number(decoder.int()?);
                errno.map(|errno| {
                    let errno = Some(errno).filter(|errno| *errno != NO_ERRNO);
                    Self::Failed(InitFault { layer, step, errno })
                })
            }
            2 => number(decoder.int()?).map(Self::NotExecuted),
            3 => number(decoder.int()?).map(Self::Exited),
            4 => {
                let signal = number(decoder.int()?);
                let used = time(decoder.int()?);
                signal.map(|signal| Self::Signalled(signal, used))
            }
            5 => {
                let (user, system) = (decoder.int()?, decoder.int()?);
                let peak_memory = unsigned(decoder.int()?);
                Some(Self::Gone(ResourceUsage {
                    user: time(user),
                    system: time(system),
                    peak_memory,
                }))
            }
            8 => Some(Self::Violated(number(decoder.int()?).filter(|call| *call >= 0))),
            6 => number(decoder.int()?).map(Self::Forked),
            7 => {
                let (of_version_1, of_version_2) = (decoder.bool()?, decoder.bool()?);
                let mut shown = Vec::new();
                for _ in 0..decoder.array()? {
                    let place = usize::try_from(decoder.int()?).ok();
                    shown.extend(place.and_then(|place| ShownToBrine::ALL.get(place)));
                }
                Some(Self::Ready(shown, Membership { of_version_1, of_version_2 }))
            }
            9 => Some(Self::Counting),
            _ => None,
        };
        decoder.finish()?;
        Ok(message)
    }
}

/// Returns the number of a layer in messages between the two processes.
pub(super) fn layer_number(layer: Layer) -> i64 {
    let place = LAYERS.iter().position(|other| *other == layer);
    place.and_then(|place| i64::try_from(place).ok()).unwrap_or(-1)
}

pub(super) fn layer_of(number: i64) -> Option<Layer> {
    usize::try_from(number).ok().and_then(|place| LAYERS.get(place)).copied()
}

fn number<T: TryFrom<i64>>(value: i64) -> Option<T> {
    T::try_from(value).ok()
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn time(micros: i64) -> Duration {
    Duration::from_micros(unsigned(micros))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// How a fault is sent that has no error number: the system gives none that is 0.
const NO_ERRNO: i32 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_report_arrives_as_it_was_sent() {
        let fault = |layer, step: &str| InitFault { layer, step: step.into(), errno: Some(13) };
        let usage = ResourceUsage {
            user: Duration::from_micros(7),
            system: Duration::from_secs(2),
            peak_memory: 1 << 40,
        };
        let mut messages = vec![
            InitReport::Held(LAYERS.to_vec(), ProcView::Own),
            InitReport::Held(Vec::new(), ProcView::Missing),
            InitReport::Held(Vec::new(), ProcView::System),
            InitReport::Violated(Some(101)),
            InitReport::Violated(None),
            InitReport::Failed(fault(None, "doing something")),
            InitReport::Failed(InitFault { layer: None, step: "an argument".into(), errno: None }),
            InitReport::NotExecuted(2),
            InitReport::Exited(255),
            InitReport::Signalled(9, Duration::from_micros(11)),
            InitReport::Gone(usage),
            InitReport::Forked(4_194_303),
            InitReport::Ready(ShownToBrine::ALL.to_vec(), Membership::default()),
            InitReport::Ready(Vec::new(), Membership { of_version_1: true, of_version_2: false }),
            InitReport::Ready(Vec::new(), Membership { of_version_1: false, of_version_2: true }),
            InitReport::Counting,
        ];
        messages.extend(LAYERS.map(|layer| InitReport::Failed(fault(Some(layer), "step"))));
        for message in messages {
            assert_eq!(InitReport::decode(&message.encode()), Some(message));
        }
    }

    #[test]
    fn a_report_fits_however_long_a_path_is() {
        let step = "\u{1f9c2}".repeat(10_000);
        let message = InitReport::Failed(InitFault { layer: None, step, errno: Some(1) }).encode();
        assert!(message.len() <= MAX_MESSAGE_BYTES);
        assert!(matches!(InitReport::decode(&message), Some(InitReport::Failed(_))));
    }

    #[test]
    fn malformed_reports_are_none() {
        for bytes in [&[][..], b"x", &[0x82, 0x18, 0x63, 0x00], &[0x82, 0x03, 0x19, 0x01, 0x00]] {
            assert_eq!(InitReport::decode(bytes), None, "{bytes:?}");
        }
    }
}
