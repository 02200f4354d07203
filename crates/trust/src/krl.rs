//! OpenSSH's binary lists of revoked keys (PROTOCOL.krl).

use std::collections::HashSet;

use brine_core::VerifyingKey;
use brine_keys::{OpensshCertificate, openssh_blob, read_openssh_blob};
use sha2::{Digest as _, Sha256};

/// The first bytes of such a list.
pub(crate) const KRL_MAGIC: &[u8] = b"SSHKRL\n\0";

/// The only version of the format.
const VERSION: u32 = 1;

/// A list of revoked keys and certificates.
///
/// ```text
/// magic "SSHKRL\n\0", uint32 version, uint64 number, uint64 generated, uint64 flags, string reserved, string comment,
/// then sections: byte type, string data
/// ```
///
/// Signatures of lists are passed over, as OpenSSH does since 9.4: the list is believed because of where it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Krl {
    issuers: Vec<RevokedByIssuer>,
    keys: HashSet<Vec<u8>>,
    /// The SHA-256 of keys.
    fingerprints: HashSet<Vec<u8>>,
}

/// What is revoked of what one authority issued, or any.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RevokedByIssuer {
    /// The key of the authority; empty for any.
    issuer: Vec<u8>,
    /// Serial numbers, from the first of a range to its last.
    serials: Vec<(u64, u64)>,
    bitmaps: Vec<Bitmap>,
    key_ids: HashSet<Vec<u8>>,
}

/// Serial numbers from `first` on, one for each bit, the lowest in the last byte.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bitmap {
    first: u64,
    bits: Vec<u8>,
}

/// Why a list was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KrlFlaw {
    /// It ends in the middle.
    #[error("it ends too early")]
    Cut,
    /// It has a part that must be understood, and is not.
    #[error("it has a critical extension, which is not understood")]
    CriticalExtension,
    /// It names keys by SHA-1, which is not computed here.
    #[error("it names keys by their SHA-1; write it anew with the keys or their SHA-256")]
    Sha1,
    /// It has a part that is not known.
    #[error("it has a section of type {0}, which is not known")]
    Section(u8),
    /// Something is in a place where it cannot be.
    #[error("it is malformed: {0}")]
    Malformed(&'static str),
    /// It is of another version.
    #[error("it is of version {0}, which is not known")]
    Version(u32),
}

impl KrlFlaw {
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Cut => "krl-cut-short",
            Self::CriticalExtension => "krl-critical-extension",
            Self::Malformed(_) => "krl-malformed",
            Self::Section(_) => "krl-section",
            Self::Sha1 => "krl-sha1",
            Self::Version(_) => "krl-version",
        }
    }
}

impl Krl {
    /// Reads a list, all of it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, KrlFlaw> {
        let mut reader = Reader(bytes.strip_prefix(KRL_MAGIC).ok_or(KrlFlaw::Cut)?);
        match reader.uint32()? {
            VERSION => {}
            other => return Err(KrlFlaw::Version(other)),
        }
        let (_number, _generated, _flags) = (reader.uint64()?, reader.uint64()?, reader.uint64()?);
        let (_reserved, _comment) = (reader.string()?, reader.string()?);
        let mut list = Self::default();
        let mut is_signed = false;
        while !reader.0.is_empty() {
            let kind = reader.byte()?;
            let data = reader.string()?;
            if is_signed && kind != SIGNATURE {
                return Err(KrlFlaw::Malformed("there is something after its signature"));
            }
            match kind {
                CERTIFICATES => list.issuers.push(RevokedByIssuer::parse(data)?),
                EXPLICIT_KEYS => each_string(data, |key| list.add_key(key))?,
                SHA1_FINGERPRINTS if data.is_empty() => {}
                SHA1_FINGERPRINTS => return Err(KrlFlaw::Sha1),
                SHA256_FINGERPRINTS => each_string(data, |fingerprint| {
                    list.fingerprints.insert(fingerprint.to_vec());
                    Ok(())
                })?,
                SIGNATURE => {
                    is_signed = true;
                    let _signature = reader.string()?;
                }
                EXTENSION => refuse_critical(data)?,
                other => return Err(KrlFlaw::Section(other)),
            }
        }
        Ok(list)
    }

    /// Returns whether it revokes a key, and all certificates that the key is in or issued.
    pub(crate) fn revokes_key(&self, key: &VerifyingKey) -> bool {
        if self.keys.is_empty() && self.fingerprints.is_empty() {
            return false;
        }
        let blob = openssh_blob(key);
        self.keys.contains(&blob) || self.fingerprints.contains(Sha256::digest(&blob).as_slice())
    }

    /// Returns whether it revokes a certificate, by its serial number or by what its issuer calls it.
    pub(crate) fn revokes_certificate(&self, certificate: &OpensshCertificate) -> bool {
        let issuer = openssh_blob(certificate.issuer());
        let mut lists = self.issuers.iter();
        lists.any(|list| {
            (list.issuer.is_empty() || list.issuer == issuer)
                && (list.key_ids.contains(&certificate.raw_key_id)
                    || list.has_serial(certificate.serial))
        })
    }

    fn add_key(&mut self, key: &[u8]) -> Result<(), KrlFlaw> {
        if key.is_empty() {
            return Err(KrlFlaw::Malformed("a key in it is empty"));
        }
        // A certificate in the place of a key would revoke nothing.
        let is_ed25519 = key.get(4..).is_some_and(|rest| rest.starts_with(b"ssh-ed25519"));
        if is_ed25519 && read_openssh_blob(key).is_err() {
            return Err(KrlFlaw::Malformed("a key in it cannot be read"));
        }
        self.keys.insert(key.to_vec());
        Ok(())
    }
}

