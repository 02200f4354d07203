//! Queues on a Redis server of the test.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use brine_core::{Classified as _, Timestamp};
use brine_queue::{
    Buried, DeadLetterBounds, DeadLetters as _, Queue as _, QueueBirth, QueueError, QueueName,
    QueueOptions, QueuePlace, QueueUrl, ReceiveBounds, RedisQueue, RefusedMessage, Server,
    ServerSecrets, Standing,
};
use brine_records::{DeadLetter, Ledger as _, Settled};
use tempfile::TempDir;

use crate::conformance::{LEASE, LONG, QueueSite, all, one};
use crate::records::{fresh, reason, record, subject};
use crate::server::{Server as TestServer, free_port, is_missing};
use crate::worker::{SystemClock, insist, system_now};

const PROGRAM: &str = "redis-server";

/// Has everything on the disk at once.
const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

/// Starts a server, or starts it again, whose store outlasts it; `None` if there is no such program here.
pub(crate) fn with_store(store: &Path, port: u16) -> Option<TestServer> {
    (!is_absent()).then(|| start(store, port, &DURABLE))
}

fn is_absent() -> bool {
    is_missing(PROGRAM, Command::new(PROGRAM).arg("--version").output().is_ok())
}

fn start(store: &Path, port: u16, more: &[&str]) -> TestServer {
    let files = TempDir::new().unwrap().keep();
    TestServer::start_in(&files, port, |_, port| {
        let mut command = Command::new(PROGRAM);
        let port = port.to_string();
        command.args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--dir"]);
        command.arg(store).args(more);
        command
    })
}

/// A server, and what it keeps.
pub(crate) struct RedisSite {
    server: Option<TestServer>,
    port: u16,
    data: TempDir,
}

impl RedisSite {
    /// Starts a server that has everything on the disk at once; `None` if there is no such program here.
    fn new() -> Option<Self> {
        Self::with(&DURABLE)
    }

    fn with(more: &[&str]) -> Option<Self> {
        if is_absent() {
            return None;
        }
        let mut site = Self { server: None, port: free_port(), data: TempDir::new().unwrap() };
        site.start(more);
        Some(site)
    }

    fn start(&mut self, more: &[&str]) {
        self.server = Some(start(self.data.path(), self.port, more));
    }

    fn stop(&mut self) {
        self.server = None;
    }

    fn place(&self, user: &str) -> Server {
        place(&format!("redis://{user}127.0.0.1:{}?queue=q", self.port))
    }

    fn options() -> QueueOptions {
        let (birth, lease) = (QueueBirth::AcceptOlder, LEASE);
        let busy_timeout = Duration::from_secs(5);
        QueueOptions { birth, lease, busy_timeout, ..QueueOptions::default() }
    }

    fn try_open(&self, name: &str, options: QueueOptions) -> Result<RedisQueue, QueueError> {
        let (name, clock) = (QueueName::new(name).unwrap(), Arc::new(SystemClock));
        RedisQueue::open(&self.place(""), &ServerSecrets::default(), &name, options, clock)
    }
}

fn place(url: &str) -> Server {
    match url.parse::<QueueUrl>().unwrap().place {
        QueuePlace::Server(server) => server,
        QueuePlace::Sqlite(_) => panic!("it is a server"),
    }
}

impl QueueSite for RedisSite {
    type Queue = RedisQueue;

    fn open(&self, name: &str) -> RedisQueue {
        self.try_open(name, Self::options()).unwrap()
    }

    fn open_existing(&self, name: &str) -> Result<RedisQueue, QueueError> {
        self.try_open(name, QueueOptions { birth: QueueBirth::Existing, ..Self::options() })
    }

    fn now(&self) -> Timestamp {
        system_now()
    }

    fn let_pass(&self, length: Duration) {
        sleep(length + Duration::from_millis(50));
    }
}

crate::conforms!(match RedisSite::new() {
    Some(site) => site,
    None => return,
});

