//! The program of a job: opened once, and copied if its content is pinned.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

use brine_core::hash::{Digest, HashAlgorithm, Hasher};
use brine_job::JobProgram;
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;

use super::orders::{PlaceAccess, PlaceInside, PlaceNode, ProgramCopy, Script};
use super::prepare::{OpenedPlace, own_path};
use super::{LaunchError, SCRIPT_PATH};

/// The program of a job, as it is executed.
pub(super) struct OpenedProgram {
    pub(super) file: File,
    /// Whether `file` is a private copy, and where the job sees it.
    pub(super) copy: Option<ProgramCopy>,
    pub(super) script: Script,
}

impl OpenedProgram {
    /// Opens the program once.
    ///
    /// A program whose hash is pinned is copied into memory, and the copy is hashed and executed. Whoever may write
    /// to the file, or exchange it, cannot change the copy.
    pub(super) fn open(program: &JobProgram) -> Result<Self, LaunchError> {
        let path = &program.path;
        let not_executable = |source| LaunchError::NotExecutable { path: path.clone(), source };
        // Opening must not block, as it would on a FIFO.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => LaunchError::NotFound { path: path.clone() },
                _ => not_executable(error),
            })?;
        let metadata = file.metadata().map_err(not_executable)?;
        if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
            return Err(not_executable(io::ErrorKind::PermissionDenied.into()));
        }
        let (file, copy) = match &program.sha256 {
            None => (file, None),
            Some(expected) => {
                let (copied, digest, bytes) = copied(&file).map_err(not_executable)?;
                if digest.as_ref() != expected {
                    return Err(LaunchError::OtherProgram { path: path.clone() });
                }
                // Inside the copy has the name that every symbolic link to the program leads to.
                let path = path.canonicalize().map_err(not_executable)?;
                (copied, Some(ProgramCopy { path, bytes }))
            }
        };
        let script = script(&file).map_err(not_executable)?;
        Ok(Self { file, copy, script })
    }

    /// Returns the place of a script inside. Its interpreter opens it by name, so a descriptor is not enough.
    pub(super) fn script_place(&self) -> Result<OpenedPlace, LaunchError> {
        let failed = |error| LaunchError::system("finding the script", error);
        let source = own_path(&self.file).read_link().map_err(failed)?;
        let descriptor = self.file.try_clone().map_err(failed)?.into();
        let target = OsStr::from_bytes(SCRIPT_PATH.to_bytes()).into();
        Ok((
            PlaceInside { source, target, access: PlaceAccess::Execute, node: PlaceNode::File },
            Some(descriptor),
        ))
    }
}

fn script(mut file: &File) -> io::Result<Script> {
    let mut start = [0; 2];
    let read = file.read(&mut start)?;
    file.rewind()?;
    Ok(if read == 2 && start == *b"#!" { Script::Yes } else { Script::No })
}

/// Copies a file into memory that nobody can change any more. Returns the digest of the copy, and its length.
fn copied(mut file: &File) -> io::Result<(File, Digest, u64)> {
    let (memory, executable) = memory()?;
    let mut copy = File::from(memory);
    let mut hasher = Hasher::new(HashAlgorithm::Sha256);
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0_u64;
    loop {
        let read = file.read(&mut buffer)?;
        let piece = buffer.get(..read).unwrap_or_default();
        bytes = bytes.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        if bytes > MAX_PINNED_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if piece.is_empty() {
            break;
        }
        hasher.update(piece);
        copy.write_all(piece)?;
    }
    if executable == Executable::Yes {
        copy.set_permissions(Permissions::from_mode(0o555))?;
    }
    rustix::fs::fcntl_add_seals(
        &copy,
        SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE,
    )?;
    copy.rewind()?;
    Ok((copy, hasher.finish(), bytes))
}

/// Whether memory may be executed.
#[derive(PartialEq)]
enum Executable {
    No,
    Yes,
}

/// Makes memory that may be executed, if the system lets it (vm.memfd_noexec). Only a job without a private root
/// executes it: in a private root there is a copy of it.
fn memory() -> io::Result<(OwnedFd, Executable)> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let make = |more| rustix::fs::memfd_create(c"program", flags | more);
    Ok(match make(MemfdFlags::EXEC) {
        Err(Errno::ACCESS) => (make(MemfdFlags::NOEXEC_SEAL)?, Executable::No),
        // Before Linux 6.3 there were no such flags, and all memory could be executed.
        Err(Errno::INVAL) => (make(MemfdFlags::empty())?, Executable::Yes),
        made => (made?, Executable::Yes),
    })
}

/// The largest program whose hash can be pinned. It is held in memory.
const MAX_PINNED_BYTES: u64 = 1 << 30;
