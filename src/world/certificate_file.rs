//! Files of certificates: `KEY-cert.pub` beside a key, as OpenSSH has them.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use brine_core::text::quoted;
use brine_core::{CertificateFlaw, Certificates, Timestamp, VerifyingKey};
use brine_keys::{KeyFileError, OpensshCertificate, certificate_in_line};

use super::home::KEY_SUFFIXES;
use super::small_files::SmallFiles;
use crate::report::Failure;

/// The certificates of a key, that of the key first.
#[derive(Debug)]
pub(crate) struct CertificateFile {
    path: PathBuf,
    chain: Vec<OpensshCertificate>,
    certificates: Certificates,
}

impl CertificateFile {
    /// Reads a file with one certificate a line, the first of which is for `key`.
    pub(crate) fn read(
        path: &Path,
        key: &VerifyingKey,
        files: &SmallFiles,
    ) -> Result<Self, Failure> {
        Self::of_text(path, &files.read(path)?, key)
    }

    /// Reads the text of such a file, which is called `path`.
    fn of_text(path: &Path, text: &[u8], key: &VerifyingKey) -> Result<Self, Failure> {
        let wrong = |source| Failure::KeyFile { path: path.to_owned(), source };
        let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
        let (mut chain, mut blobs) = (Vec::new(), Vec::new());
        for line in lines {
            let blob = certificate_in_line(line).map_err(wrong)?;
            let read = OpensshCertificate::parse(&blob);
            chain.push(read.map_err(|flaw| wrong(KeyFileError::Certificate(flaw)))?);
            blobs.push(blob);
        }
        match chain.first() {
            None => return Err(wrong(KeyFileError::Unrecognised)),
            Some(leaf) if leaf.key() != key => {
                return Err(wrong(KeyFileError::Certificate(CertificateFlaw::OtherKey)));
            }
            Some(_) => {}
        }
        let certificates = Certificates::new(&blobs).map_err(|error| {
            wrong(KeyFileError::Malformed { form: "list of certificates", why: error.to_string() })
        })?;
        Ok(Self { path: path.to_owned(), chain, certificates })
    }

    /// Returns the certificates, that of the key first.
    pub(crate) const fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Reads the file beside a key, if there is one.
    pub(crate) fn beside(
        key_file: &Path,
        key: &VerifyingKey,
        files: &SmallFiles,
    ) -> Result<Option<Self>, Failure> {
        let path = certificate_path(key_file);
        if is_half_of_key(&path) {
            return Ok(None);
        }
        // Nobody named it, so nothing is waited for, as a FIFO waits for its writer.
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
            return Err(Failure::Unreadable { path, source });
        }
        match Self::read(&path, key, files) {
            Err(Failure::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    /// Returns the certificates that an envelope brings for a key at a moment. Of those that no verifier would believe
    /// then, it brings none, and a person is warned: many people have certificates for logins beside their keys.
    ///
    /// `warn` gets the warning.
    pub(crate) fn usable_beside(
        key_file: &Path,
        key: &VerifyingKey,
        files: &SmallFiles,
        now: Timestamp,
        warn: Warn<'_>,
    ) -> Result<Option<Certificates>, Failure> {
        usable(Self::beside(key_file, key, files), now, warn)
    }

    /// Does the same with the text of such a file.
    pub(crate) fn usable_text(
        text: &[u8],
        key: &VerifyingKey,
        now: Timestamp,
        warn: Warn<'_>,
    ) -> Result<Option<Certificates>, Failure> {
        usable(Self::of_text(Path::new(IN_MEMORY), text, key).map(Some), now, warn)
    }
}

/// Takes warnings of what changes nothing, in words for a person.
pub(crate) type Warn<'a> = &'a mut dyn FnMut(String);

/// Returns the certificates of a file, unless no verifier would believe them at a moment.
fn usable(
    read: Result<Option<CertificateFile>, Failure>,
    now: Timestamp,
    warn: Warn<'_>,
) -> Result<Option<Certificates>, Failure> {
    let (path, flaw) = match read {
        Err(Failure::KeyFile {
            path,
            source:
                KeyFileError::Certificate(
                    flaw @ (CertificateFlaw::UnsupportedKey { .. } | CertificateFlaw::Nested),
                ),
        }) => (path, flaw),
        read => match read? {
            None => return Ok(None),
            Some(file) => match file.chain.iter().try_for_each(|found| found.judge(now)) {
                Ok(()) => return Ok(Some(file.certificates)),
                Err(flaw) => (file.path, flaw),
            },
        },
    };
    warn(format!("certificate {} is left out: {flaw}", quoted(&path)));
    Ok(None)
}

/// Returns what an envelope brings of the certificates that an agent holds for a key: of those that are valid at a moment,
/// the one that is so for longest. If none is, `warn` gets a warning.
pub(crate) fn held_certificate(
    held: &[Vec<u8>],
    now: Timestamp,
    warn: Warn<'_>,
) -> Option<Certificates> {
    let (mut best, mut why) = (None, None);
    for blob in held {
        let read = OpensshCertificate::parse(blob);
        match read.and_then(|found| found.judge(now).map(|()| found.valid_before)) {
            Ok(end) if best.is_none_or(|(before, _)| before < end) => best = Some((end, blob)),
            Ok(_) => {}
            Err(flaw) => why = why.or(Some(flaw)),
        }
    }
    match (best, why) {
        // What is too long for an envelope is left out, too.
        (Some((_, blob)), _) => Certificates::new(&[blob]).ok(),
        (None, Some(flaw)) => {
            warn(format!("the certificate in the agent is left out: {flaw}"));
            None
        }
        (None, None) => None,
    }
}

/// What the text of a certificate without a file is called.
const IN_MEMORY: &str = "certificate";

/// Returns whether a file is no certificate, but the public half of a key that is called like one: `a-cert`, beside `a`.
pub(crate) fn is_half_of_key(path: &Path) -> bool {
    path.with_extension("key").exists()
}

/// Returns where the certificate of a key is: `id_ed25519-cert.pub` for `id_ed25519`, `a-cert.pub` for `a.key` and `a.pub`.
pub(crate) fn certificate_path(key_file: &Path) -> PathBuf {
    let name = key_file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = KEY_SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix));
    let stem = match stem {
        Some(stem) => OsString::from(stem),
        // It may be no text.
        None => key_file.file_name().unwrap_or_default().to_owned(),
    };
    let mut certificate = stem;
    certificate.push("-cert.pub");
    key_file.with_file_name(certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_beside_its_key_as_for_openssh() {
        for (key, certificate) in [
            ("/home/a/.ssh/id_ed25519", "/home/a/.ssh/id_ed25519-cert.pub"),
            ("/home/a/.ssh/id_ed25519.pub", "/home/a/.ssh/id_ed25519-cert.pub"),
            ("keys/ca.key", "keys/ca-cert.pub"),
            ("k.pem", "k-cert.pub"),
            ("k.x", "k.x-cert.pub"),
        ] {
            assert_eq!(certificate_path(Path::new(key)), Path::new(certificate));
        }
    }
}
