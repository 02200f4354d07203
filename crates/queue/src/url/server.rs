//! Servers that keep queues.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use super::parameters::Parameters;
use super::{QueueUrlError, decoded, encode, utf8};

/// A server that keeps queues, and how it is reached: `SCHEME://[USER@]HOST[:PORT][,HOST...][/SPACE]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// What it is.
    pub kind: ServerKind,
    /// Whether it is spoken to by TLS.
    pub is_tls: bool,
    /// Who speaks to it.
    pub user: Option<String>,
    /// Where it is. All are servers of one cluster, and any of them will do.
    pub hosts: Vec<ServerHost>,
    /// Where in it the queue is: the number of a Redis database, or a virtual host of RabbitMQ.
    pub space: Option<String>,
    /// A file with the password: `password-file=FILE`.
    pub password_file: Option<PathBuf>,
    /// A file with credentials of NATS: `credentials=FILE`.
    pub credentials_file: Option<PathBuf>,
    /// A file with the certificates that vouch for the server, as PEM: `ca=FILE`. By default, those that the system
    /// trusts.
    pub ca_file: Option<PathBuf>,
    /// The SQLite file in which the consumers of this host note what they handled, where the server cannot:
    /// `once-per-host=FILE`, for RabbitMQ.
    pub ledger_file: Option<PathBuf>,
}

/// A host of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHost {
    /// Its name or its address, without the brackets of IPv6.
    pub name: String,
    /// The port.
    pub port: u16,
}

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKind {
    /// RabbitMQ, by AMQP 0-9-1.
    Amqp,
    /// NATS with JetStream.
    Nats,
    /// Redis.
    Redis,
}

impl ServerKind {
    /// Returns what a scheme stands for, and whether by TLS.
    pub(super) fn of_scheme(scheme: &str) -> Option<(Self, bool)> {
        Some(match scheme {
            "amqp" => (Self::Amqp, false),
            "amqps" => (Self::Amqp, true),
            "nats" => (Self::Nats, false),
            "tls" | "nats+tls" => (Self::Nats, true),
            "redis" => (Self::Redis, false),
            "rediss" => (Self::Redis, true),
            _ => return None,
        })
    }

    const fn scheme(self, is_tls: bool) -> &'static str {
        match (self, is_tls) {
            (Self::Amqp, false) => "amqp",
            (Self::Amqp, true) => "amqps",
            (Self::Nats, false) => "nats",
            (Self::Nats, true) => "nats+tls",
            (Self::Redis, false) => "redis",
            (Self::Redis, true) => "rediss",
        }
    }

    const fn port(self, is_tls: bool) -> u16 {
        match (self, is_tls) {
            (Self::Amqp, false) => 5672,
            (Self::Amqp, true) => 5671,
            (Self::Nats, _) => 4222,
            (Self::Redis, _) => 6379,
        }
    }

    /// Returns what people call it, which is also the feature that supports it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Amqp => "amqp",
            Self::Nats => "nats",
            Self::Redis => "redis",
        }
    }
}

impl Server {
    pub(super) fn read(
        kind: ServerKind,
        is_tls: bool,
        text: &str,
        parameters: &mut Parameters,
    ) -> Result<Self, QueueUrlError> {
        let text = text.strip_prefix("//").ok_or(QueueUrlError::HostMissing)?;
        let (authority, space) = match text.split_once('/') {
            Some((authority, space)) if !space.is_empty() => (authority, Some(space)),
            Some((authority, _)) => (authority, None),
            None => (text, None),
        };
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, authority),
        };
        // Everybody on the machine sees what is typed.
        if user.is_some_and(|user| user.contains(':')) {
            return Err(QueueUrlError::Password);
        }
        let hosts = hosts.split(',').map(|host| ServerHost::read(host, kind.port(is_tls)));
        let text = |text: &str| utf8(decoded(text)?);
        let mut file =
            |name| Ok::<_, QueueUrlError>(parameters.take(name)?.map(OsString::from_vec));
        let [password_file, ca_file] = ["password-file", "ca"].map(&mut file);
        let credentials_file = match kind {
            ServerKind::Nats => file("credentials")?,
            ServerKind::Amqp | ServerKind::Redis => None,
        };
        let ledger_file = match kind {
            ServerKind::Amqp => file("once-per-host")?,
            ServerKind::Nats | ServerKind::Redis => None,
        };
        let server = Self {
            kind,
            is_tls,
            user: user.map(text).transpose()?,
            hosts: hosts.collect::<Result<_, _>>()?,
            space: space.map(text).transpose()?,
            password_file: password_file?.map(Into::into),
            credentials_file: credentials_file.map(Into::into),
            ca_file: ca_file?.map(Into::into),
            ledger_file: ledger_file.map(Into::into),
        };
        let is_space = match (kind, &server.space) {
            (_, None) | (ServerKind::Amqp, _) => true,
            (ServerKind::Redis, Some(number)) => number.parse::<u16>().is_ok(),
            (ServerKind::Nats, Some(_)) => false,
        };
        if is_space { Ok(server) } else { Err(QueueUrlError::Space { kind: kind.name() }) }
    }

    pub(super) fn write_place(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.kind.scheme(self.is_tls))?;
        if let Some(user) = &self.user {
            encode_whole(f, user)?;
            f.write_str("@")?;
        }
        for (index, host) in self.hosts.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            host.write(f, self.kind.port(self.is_tls))?;
        }
        if let Some(space) = &self.space {
            f.write_str("/")?;
            encode(f, space.as_bytes())?;
        }
        Ok(())
    }

    pub(super) fn write_parameters(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, file) in [
            ("password-file", &self.password_file),
            ("credentials", &self.credentials_file),
            ("ca", &self.ca_file),
            ("once-per-host", &self.ledger_file),
        ] {
            if let Some(file) = file {
                write!(f, "&{name}=")?;
                encode(f, file.as_os_str().as_bytes())?;
            }
        }
        Ok(())
    }
}

impl ServerHost {
    fn read(text: &str, default: u16) -> Result<Self, QueueUrlError> {
        let (name, port) = match text.strip_prefix('[') {
            Some(address) => address.split_once(']').ok_or(QueueUrlError::HostMissing)?,
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => digits.parse().map_err(|_| QueueUrlError::Port)?,
            None if port.is_empty() => default,
            None => return Err(QueueUrlError::Port),
        };
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:%".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_of_name) {
            return Err(QueueUrlError::HostMissing);
        }
        Ok(Self { name: name.to_owned(), port })
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, default: u16) -> fmt::Result {
        match self.name.contains(':') {
            true => write!(f, "[{}]", self.name)?,
            false => f.write_str(&self.name)?,
        }
        if self.port == default { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// Encodes all that is not a letter or a digit.
fn encode_whole(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for byte in text.bytes() {
        match byte {
            byte if byte.is_ascii_alphanumeric() => write!(f, "{}", char::from(byte))?,
            byte => write!(f, "%{byte:02X}")?,
        }
    }
    Ok(())
}
