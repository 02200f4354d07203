//! Ed25519 key files: PKCS#8, SPKI and OpenSSH, read and written.

#![forbid(unsafe_code)]

#[cfg(test)]
macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/keys/", $name))
            .as_slice()
    };
}

mod error;
mod form;
mod openssh;
mod pem;
mod private;
mod public;

pub use crate::error::KeyFileError;
pub use crate::openssh::{
    MAX_BCRYPT_ROUNDS, openssh_line, openssh_private, read_openssh_line, ssh_fingerprint,
};
pub use crate::pem::{
    MAX_PBKDF2_ITERATIONS, MAX_SCRYPT_BYTES, MAX_SCRYPT_WORK_BYTES, encrypted_pkcs8_pem, pkcs8_pem,
    spki_pem,
};
pub use crate::private::{is_encrypted, read_private};
pub use crate::public::read_public;

/// The size in bytes of the largest key file that is read.
pub const MAX_KEY_FILE_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests;
