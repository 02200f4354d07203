//! Which file systems are reached over a network.

use std::path::Path;

use crate::error::FileError;

/// Refuses a file, or a directory for one, on a network file system.
///
/// A file system in user space is known by no number, and passes.
#[cfg(target_os = "linux")]
pub(crate) fn refuse_network(path: &Path) -> Result<(), FileError> {
    let found = rustix::fs::statfs(path)
        .map_err(|error| FileError::File { path: path.to_owned(), source: error.into() })?;
    // The kernel's numbers have 32 bits. The field has as many as a word, and may be signed.
    let number = i128::from(found.f_type) & 0xffff_ffff;
    match system_of(number) {
        Some(system) => Err(FileError::Network { path: path.to_owned(), system }),
        None => Ok(()),
    }
}

/// Other systems do not say so in this way.
#[cfg(not(target_os = "linux"))]
pub(crate) fn refuse_network(_: &Path) -> Result<(), FileError> {
    Ok(())
}

#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "the numbers are Linux's"))]
fn system_of(number: i128) -> Option<&'static str> {
    NETWORK_SYSTEMS.iter().find(|(known, _)| *known == number).map(|(_, system)| *system)
}

/// From `statfs(2)` and `linux/magic.h`: what several machines mount at once.
const NETWORK_SYSTEMS: [(i128, &str); 14] = [
    (0x0000_517b, "SMB"),
    (0x0000_564c, "NCP"),
    (0x0000_6969, "NFS"),
    (0x00c3_6400, "Ceph"),
    (0x0116_1970, "GFS2"),
    (0x0bd0_0bd0, "Lustre"),
    (0x1980_0202, "BeeGFS"),
    (0x4750_4653, "GPFS"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x7461_636f, "OCFS2"),
    (0xfe53_4d42, "SMB"),
    (0xff53_4d42, "CIFS"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_and_others_are_not() {
        assert_eq!(system_of(0x6969), Some("NFS"));
        assert_eq!(system_of(0xff53_4d42), Some("CIFS"));
        // ext4, tmpfs, btrfs, overlayfs.
        for local in [0xef53, 0x0102_1994, 0x9123_683e, 0x794c_7630] {
            assert_eq!(system_of(local), None, "{local:x}");
        }
    }

    #[test]
    fn a_directory_of_this_machine_is_none() {
        refuse_network(tempfile::tempdir().unwrap().path()).unwrap();
    }
}
