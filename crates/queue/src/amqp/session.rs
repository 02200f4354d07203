//! One connection to a server, as long as it lasts.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_core::Stream as _;
use lapin::message::Delivery;
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, PublisherConfirm};
use tokio::time::{sleep, timeout};

use super::fault::ServerFault;
use super::layout::{Beside, Layout, short};

/// How much is sent before it is waited until the server has it.
const UNCONFIRMED_BYTES: usize = 0x40_0000;

/// The same, counted in messages.
const UNCONFIRMED_MESSAGES: usize = 500;

/// How long it is waited before what the server did not take is published once more.
const REFUSED: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(400),
    Duration::from_millis(1000),
];

/// A message that is published, and its properties.
pub(super) type Outgoing<'m> = (&'m [u8], BasicProperties);

/// A connection, and its channels.
#[derive(Debug)]
pub(super) struct Session {
    connection: Connection,
    /// Messages are published here, and confirmed.
    publishing: Channel,
    /// Messages come here, and are settled here.
    pub(super) receiving: Channel,
    /// The server closes a channel if there is something wrong with a question. It costs nothing else here.
    asking: tokio::sync::Mutex<Option<Channel>>,
    /// Whether it has no number left for another channel.
    is_worn: AtomicBool,
    /// The queues beside the queue that are there.
    made: Mutex<BTreeSet<Beside>>,
    process: u32,
}

/// What became of messages that were published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Published {
    Done,
    /// The queue takes no more.
    Full,
    /// There is no such queue.
    NoQueue,
}

impl Session {
    pub(super) async fn new(connection: Connection) -> Result<Self, ServerFault> {
        let publishing = connection.create_channel().await?;
        publishing.confirm_select(ConfirmSelectOptions::default()).await?;
        let receiving = connection.create_channel().await?;
        let process = std::process::id();
        let (asking, is_worn, made) = Default::default();
        Ok(Self { connection, publishing, receiving, asking, is_worn, made, process })
    }

    /// Returns whether everything can be done with it.
    pub(super) fn is_open(&self) -> bool {
        let Self { connection, publishing, receiving, .. } = self;
        let are_open = publishing.status().connected() && receiving.status().connected();
        let is_whole = are_open && !self.is_worn.load(Ordering::Relaxed);
        !self.is_of_parent() && connection.status().connected() && is_whole
    }

    /// Returns whether the process was forked after the connection was made.
    pub(super) fn is_of_parent(&self) -> bool {
        self.process != std::process::id()
    }

    /// Publishes messages in this order, and waits until the server has them on the disk. What it does not take is
    /// published once more after a while: that happens while a queue is being made, or changes its leader.
    pub(super) async fn publish(
        &self,
        queue: &ShortString,
        messages: &[Outgoing<'_>],
    ) -> Result<Published, ServerFault> {
        let mut left = self.publish_once(queue, messages.iter()).await?;
        for pause in REFUSED {
            if !left.iter().any(|(_, published)| *published == Published::Full) {
                break;
            }
            sleep(pause).await;
            left = self.publish_once(queue, left.into_iter().map(|(message, _)| message)).await?;
        }
        Ok(left.first().map_or(Published::Done, |(_, published)| *published))
    }

    /// Publishes messages, and returns those that the server did not take.
    pub(super) async fn publish_once<'m>(
        &self,
        queue: &ShortString,
        messages: impl Iterator<Item = &'m Outgoing<'m>>,
    ) -> Result<Vec<(&'m Outgoing<'m>, Published)>, ServerFault> {
        let (mut sent, mut bytes, mut left) = (Vec::new(), 0_usize, Vec::new());
        for message in messages {
            let (content, properties) = message;
            // A message without a queue comes back.
            let options = BasicPublishOptions { mandatory: true, immediate: false };
            let (exchange, queue) = (ShortString::default(), queue.clone());
            let confirm = self.publishing.basic_publish(
                exchange,
                queue,
                options,
                content,
                properties.clone(),
            );
            sent.push((message, confirm.await?));
            bytes = bytes.saturating_add(content.len());
            if bytes >= UNCONFIRMED_BYTES || sent.len() >= UNCONFIRMED_MESSAGES {
                left.append(&mut not_taken(&mut sent).await?);
                bytes = 0;
            }
        }
        left.append(&mut not_taken(&mut sent).await?);
        Ok(left)
    }

