//! URLs of queues.

use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::str::FromStr;

/// The most bytes of a queue's name.
pub const MAX_NAME_BYTES: usize = 255;

/// Where a queue is.
///
/// ```
/// use brine_queue::QueueUrl;
///
/// let QueueUrl::Sqlite { path, queue } = "sqlite:/var/lib/jobs?queue=work".parse()?;
/// assert_eq!((path.to_str(), queue.as_str()), (Some("/var/lib/jobs"), "work"));
/// # Ok::<(), brine_queue::QueueUrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueUrl {
    /// `sqlite:FILE?queue=NAME`: in an SQLite file on this machine. FILE can be relative, and is percent-decoded.
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The queue in it.
        queue: QueueName,
    },
}

/// The name of a queue: 1 to 255 bytes, without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueName(String);

/// Why a text is no name of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueNameError {
    /// It has a control character.
    #[error("name of a queue has a control character")]
    Control,
    /// It is empty.
    #[error("name of a queue is empty")]
    Empty,
    /// It is too long.
    #[error("name of a queue has {bytes} bytes, limit is {MAX_NAME_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

/// Why a text is no URL of a queue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueueUrlError {
    /// It has two slashes, after which a host would stand.
    #[error("a queue in a file has no host: write sqlite:/FILE or sqlite:FILE, without \"//\"")]
    Authority,
    /// A percent sign is not followed by two hex digits.
    #[error("\"%\" is not followed by two hex digits: write %25 for \"%\" itself")]
    Escape,
    /// There is a number sign, after which URLs have what servers do not see.
    #[error("\"#\" has no meaning in the URL of a queue: write %23 for \"#\" itself")]
    Fragment,
    /// It asks for a database in memory.
    #[error("a queue in memory would be for one process: name a file")]
    InMemory,
    /// It does not name a queue.
    #[error("no queue is named: add ?queue=NAME")]
    NameMissing,
    /// The name is not one.
    #[error(transparent)]
    Name(#[from] QueueNameError),
    /// A file or a name has a NUL byte.
    #[error("%00 is not possible in a file or a name")]
    Nul,
    /// It does not name a file.
    #[error("no file is named: write sqlite:FILE?queue=NAME")]
    PathMissing,
    /// A parameter is there twice.
    #[error("parameter \"queue\" is there twice")]
    Repeated,
    /// It has no scheme.
    #[error("not the URL of a queue: write sqlite:FILE?queue=NAME")]
    SchemeMissing,
    /// The scheme is not known.
    #[error("queues of scheme {scheme:?} are not supported: write sqlite:FILE?queue=NAME")]
    SchemeUnknown {
        /// The scheme.
        scheme: String,
    },
    /// A parameter is not known.
    #[error(
        "parameter {name:?} is not known: the only one is \"queue\"; write %3F for a \"?\" in a file"
    )]
    ParameterUnknown {
        /// Its name.
        name: String,
    },
    /// A name is not UTF-8.
    #[error("name of a queue is not UTF-8")]
    Utf8,
}

impl QueueName {
    /// Takes a name.
    ///
    /// # Errors
    ///
    /// Those of [`QueueNameError`].
    pub fn new(name: impl Into<String>) -> Result<Self, QueueNameError> {
        let name = name.into();
        match name.len() {
            0 => Err(QueueNameError::Empty),
            bytes if bytes > MAX_NAME_BYTES => Err(QueueNameError::TooLong { bytes }),
            _ if name.chars().any(char::is_control) => Err(QueueNameError::Control),
            _ => Ok(Self(name)),
        }
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
        if !scheme.eq_ignore_ascii_case("sqlite") {
            return Err(QueueUrlError::SchemeUnknown { scheme: scheme.to_owned() });
        }
        if rest.contains('#') {
            return Err(QueueUrlError::Fragment);
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        Ok(Self::Sqlite { path: sqlite_path(path)?, queue: queue_name(query)? })
    }
}

/// Writes a URL that is read as the same.
impl fmt::Display for QueueUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Sqlite { path, queue } = self;
        f.write_str("sqlite:")?;
        encode(f, path.as_os_str().as_bytes())?;
        f.write_str("?queue=")?;
        encode(f, queue.as_str().as_bytes())
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

fn queue_name(query: &str) -> Result<QueueName, QueueUrlError> {
    let mut queue = None;
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name != "queue" {
            return Err(QueueUrlError::ParameterUnknown { name: name.to_owned() });
        }
        let value = String::from_utf8(decoded(value)?).map_err(|_| QueueUrlError::Utf8)?;
        if queue.replace(QueueName::new(value)?).is_some() {
            return Err(QueueUrlError::Repeated);
        }
    }
    queue.ok_or(QueueUrlError::NameMissing)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(String, String), QueueUrlError> {
        let QueueUrl::Sqlite { path, queue } = text.parse()?;
        Ok((path.to_str().unwrap().to_owned(), queue.as_str().to_owned()))
    }

