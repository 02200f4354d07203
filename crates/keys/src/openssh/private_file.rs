//! The private key file of OpenSSH.

use brine_core::key::random;
use brine_core::{SigningKey, VerifyingKey};
use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey, KeypairData};
use ssh_key::public::Ed25519PublicKey;
use ssh_key::{Cipher, Kdf, LineEnding, PrivateKey};
use zeroize::Zeroizing;

use super::{ED25519, PRIVATE, Strings, malformed, one_line, read_blob};
use crate::{KeyFileError, OtherKeyForm};

/// The highest number of bcrypt rounds that an OpenSSH file may demand: some seconds of work.
///
/// `ssh-keygen` writes 16 or 24, or what its option `-a` says.
pub const MAX_BCRYPT_ROUNDS: u32 = 1024;

/// An OpenSSH private key file (OpenSSH, PROTOCOL.key). Everything that needs no passphrase has been checked.
///
/// ```text
/// byte[]  "openssh-key-v1" 0x00
/// string  ciphername
/// string  kdfname
/// string  kdfoptions      ; empty, or: string salt, uint32 rounds
/// uint32  number of keys  ; 1
/// string  public key
/// string  private section, padded and encrypted
/// byte[]  authentication tag, if the cipher has one
/// ```
pub(crate) struct OpensshFile<'a> {
    cipher: Cipher,
    kdf: Kdf,
    public: VerifyingKey,
    section: &'a [u8],
    tag: Option<[u8; 16]>,
}

impl<'a> OpensshFile<'a> {
    pub(crate) fn parse(file: &'a [u8]) -> Result<Self, KeyFileError> {
        let mut file = Strings(
            file.strip_prefix(MAGIC)
                .ok_or_else(|| malformed("it does not begin with openssh-key-v1"))?,
        );
        let [cipher, kdf, options] = [file.string()?, file.string()?, file.string()?];
        if file.uint32()? != 1 {
            return Err(malformed("not exactly one key"));
        }
        // The type of the key is judged first: of all reasons it tells people most.
        let public = read_blob(file.string()?)?;
        let cipher = read_cipher(cipher)?;
        let kdf = read_kdf(kdf, options)?;
        if cipher.is_none() != kdf.is_none() {
            return Err(malformed("cipher and key derivation do not go together"));
        }
        let section = file.string()?;
        if section.len().checked_rem(cipher.block_size()) != Some(0) {
            return Err(malformed("the private section is not a whole number of blocks"));
        }
        let tag = match (cipher.has_tag(), file.0) {
            (false, []) => None,
            (true, tag) if tag.len() == 16 => tag.try_into().ok(),
            _ => return Err(malformed("data after the private section")),
        };
        Ok(Self { cipher, kdf, public, section, tag })
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.cipher.is_some()
    }

    /// Returns the public half. In a plain file it must belong to the private half.
    pub(crate) fn into_public(self) -> Result<VerifyingKey, KeyFileError> {
        if !self.is_encrypted() {
            self.read()?;
        }
        Ok(self.public)
    }

    /// Reads the private half of a file that is not encrypted.
    pub(crate) fn read(&self) -> Result<SigningKey, KeyFileError> {
        self.read_section(self.section, malformed("the check numbers differ"))
    }

    /// Decrypts the private half and reads it.
    pub(crate) fn open(&self, passphrase: &str) -> Result<SigningKey, KeyFileError> {
        let (key, iv) = self
            .kdf
            .derive_key_and_iv(self.cipher, passphrase)
            .map_err(|_| KeyFileError::WrongPassphrase)?;
        let mut section = Zeroizing::new(self.section.to_vec());
        self.cipher
            .decrypt(&key, &iv, &mut section, self.tag.map(Into::into))
            .map_err(|_| KeyFileError::WrongPassphrase)?;
        self.read_section(&section, KeyFileError::WrongPassphrase)
    }

