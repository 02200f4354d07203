//! How a queue is found or made, also where several make it at once.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use brine_core::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::api::ApiFault;
use super::growing_delay::GrowingDelay;
use super::lifetime::{described, sweep};
use super::link::{Link, draw_token};
use super::names::ServerNames;
use super::stream_info::{StreamInfo, info};
use super::streams::{MAX_HEADER_BYTES, QueueStreams, create, nanos};
use crate::error::QueueError;
use crate::options::{MAX_MESSAGE_BYTES, QueueBirth};
use crate::url::QueueName;

/// For how long a message that is published again is known.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// How long a ledger keeps its values before it is told for how long it must.
const FIRST_LEDGER_AGE: Duration = Duration::from_secs(3600);

/// How long a server takes, at most, from looking for a name until it has it.
const MAKERS_PAUSE: Duration = Duration::from_millis(100);

/// How long others wait for a maker.
const MAKERS_PATIENCE: Duration = Duration::from_secs(2);

/// How a queue is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Making {
    pub(super) birth: QueueBirth,
    pub(super) lease: Duration,
    pub(super) lifetime: Option<Duration>,
    pub(super) replicas: u8,
    pub(super) now: Timestamp,
}

impl QueueStreams {
    /// Finds a queue, or makes it.
    pub(super) async fn open(
        link: Arc<Link>,
        name: &QueueName,
        making: Making,
        until: Instant,
    ) -> Result<Self, QueueError> {
        let names = ServerNames::new(name);
        let (found, is_new) = match info(&link, &names.messages, until).await? {
            Some(found) => (found, false),
            None if making.birth == QueueBirth::Existing => {
                return Err(QueueError::Missing { name: name.clone() });
            }
            None => {
                sweep(&link, making.now, until).await?;
                make_messages(&link, name, &names, making, until).await?
            }
        };
        let id = found.id(&names)?;
        let replicas = found.config.get("num_replicas").and_then(Value::as_u64).unwrap_or(1);
        let lease = making.lease;
        let mut streams = Self { link, name: name.clone(), names, id, lease, replicas, is_new };
        streams.become_one(making, until).await?;
        streams.make_states(until).await?;
        if streams.is_new && making.lifetime.is_none() {
            streams.keep_ledger_for(FIRST_LEDGER_AGE, until).await?;
        }
        streams.lease = streams.make_consumer(until).await?;
        Ok(streams)
    }

    /// Finds out which queue it is that several may have made at once, and which of them goes on to make it.
    ///
    /// nats-server 2.9 looks for a name, and takes it a moment later. Whoever makes a stream of that name in between is
    /// told that it was made as well, and the first one is lost. So nobody uses a stream before those who could be that
    /// fast have been, and one maker makes everything else, the consumer last.
    async fn become_one(&mut self, making: Making, until: Instant) -> Result<(), QueueError> {
        if self.is_new && making.lifetime.is_some() {
            // Its name was drawn, and nobody else makes it.
            return Ok(());
        }
        if self.is_new {
            sleep(MAKERS_PAUSE).await;
        } else if !self.wait_for_maker(until).await? {
            return self.await_messages(until).await;
        }
        let found = info(&self.link, &self.names.messages, until).await?;
        let id = found.ok_or_else(|| self.missing())?.id(&self.names)?;
        if id != self.id {
            self.id = id;
            if mem::take(&mut self.is_new) {
                self.wait_for_maker(until).await?;
            }
        }
        self.await_messages(until).await
    }

    /// Waits until the queue has a consumer, but not for a maker that seems to be gone. Returns whether it had to wait.
    async fn wait_for_maker(&self, until: Instant) -> Result<bool, QueueError> {
        let (mut delay, mut waited) = (GrowingDelay::default(), Duration::ZERO);
        while self.consumer(until).await?.is_none() && waited < MAKERS_PATIENCE {
            let pause = delay.next()?;
            sleep(pause).await;
            waited += pause;
        }
        Ok(!waited.is_zero())
    }

    /// Waits until the stream of messages is whole.
    async fn await_messages(&self, until: Instant) -> Result<(), QueueError> {
        let subject = self.names.message_subject(&self.id);
        match self.link.await_stream(&self.names.messages, &subject, until).await? {
            true => Ok(()),
            false => Err(self.missing()),
        }
    }

    async fn make_states(&self, until: Instant) -> Result<(), QueueError> {
        let states = json!({
            "name": self.names.states,
            "subjects": [self.names.state_prefix(&self.id) + ".>"],
            "max_msgs_per_subject": 1,
        });
        self.make(states, until).await
    }
}

/// Returns the stream, and whether it is a new one.
async fn make_messages(
    link: &Link,
    name: &QueueName,
    names: &ServerNames,
    making: Making,
    until: Instant,
) -> Result<(StreamInfo, bool), QueueError> {
    let subject = names.message_subject(&draw_token()?);
    // By a clock that is behind, too, the queue goes before its messages.
    let max_age = making.lifetime.map_or(0, |lifetime| nanos(lifetime.saturating_mul(2)));
    let mut window = nanos(DUPLICATE_WINDOW);
    if max_age > 0 {
        window = window.min(max_age);
    }
    let config = json!({
        "name": names.messages,
        "subjects": [subject],
        "description": described(name, making.lifetime.map(|lifetime| making.now.plus(lifetime))),
        "allow_direct": true,
        "max_age": max_age,
        "max_msg_size": MAX_MESSAGE_BYTES.saturating_add(MAX_HEADER_BYTES),
        "duplicate_window": window,
        "num_replicas": making.replicas.max(1),
    });
    match create(link, config, until).await? {
        // If it is asked for twice, it is there and the same.
        Ok(made) => Ok((made, true)),
        // Another process was faster.
        Err(fault) if fault.err_code == ApiFault::NAME_IN_USE => {
            let found = info(link, &names.messages, until).await?;
            Ok((found.ok_or_else(|| QueueError::Missing { name: name.clone() })?, false))
        }
        Err(fault) => Err(fault.fatal()),
    }
}