#[test]
fn what_was_published_and_settled_outlasts_a_restart() {
    let Some(mut site) = RedisSite::new() else { return };
    let mut queue = site.open("q");
    let mut ledger = queue.ledger().unwrap();
    queue.publish(&[&record(&site, 0), &record(&site, 1)]).unwrap();
    let (handled, held) = (one(&mut queue), one(&mut queue));
    let lease = fresh(&site, &mut ledger, handled.content.clone());
    assert_eq!(queue.commit_and_ack(&[(&handled.lease, &lease)]).unwrap(), [Settled::Done]);
    site.stop();
    let error = queue.publish(&[b"away"]).unwrap_err();
    assert_eq!((error.reason(), error.may_pass()), ("queue-connection", true));
    site.start(&DURABLE);
    assert_eq!(insist(|| queue.extend(&[&held.lease])), [Settled::Done]);
    insist(|| queue.publish(&[&handled.content]));
    let copy = insist(|| queue.receive(ReceiveBounds::ONE, Duration::ZERO)).remove(0);
    assert_eq!(reason(&site, &mut queue.ledger().unwrap(), copy.content), "replayed");
    assert_eq!(queue.ack(&[&held.lease, &copy.lease]).unwrap(), [Settled::Done; 2]);
    assert!(all(&mut queue).is_empty());
}

/// Nothing that was handled before is handled again, and new messages are as good as ever.
#[test]
fn a_server_that_lost_everything_begins_anew() {
    let Some(mut site) = RedisSite::with(&[]) else { return };
    let mut queue = site.open("q");
    let mut ledger = queue.ledger().unwrap();
    let old = record(&site, 0);
    queue.publish(&[&old]).unwrap();
    let found = one(&mut queue);
    let lease = fresh(&site, &mut ledger, found.content);
    assert_eq!(queue.commit_and_ack(&[(&found.lease, &lease)]).unwrap(), [Settled::Done]);
    site.stop();
    site.start(&[]);
    insist(|| queue.publish(&[&old]));
    let found = one(&mut queue);
    let begun = Instant::now();
    let told = loop {
        let subject = subject(&site, found.content.clone());
        match ledger.reserve_many(&[subject], site.now()) {
            Ok(mut found) => break found.remove(0).into_lease().unwrap_err(),
            Err(error) => assert!(begun.elapsed() < LONG, "{error}"),
        }
    };
    assert_eq!(told.reason(), "replay-unknown");
}

#[test]
fn a_wrong_password_is_refused_and_not_shown() {
    let Some(site) = RedisSite::with(&["--requirepass", "right"]) else { return };
    let open = |user: &str, password: Option<&str>| {
        let secrets = ServerSecrets { password: password.map(str::to_owned), ..Default::default() };
        let (name, clock) = (QueueName::new("q").unwrap(), Arc::new(SystemClock));
        RedisQueue::open(&site.place(user), &secrets, &name, RedisSite::options(), clock)
    };
    assert!(open("", Some("right")).unwrap().receive(ReceiveBounds::ONE, Duration::ZERO).is_ok());
    for (user, password) in [("", None), ("", Some("wr0ng")), ("alice@", Some("wr0ng"))] {
        let error = open(user, password).unwrap_err();
        assert_eq!(error.reason(), "queue-access", "{error}");
        assert!(!format!("{error} {error:?}").contains("wr0ng"), "{error:?}");
    }
    let secrets = ServerSecrets { password: Some("right".to_owned()), ..Default::default() };
    assert!(!format!("{secrets:?} {:?}", open("", Some("right")).unwrap()).contains("right"));
}

#[test]
fn a_server_that_drops_values_when_it_is_full_is_refused() {
    let policy = ["--maxmemory", "64mb", "--maxmemory-policy"];
    for (name, expected) in [("volatile-ttl", "queue-unsuitable"), ("noeviction", "opened")] {
        let Some(site) = RedisSite::with(&[&policy[..], &[name]].concat()) else { return };
        let opened = site.try_open("q", RedisSite::options());
        assert_eq!(opened.map_or_else(|error| error.reason(), |_| "opened"), expected);
    }
}

