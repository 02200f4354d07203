//! What is asked of JetStream, in JSON.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::growing_delay::GrowingDelay;
use super::link::{Answer, Link};
use super::stream_info::info;
use crate::error::QueueError;

/// Why JetStream did not do what it was asked to.
#[derive(Clone, Debug, Deserialize, thiserror::Error)]
#[error("{description} ({err_code})")]
pub(super) struct ApiFault {
    code: u16,
    #[serde(default)]
    pub(super) err_code: u16,
    #[serde(default)]
    description: String,
}

/// What became of a message that was published to a stream.
#[derive(Debug, Deserialize)]
struct PublishAnswer {
    error: Option<ApiFault>,
    seq: Option<u64>,
}

/// What came of a question that some faults answer as well.
pub(super) type ApiAnswer<T> = Result<T, ApiFault>;

/// What became of a message.
pub(super) enum Stored {
    As {
        sequence: u64,
    },
    /// The stream does not take it.
    Refused {
        fault: ApiFault,
        /// Whether it was sent more than once, so that the stream may have taken it before.
        sent_again: bool,
    },
    /// No stream has this subject.
    NoStream,
}

impl ApiFault {
    pub(super) const CONSUMER_MISSING: u16 = 10014;
    const MESSAGE_MISSING: [u16; 2] = [10037, 10043];
    pub(super) const NAME_IN_USE: u16 = 10058;
    pub(super) const STREAM_MISSING: u16 = 10059;
    pub(super) const SUBJECTS_OVERLAP: u16 = 10065;
    const DELETE_FAILED: u16 = 10057;
    const WRONG_LAST_SEQUENCE: [u16; 2] = [10071, 10164];
    const NO_ROOM: [u16; 5] = [10023, 10028, 10047, 10077, 10110];
    const TOO_LARGE: u16 = 10054;

    /// Returns the error of a queue that cannot go on.
    pub(super) fn fatal(self) -> QueueError {
        match self.err_code {
            code if Self::NO_ROOM.contains(&code) => QueueError::Full,
            _ => QueueError::Database(self.into()),
        }
    }

    /// Returns whether somebody else was faster.
    pub(super) fn is_wrong_last(&self) -> bool {
        Self::WRONG_LAST_SEQUENCE.contains(&self.err_code)
    }

    /// Returns whether the stream takes no message as large as this.
    pub(super) const fn is_about_size(&self) -> bool {
        self.err_code == Self::TOO_LARGE
    }

    pub(super) fn is_missing_message(&self) -> bool {
        Self::MESSAGE_MISSING.contains(&self.err_code)
            // The text of the store, where the message was deleted before.
            || self.err_code == Self::DELETE_FAILED && self.description.ends_with(" found")
    }

    /// Returns whether the server failed at what it was to do.
    pub(super) const fn is_of_server(&self) -> bool {
        self.code == 500
    }

    /// The server asks for patience: it has just been started, or its cluster elects a leader.
    const fn can_pass(&self) -> bool {
        self.code == 503 && !matches!(self.err_code, 10039 | 10076)
    }
}

impl Link {
    /// Asks JetStream, and asks again while it is not there.
    pub(super) async fn api<T: DeserializeOwned>(
        &self,
        subject: &str,
        question: &impl Serialize,
        until: Instant,
    ) -> Result<ApiAnswer<T>, QueueError> {
        let subject = format!("$JS.API.{subject}");
        let question =
            serde_json::to_vec(question).map_err(|error| QueueError::Database(error.into()))?;
        let mut delay = GrowingDelay::default();
        loop {
            let why = match self.ask(&subject, None, &question, until).await? {
                Answer::Nobody => "JetStream is not there".to_owned(),
                Answer::Message { message, .. } => match read(&message.payload) {
                    Ok(Err(fault)) if fault.can_pass() => fault.to_string(),
                    Ok(answer) => return Ok(answer),
                    // A server that starts or ends says less than it should, for a moment.
                    Err(error) => unreadable(&error),
                },
            };
            let pause = delay.next()?;
            if Instant::now() + pause >= until {
                return Err(self.failure(why));
            }
            sleep(pause).await;
        }
    }

    /// Publishes to a stream, and waits until it has the message.
    pub(super) async fn store(
        &self,
        stream: &str,
        subject: &str,
        headers: async_nats::HeaderMap,
        payload: &[u8],
        until: Instant,
    ) -> Result<Stored, QueueError> {
        let headers = Some(headers);
        let mut delay = GrowingDelay::default();
        let mut sent_again = false;
        let message = loop {
            match self.ask(subject, headers.clone(), payload, until).await? {
                Answer::Message { message, asked_again } => {
                    sent_again |= asked_again;
                    break message;
                }
                Answer::Nobody => sent_again = true,
            }
            // While a stream is made, or found again after a start of the server, it is there and does not listen.
            let found = info(self, stream, until).await?;
            if !found.is_some_and(|found| found.listens_to(subject)) {
                return Ok(Stored::NoStream);
            }
            let pause = delay.next()?;
            if Instant::now() + pause >= until {
                return Err(self.failure("the stream does not listen"));
            }
            sleep(pause).await;
        };
        let answer: PublishAnswer = serde_json::from_slice(&message.payload)
            .map_err(|error| self.failure(unreadable(&error)))?;
        match answer {
            PublishAnswer { error: Some(fault), .. } => Ok(Stored::Refused { fault, sent_again }),
            PublishAnswer { seq: Some(sequence), .. } => Ok(Stored::As { sequence }),
            PublishAnswer { .. } => Err(self.failure("an answer without a number")),
        }
    }
}

/// Reads an answer of JetStream.
fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<ApiAnswer<T>, serde_json::Error> {
    let mut answer: Value = serde_json::from_slice(payload)?;
    match answer.get_mut("error").map(Value::take).filter(|error| !error.is_null()) {
        None => serde_json::from_value(answer).map(Ok),
        Some(error) => serde_json::from_value(error).map(Err),
    }
}

/// What stands there is not repeated: the server can be anybody's.
fn unreadable(error: &serde_json::Error) -> String {
    format!("an answer of the server cannot be read: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Told {
        config: u8,
    }

    #[test]
    fn an_answer_is_what_was_asked_for_or_a_fault_or_says_nothing() {
        let told: ApiAnswer<Told> = read(br#"{"error": null, "config": 7}"#).unwrap();
        assert_eq!(told.unwrap().config, 7);
        let fault = read::<Told>(br#"{"error": {"code": 503, "err_code": 10008}}"#).unwrap();
        assert!(fault.unwrap_err().can_pass());
        // What a server says that is about to end.
        let error = read::<Told>(br#"{"type": "io.nats.jetstream.api.v1.stream_info_response"}"#);
        let said = "an answer of the server cannot be read: missing field `config`";
        assert_eq!(unreadable(&error.unwrap_err()), said);
        assert!(read::<Told>(b"{").is_err());
    }
}
