//! Queues on a RabbitMQ server. Leases and delays are of the server, so time passes there, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use brine_core::{Clock, Timestamp};
use brine_queue::{
    AmqpQueue, QueueBirth, QueueError, QueueName, QueueOptions, QueuePlace, QueueUrl, Server,
    ServerSecrets, SqliteLedgerPlace,
};
use brine_testkit::{SteppingClock, now};
use tempfile::TempDir;

use crate::conformance::{Ability, LEASE, QueueSite};
use crate::rabbitmq;

/// How long it takes until the server has done what it does by itself.
const SLACK: Duration = Duration::from_millis(400);

pub(crate) struct AmqpSite {
    port: u16,
    /// What the names of the queues begin with, which are on the server of all tests.
    prefix: String,
    directory: TempDir,
    pub(crate) clock: SteppingClock,
}

impl AmqpSite {
    /// Uses the server of all tests, if there is one.
    pub(crate) fn new() -> Option<Self> {
        rabbitmq::shared().map(Self::at)
    }

    /// Uses a server on this port.
    pub(crate) fn at(port: u16) -> Self {
        static SITES: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("site-{}", SITES.fetch_add(1, Ordering::Relaxed));
        let (directory, clock) = (TempDir::new().unwrap(), SteppingClock::new(now()));
        Self { port, prefix, directory, clock }
    }

    /// Uses the queues of another site by another port.
    pub(crate) fn beside(other: &Self, port: u16) -> Self {
        Self { prefix: other.prefix.clone(), clock: other.clock.clone(), ..Self::at(port) }
    }

    pub(crate) fn options() -> QueueOptions {
        let (birth, lease) = (QueueBirth::AcceptOlder, LEASE);
        QueueOptions {
            birth,
            lease,
            busy_timeout: Duration::from_secs(20),
            ..QueueOptions::default()
        }
    }

    pub(crate) fn try_open(
        &self,
        name: &str,
        options: QueueOptions,
    ) -> Result<AmqpQueue<SqliteLedgerPlace>, QueueError> {
        let server = server(&format!("amqp://127.0.0.1:{}?queue=q", self.port));
        self.open_by(&server, &ServerSecrets::default(), name, options)
    }

    pub(crate) fn open_by(
        &self,
        server: &Server,
        secrets: &ServerSecrets,
        name: &str,
        options: QueueOptions,
    ) -> Result<AmqpQueue<SqliteLedgerPlace>, QueueError> {
        let path = self.directory.path().join("ledger");
        let made = QueueOptions { birth: QueueBirth::AcceptOlder, ..options };
        let ledgers = Arc::new(SqliteLedgerPlace::open(&path, &made, self.now())?);
        let clock = Arc::new(self.clock.clone());
        AmqpQueue::open(server, secrets, ledgers, &self.queue_name(name), options, clock)
    }
}

/// Returns the server of a URL.
pub(crate) fn server(url: &str) -> Server {
    match url.parse::<QueueUrl>().unwrap().place {
        QueuePlace::Server(server) => server,
        QueuePlace::Sqlite(_) => panic!("it is a file"),
    }
}

impl QueueSite for AmqpSite {
    type Queue = AmqpQueue<SqliteLedgerPlace>;

    fn open(&self, name: &str) -> Self::Queue {
        self.try_open(name, Self::options()).unwrap()
    }

    fn open_existing(&self, name: &str) -> Result<Self::Queue, QueueError> {
        let options = QueueOptions { birth: QueueBirth::Existing, ..Self::options() };
        self.try_open(name, options)
    }

    fn queue_name(&self, name: &str) -> QueueName {
        QueueName::new(format!("{}/{name}", self.prefix)).unwrap()
    }

    fn now(&self) -> Timestamp {
        self.clock.now().unwrap()
    }

    fn let_pass(&self, length: Duration) {
        self.clock.step(length.as_secs() + 1);
        thread::sleep(length + SLACK);
    }

    fn can(&self, ability: Ability) -> bool {
        match ability {
            // The server counts what is there, and not what was.
            Ability::CountSent => false,
            // Nobody is told whether others wait for a message, so it is handed back when its time is over.
            Ability::KeepStaleLeases => false,
            // A message that waits is in another queue, and comes back behind all others.
            Ability::RememberPlaces => false,
            // A message is taken by whoever receives it, and by nobody else.
            Ability::TakeBack => false,
        }
    }
}

crate::conforms!(match AmqpSite::new() {
    Some(site) => site,
    None => return,
});
