//! Servers that fail, strangers who write to them, and bounds.

use std::time::{Duration, Instant};

use brine_core::Classified as _;
use brine_queue::{
    Buried, DeadLetterBounds, DeadLetters as _, MAX_MESSAGE_BYTES, Queue, QueueError, QueueOptions,
    ReceiveBounds, RefusedMessage, Retry, ServerSecrets, Standing,
};
use brine_records::{DeadLetter, Settled};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use tempfile::TempDir;

use crate::amqp_site::{AmqpSite, server};
use crate::conformance::{LONG, QueueSite as _, all, one};
use crate::dead_line::Line;
use crate::rabbitmq;
use crate::server::free_port;

const fn why(standing: Standing) -> RefusedMessage<'static> {
    RefusedMessage { reason: "some-reason", detail: "text", standing }
}

/// Does something again until it gives what is awaited.
fn until<T>(mut work: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        match work() {
            Some(done) => return done,
            None => assert!(begun.elapsed() < LONG, "it never came"),
        }
    }
}

/// Writes a message to a queue as a stranger would.
fn write(port: u16, queue: &str, content: &[u8], headers: &[(&str, AMQPValue)]) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(1).enable_all().build().unwrap().block_on(async {
        let url = format!("amqp://127.0.0.1:{port}/%2f");
        let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert((*name).into(), value.clone());
        }
        let properties = BasicProperties::default().with_headers(table);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let sent = channel.basic_publish("".into(), queue.into(), options, content, properties);
        let confirmed = sent.await.unwrap().await.unwrap();
        assert!(confirmed.is_ack() && confirmed.take_message().is_none());
    });
}

#[test]
fn messages_outlast_a_restart_of_the_server_and_leases_do_not() {
    let data = TempDir::new().unwrap();
    let Some(running) = rabbitmq::start(data.path(), free_port()) else { return };
    let port = running.port;
    let site = AmqpSite::at(port);
    let mut queue = site.open("q");
    queue.publish(&[b"0"]).unwrap();
    let letter = one(&mut queue);
    let buried = queue.dead_letter(&letter.lease, &why(Standing::Verified)).unwrap();
    assert_eq!(buried, Buried::Done(DeadLetter::Kept));
    // RabbitMQ 3.10 knows no more of a quorum queue that was made in the seconds before it is killed.
    std::thread::sleep(Duration::from_secs(5));
    queue.publish(&[b"1", b"2", b"3"]).unwrap();
    let held = one(&mut queue);
    drop(running);

    let impatient =
        QueueOptions { busy_timeout: Duration::from_millis(300), ..AmqpSite::options() };
    let away = site.try_open("q", impatient).unwrap_err();
    assert_eq!((away.reason(), away.may_pass()), ("queue-connection", true));
    assert_eq!(queue.publish(&[b"lost"]).unwrap_err().reason(), "queue-connection");

    let _running = rabbitmq::start(data.path(), port);
    assert_eq!(queue.extend(&[&held.lease]).unwrap(), [Settled::Lost]);
    assert_eq!(queue.ack(&[&held.lease]).unwrap(), [Settled::Lost]);
    until(|| queue.publish(&[b"4"]).ok());
    let found = all(&mut queue);
    let seen: Vec<_> = found.iter().map(|found| (&*found.content, found.attempt)).collect();
    assert_eq!(seen, [(&b"1"[..], 2), (b"2", 1), (b"3", 1), (b"4", 1)]);
    let dead = queue.dead_letters(0, 10).unwrap();
    assert_eq!(dead.iter().map(|dead| dead.reason.as_str()).collect::<Vec<_>>(), ["some-reason"]);
}

#[test]
fn a_connection_that_is_cut_gives_the_messages_to_others_and_is_made_again() {
    let Some(port) = rabbitmq::shared() else { return };
    let (line, site) = (Line::to(port), AmqpSite::at(port));
    let behind = AmqpSite::beside(&site, line.port);
    let (mut queue, mut other) = (behind.open("q"), site.open("q"));
    queue.publish(&[b"1"]).unwrap();
    let held = one(&mut queue);
    line.cut();
    let again = one(&mut other);
    assert_eq!((&*again.content, again.attempt), (&b"1"[..], 2));
    until(|| (queue.extend(&[&held.lease]).unwrap() == [Settled::Lost]).then_some(()));
    // What may have been done is not done once more, and the caller hears of it.
    until(|| queue.publish(&[b"2"]).ok());
    assert_eq!(other.ack(&[&again.lease]).unwrap(), [Settled::Done]);
    assert_eq!(one(&mut queue).content, b"2");
}

