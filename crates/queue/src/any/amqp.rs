//! Queues on RabbitMQ, with a ledger in a file of this host, or with none.

use std::sync::Arc;
use std::time::Duration;

use brine_core::Clock;
use brine_records::NoLedger;

use super::{AnyQueue, ServerSecrets};
use crate::amqp::AmqpQueue;
use crate::error::QueueError;
use crate::ledger_place::{LedgerPlace, NoLedgerPlace, SqliteLedgerPlace};
use crate::options::QueueOptions;
use crate::url::{QueueName, Server};

pub(super) fn open(
    server: &Server,
    secrets: &ServerSecrets,
    name: &QueueName,
    options: QueueOptions,
    clock: Arc<dyn Clock>,
) -> Result<AnyQueue, QueueError> {
    match &server.ledger_file {
        Some(path) => {
            let place = SqliteLedgerPlace::open(path, &options, clock.now()?)?;
            let ledgers = Arc::new(place.clone());
            let queue = AmqpQueue::open(server, secrets, ledgers, name, options, clock)?;
            Ok(AnyQueue { ledger_file: Some(place), ..AnyQueue::of(queue) })
        }
        None => {
            let ledgers = Arc::new(SendOnly);
            AmqpQueue::open(server, secrets, ledgers, name, options, clock).map(AnyQueue::of)
        }
    }
}

/// For those who need no ledger. Whoever takes messages to handle them is told to name one.
#[derive(Clone, Copy, Debug)]
struct SendOnly;

impl LedgerPlace for SendOnly {
    type Ledger = NoLedger;
    type Notes = NoLedgerPlace;

    fn ledger(&self, _: &QueueName, _: Duration) -> Result<NoLedger, QueueError> {
        Err(QueueError::Unsuitable { what: LEDGER_MISSING.to_owned() })
    }

    fn notes(&self, _: &QueueName) -> Result<NoLedgerPlace, QueueError> {
        Ok(NoLedgerPlace)
    }
}

const LEDGER_MISSING: &str = "RabbitMQ cannot remember what was handled: name a file of this host that does, with \
                              &once-per-host=FILE";
