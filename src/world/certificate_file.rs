//! Files of certificates: `KEY-cert.pub` beside a key, as OpenSSH has them.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use brine_core::{Certificates, Timestamp, VerifyingKey};
use brine_keys::{KeyFileError, OpensshCertificate, certificate_in_line};

use super::home::KEY_SUFFIXES;
use super::small_files::SmallFiles;
use crate::report::Failure;
use crate::report::console::remark;

/// The certificates of a key, that of the key first, each with its binary form.
#[derive(Debug)]
pub(crate) struct CertificateFile {
    pub(crate) path: PathBuf,
    pub(crate) chain: Vec<(OpensshCertificate, Vec<u8>)>,
}

impl CertificateFile {
    /// Reads a file with one certificate a line, the first of which is for `key`.
    pub(crate) fn read(
        path: &Path,
        key: &VerifyingKey,
        files: &SmallFiles,
    ) -> Result<Self, Failure> {
        let wrong = |source| Failure::KeyFile { path: path.to_owned(), source };
        let bytes = files.read(path)?;
        let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
        let mut chain = Vec::new();
        for line in lines {
            let blob = certificate_in_line(line).map_err(wrong)?;
            let read = OpensshCertificate::parse(&blob);
            let certificate = read.map_err(|flaw| wrong(KeyFileError::Certificate(flaw)))?;
            chain.push((certificate, blob));
        }
        match chain.first() {
            None => Err(wrong(KeyFileError::Unrecognised)),
            Some((leaf, _)) if leaf.key() != key => {
                Err(wrong(KeyFileError::Certificate(brine_core::CertificateFlaw::OtherKey)))
            }
            Some(_) => Ok(Self { path: path.to_owned(), chain }),
        }
    }

    /// Reads the file beside a key, if there is one.
    pub(crate) fn beside(
        key_file: &Path,
        key: &VerifyingKey,
        files: &SmallFiles,
    ) -> Result<Option<Self>, Failure> {
        match Self::read(&certificate_path(key_file), key, files) {
            Err(Failure::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    /// Returns what an envelope brings of it at a moment: nothing, and a warning, if it is valid no more.
    pub(crate) fn usable(&self, now: Timestamp) -> Result<Option<Certificates>, Failure> {
        for (certificate, _) in &self.chain {
            if let Err(flaw) = certificate.judge(now) {
                remark(&format!(
                    "warning: certificate {:?} is left out: {flaw}",
                    self.path.display().to_string()
                ));
                return Ok(None);
            }
        }
        let blobs: Vec<_> = self.chain.iter().map(|(_, blob)| blob.as_slice()).collect();
        let certificates = Certificates::new(&blobs).map_err(brine_core::Error::from)?;
        Ok(Some(certificates))
    }
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