/// A connection that says nothing is one that has ended, though nobody has closed it.
#[test]
fn a_server_that_falls_silent_is_not_waited_for_forever() {
    let Some(port) = rabbitmq::shared() else { return };
    let line = Line::to(port);
    let site = AmqpSite::at(line.port);
    let mut queue = site.open("q");
    line.die();
    let error = queue.publish(&[b"1"]).unwrap_err();
    assert_eq!((error.reason(), error.may_pass()), ("queue-connection", true));
    line.revive();
    until(|| queue.publish(&[b"2"]).ok());
    assert_eq!(one(&mut queue).content, b"2");
    assert!(all(&mut queue).is_empty());
}

#[test]
fn a_wrong_password_is_refused_and_not_shown() {
    let Some(port) = rabbitmq::shared() else { return };
    let site = AmqpSite::at(port);
    for (user, password, vhost) in
        [("", "wr0ng", ""), ("alice@", "wr0ng", ""), ("", "guest", "/n0where")]
    {
        let server = server(&format!("amqp://{user}127.0.0.1:{port}{vhost}?queue=q"));
        let secrets = ServerSecrets { password: Some(password.to_owned()), ..Default::default() };
        let error = site.open_by(&server, &secrets, "q", AmqpSite::options()).unwrap_err();
        assert_eq!((error.reason(), error.may_pass()), ("queue-access", false), "{error}");
        let told = format!("{error} {error:?}");
        assert!(!told.contains("wr0ng") && !told.contains("alice"), "{told}");
        assert!(told.contains(&format!("127.0.0.1:{port}")), "{told}");
    }
}

#[test]
fn of_what_is_larger_than_a_message_so_much_is_given_out_that_it_is_refused() {
    let Some(port) = rabbitmq::shared() else { return };
    let site = AmqpSite::at(port);
    let mut queue = site.open("q");
    let large = vec![7; MAX_MESSAGE_BYTES + 4096];
    let name = site.queue_name("q");
    write(port, name.as_str(), &large, &[]);
    write(port, name.as_str(), b"small", &[]);
    let found = one(&mut queue);
    assert_eq!(found.content.len(), MAX_MESSAGE_BYTES + 1);
    let why = RefusedMessage { reason: "too-large", ..why(Standing::Unverified) };
    assert_eq!(queue.dead_letter(&found.lease, &why).unwrap(), Buried::Done(DeadLetter::Dropped));
    assert_eq!(one(&mut queue).content, b"small");
    let status = queue.status().unwrap();
    assert_eq!(status.refused, [("too-large".to_owned(), 1)]);
    assert_eq!((status.ready, status.held, status.dead), (0, 1, 0));
}

/// Headers say what people see, and how often a message was tried. They open nothing.
#[test]
fn what_strangers_write_decides_nothing() {
    let Some(port) = rabbitmq::shared() else { return };
    let site = AmqpSite::at(port);
    let mut queue = site.open("q");
    let yes = AMQPValue::Boolean(true);
    let text = |text: &str| AMQPValue::LongString(text.into());
    let name = site.queue_name("q");
    let forged = [
        ("brine-begun", yes.clone()),
        ("brine-attempts", AMQPValue::LongLongInt(i64::MAX)),
        ("x-delivery-count", AMQPValue::LongLongInt(77)),
    ];
    write(port, name.as_str(), b"forged", &forged);
    let found = one(&mut queue);
    assert_eq!((found.attempt, found.begun), (u64::try_from(i64::MAX).unwrap() + 1, false));
    assert_eq!(queue.ack(&[&found.lease]).unwrap(), [Settled::Done]);

    queue.publish(&[b"ours"]).unwrap();
    let lease = one(&mut queue).lease;
    let _ = queue.dead_letter(&lease, &why(Standing::Verified)).unwrap();
    let ours = queue.dead_letters(0, 10).unwrap().remove(0);
    let dead = format!("{name}:brine.dead");
    let number = AMQPValue::LongLongInt(i64::try_from(ours.number).unwrap());
    let long = text(&"a".repeat(5000));
    write(port, &dead, b"same number", &[("brine-number", number), ("brine-begun", yes)]);
    write(port, &dead, b"no number", &[("brine-reason", long), ("brine-number", text("x"))]);
    let letters = queue.dead_letters(0, 10).unwrap();
    assert_eq!(letters.len(), 2);
    assert!(letters.contains(&ours));
    assert_eq!(queue.dead_content(ours.number).unwrap().unwrap(), b"ours");
    let other = letters.iter().find(|letter| letter.number != ours.number).unwrap();
    assert_eq!((other.reason.len(), other.attempts, other.bytes), (1024, 0, 9));
    assert!(queue.discard(other.number).unwrap());
    // The other one of that number is seen when the first has left.
    assert!(queue.discard(ours.number).unwrap());
    assert_eq!(queue.dead_content(ours.number).unwrap().unwrap(), b"same number");
}

