//! Where statements are written that one makes: beside the key that signs them.

use std::path::{Path, PathBuf};

use super::home::KEY_SUFFIXES;
use super::key_place::KeyPlace;
use crate::report::Failure;

/// Where a statement goes.
pub(crate) enum Target {
    /// To the file that was typed.
    Typed(PathBuf),
    /// Beside the key, where nothing else is.
    Beside(PathBuf),
    Stdout,
}

/// Returns where a statement goes.
pub(crate) fn target(
    typed: Option<&Path>,
    key: &KeyPlace,
    extension: &str,
) -> Result<Target, Failure> {
    match typed {
        Some(path) if path == Path::new("-") => return Ok(Target::Stdout),
        Some(path) => return Ok(Target::Typed(path.to_owned())),
        None => {}
    }
    let file = key.file().ok_or_else(|| {
        Failure::usage("the key is not in a file: -o FILE says where the statement goes".to_owned())
    })?;
    Ok(Target::Beside(beside(file, extension)))
}

/// Returns the file of a statement: `team.revocation` for `team.key` and `team.pub`.
fn beside(key_file: &Path, extension: &str) -> PathBuf {
    let suffixes = KEY_SUFFIXES.iter().map(|suffix| suffix.trim_start_matches('.'));
    let has_suffix =
        key_file.extension().is_some_and(|found| suffixes.clone().any(|one| found == one));
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
