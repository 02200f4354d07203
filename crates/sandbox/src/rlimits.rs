//! The layer `limits`: resource limits of each process of a job.

use std::io;
use std::time::Duration;

use brine_job::Layer;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::init_report::InitFault;
use super::orders::InitOrders;

/// Sets every limit. After this, allocating memory can fail. `counted` processes of brine's are counted with those of
/// the job.
pub(super) fn set(orders: &InitOrders, counted: u64) -> Result<(), InitFault> {
    let limits = &orders.limits;
    let seconds = seconds_rounded_up(limits.cpu).max(1);
    // SIGXCPU can be caught. SIGKILL, a second later, cannot.
    set_one(Resource::Cpu, seconds, seconds.saturating_add(1))?;
    let processes = u64::from(limits.processes).saturating_add(counted);
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
        (Resource::As, limits.address_space),
    ];
    both.into_iter().try_for_each(|(resource, limit)| set_one(resource, limit, limit))
}

/// Sets the limits of a process that reads, with what it has open, and does nothing else.
pub(super) fn set_for_reader(memory: u64, cpu: Duration) -> Result<(), InitFault> {
    let seconds = seconds_rounded_up(cpu).max(1);
    set_one(Resource::Cpu, seconds, seconds.saturating_add(1))?;
    let none = [
        Resource::Fsize,
        Resource::Memlock,
        Resource::Msgqueue,
        Resource::Nice,
        Resource::Nofile,
        Resource::Nproc,
        Resource::Rtprio,
        Resource::Sigpending,
    ];
    none.into_iter().try_for_each(|resource| set_one(resource, 0, 0))?;
    set_one(Resource::Core, CORE_BYTES, CORE_BYTES)?;
    set_one(Resource::Stack, STACK_BYTES, STACK_BYTES)?;
    set_one(Resource::As, memory, memory)
}

/// Lowers a limit. A limit that is lower already stays.
fn set_one(resource: Resource, soft: u64, hard: u64) -> Result<(), InitFault> {
    let ceiling = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let hard = hard.min(ceiling);
    let new = Rlimit { current: Some(soft.min(hard)), maximum: Some(hard) };
    setrlimit(resource, new).map_err(io::Error::from).map_err(|error| {
        InitFault::new(Some(Layer::Limits), &format!("limiting {resource:?}"), &error)
    })
}

fn seconds_rounded_up(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

/// Linux ignores a limit of 0 if core dumps are piped to a program, but not a limit of 1 (`core(5)`).
const CORE_BYTES: u64 = 1;

const SIGNALS: u64 = 256;

const STACK_BYTES: u64 = 8 << 20;
