//! The forms of keys that are known and not supported, and what they are mistaken for.

use std::fmt;

/// A form that is known and not supported.
///
/// Its text is its name, as in `PuTTY private key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OtherKeyForm {
    /// A key of age, which encrypts and does not sign.
    Age,
    /// An X.509 certificate, which holds a public key among other things.
    Certificate,
    /// An X.509 certificate request.
    CertificateRequest,
    /// A message of CMS or PKCS#7.
    Cms,
    /// A key in CBOR (RFC 9052, Section 7).
    CoseKey,
    /// The bytes that PEM would hold.
    Der,
    /// A key in JSON (RFC 7517).
    Jwk,
    /// A key of minisign or signify.
    Minisign,
    /// A key of OpenPGP.
    OpenPgp,
    /// A message or signature of OpenPGP.
    OpenPgpMessage,
    /// An OpenSSH certificate, which holds a public key among other things.
    OpensshCertificate,
    /// An OpenSSH private key with a cipher that is not known.
    OpensshCipher,
    /// An OpenSSH private key with another key derivation than bcrypt.
    OpensshKdf,
    /// A line of authorized_keys or allowed_signers, with something before the key.
    OpensshOptions,
    /// What `openssl pkey -text -noout` prints: the key in hex, for people.
    OpensslText,
    /// PEM whose label is not known.
    Pem,
    /// PKCS#8 with an encryption that is not known.
    Pkcs8Encryption,
    /// PKCS#8 with one of the encryptions before PBES2 (RFC 8018, Appendix A.3; RFC 7292, Appendix C).
    Pkcs8Pbes1,
    /// PKCS#8 whose passphrase is stretched with HMAC-SHA-1, the default of PBKDF2 (RFC 8018, Appendix A.2).
    Pkcs8Sha1,
    /// PKCS#8 encrypted with Triple-DES.
    Pkcs8TripleDes,
    /// A PKCS#12 container.
    Pkcs12,
    /// A private key of PuTTY.
    Putty,
    /// A public key in the form of RFC 4716.
    Ssh2,
    /// A signature of `ssh-keygen -Y sign`.
    SshSignature,
}

impl fmt::Display for OtherKeyForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Age => "age key",
            Self::Certificate => "X.509 certificate",
            Self::CertificateRequest => "X.509 certificate request",
            Self::Cms => "CMS message",
            Self::CoseKey => "COSE_Key",
            Self::Der => "DER without PEM armor",
            Self::Jwk => "JWK",
            Self::Minisign => "minisign or signify key",
            Self::OpenPgp => "OpenPGP key",
            Self::OpenPgpMessage => "OpenPGP message",
            Self::OpensshCertificate => "OpenSSH certificate",
            Self::OpensshCipher => "OpenSSH private key with this cipher",
            Self::OpensshKdf => "OpenSSH private key with this key derivation",
            Self::OpensshOptions => "OpenSSH line with names or options",
            Self::OpensslText => "key as openssl prints it for people",
            Self::Pem => "PEM with an unknown label",
            Self::Pkcs8Encryption => "PKCS#8 with this encryption",
            Self::Pkcs8Pbes1 => "PKCS#8 encrypted without PBES2",
            Self::Pkcs8Sha1 => "PKCS#8 encrypted with HMAC-SHA-1",
            Self::Pkcs8TripleDes => "PKCS#8 encrypted with 3DES",
            Self::Pkcs12 => "PKCS#12 container",
            Self::Putty => "PuTTY private key",
            Self::Ssh2 => "SSH2 public key (RFC 4716)",
            Self::SshSignature => "SSH signature",
        })
    }
}
