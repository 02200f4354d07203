//! Queues on a NATS server. Leases and delays are of the server, so time really passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use brine_core::Timestamp;
use brine_queue::{NatsPlace, NatsQueue, QueueBirth, QueueError, QueueName, QueueOptions};

use crate::conformance::{LEASE, QueueSite};
use crate::nats_server;
use crate::worker::{SystemClock, system_now};

/// A moment is told in whole seconds, so something that lasts for some can last for one more.
const ROUNDING: Duration = Duration::from_millis(1100);

/// How long it takes until the server has done what it does by itself.
const SLACK: Duration = Duration::from_millis(50);

pub(crate) struct NatsSite {
    port: u16,
    /// What the names of the queues begin with, which are on the server of all tests.
    prefix: String,
}

impl NatsSite {
    /// Uses the server of all tests, if there is one.
    pub(crate) fn new() -> Option<Self> {
        nats_server::shared().map(Self::at)
    }

    /// Uses a server on this port.
    pub(crate) fn at(port: u16) -> Self {
        static SITES: AtomicU32 = AtomicU32::new(0);
        Self { port, prefix: format!("site-{}", SITES.fetch_add(1, Ordering::Relaxed)) }
    }

    pub(crate) fn options() -> QueueOptions {
        let (birth, lease) = (QueueBirth::AcceptOlder, LEASE);
        QueueOptions { birth, lease, ..QueueOptions::default() }
    }

    pub(crate) fn place(&self) -> NatsPlace {
        NatsPlace::new("127.0.0.1", self.port)
    }

    pub(crate) fn try_open(
        &self,
        name: &str,
        options: QueueOptions,
    ) -> Result<NatsQueue, QueueError> {
        NatsQueue::open(&self.place(), &self.queue_name(name), options, Arc::new(SystemClock))
    }
}

impl QueueSite for NatsSite {
    type Queue = NatsQueue;

    fn open(&self, name: &str) -> NatsQueue {
        self.try_open(name, Self::options()).unwrap()
    }

    fn open_existing(&self, name: &str) -> Result<NatsQueue, QueueError> {
        self.try_open(name, QueueOptions { birth: QueueBirth::Existing, ..Self::options() })
    }

    fn queue_name(&self, name: &str) -> QueueName {
        QueueName::new(format!("{}/{name}", self.prefix)).unwrap()
    }

    fn now(&self) -> Timestamp {
        system_now()
    }

    fn let_pass(&self, length: Duration) {
        let rounding = if length.subsec_nanos() == 0 { ROUNDING } else { SLACK };
        thread::sleep(length + rounding);
    }
}

crate::conforms!(match NatsSite::new() {
    Some(site) => site,
    None => return,
});
