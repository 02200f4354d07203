//! The connection to a server.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{
    Client, ConnectError, ConnectErrorKind, ConnectOptions, Event, HeaderMap, Message, Request,
    RequestErrorKind, ServerAddr,
};
use brine_core::key::random;
use brine_core::text::hex;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::growing_delay::GrowingDelay;
use super::listening::Listening;
use super::place::NatsPlace;
use crate::error::QueueError;
use crate::runtime::block_on;

/// How long an answer is waited for before the question is asked again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How many bytes a second a line carries at least.
const SLOWEST_BYTES_PER_MILLI: usize = 64;

/// How often a silent connection is tried. After two tries without an answer it is a new one.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// A connection. If it is lost, it is made again by itself.
pub(super) struct Link {
    pub(super) client: Client,
    process: u32,
    connected: watch::Receiver<Connections>,
    /// What the server said last that this user may not do.
    violation: watch::Receiver<String>,
    patience: Duration,
    servers: String,
    /// Which streams are known to be whole.
    pub(super) listening: Listening,
}

/// How often a connection was made, and when it was made again.
#[derive(Clone, Copy, Debug, Default)]
struct Connections {
    times: u64,
    again: Option<Instant>,
}

/// What came of a question.
pub(super) enum Answer {
    Message {
        message: Message,
        /// Whether it was asked more than once, so that another answer may have been lost.
        asked_again: bool,
    },
    /// Nobody is there who would answer.
    Nobody,
}

impl Link {
    /// Connects to a server.
    pub(super) fn open(place: &NatsPlace, patience: Duration) -> Result<Self, QueueError> {
        crate::tls::install();
        let (addresses, servers) = (place.addresses()?, place.shown());
        let (sender, connected) = watch::channel(Connections::default());
        let (violations, violation) = watch::channel(String::new());
        let until = Instant::now() + patience;
        let mut delay = GrowingDelay::default();
        let client = block_on(async {
            loop {
                let options =
                    patient(place.options()?, patience, sender.clone(), violations.clone());
                match connect(options, &addresses, until).await {
                    Ok(client) => return Ok(client),
                    Err(error) => {
                        let pause = delay.next()?;
                        if !can_pass(error.kind()) || Instant::now() + pause >= until {
                            return Err(refused(servers.clone(), error));
                        }
                        sleep(pause).await;
                    }
                }
            }
        })??;
        let process = std::process::id();
        let listening = Listening::default();
        Ok(Self { client, process, connected, violation, patience, servers, listening })
    }

    /// Does something with the connection, and waits for it.
    pub(super) fn wait_for<T>(
        &self,
        work: impl Future<Output = Result<T, QueueError>>,
    ) -> Result<T, QueueError> {
        if std::process::id() != self.process {
            return Err(self.failure("the connection belongs to the process that forked this one"));
        }
        block_on(work)?
    }

