//! A key in an agent, which a child that was forked uses over a connection of its own.

use std::sync::{Arc, Mutex};

use brine_cli::embed::PrivateKey;
use brine_core::{Algorithm, Certificates, Message, SigningBackend, SigningError, VerifyingKey};

use crate::fork::working;
use crate::judge::lock;

/// A key that signs in each process over a connection of that process.
///
/// Parent and child would take each other's answers over one connection. And a thread of the parent may be waiting for a
/// person when another one forks: what that thread has locked, nobody unlocks in the child.
pub(crate) struct KeyOfProcess {
    key: PrivateKey,
    signer: Mutex<(u32, Arc<dyn SigningBackend>)>,
}

impl KeyOfProcess {
    pub(crate) fn new(key: PrivateKey) -> Self {
        let signer = Mutex::new((std::process::id(), key.signer()));
        Self { key, signer }
    }

    /// Returns what signs in this process.
    fn here(&self) -> Arc<dyn SigningBackend> {
        // Nobody forks while it is locked.
        let _working = working();
        let mut signer = lock(&self.signer);
        if signer.0 != std::process::id() {
            *signer = (std::process::id(), self.key.anew().signer());
        }
        Arc::clone(&signer.1)
    }
}

impl SigningBackend for KeyOfProcess {
    fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }

    fn certificates(&self) -> Option<&Certificates> {
        self.key.certificates()
    }

    fn message_limit(&self) -> Option<usize> {
        self.here().message_limit()
    }

    fn sign(&self, algorithm: Algorithm, parts: &[&[u8]]) -> Result<Vec<u8>, SigningError> {
        self.here().sign(algorithm, parts)
    }

    fn sign_pieces(
        &self,
        algorithm: Algorithm,
        message: &Message<'_>,
    ) -> Result<Vec<u8>, SigningError> {
        self.here().sign_pieces(algorithm, message)
    }
}
