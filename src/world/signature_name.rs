//! What signatures beside files are called.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A file, and where its signature is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SignedFile {
    pub(crate) file: PathBuf,
    pub(crate) signature: PathBuf,
}

impl SignedFile {
    /// Finds the file that a signature of this name is for: `FILE` of `FILE.sig`.
    pub(crate) fn of_signature(signature: &Path) -> Option<Self> {
        let file = signature.as_os_str().as_bytes().strip_suffix(SUFFIX.as_bytes())?;
        let has_name = file.last().is_some_and(|last| *last != b'/');
        has_name.then(|| Self {
            file: PathBuf::from(OsStr::from_bytes(file)),
            signature: signature.to_owned(),
        })
    }

    /// Finds what `-d` means by a name: a file with its signature beside it, or the signature of a file.
    ///
    /// A name that ends in `.sig` is that of a signature where there is such a file. So another signature beside it,
    /// `FILE.sig.sig`, never speaks for what lies beside that file.
    pub(crate) fn named_by(path: &Path) -> Self {
        let beside = Self { file: path.to_owned(), signature: signature_of(path) };
        match Self::of_signature(path) {
            Some(found) if is_there(&found.file) || !is_there(&beside.signature) => found,
            _ => beside,
        }
    }
}

/// Returns where the signature of a file lies unless another place is named: `FILE.sig`.
pub(crate) fn signature_of(file: &Path) -> PathBuf {
    with_suffix(file, SUFFIX)
}

/// Returns what an envelope that holds the file would be called: `FILE.brine`.
pub(crate) fn envelope_of(file: &Path) -> PathBuf {
    with_suffix(file, ".brine")
}

/// Returns whether a name is one of signatures that lie beside their files.
pub(crate) fn is_of_signature(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(SUFFIX.as_bytes())
}

/// Returns whether something is there, as far as can be told.
fn is_there(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(suffix);
    PathBuf::from(name)
}

const SUFFIX: &str = ".sig";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_names_its_file_and_a_file_its_signature() {
        for (file, signature) in [("a", "a.sig"), ("./b c", "./b c.sig"), ("a.sig", "a.sig.sig")] {
            let found = SignedFile::of_signature(Path::new(signature)).unwrap();
            assert_eq!(found.file, Path::new(file));
            assert_eq!(signature_of(Path::new(file)), Path::new(signature));
            assert!(is_of_signature(Path::new(signature)));
        }
        for other in ["a", "a.brine", "sig", ".sig", "a/.sig", "a.sig/", "a.SIG", "-"] {
            assert_eq!(SignedFile::of_signature(Path::new(other)), None, "{other}");
        }
        let name = OsStr::from_bytes(b"\xff.sig");
        let found = SignedFile::of_signature(Path::new(name)).unwrap();
        assert_eq!(found.file.as_os_str().as_bytes(), b"\xff");
    }

    /// What is there decides about a name that could be either.
    #[test]
    fn a_signature_of_a_signature_speaks_for_no_file_that_is_there() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        let named = |name: &str| {
            let SignedFile { file, signature } = SignedFile::named_by(&path(name));
            (file.strip_prefix(directory.path()).unwrap().to_owned(), signature)
        };
        assert_eq!(named("a"), ("a".into(), path("a.sig")));
        assert_eq!(named("a.sig"), ("a".into(), path("a.sig")));
        for (made, file) in [("a.sig.sig", "a.sig"), ("a.sig", "a.sig"), ("a", "a")] {
            fs::File::create(path(made)).unwrap();
            assert_eq!(named("a.sig").0, Path::new(file), "{made}");
        }
    }
}
