//! URLs of queues.

mod error;
mod name;
mod parameters;
mod server;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use self::error::QueueUrlError;
pub use self::name::{MAX_NAME_BYTES, QueueName, QueueNameError};
use self::parameters::Parameters;
pub use self::server::{Server, ServerHost, ServerKind};

/// Where a queue is, and which one it is there.
///
/// ```
/// use brine_queue::{QueuePlace, QueueUrl};
///
/// let QueueUrl { place, queue } = "sqlite:/var/lib/jobs?queue=work".parse()?;
/// assert_eq!((place.file().unwrap().to_str(), queue.as_str()), (Some("/var/lib/jobs"), "work"));
/// # Ok::<(), brine_queue::QueueUrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueUrl {
    /// Where it is.
    pub place: QueuePlace,
    /// Its name there.
    pub queue: QueueName,
}

/// What keeps queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueuePlace {
    /// `sqlite:FILE?queue=NAME`: an SQLite file on this machine. FILE can be relative, and is percent-decoded.
    Sqlite(PathBuf),
    /// `redis://`, `nats://`, `amqp://` and their forms with TLS: a server.
    Server(Server),
}

impl QueueUrl {
    /// Returns another queue at the same place.
    #[must_use]
    pub fn beside(&self, queue: QueueName) -> Self {
        Self { place: self.place.clone(), queue }
    }
}

impl QueuePlace {
    /// Returns the file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Server(_) => None,
        }
    }
}

impl FromStr for QueueUrl {
    type Err = QueueUrlError;

    fn from_str(text: &str) -> Result<Self, QueueUrlError> {
        let (scheme, rest) = text.split_once(':').ok_or(QueueUrlError::SchemeMissing)?;
        let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if scheme.is_empty() || !scheme.bytes().all(is_scheme) {
            return Err(QueueUrlError::SchemeMissing);
        }
        let scheme = scheme.to_ascii_lowercase();
        let server = ServerKind::of_scheme(&scheme);
        if server.is_none() && scheme != SQLITE {
            return Err(QueueUrlError::SchemeUnknown { scheme });
        }
        if rest.contains('#') {
            return Err(QueueUrlError::Fragment);
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut parameters = Parameters::read(query)?;
        let place = match server {
            Some((kind, is_tls)) => {
                QueuePlace::Server(Server::read(kind, is_tls, path, &mut parameters)?)
            }
            None => QueuePlace::Sqlite(sqlite_path(path)?),
        };
        let queue = parameters.take("queue")?.ok_or(QueueUrlError::NameMissing)?;
        let queue = QueueName::new(utf8(queue)?)?;
        parameters.refuse_others(server.is_some())?;
        Ok(Self { place, queue })
    }
}

/// Writes a URL that is read as the same.
impl fmt::Display for QueueUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            QueuePlace::Sqlite(path) => {
                write!(f, "{SQLITE}:")?;
                encode(f, path.as_os_str().as_bytes())?;
            }
            QueuePlace::Server(server) => server.write_place(f)?,
        }
        f.write_str("?queue=")?;
        encode(f, self.queue.as_str().as_bytes())?;
        match &self.place {
            QueuePlace::Sqlite(_) => Ok(()),
            QueuePlace::Server(server) => server.write_parameters(f),
        }
    }
}

/// Encodes what has a meaning in a URL, or is not ASCII, with percent signs (RFC 3986, Section 2.1).
fn encode(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for byte in bytes {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' | b':' | b'@' | b'+' | b',' => {
                f.write_char(char::from(*byte))?;
            }
            byte if byte.is_ascii_alphanumeric() => f.write_char(char::from(*byte))?,
            byte => write!(f, "%{byte:02X}")?,
        }
    }
    Ok(())
}

fn sqlite_path(text: &str) -> Result<PathBuf, QueueUrlError> {
    match text {
        "" => return Err(QueueUrlError::PathMissing),
        ":memory:" => return Err(QueueUrlError::InMemory),
        text if text.starts_with("//") => return Err(QueueUrlError::Authority),
        _ => {}
    }
    Ok(OsString::from_vec(decoded(text)?).into())
}

fn utf8(bytes: Vec<u8>) -> Result<String, QueueUrlError> {
    String::from_utf8(bytes).map_err(|_| QueueUrlError::Utf8)
}

/// Decodes percent signs (RFC 3986, Section 2.1). A plus sign is itself.
fn decoded(text: &str) -> Result<Vec<u8>, QueueUrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or(QueueUrlError::Escape)?;
        let [high, low] = [digits.first(), digits.get(1)].map(|digit| {
            digit.and_then(|digit| char::from(*digit).to_digit(16)).ok_or(QueueUrlError::Escape)
        });
        let byte = u8::try_from(high? * 16 + low?).map_err(|_| QueueUrlError::Escape)?;
        if byte == 0 {
            return Err(QueueUrlError::Nul);
        }
        bytes.push(byte);
        rest = after;
    }
    Ok(bytes)
}

const SQLITE: &str = "sqlite";