#[test]
fn dead_letters_of_trusted_signers_are_bounded_and_none_is_lost() {
    let Some(site) = AmqpSite::new() else { return };
    let dead_letters = DeadLetterBounds { unverified: 0, verified: 512 };
    let mut queue =
        site.try_open("q", QueueOptions { dead_letters, ..AmqpSite::options() }).unwrap();
    queue.publish(&[&[0; 100][..]; 6]).unwrap();
    let mut kept = 0;
    let (error, held) = loop {
        let found = one(&mut queue);
        match queue.dead_letter(&found.lease, &why(Standing::Verified)) {
            Ok(buried) => assert_eq!(buried, Buried::Done(DeadLetter::Kept)),
            Err(error) => break (error, found),
        }
        kept += 1;
    };
    assert_eq!(error.to_string(), "queue has 512 bytes of dead letters, which is the limit");
    assert!((2..6).contains(&kept), "{kept}");
    let status = queue.status().unwrap();
    assert_eq!((status.dead, status.held), (kept, 1));
    assert_eq!(queue.extend(&[&held.lease]).unwrap(), [Settled::Done]);
    // A quorum queue takes one more than it should, and then none until there is room.
    for letter in queue.dead_letters(0, 10).unwrap() {
        assert!(queue.discard(letter.number).unwrap());
    }
    let buried = queue.dead_letter(&held.lease, &why(Standing::Verified)).unwrap();
    assert_eq!(buried, Buried::Done(DeadLetter::Kept));
}

/// Strangers can send as much as they like: some are kept, and all are counted.
#[test]
fn what_never_verified_is_sampled_and_counted() {
    const SENT: u8 = 60;
    let Some(site) = AmqpSite::new() else { return };
    let dead_letters = DeadLetterBounds { unverified: 2048, verified: 0 };
    let mut queue =
        site.try_open("q", QueueOptions { dead_letters, ..AmqpSite::options() }).unwrap();
    let messages: Vec<_> = (0..SENT).map(|number| [number; 100]).collect();
    queue.publish(&messages.iter().map(<[u8; 100]>::as_slice).collect::<Vec<_>>()).unwrap();
    let mut kept = 0;
    for found in all(&mut queue) {
        match queue.dead_letter(&found.lease, &why(Standing::Unverified)).unwrap() {
            Buried::Done(DeadLetter::Kept) => kept += 1,
            Buried::Done(DeadLetter::Dropped) => {}
            Buried::Lost => panic!("nobody else has it"),
        }
    }
    let status = queue.status().unwrap();
    assert_eq!(status.refused, [("some-reason".to_owned(), u64::from(SENT))]);
    assert!((7..10).contains(&kept) && (7..10).contains(&status.dead), "{kept} {status:?}");
    let large = vec![1; 2048];
    queue.publish(&[&large]).unwrap();
    let lease = one(&mut queue).lease;
    let buried = queue.dead_letter(&lease, &why(Standing::Unverified)).unwrap();
    assert_eq!(buried, Buried::Done(DeadLetter::Dropped));
}

#[test]
fn a_queue_of_the_longest_name_has_everything_beside_it() {
    let Some(site) = AmqpSite::new() else { return };
    let length = 255 - site.queue_name("").as_str().len();
    let mut queue = site.open(&"n".repeat(length));
    let _ = queue.send(b"later".to_vec(), Duration::from_secs(1)).unwrap();
    let found = one(&mut queue);
    let retry = Retry::untried(Duration::from_secs(1), "");
    assert_eq!(queue.retry(&[&found.lease], retry).unwrap(), [Settled::Done]);
    let lease = one(&mut queue).lease;
    let _ = queue.dead_letter(&lease, &why(Standing::Verified)).unwrap();
    let _ = queue.dead_letters(0, 10).unwrap().remove(0);
    queue.remove().unwrap();
}

