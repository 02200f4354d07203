//! Why a text is no URL of a queue.

use super::name::QueueNameError;

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
    /// It does not name a host.
    #[error("no host is named: write SCHEME://HOST?queue=NAME")]
    HostMissing,
    /// It asks for a database in memory.
    #[error("a queue in memory would be for one process: name a file")]
    InMemory,
    /// The name is not one.
    #[error(transparent)]
    Name(#[from] QueueNameError),
    /// It does not name a queue.
    #[error("no queue is named: add ?queue=NAME")]
    NameMissing,
    /// A file or a name has a NUL byte.
    #[error("%00 is not possible in a file or a name")]
    Nul,
    /// A parameter of a queue in a file is not known.
    #[error(
        "parameter {name:?} is not known: the only one is \"queue\"; write %3F for a \"?\" in a file"
    )]
    ParameterUnknown {
        /// Its name.
        name: String,
    },
    /// It has a password, which everybody on the machine can see.
    #[error("a password in a URL can be seen by others: write &password-file=FILE instead")]
    Password,
    /// It does not name a file.
    #[error("no file is named: write sqlite:FILE?queue=NAME")]
    PathMissing,
    /// The port is not one.
    #[error("the port of a host is a number up to 65535, after a colon")]
    Port,
    /// A parameter is there twice.
    #[error("parameter {name:?} is there twice")]
    Repeated {
        /// Its name.
        name: &'static str,
    },
    /// It has no scheme.
    #[error("not the URL of a queue: write sqlite:FILE?queue=NAME")]
    SchemeMissing,
    /// The scheme is not known.
    #[error(
        "queues of scheme {scheme:?} are not supported: write sqlite:FILE?queue=NAME, or redis://, nats:// or amqp://"
    )]
    SchemeUnknown {
        /// The scheme.
        scheme: String,
    },
    /// A parameter of a queue on a server is not known.
    #[error(
        "parameter {name:?} is not known: there are \"queue\", \"password-file\" and \"ca\", for NATS \"credentials\", and for RabbitMQ \"once-per-host\""
    )]
    ServerParameterUnknown {
        /// Its name.
        name: String,
    },
    /// What stands after the host means nothing to such a server.
    #[error(
        "what stands after the host is the number of a database for redis, and a virtual host for amqp; {kind} takes no such thing"
    )]
    Space {
        /// The kind of the server.
        kind: &'static str,
    },
    /// A name is not UTF-8.
    #[error("name of a queue is not UTF-8")]
    Utf8,
}