    /// Returns until when a call that begins now is tried.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.patience
    }

    pub(super) fn failure(&self, why: impl fmt::Display) -> QueueError {
        let (server, source) = (self.servers.clone(), why.to_string().into());
        QueueError::Connection { server, source }
    }

    /// Waits until there is a connection.
    pub(super) async fn connection(&self, until: Instant) -> Result<(), QueueError> {
        let mut connected = self.connected.clone();
        loop {
            connected.mark_unchanged();
            if self.client.connection_state() == State::Connected {
                return Ok(());
            }
            // Whether it changed or not, the state says.
            let pause = Instant::now() + Duration::from_millis(50);
            let _ = timeout_at(until.min(pause), connected.changed()).await;
            if Instant::now() >= until {
                return Err(self.failure("no connection"));
            }
        }
    }

    /// Returns how often the connection was made.
    pub(super) fn times_connected(&self) -> u64 {
        self.connected.borrow().times
    }

    /// Returns whether the connection was made again within this time.
    pub(super) fn was_lost_within(&self, length: Duration) -> bool {
        self.connected.borrow().again.is_some_and(|again| again.elapsed() < length)
    }

    /// Waits until the connection is a new one.
    pub(super) async fn reconnected(&self) {
        let mut connected = self.connected.clone();
        // Of the first time, it may hear late.
        let times = connected.borrow_and_update().times.max(1);
        if connected.wait_for(|now| now.times > times).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until the server says that this user may not publish to a subject. It gives no other answer then.
    async fn is_refused(&self, subject: &str) -> QueueError {
        let mut violation = self.violation.clone();
        violation.mark_unchanged();
        let quoted = format!("\"{subject}\"");
        loop {
            if violation.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            let what = violation.borrow_and_update().clone();
            if what.contains(&quoted) {
                return QueueError::Access { server: self.servers.clone(), what };
            }
        }
    }

    /// Asks a question until it is answered. It can be asked, and be heard, more than once, even after this returned an
    /// error.
    pub(super) async fn ask(
        &self,
        subject: &str,
        headers: Option<HeaderMap>,
        payload: &[u8],
        until: Instant,
    ) -> Result<Answer, QueueError> {
        let bytes = u64::try_from(payload.len() / SLOWEST_BYTES_PER_MILLI).unwrap_or(u64::MAX);
        let allowance = Duration::from_millis(bytes);
        let until = until + allowance;
        let payload = Bytes::copy_from_slice(payload);
        let mut delay = GrowingDelay::default();
        let mut asked_again = false;
        loop {
            let mut request = Request::new().payload(payload.clone()).timeout(None);
            if let Some(headers) = &headers {
                request = request.headers(headers.clone());
            }
            let patience = until.min(Instant::now() + ANSWER_TIMEOUT + allowance);
            let why = tokio::select! {
                answer = self.client.send_request(subject.to_owned(), request) => match answer {
                    Ok(message) => return Ok(Answer::Message { message, asked_again }),
                    Err(error) => match error.kind() {
                        RequestErrorKind::NoResponders => return Ok(Answer::Nobody),
                        RequestErrorKind::MaxPayloadExceeded => {
                            let limit = self.client.max_payload();
                            return Err(QueueError::TooLarge { bytes: payload.len(), limit });
                        }
                        kind => kind.to_string(),
                    },
                },
                error = self.is_refused(subject) => return Err(error),
                () = sleep_until(patience) => "no answer".to_owned(),
                () = self.reconnected() => "the connection was lost".to_owned(),
            };
            let pause = delay.next()?;
            if Instant::now() + pause >= until {
                return Err(self.failure(why));
            }
            sleep(pause).await;
            asked_again = true;
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("servers", &self.servers).finish_non_exhaustive()
    }
}

/// Every try has an end, also where the client or the server waits for ever.
async fn connect(
    options: ConnectOptions,
    addresses: &[ServerAddr],
    until: Instant,
) -> Result<Client, ConnectError> {
    let late = |_| ConnectError::new(ConnectErrorKind::MaxReconnects);
    timeout_at(until, options.connect(addresses)).await.map_err(late)?
}

/// Returns whether it is worth to try again soon.
const fn can_pass(kind: ConnectErrorKind) -> bool {
    match kind {
        ConnectErrorKind::Dns
        | ConnectErrorKind::Io
        | ConnectErrorKind::MaxReconnects
        | ConnectErrorKind::TimedOut => true,
        ConnectErrorKind::Authentication
        | ConnectErrorKind::AuthorizationViolation
        | ConnectErrorKind::ServerParse
        | ConnectErrorKind::Tls => false,
    }
}

/// What the client says has nothing of what it was given to log in with.
fn refused(server: String, error: ConnectError) -> QueueError {
    match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            QueueError::Access { server, what: error.to_string() }
        }
        _ => QueueError::Connection { server, source: error.into() },
    }
}

fn patient(
    options: ConnectOptions,
    patience: Duration,
    connected: watch::Sender<Connections>,
    violations: watch::Sender<String>,
) -> ConnectOptions {
    options
        .name("brine")
        .connection_timeout(patience.min(ANSWER_TIMEOUT))
        .ping_interval(PING_INTERVAL)
        .reconnect_delay_callback(|attempts| {
            let mut delay = GrowingDelay::after(attempts);
            // Without random bytes, it is the longest.
            delay.next().unwrap_or(GrowingDelay::LONGEST)
        })
        .event_callback(move |event| {
            match event {
                Event::Connected => {
                    connected.send_modify(|connections| {
                        connections.again = (connections.times > 0).then(Instant::now);
                        connections.times = connections.times.saturating_add(1);
                    });
                }
                Event::ServerError(error) if is_violation(&error.to_string()) => {
                    violations.send_replace(error.to_string());
                }
                _ => {}
            }
            std::future::ready(())
        })
}

fn is_violation(said: &str) -> bool {
    said.to_ascii_lowercase().contains("permissions violation")
}

/// Draws a name that nothing else has.
pub(super) fn draw_token() -> Result<String, QueueError> {
    Ok(hex(&random::<16>()?))
}
