//! Limits of each process of a job.

use std::io;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::message::Fault;
use super::orders::Orders;
use crate::job::plan::Layer;

/// Sets every limit. After this, memory may not be had any more.
pub(super) fn set(orders: &Orders) -> Result<(), Fault> {
    let limits = &orders.limits;
    let seconds = seconds_rounded_up(limits.cpu).max(1);
    // The first signal can be caught; the second, a second later, cannot.
    set_one(Resource::Cpu, seconds, seconds.saturating_add(1))?;
    let processes = u64::from(limits.processes).saturating_add(own_processes(orders));
    let both = [
        (Resource::Core, CORE_BYTES),
        (Resource::Fsize, limits.file_size),
        (Resource::Memlock, 0),
        (Resource::Msgqueue, 0),
        (Resource::Nice, 0),
        (Resource::Nofile, limits.files.into()),
        (Resource::Nproc, processes),
        (Resource::Rtprio, 0),
        (Resource::Sigpending, SIGNALS),
        (Resource::Stack, STACK_BYTES),
        (Resource::As, limits.memory),
    ];
    both.into_iter().try_for_each(|(resource, limit)| set_one(resource, limit, limit))
}

/// Lowers a limit. One that is lower already stays.
fn set_one(resource: Resource, soft: u64, hard: u64) -> Result<(), Fault> {
    let ceiling = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let hard = hard.min(ceiling);
    let new = Rlimit { current: Some(soft.min(hard)), maximum: Some(hard) };
    setrlimit(resource, new)
        .map_err(io::Error::from)
        .map_err(|error| Fault::new(Some(Layer::Limits), &format!("limiting {resource:?}"), &error))
}

/// The processes of brine that are counted with those of the job: the init and process 1, where they
/// are in a user namespace of their own.
fn own_processes(orders: &Orders) -> u64 {
    if orders.waives(Layer::Namespaces) { 0 } else { 2 }
}

fn seconds_rounded_up(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

/// Not 0: where cores are piped to a program, Linux heeds this value only (`core(5)`).
const CORE_BYTES: u64 = 1;

const SIGNALS: u64 = 256;

const STACK_BYTES: u64 = 8 << 20;
