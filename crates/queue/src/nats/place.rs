//! Which server, and who asks.

use std::fmt;

use async_nats::rustls::pki_types::CertificateDer;
use async_nats::rustls::pki_types::pem::PemObject as _;
use async_nats::rustls::{ClientConfig, RootCertStore};
use async_nats::{ConnectOptions, ServerAddr};
use zeroize::Zeroizing;

use crate::any::ServerSecrets;
use crate::error::QueueError;
use crate::url::{Server, ServerHost};

/// Where queues on NATS are.
#[derive(Clone, Debug)]
pub struct NatsPlace {
    /// The servers of one cluster. Any of them is connected to.
    pub hosts: Vec<ServerHost>,
    /// Whether the connection **must** be encrypted. If not, it is as the server asks.
    pub is_tls: bool,
    /// The certificates that vouch for the server, as PEM, instead of those that the system trusts.
    pub ca: Option<Vec<u8>>,
    /// Who asks.
    pub credentials: NatsCredentials,
    /// How many servers keep what a queue holds that is made.
    pub replicas: u8,
}

/// Who asks for a queue.
#[derive(Clone)]
pub enum NatsCredentials {
    /// Anybody.
    Anonymous,
    /// The content of a credentials file: a JWT and the seed of its key.
    File(Zeroizing<String>),
    /// A user with a password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// Whoever has a token.
    Token(Zeroizing<String>),
}

impl NatsPlace {
    /// Returns a place that anybody may use.
    #[must_use]
    pub fn new(name: impl Into<String>, port: u16) -> Self {
        Self {
            hosts: vec![ServerHost { name: name.into(), port }],
            is_tls: false,
            ca: None,
            credentials: NatsCredentials::Anonymous,
            replicas: 1,
        }
    }

    /// Returns the place that a URL names. A password without a user is a token.
    pub(crate) fn of(server: &Server, secrets: &ServerSecrets) -> Self {
        let secret = |text: &Option<String>| text.clone().map(Zeroizing::new);
        let credentials =
            match (secret(&secrets.credentials), &server.user, secret(&secrets.password)) {
                (Some(file), ..) => NatsCredentials::File(file),
                (None, Some(user), password) => NatsCredentials::Password {
                    user: user.clone(),
                    password: password.unwrap_or_default(),
                },
                (None, None, Some(token)) => NatsCredentials::Token(token),
                (None, None, None) => NatsCredentials::Anonymous,
            };
        Self {
            hosts: server.hosts.clone(),
            is_tls: server.is_tls,
            ca: secrets.ca.clone(),
            credentials,
            replicas: 1,
        }
    }

    /// Returns the servers as people know them.
    pub(super) fn shown(&self) -> String {
        self.hosts.iter().map(address).collect::<Vec<_>>().join(",")
    }

    pub(super) fn addresses(&self) -> Result<Vec<ServerAddr>, QueueError> {
        let scheme = if self.is_tls { "tls" } else { "nats" };
        let parse = |host| {
            let parsed = format!("{scheme}://{}", address(host)).parse();
            parsed.map_err(|error: std::io::Error| QueueError::Connection {
                server: self.shown(),
                source: error.into(),
            })
        };
        self.hosts.iter().map(parse).collect()
    }

    /// Returns who asks, and how.
    pub(super) fn options(&self) -> Result<ConnectOptions, QueueError> {
        let options = ConnectOptions::new().require_tls(self.is_tls);
        let options = match &self.ca {
            None => options,
            Some(pem) => options.tls_client_config(self.trusting(pem)?),
        };
        Ok(match &self.credentials {
            NatsCredentials::Anonymous => options,
            // The error of the client can have a part of the file.
            NatsCredentials::File(text) => options
                .credentials(text)
                .map_err(|_| self.unusable("the credentials are no JWT and seed of NATS"))?,
            NatsCredentials::Password { user, password } => {
                options.user_and_password(user.clone(), password.to_string())
            }
            NatsCredentials::Token(token) => options.token(token.to_string()),
        })
    }

    fn trusting(&self, pem: &[u8]) -> Result<ClientConfig, QueueError> {
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
        let (trusted, _) = roots.add_parsable_certificates(certificates.unwrap_or_default());
        if trusted == 0 {
            return Err(self.unusable("no certificate to trust is in the file of them"));
        }
        Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
    }

    fn unusable(&self, what: &str) -> QueueError {
        QueueError::Access { server: self.shown(), what: what.to_owned() }
    }
}

fn address(host: &ServerHost) -> String {
    match host.name.contains(':') {
        true => format!("[{}]:{}", host.name, host.port),
        false => format!("{}:{}", host.name, host.port),
    }
}

/// Shows no secret.
impl fmt::Debug for NatsCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::File(_) => f.write_str("File(..)"),
            Self::Password { user, .. } => {
                f.debug_struct("Password").field("user", user).finish_non_exhaustive()
            }
            Self::Token(_) => f.write_str("Token(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use brine_core::Classified as _;

    use super::*;
    use crate::url::{QueuePlace, QueueUrl};

    fn place(url: &str, secrets: &ServerSecrets) -> NatsPlace {
        let url: QueueUrl = url.parse().unwrap();
        match &url.place {
            QueuePlace::Server(server) => NatsPlace::of(server, secrets),
            QueuePlace::Sqlite(_) => panic!("{url}"),
        }
    }

    #[test]
    fn a_url_and_its_secrets_say_who_asks_and_no_secret_is_shown() {
        let secret = |text: &str| Some(text.to_owned());
        let cases = [
            ("nats://h?queue=q", None, None, "Anonymous"),
            ("nats://u@h?queue=q", secret("hunter2"), None, "Password { user: \"u\", .. }"),
            ("nats://u@h?queue=q", None, None, "Password { user: \"u\", .. }"),
            ("nats://h?queue=q", secret("hunter2"), None, "Token(..)"),
            ("nats://u@h?queue=q", secret("hunter2"), secret("hunter2"), "File(..)"),
        ];
        for (url, password, credentials, shown) in cases {
            let secrets = ServerSecrets { password, credentials, ca: None };
            let place = place(url, &secrets);
            assert_eq!(format!("{:?}", place.credentials), shown);
            assert!(!format!("{place:?}").contains("hunter2"));
        }
    }

    #[test]
    fn all_servers_of_a_cluster_are_known() {
        let found = place("nats+tls://a,b:1,[::1]:2?queue=q", &ServerSecrets::default());
        assert_eq!(found.shown(), "a:4222,b:1,[::1]:2");
        assert!(found.is_tls);
        let hosts: Vec<_> = found.addresses().unwrap();
        let hosts: Vec<_> = hosts.iter().map(|host| (host.host(), host.port())).collect();
        assert_eq!(hosts, [("a", 4222), ("b", 1), ("::1", 2)]);
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_showing_it() {
        let credentials = NatsCredentials::File(Zeroizing::new("hunter2".to_owned()));
        let place = NatsPlace { credentials, ..NatsPlace::new("h", 1) };
        let error = place.options().unwrap_err();
        assert_eq!(error.reason(), "queue-access");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        let place = NatsPlace { ca: Some(b"?".to_vec()), ..NatsPlace::new("h", 1) };
        assert_eq!(place.options().unwrap_err().reason(), "queue-access");
    }
}