    /// Reads the private section. `garbage` is the error if the check numbers differ, as they do when the
    /// passphrase is wrong.
    ///
    /// ```text
    /// uint32  check number, twice
    /// string  "ssh-ed25519"
    /// string  public key, 32 bytes
    /// string  seed, 32 bytes, and public key once more
    /// string  comment
    /// byte[]  1, 2, 3, … up to a whole number of blocks
    /// ```
    fn read_section(
        &self,
        section: &[u8],
        garbage: KeyFileError,
    ) -> Result<SigningKey, KeyFileError> {
        let mut section = Strings(section);
        if section.uint32()? != section.uint32()? {
            return Err(garbage);
        }
        if section.string()? != ED25519.as_bytes() {
            return Err(malformed("the halves are of different types"));
        }
        let public = section.string()?;
        let (seed, again) = section
            .string()?
            .split_first_chunk()
            .ok_or_else(|| malformed("the private half is too short"))?;
        let _comment = section.string()?;
        if section.0.len() >= self.cipher.block_size()
            || section.0.iter().zip(1..).any(|(byte, counted)| *byte != counted)
        {
            return Err(malformed("the padding is wrong"));
        }
        let key = SigningKey::from_seed(&Zeroizing::new(*seed));
        let wanted = self.public.to_bytes();
        if key.verifying_key() != &self.public || public != wanted || again != wanted {
            return Err(KeyFileError::Mismatch);
        }
        Ok(key)
    }
}

/// Writes a key as an OpenSSH private key file. With a passphrase it is encrypted with AES-256-CTR and bcrypt.
///
/// Control characters in the comment become spaces.
///
/// # Errors
///
/// - [`KeyFileError::PassphraseEmpty`] for `Some("")`, which does not mean the same as `None`;
/// - [`KeyFileError::Key`] if the operating system gives no randomness for the salt;
/// - [`KeyFileError::Malformed`] if the text does not fit in memory.
pub fn openssh_private(
    key: &SigningKey,
    comment: &str,
    passphrase: Option<&str>,
) -> Result<Zeroizing<String>, KeyFileError> {
    let pair = Ed25519Keypair {
        public: Ed25519PublicKey(key.verifying_key().to_bytes()),
        private: Ed25519PrivateKey::from_bytes(key.expose_seed()),
    };
    let plain = PrivateKey::new(KeypairData::from(pair), one_line(comment)).map_err(unwritable)?;
    let file = match passphrase {
        None => plain,
        Some("") => return Err(KeyFileError::PassphraseEmpty),
        Some(passphrase) => {
            let salt = random::<16>()?.to_vec();
            let check = u32::from_be_bytes(random()?);
            let kdf = Kdf::Bcrypt { salt, rounds: BCRYPT_ROUNDS };
            plain.encrypt_with(Cipher::Aes256Ctr, kdf, check, passphrase).map_err(unwritable)?
        }
    };
    file.to_openssh(LineEnding::LF).map_err(unwritable)
}

fn read_cipher(name: &[u8]) -> Result<Cipher, KeyFileError> {
    str::from_utf8(name)
        .ok()
        .and_then(|name| Cipher::new(name).ok())
        .filter(|cipher| *cipher != Cipher::TdesCbc)
        .ok_or(KeyFileError::UnsupportedForm { form: OtherKeyForm::OpensshCipher })
}

/// Reads the key derivation, and refuses a costly one: anybody can have written these numbers.
fn read_kdf(name: &[u8], options: &[u8]) -> Result<Kdf, KeyFileError> {
    match (name, options) {
        (b"none", []) => Ok(Kdf::None),
        (b"bcrypt", options) => {
            let mut options = Strings(options);
            let (salt, rounds) = (options.string()?.to_vec(), options.uint32()?);
            if salt.is_empty() || rounds == 0 || !options.0.is_empty() {
                return Err(malformed("the parameters of bcrypt are wrong"));
            }
            if rounds > MAX_BCRYPT_ROUNDS {
                return Err(KeyFileError::TooCostly {
                    what: "bcrypt rounds",
                    found: rounds.into(),
                    limit: MAX_BCRYPT_ROUNDS.into(),
                });
            }
            Ok(Kdf::Bcrypt { salt, rounds })
        }
        (b"none", _) => Err(malformed("key derivation \"none\" has parameters")),
        _ => Err(KeyFileError::UnsupportedForm { form: OtherKeyForm::OpensshKdf }),
    }
}

fn unwritable(error: ssh_key::Error) -> KeyFileError {
    KeyFileError::malformed(PRIVATE, error)
}

const MAGIC: &[u8] = b"openssh-key-v1\0";

/// The default of `ssh-keygen` since OpenSSH 9.4.
const BCRYPT_ROUNDS: u32 = 24;

#[cfg(test)]
mod tests;