#[test]
fn a_queue_that_is_kept_for_a_time_goes_when_nobody_keeps_it() {
    let Some(site) = AmqpSite::new() else { return };
    let lifetime = Duration::from_secs(3);
    let options = QueueOptions { lifetime: Some(lifetime), ..AmqpSite::options() };
    let mut queue = site.try_open("q", options).unwrap();
    queue.publish(&[b"1"]).unwrap();
    for _ in 0..4 {
        site.let_pass(lifetime / 2);
        assert!(queue.keep_for(lifetime).unwrap());
    }
    assert_eq!(one(&mut queue).content, b"1");
    site.let_pass(lifetime * 2);
    assert!(!queue.keep_for(lifetime).unwrap());
    assert_eq!(site.open_existing("q").unwrap_err().reason(), "queue-missing");
}

/// Two who look through dead letters at once wait for each other, and both see all.
#[test]
fn dead_letters_are_looked_through_by_one_at_a_time() {
    let Some(site) = AmqpSite::new() else { return };
    let mut queue = site.open("q");
    queue.publish(&[&b"x"[..]; 20]).unwrap();
    for found in all(&mut queue) {
        let _ = queue.dead_letter(&found.lease, &why(Standing::Verified)).unwrap();
    }
    std::thread::scope(|scope| {
        for mut looking in [queue.another().unwrap(), site.open("q"), site.open("q")] {
            scope.spawn(move || {
                for _ in 0..3 {
                    let letters = looking.dead_letters(0, 100).unwrap();
                    assert_eq!(letters.len(), 20);
                    assert!(letters.is_sorted_by_key(|letter| letter.number));
                }
            });
        }
    });
    let first = queue.dead_letters(0, 1).unwrap().remove(0);
    assert_eq!((first.attempts, first.bytes), (1, 1));
}

/// Nobody has to be in a call: the thread of the clients hands a message back.
#[test]
fn a_consumer_that_does_nothing_loses_its_messages() {
    let Some(site) = AmqpSite::new() else { return };
    let (mut idle, mut other) = (site.open("q"), site.open("q"));
    idle.publish(&[b"1", b"2"]).unwrap();
    let bounds = ReceiveBounds { messages: 2, ..ReceiveBounds::ONE };
    let held = idle.receive(bounds, LONG).unwrap();
    let found = other.receive(ReceiveBounds::ONE, LONG).unwrap();
    assert_eq!((&*found[0].content, found[0].attempt), (&b"1"[..], 2));
    let lost = idle.commit_and_ack(&[]).unwrap();
    assert!(lost.is_empty());
    assert_eq!(idle.ack(&[&held[0].lease]).unwrap(), [Settled::Lost]);
}

#[test]
fn a_place_where_nobody_listens_is_given_up() {
    let site = AmqpSite::at(free_port());
    let options = QueueOptions { busy_timeout: Duration::from_millis(200), ..AmqpSite::options() };
    let error: QueueError = site.try_open("q", options).unwrap_err();
    assert_eq!((error.reason(), error.may_pass()), ("queue-connection", true), "{error}");
}

/// Each question for a queue that is not there costs a channel, and so a number. There are 2047 of them.
#[test]
fn a_connection_outlasts_its_numbers_of_channels() {
    let Some(site) = AmqpSite::new() else { return };
    let mut queue = site.open("q");
    queue.publish(&[b"1"]).unwrap();
    for _ in 0..80 {
        assert_eq!(queue.status().unwrap().ready, 1);
    }
    assert_eq!(one(&mut queue).content, b"1");
}

/// Beside a queue are others, whose names nobody else can have.
#[test]
fn the_names_of_the_queues_beside_a_queue_are_refused() {
    let Some(site) = AmqpSite::new() else { return };
    for name in ["q:brine.dead", "q:brine.delay-1"] {
        let error = site.try_open(name, AmqpSite::options()).unwrap_err();
        assert_eq!(error.reason(), "queue-unsuitable", "{name}: {error}");
    }
    assert!(site.try_open("q:brine", AmqpSite::options()).is_ok());
}
