//! Ed25519 key files: PKCS#8, SPKI and OpenSSH.
//!
//! | form | read | written |
//! |---|---|---|
//! | PKCS#8 in PEM (RFC 5958, RFC 8410) | private, public | [`pkcs8_pem`] |
//! | PKCS#8 in PEM, encrypted with PBES2 (RFC 8018) | private | [`encrypted_pkcs8_pem`] |
//! | SPKI in PEM (RFC 5280, RFC 8410) | public | [`spki_pem`] |
//! | OpenSSH private key file, plain or encrypted | private, public | [`openssh_private`] |
//! | OpenSSH public key line | public | [`openssh_line`] |
//!
//! [`read_private`] and [`read_public`] recognise the form by themselves, with a byte order mark, in UTF-16, and with
//! text around PEM. Other forms and other algorithms are refused by name. The keys are those of [`brine_core`]. A
//! [`Fingerprint`] is what people compare them by.
//!
//! ```
//! use brine_core::SigningKey;
//! use brine_keys::{KeyFileError, openssh_line, pkcs8_pem, read_private, read_public};
//!
//! let key = SigningKey::generate()?;
//! let (private, public) = (pkcs8_pem(&key)?, openssh_line(key.verifying_key(), "laptop"));
//!
//! let mut ask = || Err(KeyFileError::PassphraseNeeded);
//! assert_eq!(read_private(private.as_bytes(), &mut ask)?.verifying_key(), key.verifying_key());
//! assert_eq!(&read_public(public.as_bytes())?, key.verifying_key());
//! # Ok::<(), KeyFileError>(())
//! ```
//!
//! [`held_keys`] and [`AgentKey`] ask an agent, over a connection that the caller opens.
//!
//! This crate opens no files and no sockets: it reads bytes and returns text. Text that holds a private key is wiped when it is
//! dropped.
//!
//! A new form is a module beside `pem` and `openssh`, a way for `form` to recognise it, and an arm in `private`
//! or `public`.

#![forbid(unsafe_code)]

#[cfg(test)]
macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/keys/", $name))
            .as_slice()
    };
}

mod agent;
mod error;
mod fingerprint;
mod form;
mod key_text;
mod openssh;
mod other_form;
mod pem;
mod private;
mod public;
mod secrecy;

pub use crate::agent::{
    AgentError, AgentExchange, AgentKey, AgentLink, HeldForm, HeldKey, MAX_AGENT_MESSAGE_BYTES,
    MAX_HELD_KEYS, held_keys,
};
pub use crate::error::KeyFileError;
pub use crate::fingerprint::{Fingerprint, FingerprintError, ssh_fingerprint};
pub use crate::openssh::{
    CONTEXTS_EXTENSION, CertificateDraft, DELEGATE_EXTENSION, MAX_BCRYPT_ROUNDS,
    OpensshCertificate, certificate_in_line, certificate_line, certified_key, openssh_blob,
    openssh_line, openssh_private, read_openssh_blob, read_openssh_line,
};
pub use crate::other_form::OtherKeyForm;
pub use crate::pem::{
    MAX_PBKDF2_ITERATIONS, MAX_SCRYPT_BYTES, MAX_SCRYPT_WORK_BYTES, encrypted_pkcs8_pem, pkcs8_pem,
    spki_pem,
};
pub use crate::private::{is_encrypted, read_private};
pub use crate::public::read_public;
pub use crate::secrecy::is_private_key;

/// The size of the largest key file that is read, in bytes.
pub const MAX_KEY_FILE_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests;
