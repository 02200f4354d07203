//! The system directories that jobs see.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Returns the directories of programs, their libraries and the certificates of authorities, as far as they exist.
pub(in crate::verbs) fn system_directories() -> BTreeSet<PathBuf> {
    SYSTEM_PATHS.iter().map(PathBuf::from).filter(|path| can_be_shown(path)).collect()
}

/// Returns whether a path exists, and no symbolic link leads to it: what is shown is where its name says.
fn can_be_shown(path: &Path) -> bool {
    let directory = path.parent().unwrap_or(path);
    path.exists() && directory.canonicalize().is_ok_and(|found| found == directory)
}

const SYSTEM_PATHS: [&str; 12] = [
    "/bin",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/pki/ca-trust/extracted",
    "/etc/pki/tls/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs",
    "/lib",
    "/lib32",
    "/lib64",
    "/sbin",
    "/usr",
];
