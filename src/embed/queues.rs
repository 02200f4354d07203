//! Queues, as people name them.

use std::time::Duration;

use brine_queue::{AnyQueue, QueueBirth, QueueOptions, QueueUrl};

use super::Refused;
use super::stating::wrong;
use crate::args::when::parse_duration;
use crate::report::{Failure, QueueFailure};
use crate::world::queue;

/// How a queue is opened, as people write it.
#[derive(Clone, Debug, Default)]
pub struct QueueText {
    /// How long other consumers leave a message to this one if it dies, like `1m`.
    pub lease: Option<String>,
    /// Messages up to this age are told apart, by default a day.
    pub max_age: Option<String>,
    /// How long a queue is kept that is made, if not for good.
    pub lifetime: Option<Duration>,
}

/// Reads the URL of a queue. It means the same wherever the process works later.
///
/// # Errors
///
/// `usage`, with what is expected instead.
pub fn queue_url(text: &str) -> Result<QueueUrl, Refused> {
    let url = text.parse().map_err(|error| wrong("url", &format!("{error}")))?;
    Ok(queue::settled_url(&url)?)
}

/// Opens a queue, and makes it first if it is not there and `is_made` says so. Another process that has it locked, and
/// its server, is waited for so long.
///
/// # Errors
///
/// What the programs say of such a queue, and `usage`.
pub fn queue(
    url: &QueueUrl,
    text: &QueueText,
    is_made: bool,
    busy_timeout: Duration,
) -> Result<AnyQueue, Refused> {
    let read = |name, text: &Option<String>| {
        let length = text.as_deref().map(parse_duration).transpose();
        length.map_err(|expected| wrong(name, &expected))
    };
    let (lease, max_age) = (read("lease", &text.lease)?, read("max_age", &text.max_age)?);
    let made = queue::made_to_consume(lease, max_age);
    let birth = if is_made { made.birth } else { QueueBirth::Existing };
    let lifetime = text.lifetime;
    let options = QueueOptions { birth, busy_timeout, lifetime, ..made };
    Ok(queue::open_at_once(url, options)?)
}

impl Refused {
    /// Says that nobody is trusted. Who takes messages then would make dead letters of all.
    #[must_use]
    pub fn nobody_trusted() -> Self {
        Failure::NobodyTrusted { name: None, similar: None }.into()
    }

    /// Says that a message was delivered so often, and nobody settled it.
    #[must_use]
    pub fn exhausted(attempts: u64) -> Self {
        Failure::from(QueueFailure::Exhausted { attempts }).into()
    }
}