/// Publishing fails whole when the server has no more room, and what is there can be received and settled.
#[test]
fn a_server_that_is_full_takes_no_more_and_loses_nothing() {
    let Some(site) = RedisSite::with(&["--maxmemory", "24mb"]) else { return };
    let mut queue = site.open("q");
    let messages = [&[7; 0x0010_0000][..]; 2];
    let mut sent = 0;
    let error = loop {
        match queue.publish(&messages) {
            Ok(()) => sent += 2,
            Err(error) => break error,
        }
    };
    assert_eq!(error.reason(), "queue-disk-full");
    assert!(sent > 2);
    assert_eq!(queue.status().unwrap().ready, sent);
}

#[test]
fn dead_letters_are_bounded() {
    let Some(site) = RedisSite::new() else { return };
    let dead_letters = DeadLetterBounds { unverified: 1000, verified: 1000 };
    let mut queue =
        site.try_open("q", QueueOptions { dead_letters, ..RedisSite::options() }).unwrap();
    let why = |standing| RefusedMessage { reason: "stranger", detail: "x", standing };
    for number in 0..20_u8 {
        queue.publish(&[&[number; 100]]).unwrap();
        let lease = one(&mut queue).lease;
        let buried = queue.dead_letter(&lease, &why(Standing::Unverified)).unwrap();
        let kept = if number < 2 { DeadLetter::Kept } else { DeadLetter::Dropped };
        assert_eq!(buried, Buried::Done(kept), "{number}");
    }
    let status = queue.status().unwrap();
    assert_eq!((status.dead, status.ready, status.held), (2, 0, 0));
    assert_eq!(status.refused, [("stranger".to_owned(), 20)]);
    queue.publish(&[&[1; 100][..]; 3]).unwrap();
    let found = all(&mut queue);
    for delivery in &found[..2] {
        let buried = queue.dead_letter(&delivery.lease, &why(Standing::Verified)).unwrap();
        assert_eq!(buried, Buried::Done(DeadLetter::Kept));
    }
    let error = queue.dead_letter(&found[2].lease, &why(Standing::Verified)).unwrap_err();
    assert_eq!(error.to_string(), "queue has 1000 bytes of dead letters, which is the limit");
    // It stays leased.
    assert_eq!(queue.extend(&[&found[2].lease]).unwrap(), [Settled::Done]);
    let letters = queue.dead_letters(0, 10).unwrap();
    assert_eq!(letters.len(), 4);
    assert!(queue.discard(letters[3].number).unwrap());
    let buried = queue.dead_letter(&found[2].lease, &why(Standing::Verified)).unwrap();
    assert_eq!(buried, Buried::Done(DeadLetter::Kept));
}

/// Whatever others write to the stream is a message, which does not verify.
#[test]
fn what_others_write_is_a_message_like_any() {
    let Some(site) = RedisSite::new() else { return };
    let mut queue = site.open("q");
    let port = site.port.to_string();
    for fields in [&["c", "theirs"][..], &["x", "y"]] {
        let mut cli = Command::new("redis-cli");
        cli.args(["-p", &port, "XADD", "brine:{q}:messages", "*"]).args(fields);
        assert!(cli.output().unwrap().status.success());
    }
    let found: Vec<_> = all(&mut queue).into_iter().map(|found| found.content).collect();
    assert_eq!(found, [&b"theirs"[..], b""]);
}

