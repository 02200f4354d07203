//! Files of programs: what they are, what interprets them, and where they look for their libraries.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

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
    let mut file = open_regular(program)?;
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

/// What the system does with a program.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ProgramForm {
    Elf,
    /// It begins with `#!`, and this is the program that reads it.
    Script(PathBuf),
    /// The system does not execute it.
    Unknown,
}

impl ProgramForm {
    /// Looks at the beginning of a program.
    pub(crate) fn of(program: &Path) -> io::Result<Self> {
        let mut start = Vec::new();
        open_regular(program)?.take(START_BYTES).read_to_end(&mut start)?;
        // Linux fills what it reads with 0.
        start.resize(START_LENGTH, 0);
        if start.starts_with(b"\x7fELF") {
            return Ok(Self::Elf);
        }
        let Some(line) = start.strip_prefix(b"#!") else { return Ok(Self::Unknown) };
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let name = line.iter().position(|byte| !blank(byte)).and_then(|from| line.get(from..));
        let name = name.unwrap_or_default();
        let ends = |byte: &u8| blank(byte) || matches!(byte, b'\n' | 0);
        // A name that is cut off is not executed (execve(2)).
        let name = name.iter().position(ends).and_then(|length| name.get(..length));
        Ok(match name.filter(|name| !name.is_empty()) {
            Some(name) => Self::Script(PathBuf::from(OsStr::from_bytes(name))),
            None => Self::Unknown,
        })
    }
}

/// Returns the program that reads a script, and the one that reads that, as far as they can be found out.
pub(crate) fn interpreters(program: &Path) -> Vec<PathBuf> {
    let next = |path: &PathBuf| match ProgramForm::of(path) {
        Ok(ProgramForm::Script(interpreter)) => Some(interpreter),
        _ => None,
    };
    std::iter::successors(Some(program.to_owned()), next).skip(1).take(MAX_INTERPRETERS).collect()
}

/// Opens a regular file, and nothing else. Nobody opens the other end of a FIFO, so that would be waited for.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

/// As much as Linux looks at (`BINPRM_BUF_SIZE`).
const START_LENGTH: usize = 256;
const START_BYTES: u64 = 256;

/// More than Linux follows (execve(2)).
const MAX_INTERPRETERS: usize = 8;

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

    fn written(path: &Path, content: &str) {
        std::io::Write::write_all(&mut File::create(path).unwrap(), content.as_bytes()).unwrap();
    }

    /// As `load_script` of Linux reads it.
    #[test]
    fn the_form_of_a_program_is_what_the_system_takes_it_for() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("program");
        let long = "x".repeat(256);
        let script = |name: &str| ProgramForm::Script(name.into());
        for (content, form) in [
            ("#!/bin/sh", script("/bin/sh")),
            ("#! \t/bin/sh -e\n", script("/bin/sh")),
            ("#!sh\n", script("sh")),
            ("\x7fELF", ProgramForm::Elf),
            ("#!", ProgramForm::Unknown),
            ("#! \n/bin/sh\n", ProgramForm::Unknown),
            (&format!("#!/{long}\n"), ProgramForm::Unknown),
            (" #!/bin/sh\n", ProgramForm::Unknown),
            ("", ProgramForm::Unknown),
        ] {
            written(&path, content);
            assert_eq!(ProgramForm::of(&path).unwrap(), form, "{content:?}");
        }
        written(&path, &format!("#!{}\n", path.display()));
        assert_eq!(interpreters(&path).len(), MAX_INTERPRETERS);
    }

    /// Nobody writes to it, so opening it for reading waits.
    #[test]
    fn a_fifo_is_no_program_and_is_not_waited_for() {
        let home = tempfile::tempdir().unwrap();
        let fifo = home.path().join("fifo");
        let mode = rustix::fs::Mode::from_raw_mode(0o755);
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert_eq!(outside(&fifo, &BTreeSet::new()), BTreeSet::new());
        assert_eq!(ProgramForm::of(&fifo).unwrap_err().to_string(), "it is not a regular file");
        assert_eq!(
            ProgramForm::of(home.path()).unwrap_err().to_string(),
            "it is not a regular file"
        );
    }
}
