//! The clients of three servers, and nothing of brine: what `scripts/bench-queue-servers` holds its queues to.
//!
//! `bare_client send URL` publishes each line of standard input, 256 on their way at once, and waits until the server has
//! them. `bare_client recv URL` writes the messages that are there, and settles each. The queue is `bare`; it is made like
//! those of brine: a stream with a group on Redis, a stream in files on NATS, a quorum queue on RabbitMQ.

use std::error::Error;
use std::io::{BufRead as _, Write as _, stdin, stdout};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use serde_json::json;

type Done = Result<(), Box<dyn Error>>;

/// Streams by their names, messages by their ids, fields by their names.
type Streams = Vec<(String, Vec<(String, Vec<(String, Vec<u8>)>)>)>;

const WINDOW: usize = 256;
const BLOCK: usize = 1024;

fn main() -> Done {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [verb, url] = arguments.as_slice() else { return Err("send|recv URL".into()) };
    let lines: Vec<Vec<u8>> = match verb.as_str() {
        "send" => stdin().lock().split(b'\n').collect::<Result<_, _>>()?,
        _ => Vec::new(),
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    match (url.split_once(':').map(|(scheme, _)| scheme), verb.as_str()) {
        (Some("redis"), "send") => send_redis(url, &lines),
        (Some("redis"), _) => receive_redis(url),
        (Some("nats"), "send") => runtime.block_on(send_nats(url, lines)),
        (Some("nats"), _) => runtime.block_on(receive_nats(url)),
        (_, "send") => runtime.block_on(send_amqp(url, &lines)),
        _ => runtime.block_on(receive_amqp(url)),
    }
}

fn write(messages: &[Vec<u8>]) -> Done {
    let mut output = stdout().lock();
    output.write_all(&messages.join(&b'\n'))?;
    Ok(output.write_all(b"\n")?)
}

fn send_redis(url: &str, lines: &[Vec<u8>]) -> Done {
    let mut connection = redis::Client::open(url)?.get_connection()?;
    let mut make = redis::cmd("XGROUP");
    let () =
        make.arg("CREATE").arg("bare").arg("work").arg(0).arg("MKSTREAM").query(&mut connection)?;
    for block in lines.chunks(WINDOW) {
        let mut pipe = redis::pipe();
        for line in block {
            pipe.cmd("XADD").arg("bare").arg("*").arg("content").arg(line).ignore();
        }
        let () = pipe.query(&mut connection)?;
    }
    Ok(())
}

fn receive_redis(url: &str) -> Done {
    let mut connection = redis::Client::open(url)?.get_connection()?;
    loop {
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP")
            .arg("work")
            .arg("one")
            .arg("COUNT")
            .arg(BLOCK)
            .arg("STREAMS")
            .arg("bare")
            .arg(">");
        let found: Option<Streams> = read.query(&mut connection)?;
        let found: Vec<_> = found.into_iter().flatten().flat_map(|(_, found)| found).collect();
        if found.is_empty() {
            return Ok(());
        }
        let (mut messages, mut pipe) = (Vec::new(), redis::pipe());
        for (id, fields) in found {
            messages.extend(fields.into_iter().map(|(_, content)| content));
            pipe.cmd("XACK").arg("bare").arg("work").arg(&id).ignore();
            pipe.cmd("XDEL").arg("bare").arg(&id).ignore();
        }
        write(&messages)?;
        let () = pipe.query(&mut connection)?;
    }
}

async fn send_nats(url: &str, lines: Vec<Vec<u8>>) -> Done {
    let client = async_nats::connect(url).await?;
    let config =
        json!({ "name": "BARE", "subjects": ["bare"], "storage": "file", "retention": "limits" });
    client.request("$JS.API.STREAM.CREATE.BARE", config.to_string().into()).await?;
    let consumer = json!({
        "stream_name": "BARE",
        "config": { "durable_name": "work", "ack_policy": "explicit", "max_ack_pending": -1 },
    });
    client
        .request("$JS.API.CONSUMER.DURABLE.CREATE.BARE.work", consumer.to_string().into())
        .await?;
    let sent = lines.into_iter().map(|line| client.request("bare", line.into()));
    let sent = stream::iter(sent).buffered(WINDOW).try_for_each(async |_| Ok(()));
    // Otherwise they would overtake each other.
    Ok(tokio::task::unconstrained(sent).await?)
}

async fn receive_nats(url: &str) -> Done {
    let client = async_nats::connect(url).await?;
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await?;
    let question = json!({ "batch": BLOCK, "no_wait": true }).to_string();
    loop {
        let subject = "$JS.API.CONSUMER.MSG.NEXT.BARE.work";
        client.publish_with_reply(subject, inbox.clone(), question.clone().into()).await?;
        let (mut messages, mut settled) = (Vec::new(), Vec::new());
        while messages.len() < BLOCK {
            let Some(found) = answers.next().await else {
                return Err("the connection ended".into());
            };
            let (None, Some(reply)) = (found.status, found.reply) else { break };
            messages.push(found.payload.to_vec());
            settled.push(client.request(reply, "+ACK".into()));
        }
        if messages.is_empty() {
            return Ok(());
        }
        write(&messages)?;
        stream::iter(settled).buffered(WINDOW).try_for_each(async |_| Ok(())).await?;
    }
}

async fn send_amqp(url: &str, lines: &[Vec<u8>]) -> Done {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    channel.queue_declare("bare".into(), QueueDeclareOptions::durable(), arguments).await?;
    for block in lines.chunks(WINDOW) {
        let mut sent = Vec::new();
        for line in block {
            let (options, properties) =
                (BasicPublishOptions::default(), BasicProperties::default());
            let properties = properties.with_delivery_mode(2);
            sent.push(
                channel.basic_publish("".into(), "bare".into(), options, line, properties).await?,
            );
        }
        for confirm in sent {
            confirm.await?;
        }
    }
    Ok(())
}

async fn receive_amqp(url: &str) -> Done {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let passive = QueueDeclareOptions::durable().passive();
    let there = channel.queue_declare("bare".into(), passive, FieldTable::default()).await?;
    let mut left = usize::try_from(there.message_count())?;
    channel.basic_qos(2 * u16::try_from(BLOCK)?, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume("bare".into(), "".into(), options, FieldTable::default());
    let mut consumer = consumer.await?;
    while left > 0 {
        let (mut messages, mut last) = (Vec::new(), None);
        while messages.len() < BLOCK.min(left) {
            let Some(found) = consumer.next().await else {
                return Err("the connection ended".into());
            };
            let found = found?;
            messages.push(found.data.clone());
            last = Some(found);
        }
        left = left.saturating_sub(messages.len());
        write(&messages)?;
        if let Some(last) = last {
            last.acker.ack(BasicAckOptions { multiple: true }).await?;
        }
    }
    Ok(connection.close(200, "done".into()).await?)
}