#[test]
fn a_queue_that_is_kept_for_a_time_goes_with_all_it_has() {
    let Some(site) = RedisSite::new() else { return };
    let lifetime = Some(Duration::from_secs(1));
    let mut kept =
        site.try_open("kept", QueueOptions { lifetime, ..RedisSite::options() }).unwrap();
    let mut gone =
        site.try_open("gone", QueueOptions { lifetime, ..RedisSite::options() }).unwrap();
    kept.publish(&[b"one"]).unwrap();
    gone.publish(&[b"one"]).unwrap();
    assert!(kept.keep_for(LONG).unwrap());
    sleep(Duration::from_millis(1500));
    assert_eq!(one(&mut kept).content, b"one");
    assert_eq!(site.open_existing("gone").unwrap_err().reason(), "queue-missing");
    let mut cli = Command::new("redis-cli");
    let keys = cli.args(["-p", &site.port.to_string(), "KEYS", "brine:{gone}:*"]).output().unwrap();
    assert_eq!(String::from_utf8(keys.stdout).unwrap().trim(), "");
}

#[test]
fn a_server_is_spoken_to_by_tls_if_its_certificate_is_vouched_for() {
    let directory = TempDir::new().unwrap();
    let [key, certificate] = ["key.pem", "cert.pem"].map(|name| directory.path().join(name));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    openssl.args(["-nodes", "-days", "2", "-subj", "/CN=test", "-addext"]);
    openssl.args(["subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"]);
    openssl.arg("-keyout").arg(&key).arg("-out");
    assert!(openssl.arg(&certificate).output().unwrap().status.success());
    let port = free_port();
    let tls = [
        "--tls-port",
        &port.to_string(),
        "--tls-auth-clients",
        "no",
        "--tls-key-file",
        key.to_str().unwrap(),
        "--tls-cert-file",
        certificate.to_str().unwrap(),
    ];
    let Some(_site) = RedisSite::with(&tls) else { return };
    let open = |ca: Option<Vec<u8>>| {
        let server = place(&format!("rediss://127.0.0.1:{port}?queue=q"));
        let (name, clock) = (QueueName::new("q").unwrap(), Arc::new(SystemClock));
        let secrets = ServerSecrets { ca, ..ServerSecrets::default() };
        RedisQueue::open(&server, &secrets, &name, RedisSite::options(), clock)
    };
    let mut queue = open(Some(content(&certificate))).unwrap();
    queue.publish(&[b"one"]).unwrap();
    assert_eq!(one(&mut queue).content, b"one");
    assert_eq!(open(None).unwrap_err().reason(), "queue-connection");
}

fn content(path: &Path) -> Vec<u8> {
    let mut content = Vec::new();
    File::open(path).unwrap().read_to_end(&mut content).unwrap();
    content
}

#[test]
fn a_ledger_that_somebody_wrote_over_is_damaged() {
    let Some(site) = RedisSite::new() else { return };
    let queue = site.open("q");
    drop(queue.ledger().unwrap());
    let url = format!("redis://127.0.0.1:{}", site.port);
    let mut stranger = redis::Client::open(url).unwrap().get_connection().unwrap();
    let () =
        redis::cmd("SET").arg("brine:{q}:ledger:meta").arg("junk").query(&mut stranger).unwrap();
    let error = queue.ledger().unwrap_err();
    assert_eq!(error.reason(), "replay-damaged", "{error}");
}

/// Redis logs nobody in without a password, and would take the default user for the one that is named.
#[test]
fn a_user_without_a_password_is_not_another_one() {
    let Some(site) = RedisSite::new() else { return };
    let url = format!("redis://127.0.0.1:{}", site.port);
    let mut stranger = redis::Client::open(url).unwrap().get_connection().unwrap();
    for (user, rule) in [("alice", ">secret"), ("bob", "nopass")] {
        let mut command = redis::cmd("ACL");
        command.arg("SETUSER").arg(user).arg("on").arg(rule).arg("~*").arg("+@all");
        let () = command.query(&mut stranger).unwrap();
    }
    let open = |user: &str| {
        let (name, clock) = (QueueName::new("q").unwrap(), Arc::new(SystemClock));
        let (place, secrets) = (site.place(user), ServerSecrets::default());
        RedisQueue::open(&place, &secrets, &name, RedisSite::options(), clock).map(drop)
    };
    let error = open("alice@").unwrap_err();
    assert_eq!(error.reason(), "queue-access", "{error}");
    assert!(open("bob@").is_ok());
}