    /// Publishes messages on a queue beside the queue, which is made if it is not there.
    pub(super) async fn publish_beside(
        &self,
        layout: &Layout,
        queue: Beside,
        messages: &[Outgoing<'_>],
    ) -> Result<Published, ServerFault> {
        let name = layout.beside(queue);
        self.make_beside(layout, queue).await?;
        match self.publish(&name, messages).await? {
            // Somebody deleted it meanwhile.
            Published::NoQueue => {
                self.made().remove(&queue);
                self.make_beside(layout, queue).await?;
                self.publish(&name, messages).await
            }
            published => Ok(published),
        }
    }

    pub(super) async fn make_beside(
        &self,
        layout: &Layout,
        queue: Beside,
    ) -> Result<(), ServerFault> {
        if self.made().contains(&queue) {
            return Ok(());
        }
        self.make(&layout.beside(queue), layout.arguments(queue)).await?;
        self.made().insert(queue);
        Ok(())
    }

    /// Makes a queue, unless there is one of this name: then it stays as it was made.
    pub(super) async fn make(
        &self,
        queue: &ShortString,
        arguments: FieldTable,
    ) -> Result<(), ServerFault> {
        let made = self.declare(queue, QueueDeclareOptions::durable(), arguments).await;
        match made {
            Err(fault) if fault.is_otherwise() => Ok(()),
            made => made.map(drop),
        }
    }

    /// Makes a queue that is there as long as the connection, and for nobody else. Returns whether nobody has one of this name.
    pub(super) async fn lock(&self, queue: &ShortString) -> Result<bool, ServerFault> {
        let options = QueueDeclareOptions::exclusive();
        match self.declare(queue, options, FieldTable::default()).await {
            Err(fault) if fault.is_locked() => Ok(false),
            made => made.map(|_| true),
        }
    }

    /// Counts the messages of a queue that can be delivered. Returns `None` if there is no such queue.
    pub(super) async fn count(&self, queue: &ShortString) -> Result<Option<u64>, ServerFault> {
        let options = QueueDeclareOptions::durable().passive();
        match self.declare(queue, options, FieldTable::default()).await {
            Ok(count) => Ok(Some(count)),
            Err(fault) if fault.is_missing() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    async fn declare(
        &self,
        queue: &ShortString,
        options: QueueDeclareOptions,
        arguments: FieldTable,
    ) -> Result<u64, ServerFault> {
        let mut asking = self.asking.lock().await;
        let channel = self.question(&mut asking).await?;
        let declared = channel.queue_declare(queue.clone(), options, arguments).await?;
        Ok(declared.message_count().into())
    }

    pub(super) async fn delete(&self, queue: &ShortString) -> Result<(), ServerFault> {
        let mut asking = self.asking.lock().await;
        let channel = self.question(&mut asking).await?;
        channel.queue_delete(queue.clone(), QueueDeleteOptions::default()).await?;
        Ok(())
    }

    async fn question(&self, asking: &mut Option<Channel>) -> Result<Channel, ServerFault> {
        match asking.take() {
            Some(channel) if channel.status().connected() => Ok(asking.insert(channel).clone()),
            _ => Ok(asking.insert(self.channel().await?).clone()),
        }
    }

    /// Takes the first message of a queue, if there is one.
    pub(super) async fn get(
        &self,
        channel: &Channel,
        queue: &ShortString,
    ) -> Result<Option<Delivery>, ServerFault> {
        let found = channel.basic_get(queue.clone(), BasicGetOptions::default()).await?;
        Ok(found.map(|message| message.delivery))
    }

    /// Waits for a message, and takes it. It holds the channel on which it came.
    pub(super) async fn wait_for_one(
        &self,
        queue: &ShortString,
        wait: Duration,
    ) -> Result<Option<(Delivery, Channel)>, ServerFault> {
        let channel = self.channel().await?;
        channel.basic_qos(1, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let consumer =
            channel.basic_consume(queue.clone(), short(""), options, FieldTable::default());
        let mut consumer = consumer.await?;
        let first = timeout(wait, next(&mut consumer)).await.ok().flatten();
        channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await?;
        let found = match first {
            // It can have come while nobody waited any more.
            None => timeout(Duration::ZERO, next(&mut consumer)).await.ok().flatten(),
            first => first,
        };
        match found {
            Some(found) => Ok(Some((found?, channel))),
            None => {
                // One that is still on its way goes back with the channel.
                channel.close(200, short("done")).await?;
                Ok(None)
            }
        }
    }

    /// Opens a channel. The client keeps the error by which the server closed a channel, and answers with it whoever is
    /// given the number of that channel later, when all others were used. So the next number is tried then.
    pub(super) async fn channel(&self) -> Result<Channel, ServerFault> {
        loop {
            match self.connection.create_channel().await.map_err(ServerFault::from) {
                // Each number is tried once: one that fails so is not given again.
                Err(fault) if fault.is_of_channel() => {}
                Err(fault) => {
                    self.is_worn.fetch_or(fault.is_of_numbers(), Ordering::Relaxed);
                    return Err(fault);
                }
                Ok(channel) => return Ok(channel),
            }
        }
    }

    fn made(&self) -> std::sync::MutexGuard<'_, BTreeSet<Beside>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until the server has everything that it did with what was done on a channel before.
pub(super) async fn settled(channel: &Channel) -> Result<(), ServerFault> {
    // The server answers in the order in which it was asked.
    Ok(channel.basic_qos(0, BasicQosOptions::default()).await?)
}

/// Waits until the server has taken messages, or not, and returns those that it has not.
async fn not_taken<'m>(
    sent: &mut Vec<(&'m Outgoing<'m>, PublisherConfirm)>,
) -> Result<Vec<(&'m Outgoing<'m>, Published)>, ServerFault> {
    let mut left = Vec::new();
    for (message, confirm) in sent.drain(..) {
        match confirm.await? {
            Confirmation::Ack(None) => {}
            Confirmation::Ack(Some(_)) => left.push((message, Published::NoQueue)),
            Confirmation::Nack(_) | Confirmation::NotRequested => {
                left.push((message, Published::Full));
            }
        }
    }
    Ok(left)
}

/// Returns the next message of a consumer, or `None` if there will be none.
async fn next(consumer: &mut lapin::Consumer) -> Option<Result<Delivery, lapin::Error>> {
    std::future::poll_fn(|context| Pin::new(&mut *consumer).poll_next(context)).await
}
