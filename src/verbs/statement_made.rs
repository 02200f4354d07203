//! A statement that was made: where it is written, and how that is told.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use brine_core::text::quoted;

use crate::report::Failure;
use crate::report::console::{json_line, write_to_stderr};
use crate::report::statement_facts::StatementLine;
use crate::world::output::Output;
use crate::world::overwrite_guard::{GuardedPlace, OverwriteGuard};
use crate::world::statement_file::Target;
use crate::world::whole_file::{Access, Existing, write_whole};

/// Where a statement goes.
pub(super) enum Place {
    File(PathBuf),
    Stdout(Output),
}

impl Place {
    /// Refuses to write over the key that signs it.
    pub(super) fn plan(target: Target, key: Option<&Path>) -> Result<Self, Failure> {
        let mut guard = OverwriteGuard::default().and(key);
        match target {
            Target::Beside(path) => Ok(Self::File(path)),
            Target::Typed(path) => {
                guard.claim("output", GuardedPlace::of_path(&path))?;
                Ok(Self::File(path))
            }
            Target::Stdout => {
                let stdout = Output::stdout(&mut guard)?;
                stdout.refuse_terminal("a statement")?;
                Ok(Self::Stdout(stdout))
            }
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

    /// Describes a statement on standard error, for programs.
    #[expect(clippy::unused_self, reason = "the other half of telling is in `phrase`")]
    pub(super) fn tell(&self, line: &StatementLine) -> Result<(), Failure> {
        // Whoever closed it does not want to hear it.
        let _ = write_to_stderr(json_line(line).as_bytes());
        Ok(())
    }
}

/// Writes a statement whole, or not at all.
pub(super) fn write(place: &Place, existing: Existing, envelope: &[u8]) -> Result<(), Failure> {
    match place {
        Place::File(path) => {
            write_whole(path, Access::Ordinary, existing, |file| file.write_all(envelope))
        }
        Place::Stdout(output) => output.write(Access::Ordinary, |file| file.write_all(envelope)),
    }
}
