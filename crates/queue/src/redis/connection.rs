//! A connection to a server, which is made anew when it ends.

use std::error::Error;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use redis::{
    Client, Cmd, Connection, ConnectionAddr, ErrorKind, FromRedisValue, IntoConnectionInfo as _,
    RedisConnectionInfo, RedisError, ScriptInvocation, ServerErrorKind, TlsCertificates, cmd,
};

use crate::any::ServerSecrets;
use crate::error::QueueError;
use crate::retry_delay::RetryDelay;
use crate::url::{QueueName, Server, ServerHost};

/// Where a server is, and how one speaks to it.
#[derive(Clone)]
pub(super) struct RedisPlace {
    client: Client,
    /// What people call it.
    name: Arc<str>,
    pub(super) queue: QueueName,
    /// How long an answer is waited for.
    pub(super) timeout: Duration,
}

/// A connection to a server. After a failure, the next call connects again, and waits before.
pub(super) struct RedisConnection {
    place: RedisPlace,
    open: Option<Connection>,
    /// How many calls failed one after the other.
    failures: u64,
}

impl RedisPlace {
    pub(super) fn new(
        server: &Server,
        secrets: &ServerSecrets,
        queue: &QueueName,
        timeout: Duration,
    ) -> Result<Self, QueueError> {
        let [ServerHost { name: host, port }] = server.hosts.as_slice() else {
            return Err(QueueError::Unsuitable {
                what: "several hosts are named, and Redis is one server".to_owned(),
            });
        };
        let name: Arc<str> = format!("{host}:{port}").into();
        let (host, port) = (host.clone(), *port);
        let address = match server.is_tls {
            true => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
            false => ConnectionAddr::Tcp(host, port),
        };
        let mut settings = RedisConnectionInfo::default().set_lib_name("brine", VERSION);
        if let Some(user) = &server.user {
            settings = settings.set_username(user);
        }
        // Without a password, a user that is named would not be logged in, but the default one used.
        let password = secrets.password.as_deref().or(server.user.as_ref().map(|_| ""));
        if let Some(password) = password {
            settings = settings.set_password(password);
        }
        if let Some(number) = server.space.as_deref().and_then(|space| space.parse().ok()) {
            settings = settings.set_db(number);
        }
        let unfit = |error: RedisError| failure(&name, queue, error);
        let info = address.into_connection_info().map_err(unfit)?.set_redis_settings(settings);
        let client = match server.is_tls {
            true => {
                crate::tls::install();
                let root_cert = secrets.ca.clone();
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })
            }
            false => Client::open(info),
        };
        Ok(Self { client: client.map_err(unfit)?, name, queue: queue.clone(), timeout })
    }

    pub(super) fn connection(&self) -> RedisConnection {
        RedisConnection { place: self.clone(), open: None, failures: 0 }
    }
}

impl RedisConnection {
    /// Runs a script.
    pub(super) fn run<T: FromRedisValue>(
        &mut self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, QueueError> {
        self.ask(self.place.timeout, |connection| script.invoke(connection))
    }

    /// Asks for something, which may take `longer` than an answer.
    pub(super) fn query<T: FromRedisValue>(
        &mut self,
        command: &Cmd,
        longer: Duration,
    ) -> Result<T, QueueError> {
        let timeout = self.place.timeout.saturating_add(longer);
        self.ask(timeout, |connection| command.query(connection))
    }

    /// Refuses a server that drops values when it is full.
    pub(super) fn refuse_eviction(&mut self) -> Result<(), QueueError> {
        let mut command = cmd("INFO");
        command.arg("memory");
        let info: String = self.query(&command, Duration::ZERO)?;
        let value = |name: &str| {
            info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        match (value("maxmemory"), value("maxmemory_policy")) {
            (None | Some("0"), _) | (_, None | Some("noeviction")) => Ok(()),
            (_, Some(policy)) => Err(QueueError::Unsuitable {
                what: format!(
                    "the server drops messages when it is full: its maxmemory-policy is {policy}, and must be noeviction"
                ),
            }),
        }
    }

    fn ask<T>(
        &mut self,
        timeout: Duration,
        work: impl FnOnce(&mut Connection) -> Result<T, RedisError>,
    ) -> Result<T, QueueError> {
        let asked = self.connected(timeout).and_then(work);
        match asked {
            Ok(answer) => {
                self.failures = 0;
                Ok(answer)
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                // What comes on it now may be the answer to something else.
                if !matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) {
                    self.open = None;
                }
                Err(failure(&self.place.name, &self.place.queue, error))
            }
        }
    }

    fn connected(&mut self, timeout: Duration) -> Result<&mut Connection, RedisError> {
        let place = &self.place;
        let connection = match self.open.take() {
            Some(connection) => connection,
            None => {
                if self.failures > 0 {
                    let pause = RetryDelay { first: FIRST_PAUSE, longest: place.timeout };
                    sleep(pause.after(self.failures).unwrap_or(FIRST_PAUSE));
                }
                place.client.get_connection_with_timeout(place.timeout)?
            }
        };
        connection.set_read_timeout(Some(timeout))?;
        connection.set_write_timeout(Some(timeout))?;
        Ok(self.open.insert(connection))
    }
}

/// Says what failed, without what a user logs in with.
fn failure(server: &str, queue: &QueueName, error: RedisError) -> QueueError {
    let server = server.to_owned();
    match (error.kind(), error.code().unwrap_or_default()) {
        (_, "MISSING") => QueueError::Missing { name: queue.clone() },
        (_, "FULL") => {
            let limit = error.detail().and_then(|limit| limit.trim().parse().ok());
            QueueError::DeadLettersFull { limit: limit.unwrap_or_default() }
        }
        (_, "OOM") => QueueError::Full,
        (ErrorKind::AuthenticationFailed, _)
        | (ErrorKind::Server(ServerErrorKind::NoPerm), _)
        | (_, "NOAUTH" | "WRONGPASS") => QueueError::Access { server, what: error.to_string() },
        (ErrorKind::Io, _)
        | (
            ErrorKind::Server(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::TryAgain,
            ),
            _,
        )
        | (_, "BUSY" | "MISCONF" | "NOREPLICAS") => {
            let source: Box<dyn Error + Send + Sync> = Box::new(error);
            QueueError::Connection { server, source }
        }
        _ => QueueError::Database(Box::new(error)),
    }
}

/// How long to wait before connecting again after a first failure. It doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

const VERSION: &str = env!("CARGO_PKG_VERSION");
