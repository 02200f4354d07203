//! Where a statement goes that was made.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use brine_core::text::quoted;

use crate::report::Failure;
use crate::report::console::{json_line, write_to_stderr};
use crate::report::statement_facts::StatementLine;
use crate::world::home::KEY_SUFFIXES;
use crate::world::key_place::KeyPlace;
use crate::world::output::Output;
use crate::world::overwrite_guard::{GuardedPlace, OverwriteGuard};
use crate::world::whole_file::{Access, Existing, write_whole};

/// Where a statement goes.
pub(super) enum StatementOutput {
    File(PathBuf),
    Stdout(Output),
}

impl StatementOutput {
    /// Finds out where it goes: to what was typed, which is no file that decides, else beside the key that signs it.
    pub(super) fn plan(
        typed: Option<&Path>,
        key: &KeyPlace,
        extension: &str,
    ) -> Result<Self, Failure> {
        let mut guard = OverwriteGuard::default().and(key.file());
        match (typed, key.file()) {
            (Some(path), _) if path == Path::new("-") => {
                let stdout = Output::stdout(&mut guard)?;
                stdout.refuse_terminal("a statement")?;
                Ok(Self::Stdout(stdout))
            }
            (Some(path), Some(file)) if is_same(path, &beside(file, extension)) => {
                Ok(Self::File(path.to_owned()))
            }
            (Some(path), _) => {
                guard.claim("output", GuardedPlace::of_path(path))?;
                Ok(Self::File(path.to_owned()))
            }
            (None, Some(file)) => Ok(Self::File(beside(file, extension))),
            (None, None) => Err(Failure::usage(
                "the key is not in a file: -o FILE says where the statement goes".to_owned(),
            )),
        }
    }

    /// Returns the file, if it is one.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Stdout(_) => None,
        }
    }

    /// Returns what it is called in messages.
    pub(super) fn name(&self) -> String {
        self.path().map_or_else(|| "standard output".to_owned(), |path| quoted(path).to_string())
    }

    /// Says where it is, behind a sentence.
    pub(super) fn phrase(&self) -> String {
        self.path().map(|path| format!(", in {}", quoted(path))).unwrap_or_default()
    }

    /// Writes a statement whole, or not at all.
    pub(super) fn write(&self, existing: Existing, envelope: &[u8]) -> Result<(), Failure> {
        match self {
            Self::File(path) => {
                write_whole(path, Access::Ordinary, existing, |file| file.write_all(envelope))
            }
            Self::Stdout(output) => output.write(Access::Ordinary, |file| file.write_all(envelope)),
        }
    }
}

/// Describes a statement that was made on standard error, for programs.
pub(super) fn describe(line: &StatementLine) {
    // Whoever closed it does not want to hear it.
    let _ = write_to_stderr(json_line(line).as_bytes());
}

fn is_same(one: &Path, other: &Path) -> bool {
    GuardedPlace::of_path(one).is_same_as(&GuardedPlace::of_path(other))
}

/// Returns the file of a statement: `team.revocation` for `team.key` and `team.pub`.
fn beside(key_file: &Path, extension: &str) -> PathBuf {
    let mut suffixes = KEY_SUFFIXES.iter().map(|suffix| suffix.trim_start_matches('.'));
    let has_suffix =
        key_file.extension().is_some_and(|found| suffixes.any(|suffix| found == suffix));
    match has_suffix {
        true => key_file.with_extension(extension),
        false => key_file.with_added_extension(extension),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_beside_its_key() {
        for (key, file) in [
            ("keys/team.key", "keys/team.revocation"),
            ("/home/a/.ssh/id_ed25519", "/home/a/.ssh/id_ed25519.revocation"),
            ("a.b.pub", "a.b.revocation"),
            ("k.x", "k.x.revocation"),
        ] {
            assert_eq!(beside(Path::new(key), "revocation"), Path::new(file));
        }
    }
}
