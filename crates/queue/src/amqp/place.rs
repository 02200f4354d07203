//! Where a queue is on a server, and who logs in there.

use std::fmt;
use std::time::Duration;

use lapin::tcp::OwnedTLSConfig;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use zeroize::Zeroizing;

use crate::any::ServerSecrets;
use crate::error::QueueError;
use crate::url::{Server, ServerHost};

/// How often the server and the client tell each other that they are there. A connection on which nothing is heard
/// for twice as long has ended.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The most bytes of the name of a virtual host.
const MAX_VHOST_BYTES: usize = 255;

/// Who logs in, and with what, where nothing is said. The server lets that user in from its own machine.
const GUEST: &str = "guest";

/// A virtual host on the servers of a cluster.
#[derive(Clone)]
pub(super) struct AmqpPlace {
    hosts: Vec<ServerHost>,
    vhost: String,
    user: String,
    password: Zeroizing<String>,
    tls: Option<OwnedTLSConfig>,
}

impl AmqpPlace {
    /// # Errors
    ///
    /// [`QueueError::Unsuitable`].
    pub(super) fn new(server: &Server, secrets: &ServerSecrets) -> Result<Self, QueueError> {
        let vhost = server.space.clone().unwrap_or_else(|| "/".to_owned());
        if vhost.len() > MAX_VHOST_BYTES {
            let what = format!("the name of a virtual host has at most {MAX_VHOST_BYTES} bytes");
            return Err(QueueError::Unsuitable { what });
        }
        let authorities = secrets.ca.clone().map(String::from_utf8).transpose();
        let authorities = authorities.map_err(|_| QueueError::Unsuitable {
            what: "the certificates that vouch for the server are not PEM".to_owned(),
        })?;
        let tls = OwnedTLSConfig { cert_chain: authorities, ..OwnedTLSConfig::default() };
        let (user, usual) = match &server.user {
            Some(user) => (user.as_str(), ""),
            None => (GUEST, GUEST),
        };
        Ok(Self {
            hosts: server.hosts.clone(),
            vhost,
            user: user.to_owned(),
            password: secrets.password.clone().unwrap_or_else(|| usual.to_owned()).into(),
            tls: server.is_tls.then_some(tls),
        })
    }

    /// Returns the hosts, without anything that a user logs in with.
    pub(super) fn server(&self) -> String {
        let shown = |host: &ServerHost| match &host.name {
            name if name.contains(':') => format!("[{name}]:{}", host.port),
            name => format!("{name}:{}", host.port),
        };
        self.hosts.iter().map(shown).collect::<Vec<_>>().join(",")
    }

    /// Returns how each host is reached.
    pub(super) fn uris(&self) -> impl Iterator<Item = AMQPUri> {
        self.hosts.iter().map(|host| {
            let scheme = if self.tls.is_some() { AMQPScheme::AMQPS } else { AMQPScheme::AMQP };
            let (username, password) = (self.user.clone(), self.password.to_string());
            let userinfo = AMQPUserInfo { username, password };
            let heartbeat = Some(u16::try_from(HEARTBEAT.as_secs()).unwrap_or(u16::MAX));
            AMQPUri {
                scheme,
                authority: AMQPAuthority { userinfo, host: host.name.clone(), port: host.port },
                vhost: self.vhost.clone(),
                query: AMQPQueryString { heartbeat, ..AMQPQueryString::default() },
            }
        })
    }

    pub(super) fn tls(&self) -> OwnedTLSConfig {
        self.tls.clone().unwrap_or_default()
    }
}

/// Shows no password.
impl fmt::Debug for AmqpPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (server, vhost) = (self.server(), &self.vhost);
        f.debug_struct("AmqpPlace")
            .field("server", &server)
            .field("vhost", vhost)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use brine_core::Classified as _;

    use super::*;
    use crate::url::{QueuePlace, QueueUrl};

    fn place(url: &str, password: Option<&str>) -> Result<AmqpPlace, QueueError> {
        let QueuePlace::Server(server) = url.parse::<QueueUrl>().unwrap().place else {
            panic!("{url}")
        };
        let password = password.map(str::to_owned);
        AmqpPlace::new(&server, &ServerSecrets { password, ..ServerSecrets::default() })
    }

    #[test]
    fn a_place_says_where_it_is_and_not_who_logs_in() {
        let found = place("amqp://alice@[::1],mq.example.org:7/a?queue=q", Some("secret")).unwrap();
        let shown = format!("{found:?}");
        let place = "server: \"[::1]:5672,mq.example.org:7\", vhost: \"a\", ..";
        assert_eq!(shown, format!("AmqpPlace {{ {place} }}"));
    }

    #[test]
    fn who_says_nothing_logs_in_as_the_guest_of_the_server() {
        for (url, password, user, sent) in [
            ("amqp://h?queue=q", None, "guest", "guest"),
            ("amqp://h?queue=q", Some("x"), "guest", "x"),
            ("amqp://alice@h?queue=q", None, "alice", ""),
            ("amqp://alice@h?queue=q", Some("x"), "alice", "x"),
        ] {
            let uri = place(url, password).unwrap().uris().next().unwrap();
            let AMQPUserInfo { username, password } = uri.authority.userinfo;
            assert_eq!((username.as_str(), password.as_str()), (user, sent), "{url}");
            assert_eq!((uri.vhost.as_str(), uri.authority.port), ("/", 5672));
        }
        let long = format!("amqp://h/{}?queue=q", "v".repeat(256));
        assert_eq!(place(&long, None).unwrap_err().reason(), "queue-unsuitable");
    }
}
