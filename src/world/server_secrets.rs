//! What is needed to speak to the server of a queue, and does not stand in its URL.

use std::path::Path;

use brine_queue::{Server, ServerSecrets};
use zeroize::Zeroizing;

use super::home;
use super::permissions::PermissionRule;
use super::small_files::SmallFiles;
use crate::report::Failure;

/// Reads the files that the URL names. Without one for the password, it is what the environment holds.
pub(crate) fn read(server: &Server) -> Result<ServerSecrets, Failure> {
    let password = match &server.password_file {
        Some(path) => Some(line(path)?),
        None => home::queue_password()
            .map(|password| password.into_string())
            .transpose()
            .map_err(|_| Failure::usage("BRINE_QUEUE_PASSWORD is not UTF-8"))?,
    };
    let credentials = server.credentials_file.as_deref().map(text).transpose()?;
    let ca = server.ca_file.as_deref().map(|path| Ok::<_, Failure>(content(path)?.to_vec()));
    Ok(ServerSecrets { password, credentials, ca: ca.transpose()? })
}

/// Reads a file with a text, without a line end at its end.
fn line(path: &Path) -> Result<String, Failure> {
    let mut text = text(path)?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    Ok(text)
}

fn text(path: &Path) -> Result<String, Failure> {
    let text = String::from_utf8(content(path)?.to_vec());
    text.map_err(|_| Failure::usage(format!("{} is not UTF-8", path.display())))
}

fn content(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    SmallFiles::new(PermissionRule::Strict).read(path)
}
