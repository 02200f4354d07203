//! The same through servers that are killed three times, with consumers on two hosts that share no file.

use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::server::{Server, free_port};
use crate::soak::{Ledgers, Soak};

/// On each host.
const CONSUMERS: usize = 2;

/// A consumer is killed at one of so many moments for each.
const MOMENTS: usize = 32;

/// How often the server is killed, while the messages are sent.
const KILLS: u64 = 3;

/// For so long it is away at least.
const AWAY: Duration = Duration::from_millis(500);

/// So long it has been there before it is killed again: RabbitMQ 3.10 forgets its queues if it is killed in the first
/// seconds after they were made, or found again.
const UP: Duration = Duration::from_secs(8);

/// So long nothing may be left in the queue until it is over: what a server does not count comes again within it.
const QUIET: Duration = Duration::from_secs(6);

/// Starts a server, or starts it again, whose store outlasts it; `None` if there is no such program here.
type Start = fn(&Path, u16) -> Option<Server>;

/// A server with a store that outlasts it.
struct Killable {
    start: Start,
    store: TempDir,
    port: u16,
    server: Option<Running>,
    starting: Option<JoinHandle<Running>>,
}

struct Running {
    _server: Server,
    since: Instant,
}

impl Running {
    fn of(server: Server) -> Self {
        Self { _server: server, since: Instant::now() }
    }
}

impl Killable {
    /// Returns nothing if there is no such program here.
    fn begin(start: Start) -> Option<Self> {
        let (store, port) = (TempDir::new().unwrap(), free_port());
        let server = Some(Running::of(start(store.path(), port)?));
        Some(Self { start, store, port, server, starting: None })
    }

    /// Returns how long it has been there.
    fn up(&mut self) -> Duration {
        if let Some(starting) = self.starting.take_if(|starting| starting.is_finished()) {
            self.server = Some(starting.join().unwrap());
        }
        self.server.as_ref().map_or(Duration::ZERO, |running| running.since.elapsed())
    }

    /// Kills it, and has it start again a moment later.
    fn kill(&mut self) {
        self.server = None;
        let (start, store, port) = (self.start, self.store.path().to_owned(), self.port);
        self.starting = Some(thread::spawn(move || {
            thread::sleep(AWAY);
            Running::of(start(&store, port).unwrap())
        }));
    }
}

/// Sends messages through a server, of which each host has a URL by its port.
fn soak(what: &str, start: Start, urls: impl Fn(u16) -> [String; 2], ledgers: Ledgers) {
    let Some(mut server) = Killable::begin(start) else { return };
    let mut soak = Soak::begin(&urls(server.port), CONSUMERS, MOMENTS);
    for kill in 1..=KILLS {
        let due = soak.messages * kill / (KILLS + 1);
        while soak.next < due || server.up() < UP {
            soak.go_on();
        }
        server.kill();
    }
    soak.finish(QUIET);
    soak.judge(&format!("{what}, killed {KILLS} times"), ledgers);
}

#[cfg(feature = "redis")]
#[test]
#[ignore = "scripts/soak-queue-servers runs it, for a minute"]
fn nothing_is_lost_or_handled_twice_over_redis() {
    let url = |port| [(); 2].map(|()| format!("redis://127.0.0.1:{port}?queue=q"));
    soak("Redis", crate::redis_site::with_store, url, Ledgers::Shared);
}

#[cfg(feature = "nats")]
#[test]
#[ignore = "scripts/soak-queue-servers runs it, for a minute"]
fn nothing_is_lost_or_handled_twice_over_nats() {
    let url = |port| [(); 2].map(|()| format!("nats://127.0.0.1:{port}?queue=q"));
    soak("NATS", crate::nats_server::with_store, url, Ledgers::Shared);
}

/// RabbitMQ remembers nothing of what was handled. Each host does that for itself.
#[cfg(feature = "amqp")]
#[test]
#[ignore = "scripts/soak-queue-servers runs it, for a minute"]
fn nothing_is_lost_or_handled_twice_by_a_host_over_rabbitmq() {
    let ledgers = TempDir::new().unwrap();
    let url = |port| {
        ["one", "two"].map(|host| {
            let ledger = ledgers.path().join(host);
            format!("amqp://127.0.0.1:{port}?queue=q&once-per-host={}", ledger.to_str().unwrap())
        })
    };
    soak("RabbitMQ", crate::rabbitmq::start, url, Ledgers::OfHosts);
}
