//! The connection to a server, made again when it ends.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use brine_core::key::random;
use lapin::{Connection, ConnectionProperties};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::fault::{ServerFault, unanswered};
use super::held::HeldMessages;
use super::place::AmqpPlace;
use super::session::Session;
use crate::error::QueueError;
use crate::runtime;

/// How long the first pause lasts after no connection could be made. Each is twice as long as the one before it.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long an answer is waited for at least, once a request was sent: a large message takes its time.
const ANSWER: Duration = Duration::from_secs(30);

/// A connection, and the messages that came over it.
#[derive(Debug)]
pub(super) struct Link {
    place: AmqpPlace,
    /// How long a server is waited for that cannot be reached.
    patience: Duration,
    session: Mutex<Option<Arc<Session>>>,
    pub(super) held: Arc<HeldMessages>,
    /// Held by whoever looks through dead letters.
    pub(super) letters: Mutex<()>,
}

impl Link {
    /// Connects to nothing yet.
    pub(super) fn new(
        place: AmqpPlace,
        patience: Duration,
        lease: Duration,
    ) -> Result<Self, QueueError> {
        let held = Arc::new(HeldMessages::new(lease));
        drop(runtime::spawn(HeldMessages::keep_time(Arc::downgrade(&held)))?);
        Ok(Self { place, patience, session: Mutex::default(), held, letters: Mutex::default() })
    }

    /// Does something with the connection, and makes one first if there is none.
    pub(super) fn with<T>(
        &self,
        work: impl AsyncFnOnce(Arc<Session>) -> Result<T, ServerFault>,
    ) -> Result<T, QueueError> {
        runtime::block_on(async {
            let session = self.session().await?;
            self.bounded(work(session)).await
        })?
    }

    /// Does something that may take any time. That the server is there is heard from the connection.
    pub(super) fn slowly<T>(
        &self,
        work: impl AsyncFnOnce(Arc<Session>) -> Result<T, ServerFault>,
    ) -> Result<T, QueueError> {
        runtime::block_on(async {
            let session = self.session().await?;
            work(session).await.map_err(|fault| fault.at(&self.place.server()))
        })?
    }

    /// Does the same again when the connection ends, as long as a server is waited for. It is for what can be done twice.
    pub(super) fn insist<T>(
        &self,
        work: impl AsyncFn(Arc<Session>) -> Result<T, ServerFault>,
    ) -> Result<T, QueueError> {
        let begun = Instant::now();
        runtime::block_on(async {
            loop {
                let session = self.session().await?;
                match self.bounded(work(session)).await {
                    Err(QueueError::Connection { .. }) if begun.elapsed() < self.patience => {
                        sleep(FIRST_PAUSE).await;
                    }
                    done => return done,
                }
            }
        })?
    }

    /// Says of a failure where it was, and waits for no answer for ever.
    async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, ServerFault>>,
    ) -> Result<T, QueueError> {
        match timeout(self.patience.max(ANSWER), work).await {
            Ok(done) => done.map_err(|fault| fault.at(&self.place.server())),
            Err(_) => {
                // What it would have answered is not known, and which messages it has given.
                *self.session.lock().await = None;
                Err(unanswered().at(&self.place.server()))
            }
        }
    }

    /// Returns the connection, and makes one if there is none.
    async fn session(&self) -> Result<Arc<Session>, QueueError> {
        let mut current = self.session.lock().await;
        if let Some(session) = current.take() {
            match session.is_open() {
                true => return Ok(Arc::clone(current.insert(session))),
                // A process that was forked has the connection of its parent, which it must not end.
                false if session.is_of_parent() => std::mem::forget(session),
                false => {}
            }
        }
        let session = self.connect().await.map_err(|fault| fault.at(&self.place.server()))?;
        Ok(Arc::clone(current.insert(Arc::new(session))))
    }

    /// Connects, and tries again with growing pauses.
    async fn connect(&self) -> Result<Session, ServerFault> {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let left = self.patience.saturating_sub(begun.elapsed());
            // A server that is there answers sooner than that.
            let attempt = timeout(left.max(LONGEST_PAUSE), self.connect_once());
            let fault = match attempt.await.unwrap_or_else(|_| Err(unanswered())) {
                Err(fault) if fault.may_pass() => fault,
                done => return done,
            };
            let left = self.patience.saturating_sub(begun.elapsed());
            let wait = jittered(pause);
            if wait >= left {
                return Err(fault);
            }
            sleep(wait).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    /// Connects to the first server that answers.
    async fn connect_once(&self) -> Result<Session, ServerFault> {
        let mut failed = unanswered();
        for uri in self.place.uris() {
            let properties = ConnectionProperties::default().with_connection_name("brine".into());
            let runtime = lapin::runtime::default_runtime()?;
            let tls = self.place.tls();
            let connection = Connection::connect_uri_with_config(uri, properties, tls, runtime);
            match connection.await {
                Ok(connection) => return Session::new(connection).await,
                Err(error) => failed = error.into(),
            }
        }
        Err(failed)
    }
}

/// Returns between half and all of a pause, so that clients that lost a server together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let share = random::<4>().map_or(u32::MAX, u32::from_le_bytes);
    let half = pause / 2;
    half.saturating_add(half.mul_f64(f64::from(share) / f64::from(u32::MAX)))
}
