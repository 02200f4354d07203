//! What queues on NATS do when servers stop, lines go dead, and strangers write.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use brine_core::{Classified as _, Timestamp};
use brine_queue::{
    Buried, DeadLetters as _, NatsCredentials, NatsPlace, NatsQueue, Queue as _, QueueBirth,
    QueueError, QueueOptions, RefusedMessage, Retry, Standing,
};
use brine_records::{DeadLetter, Settled};
use brine_testkit::SteppingClock;
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::conformance::{LEASE, LONG, QueueSite as _, all, one, outlast};
use crate::dead_line::Line;
use crate::nats_server;
use crate::nats_site::NatsSite;
use crate::nats_wire::Stranger;
use crate::records::{fresh, record};
use crate::server::free_port;
use crate::worker::SystemClock;

/// Returns the subject of a queue's messages.
fn message_subject(stranger: &mut Stranger, stream: &str) -> String {
    let info = stranger.ask(&format!("STREAM.INFO.{stream}"), "");
    info["config"]["subjects"][0].as_str().unwrap().to_owned()
}

/// Returns the name of the stream that `q` has at a site whose queues nobody else uses.
fn stream(stranger: &mut Stranger) -> String {
    let names = stranger.ask("STREAM.NAMES", r#"{"subject":"brine.q.>"}"#);
    names["streams"][0].as_str().unwrap().to_owned()
}

/// A server with one site.
fn own() -> Option<(crate::server::Server, NatsSite, Stranger)> {
    let server = nats_server::own("")?;
    let (site, stranger) = (NatsSite::at(server.port), Stranger::at(server.port));
    Some((server, site, stranger))
}

/// The server forgets delays, and how often it delivered what. The states of messages do not.
#[test]
fn a_server_that_is_killed_loses_nothing_and_its_clients_go_on() {
    let (store, port) = (TempDir::new().unwrap(), free_port());
    let Some(server) = nats_server::with_store(store.path(), port) else { return };
    let site = NatsSite::at(port);
    let mut queue = site.open("q");
    let job = record(&site, 0);
    queue.publish(&[b"held", b"later", &job, b"tried", b"never"]).unwrap();
    let mut ledger = queue.ledger().unwrap();
    let [held, later, begun, tried] = [(); 4].map(|()| one(&mut queue));
    let lease = fresh(&site, &mut ledger, begun.content);
    assert_eq!(queue.begin(&begun.lease, &lease).unwrap(), Settled::Done);
    let hour = Retry::tried(Duration::from_secs(3600), "busy");
    assert_eq!(queue.retry(&[&later.lease], hour).unwrap(), [Settled::Done]);
    let now = Retry::tried(Duration::ZERO, "busy");
    assert_eq!(queue.retry(&[&tried.lease], now).unwrap(), [Settled::Done]);
    let mut sender = site.open("q");

    drop(server);
    let server = thread::scope(|scope| {
        let published = scope.spawn(|| sender.publish(&[b"meanwhile"]));
        let acknowledged = scope.spawn(|| queue.ack(&[&held.lease]));
        thread::sleep(Duration::from_millis(300));
        let server = nats_server::with_store(store.path(), port);
        published.join().unwrap().unwrap();
        assert_eq!(acknowledged.join().unwrap().unwrap(), [Settled::Done]);
        server
    });
    site.let_pass(LEASE * 2);
    let mut found = all(&mut queue);
    if found.iter().all(|found| found.content != job) {
        // The server lost count, and says that it delivers it for the first time. It does so again after a lease.
        outlast(&site, &mut queue, &found.iter().map(|found| &found.lease).collect::<Vec<_>>());
        found.splice(0..0, all(&mut queue));
    }
    let seen: Vec<_> =
        found.iter().map(|one| (one.content.as_slice(), one.attempt, one.begun)).collect();
    let expected: [(&[u8], u64, bool); 4] =
        [(&job, 2, true), (b"tried", 2, false), (b"never", 1, false), (b"meanwhile", 1, false)];
    assert_eq!(seen, expected);
    let status = queue.status().unwrap();
    assert_eq!((status.ready, status.held, status.acknowledged), (0, 5, 1));
    drop(server);
}

#[test]
fn a_call_on_a_dead_line_ends_and_another_succeeds_when_the_line_is_back() {
    let Some((server, site, _)) = own() else { return };
    let line = Line::to(server.port);
    let options = QueueOptions { busy_timeout: Duration::from_secs(1), ..NatsSite::options() };
    let name = site.queue_name("q");
    let clock = Arc::new(SystemClock);
    let place = NatsPlace::new("127.0.0.1", line.port);
    let mut queue = NatsQueue::open(&place, &name, options, clock).unwrap();
    queue.publish(&[b"before"]).unwrap();
    line.die();
    let begun = Instant::now();
    assert_eq!(queue.publish(&[b"lost"]).unwrap_err().reason(), "queue-connection");
    let error = queue.receive(brine_queue::ReceiveBounds::ONE, Duration::ZERO).unwrap_err();
    assert!(error.may_pass(), "{error}");
    line.revive();
    while let Err(error) = queue.publish(&[b"after"]) {
        assert!(error.may_pass() && begun.elapsed() < LONG, "{error}");
    }
    let contents: Vec<_> = all(&mut queue).into_iter().map(|found| found.content).collect();
    assert_eq!(contents.first().unwrap(), b"before");
    assert!(contents.contains(&b"after".to_vec()));
}

#[test]
fn a_server_that_is_not_there_is_waited_for_and_then_named() {
    let port = free_port();
    let site = NatsSite::at(port);
    let options = QueueOptions { busy_timeout: Duration::from_millis(300), ..NatsSite::options() };
    let error = site.try_open("q", options).unwrap_err();
    assert_eq!(error.reason(), "queue-connection");
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
}

#[test]
fn a_wrong_password_is_refused_and_not_shown() {
    let Some(server) = nats_server::own(r#"authorization { user: u, password: "right-secret" }"#)
    else {
        return;
    };
    let site = NatsSite::at(server.port);
    let open = |password: &str| {
        let (user, password) = ("u".to_owned(), Zeroizing::new(password.to_owned()));
        let credentials = NatsCredentials::Password { user, password };
        let place = NatsPlace { credentials, ..site.place() };
        let clock = Arc::new(SystemClock);
        NatsQueue::open(&place, &site.queue_name("q"), NatsSite::options(), clock)
    };
    let error = open("wrong-secret").unwrap_err();
    assert_eq!(error.reason(), "queue-access");
    assert!(!format!("{error} {error:?}").contains("secret"));
    let mut queue = open("right-secret").unwrap();
    assert!(!format!("{queue:?}").contains("secret"));
    queue.publish(&[b"1"]).unwrap();
    assert_eq!(one(&mut queue).content, b"1");
}

#[test]
fn what_a_user_may_not_do_is_said() {
    let permissions = r#"permissions: { publish: ["foo"], subscribe: ["_INBOX.>"] }"#;
    let users =
        format!(r#"authorization {{ users: [ {{ user: u, password: p, {permissions} }} ] }}"#);
    let Some(server) = nats_server::own(&users) else { return };
    let site = NatsSite::at(server.port);
    let (user, password) = ("u".to_owned(), Zeroizing::new("p".to_owned()));
    let credentials = NatsCredentials::Password { user, password };
    let place = NatsPlace { credentials, ..site.place() };
    // It says so at once, and not when the patience is at its end.
    let options = QueueOptions { busy_timeout: Duration::from_secs(3600), ..NatsSite::options() };
    let name = site.queue_name("q");
    let error = NatsQueue::open(&place, &name, options, Arc::new(SystemClock)).unwrap_err();
    assert_eq!(error.reason(), "queue-access");
    assert!(error.to_string().contains("STREAM.INFO.brine-q-"), "{error}");
}

#[test]
fn a_message_is_as_large_as_the_server_allows() {
    let Some(server) = nats_server::own("max_payload: 10000") else { return };
    let site = NatsSite::at(server.port);
    let mut queue = site.open("q");
    let limit = queue.message_limit();
    assert_eq!(limit, 10_000 - 1024);
    queue.publish(&[&vec![1; limit]]).unwrap();
    let error = queue.publish(&[b"1", &vec![1; limit + 1]]).unwrap_err();
    assert_eq!(error.to_string(), "message is 8977 bytes, limit is 8976");
    let found = all(&mut queue);
    assert_eq!(found.iter().map(|found| found.content.len()).collect::<Vec<_>>(), [limit]);
}

/// Anybody who can write to the server can write anything anywhere.
#[test]
fn what_strangers_write_is_delivered_or_ignored() {
    let Some((_server, site, mut stranger)) = own() else { return };
    let mut queue = site.open("q");
    let stream = stream(&mut stranger);
    let subject = message_subject(&mut stranger, &stream);
    let headers = "Brine-Begun: soon\r\nBrine-Place: -1\r\nBrine-Not-Before: x\r\nX: y\r\n";
    stranger.publish(&subject, headers, b"odd");
    let found = one(&mut queue);
    assert_eq!((found.content.as_slice(), found.attempt, found.begun), (&b"odd"[..], 1, false));
    // Over the state of a message that is held.
    let state = subject.replacen("brine.q.", "brine.s.", 1);
    stranger.publish(&format!("{state}.m.1"), "", b"{\"phase\":");
    assert_eq!(queue.ack(&[&found.lease]).unwrap(), [Settled::Lost]);
    site.let_pass(LEASE);
    let again = one(&mut queue);
    assert_eq!((again.content.as_slice(), again.begun), (&b"odd"[..], true));
    assert_eq!(queue.ack(&[&again.lease]).unwrap(), [Settled::Done]);
    // Over what is counted.
    stranger.publish(&format!("{state}.counts"), "", b"[]");
    stranger.publish(&format!("{state}.m.first"), "", b"?");
    let status = queue.status().unwrap();
    assert_eq!((status.ready, status.held, status.acknowledged, status.sent), (0, 0, 1, 1));
}

#[test]
fn a_consumer_that_somebody_deleted_is_made_again() {
    let Some((_server, site, mut stranger)) = own() else { return };
    let options = QueueOptions { lease: LONG, ..NatsSite::options() };
    let mut queue = site.try_open("q", options).unwrap();
    queue.publish(&[b"1", b"2"]).unwrap();
    let [first, second] = [one(&mut queue), one(&mut queue)];
    let stream = stream(&mut stranger);
    stranger.ask(&format!("CONSUMER.DELETE.{stream}.work"), "");
    // The new consumer delivers them as if they were new. They are held.
    assert!(all(&mut queue).is_empty());
    assert_eq!(queue.ack(&[&first.lease]).unwrap(), [Settled::Done]);
    let now = Retry::tried(Duration::ZERO, "");
    assert_eq!(queue.retry(&[&second.lease], now).unwrap(), [Settled::Done]);
    let again = one(&mut queue);
    assert_eq!((again.content.as_slice(), again.attempt), (&b"2"[..], 2));
    assert_eq!(queue.ack(&[&second.lease]).unwrap(), [Settled::Lost]);
    assert_eq!(queue.ack(&[&again.lease]).unwrap(), [Settled::Done]);
    queue.publish(&[b"3"]).unwrap();
    stranger.ask(&format!("CONSUMER.DELETE.{stream}.work"), "");
    assert_eq!(one(&mut queue).content, b"3");
}

#[test]
fn a_stream_of_somebody_else_is_no_queue() {
    let Some((_server, site, mut stranger)) = own() else { return };
    site.open("q").remove().unwrap();
    let name = "brine-q-mine";
    let config = format!(r#"{{"name":"{name}","subjects":["orders"]}}"#);
    stranger.ask(&format!("STREAM.CREATE.{name}"), &config);
    let name = brine_queue::QueueName::new("mine").unwrap();
    let clock = Arc::new(SystemClock);
    let error = NatsQueue::open(&site.place(), &name, NatsSite::options(), clock).unwrap_err();
    assert_eq!(error.to_string(), "queue is damaged: stream brine-q-mine is no queue");

    site.open("q");
    let name = stream(&mut stranger);
    let info = stranger.ask(&format!("STREAM.INFO.{name}"), "");
    let config = info["config"].to_string().replace(r#""discard":"new""#, r#""discard":"old""#);
    stranger.ask(&format!("STREAM.UPDATE.{name}"), &config);
    assert_eq!(site.open_existing("q").unwrap_err().reason(), "queue-unsuitable");
}

#[test]
fn a_queue_whose_lifetime_is_over_goes_with_the_next_that_is_made() {
    let Some((_server, site, mut stranger)) = own() else { return };
    let clock = SteppingClock::new(site.now());
    let lifetime = Some(Duration::from_secs(100));
    let open = |name: &str, birth, lifetime| {
        let options = QueueOptions { birth, lifetime, ..NatsSite::options() };
        NatsQueue::open(&site.place(), &site.queue_name(name), options, Arc::new(clock.clone()))
    };
    let mut short = open("short", QueueBirth::FromNow, lifetime).unwrap();
    let mut kept = open("kept", QueueBirth::FromNow, lifetime).unwrap();
    let mut always = open("always", QueueBirth::FromNow, None).unwrap();
    assert!(kept.keep_for(Duration::from_secs(1000)).unwrap());
    // Without a lifetime, it stays without.
    assert!(always.keep_for(Duration::from_secs(1)).unwrap());
    clock.step(300);
    open("new", QueueBirth::FromNow, None).unwrap();
    assert!(!short.keep_for(Duration::from_secs(1)).unwrap());
    for name in ["kept", "always"] {
        open(name, QueueBirth::Existing, None).unwrap();
    }
    let error: QueueError = open("short", QueueBirth::Existing, None).unwrap_err();
    assert_eq!(error.reason(), "queue-missing");
    let names = stranger.ask("STREAM.NAMES", "{}").to_string();
    assert!(!names.contains("short"), "{names}");
    // Its messages would be gone with it, or later.
    let streams = stranger.ask("STREAM.LIST", r#"{"subject":"brine.q.>"}"#);
    let ages = streams["streams"].as_array().unwrap().iter();
    let mut ages: Vec<_> =
        ages.map(|stream| stream["config"]["max_age"].as_u64().unwrap() / 1_000_000_000).collect();
    ages.sort_unstable();
    assert_eq!(ages, [0, 0, 1100]);
}

/// The ledger of a queue that lost it takes nothing that may have been handled.
#[test]
fn a_ledger_that_was_lost_refuses_what_is_old() {
    let Some((_server, site, mut stranger)) = own() else { return };
    let queue = site.open("q");
    drop(queue.ledger().unwrap());
    let states = stream(&mut stranger).replacen("brine-q-", "brine-s-", 1);
    stranger.ask(&format!("STREAM.DELETE.{states}"), "");
    let mut queue = site.open("q");
    queue.publish(&[&record(&site, 0)]).unwrap();
    let found = one(&mut queue);
    let mut ledger = queue.ledger().unwrap();
    let refused = crate::records::reason(&site, &mut ledger, found.content);
    assert_eq!(refused, "replay-unknown");
    assert!(ledger.answers_from() > Timestamp::from_unix(site.now().unix()).unwrap());
}

/// nats-server 2.9 ends if a message of a stream is asked for that another client is making at that moment. It once did, in
/// one run of a hundred of the makers below.
#[test]
fn no_stream_is_read_before_it_has_shown_that_it_listens() {
    let Some((_server, site, mut stranger)) = own() else { return };
    let handle = |number| {
        let mut ledger = site.open("q").ledger().unwrap();
        drop(fresh(&site, &mut ledger, record(&site, number)));
    };
    handle(0);
    stranger.hear();
    handle(1);
    // The letter after `brine` says which stream it is.
    let (mut listening, mut read) = (HashSet::new(), HashSet::new());
    for (subject, text) in stranger.heard() {
        if let Some(stream) = subject.strip_prefix("$JS.API.STREAM.MSG.GET.brine-") {
            assert!(listening.contains(&stream[..1]), "{stream}");
            read.insert(stream[..1].to_owned());
        } else if text.contains("Nats-Expected-Stream: -") {
            listening.insert(subject["brine.".len()..][..1].to_owned());
        }
    }
    assert_eq!(read, ["l", "s"].map(str::to_owned).into());
    assert_eq!(listening, ["l", "q", "s"].map(str::to_owned).into());
}

#[test]
fn those_who_make_a_queue_at_once_find_one() {
    let Some((_server, site, _)) = own() else { return };
    for number in 0..10 {
        let name = format!("q{number}");
        std::thread::scope(|scope| {
            for _ in 0..5 {
                scope.spawn(|| site.open(&name).ledger().unwrap());
            }
        });
    }
}

/// Somebody deletes the messages of a queue, and not what belongs to them.
#[test]
fn a_queue_whose_messages_were_deleted_is_made_anew() {
    let Some(port) = nats_server::shared() else { return };
    let site = NatsSite::at(port);
    let mut old = site.open("q");
    let _ = old.ledger().unwrap();
    old.publish(&[b"old"]).unwrap();
    let letter = one(&mut old);
    let why = RefusedMessage { reason: "any", detail: "", standing: Standing::Verified };
    assert_eq!(old.dead_letter(&letter.lease, &why).unwrap(), Buried::Done(DeadLetter::Kept));
    let name = site.queue_name("q").as_str().replace('/', "_2F");
    let deleted = Stranger::at(port).ask(&format!("STREAM.DELETE.brine-q-{name}"), "");
    assert_eq!(deleted["success"], true);
    for _ in 0..2 {
        let mut queue = site.open("q");
        queue.publish(&[b"new"]).unwrap();
        let found = one(&mut queue);
        assert_eq!((found.content.as_slice(), found.attempt), (&b"new"[..], 1));
        assert_eq!(queue.ack(&[&found.lease]).unwrap(), [Settled::Done]);
        assert_eq!(queue.status().unwrap().dead, 0);
        let _ = queue.ledger().unwrap();
    }
}