impl RevokedByIssuer {
    fn parse(data: &[u8]) -> Result<Self, KrlFlaw> {
        let mut reader = Reader(data);
        let (issuer, _reserved) = (reader.string()?.to_vec(), reader.string()?);
        let (serials, bitmaps, key_ids) = (Vec::new(), Vec::new(), HashSet::new());
        let mut list = Self { issuer, serials, bitmaps, key_ids };
        while !reader.0.is_empty() {
            let kind = reader.byte()?;
            let mut data = Reader(reader.string()?);
            match kind {
                SERIAL_LIST => {
                    while !data.0.is_empty() {
                        let serial = data.uint64()?;
                        list.serials.push((serial, serial));
                    }
                }
                SERIAL_RANGE => {
                    let (first, last) = (data.uint64()?, data.uint64()?);
                    if last < first {
                        return Err(KrlFlaw::Malformed(
                            "a range of serial numbers ends before it begins",
                        ));
                    }
                    list.serials.push((first, last));
                    data.end()?;
                }
                SERIAL_BITMAP => {
                    let (first, bits) = (data.uint64()?, data.string()?.to_vec());
                    list.bitmaps.push(Bitmap { first, bits });
                    data.end()?;
                }
                KEY_IDS => each_string(data.0, |id| {
                    list.key_ids.insert(id.to_vec());
                    Ok(())
                })?,
                CERTIFICATE_EXTENSION => refuse_critical(data.0)?,
                other => return Err(KrlFlaw::Section(other)),
            }
        }
        Ok(list)
    }

    /// Certificates without a serial number all have 0, which revokes none of them, as in OpenSSH.
    fn has_serial(&self, serial: u64) -> bool {
        serial != 0
            && (self.serials.iter().any(|&(first, last)| (first..=last).contains(&serial))
                || self.bitmaps.iter().any(|bitmap| bitmap.has(serial)))
    }
}

impl Bitmap {
    fn has(&self, serial: u64) -> bool {
        let Some(bit) = serial.checked_sub(self.first) else { return false };
        let byte = usize::try_from(bit / 8).ok().and_then(|at| self.bits.len().checked_sub(at + 1));
        let byte = byte.and_then(|at| self.bits.get(at)).copied().unwrap_or_default();
        byte & (1 << (bit % 8)) != 0
    }
}

fn each_string(
    data: &[u8],
    mut take: impl FnMut(&[u8]) -> Result<(), KrlFlaw>,
) -> Result<(), KrlFlaw> {
    let mut reader = Reader(data);
    while !reader.0.is_empty() {
        take(reader.string()?)?;
    }
    Ok(())
}

/// Reads `string name, boolean critical, string contents`.
fn refuse_critical(data: &[u8]) -> Result<(), KrlFlaw> {
    let mut reader = Reader(data);
    let (_name, critical, _contents) = (reader.string()?, reader.byte()?, reader.string()?);
    reader.end()?;
    if critical == 0 { Ok(()) } else { Err(KrlFlaw::CriticalExtension) }
}

/// A reader of the types of RFC 4251, Section 5.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, KrlFlaw> {
        let (byte, rest) = self.0.split_first().ok_or(KrlFlaw::Cut)?;
        self.0 = rest;
        Ok(*byte)
    }

    fn uint32(&mut self) -> Result<u32, KrlFlaw> {
        let (head, rest) = self.0.split_first_chunk().ok_or(KrlFlaw::Cut)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*head))
    }

    fn uint64(&mut self) -> Result<u64, KrlFlaw> {
        let (head, rest) = self.0.split_first_chunk().ok_or(KrlFlaw::Cut)?;
        self.0 = rest;
        Ok(u64::from_be_bytes(*head))
    }

    fn string(&mut self) -> Result<&'a [u8], KrlFlaw> {
        let length = usize::try_from(self.uint32()?).unwrap_or(usize::MAX);
        let (string, rest) = self.0.split_at_checked(length).ok_or(KrlFlaw::Cut)?;
        self.0 = rest;
        Ok(string)
    }

    const fn end(&self) -> Result<(), KrlFlaw> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(KrlFlaw::Malformed("there is too much in a section"))
        }
    }
}

const CERTIFICATES: u8 = 1;
const EXPLICIT_KEYS: u8 = 2;
const SHA1_FINGERPRINTS: u8 = 3;
const SIGNATURE: u8 = 4;
const SHA256_FINGERPRINTS: u8 = 5;
const EXTENSION: u8 = 255;

const SERIAL_LIST: u8 = 0x20;
const SERIAL_RANGE: u8 = 0x21;
const SERIAL_BITMAP: u8 = 0x22;
const KEY_IDS: u8 = 0x23;
const CERTIFICATE_EXTENSION: u8 = 0x39;

#[cfg(test)]
mod tests;
