//! Programs that find their libraries only where they were installed.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// Returns the directories that a job must see for its program to find its own libraries, as far as they lie
/// outside the system directories; none if it has no libraries.
///
/// The loader says nothing if a library is missing where the program was built for, and another one of its name is
/// in a system directory. A Python of pyenv then becomes that of the system, and one of a venv does not start.
pub(crate) fn outside(program: &Path, system: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    // A program finds its files by its name, and its libraries by where it really is.
    let named = program.parent().and_then(|directory| directory.canonicalize().ok());
    let named = named.zip(program.file_name()).map(|(directory, name)| directory.join(name));
    let real = program.canonicalize().ok();
    let within = |path: &Path| {
        let is_below = |directory: &PathBuf| path.starts_with(directory);
        let real = |directory: &PathBuf| directory.canonicalize().is_ok_and(|real| is_below(&real));
        system.iter().any(is_below) || system.iter().any(real)
    };
    let found = named.into_iter().chain(real).filter(|path| !within(path));
    let homes: BTreeSet<PathBuf> = found.filter_map(|path| home_of(&path)).collect();
    if homes.is_empty() || !has_loader(program).unwrap_or(false) { BTreeSet::new() } else { homes }
}

/// Returns the directory that a program was installed to: what holds its `bin`, or its own.
fn home_of(program: &Path) -> Option<PathBuf> {
    let directory = program.parent()?;
    let above = directory.parent().filter(|above| above.parent().is_some());
    match above {
        Some(above) if directory.ends_with("bin") => Some(above.to_owned()),
        _ => Some(directory.to_owned()),
    }
}

/// Returns whether a program is an ELF file that has a loader load libraries (`PT_INTERP`; elf(5)).
fn has_loader(program: &Path) -> io::Result<bool> {
    let mut file = File::open(program)?;
    let mut header = [0; 64];
    file.read_exact(&mut header)?;
    // Of 64 bits, and little-endian: brine runs no others.
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(false);
    }
    let start = header.get(32..40).and_then(|bytes| bytes.first_chunk()).copied();
    let size = header.get(54..56).and_then(|bytes| bytes.first_chunk()).copied();
    let count = header.get(56..58).and_then(|bytes| bytes.first_chunk()).copied();
    let (Some(start), Some(size), Some(count)) = (start, size, count) else { return Ok(false) };
    let (start, size) = (u64::from_le_bytes(start), u16::from_le_bytes(size));
    for index in 0..u16::from_le_bytes(count) {
        let at = u64::from(index).saturating_mul(size.into()).saturating_add(start);
        file.seek(SeekFrom::Start(at))?;
        let mut kind = [0; 4];
        file.read_exact(&mut kind)?;
        if u32::from_le_bytes(kind) == PT_INTERP {
            return Ok(true);
        }
    }
    Ok(false)
}

const PT_INTERP: u32 = 3;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_program_is_outside_by_its_name_or_by_its_place() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        let bin = root.join("bin");
        std::fs::create_dir(&bin).unwrap();
        std::fs::copy("/bin/sh", bin.join("copied")).unwrap();
        symlink("/bin/sh", bin.join("linked")).unwrap();
        let mut script = File::create_new(bin.join("script")).unwrap();
        std::io::Write::write_all(&mut script, b"#!/bin/sh\n").unwrap();
        let usr = BTreeSet::from(["/usr".into(), "/bin".into()]);
        let found = |name: &str| outside(&bin.join(name), &usr);
        assert_eq!(found("copied"), BTreeSet::from([root.clone()]));
        assert_eq!(found("linked"), BTreeSet::from([root.clone()]));
        // Its interpreter is what counts, and what is missing is said when that does not start.
        assert_eq!(found("script"), BTreeSet::new());
        assert_eq!(found("missing"), BTreeSet::new());
        for inside in ["/bin/sh", "/usr/bin/env"] {
            assert_eq!(outside(Path::new(inside), &usr), BTreeSet::new(), "{inside}");
        }
        assert_eq!(outside(&bin.join("copied"), &BTreeSet::from([root])), BTreeSet::new());
    }
}
