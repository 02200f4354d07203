//! From what a person calls a program to the program itself.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use brine_core::text::quoted;
use brine_job::OperatorCommand;
use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::report::Failure;
use crate::world::home::program_directories;

/// Finds the program of a command, if one was typed.
pub(in crate::verbs) fn find(command: &[OsString]) -> Result<Option<OperatorCommand>, Failure> {
    let Some((name, arguments)) = command.split_first() else { return Ok(None) };
    let path =
        if name.to_string_lossy().contains('/') { named(Path::new(name))? } else { sought(name)? };
    Ok(Some(OperatorCommand { path, arguments: arguments.to_vec() }))
}

/// Returns a command as it was typed, whether or not its program is there.
pub(super) fn typed(command: &[OsString]) -> Option<OperatorCommand> {
    let (name, arguments) = command.split_first()?;
    Some(OperatorCommand { path: PathBuf::from(name), arguments: arguments.to_vec() })
}

fn named(path: &Path) -> Result<PathBuf, Failure> {
    let absolute =
        std::path::absolute(path).map_err(|error| Failure::io(quoted(path).to_string(), error))?;
    if !absolute.exists() {
        return Err(Failure::NotFound { program: path.to_owned() });
    }
    executable(&absolute)
        .map_err(|source| Failure::NotExecutable { program: path.to_owned(), source })?;
    Ok(absolute)
}

/// Goes through the directories of `PATH` as a shell does: what cannot be executed is passed over, and is
/// the reason if there is no other.
pub(super) fn sought(name: &OsStr) -> Result<PathBuf, Failure> {
    let mut refused = None;
    let directories = if name.is_empty() { Vec::new() } else { program_directories() };
    for path in directories.iter().map(|directory| directory.join(name)) {
        match executable(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                refused.get_or_insert(Failure::NotExecutable { program: path, source });
            }
        }
    }
    Err(refused.unwrap_or_else(|| Failure::NotFound { program: PathBuf::from(name) }))
}

fn executable(path: &Path) -> io::Result<()> {
    let found = path.metadata()?;
    if found.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !found.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok(accessat(CWD, path, Access::EXEC_OK, AtFlags::empty())?)
}