    #[test]
    fn a_url_names_a_file_and_a_queue() {
        let cases = [
            ("sqlite:jobs?queue=work", "jobs", "work"),
            ("SQLite:jobs?queue=work", "jobs", "work"),
            ("sqlite:./a/b.db?queue=a/b", "./a/b.db", "a/b"),
            ("sqlite:/var/lib/jobs?queue=work", "/var/lib/jobs", "work"),
            ("sqlite:a%3Fb%25%23?queue=x%26y%3Dz", "a?b%#", "x&y=z"),
            ("sqlite:a+b?queue=c+d", "a+b", "c+d"),
            ("sqlite:a:b?queue=%C3%BC", "a:b", "ü"),
        ];
        for (text, path, queue) in cases {
            assert_eq!(parsed(text), Ok((path.to_owned(), queue.to_owned())), "{text}");
            let url: QueueUrl = text.parse().unwrap();
            assert_eq!(url.to_string().parse(), Ok(url), "{text}");
        }
        let written = "sqlite:a%3fb%25?queue=%c3%bc".parse::<QueueUrl>().unwrap().to_string();
        assert_eq!(written, "sqlite:a%3Fb%25?queue=%C3%BC");
    }

    #[test]
    fn other_urls_are_refused_by_what_is_wrong_with_them() {
        use QueueUrlError as E;

        let long = format!("sqlite:f?queue={}", "n".repeat(MAX_NAME_BYTES + 1));
        let cases = [
            ("jobs", E::SchemeMissing),
            ("/a:b?queue=n", E::SchemeMissing),
            ("redis://localhost?queue=n", E::SchemeUnknown { scheme: "redis".to_owned() }),
            ("sqlite:", E::PathMissing),
            ("sqlite:?queue=n", E::PathMissing),
            ("sqlite::memory:?queue=n", E::InMemory),
            ("sqlite:///jobs?queue=n", E::Authority),
            ("sqlite://host/jobs?queue=n", E::Authority),
            ("sqlite:jobs", E::NameMissing),
            ("sqlite:jobs?", E::NameMissing),
            ("sqlite:jobs?queue=", E::Name(QueueNameError::Empty)),
            ("sqlite:jobs?queue", E::Name(QueueNameError::Empty)),
            ("sqlite:jobs?queue=a%0Ab", E::Name(QueueNameError::Control)),
            (&long, E::Name(QueueNameError::TooLong { bytes: MAX_NAME_BYTES + 1 })),
            ("sqlite:jobs?queue=a&queue=b", E::Repeated),
            ("sqlite:jobs?queue=a&mode=ro", E::ParameterUnknown { name: "mode".to_owned() }),
            ("sqlite:jobs?Queue=a", E::ParameterUnknown { name: "Queue".to_owned() }),
            ("sqlite:jobs?queue=a#b", E::Fragment),
            ("sqlite:100%?queue=a", E::Escape),
            ("sqlite:a%+1?queue=a", E::Escape),
            ("sqlite:a%00?queue=a", E::Nul),
            ("sqlite:jobs?queue=%FF", E::Utf8),
        ];
        for (text, error) in cases {
            assert_eq!(parsed(text), Err(error), "{text}");
        }
    }
}
