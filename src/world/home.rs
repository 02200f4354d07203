//! Where keys and trust live: the one place where the environment is read.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::report::Failure;

/// The directory with `keys/` and `trust.toml`.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    directory: PathBuf,
}

impl Home {
    /// `$BRINE_HOME`, else `$XDG_CONFIG_HOME/brine`, else `~/.config/brine`.
    pub(crate) fn find() -> Result<Self, Failure> {
        // The XDG specification has relative paths ignored.
        let xdg = variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let user = || user_home().map(|home| home.join(".config"));
        let directory = variable("BRINE_HOME")
            .map(PathBuf::from)
            .or_else(|| xdg.or_else(user).map(|config| config.join("brine")))
            .ok_or(Failure::NoHome)?;
        Ok(Self { directory })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.directory.join("keys")
    }

    pub(crate) fn private_key(&self, name: &KeyName) -> PathBuf {
        self.keys().join(format!("{}.key", name.0))
    }

    pub(crate) fn public_key(&self, name: &KeyName) -> PathBuf {
        self.keys().join(format!("{}.pub", name.0))
    }

    pub(crate) fn policy_file(&self) -> PathBuf {
        self.directory.join("policy.toml")
    }

    pub(crate) fn trust_file(&self) -> PathBuf {
        self.directory.join("trust.toml")
    }
}

/// Returns the home directory of the user.
pub(crate) fn user_home() -> Option<PathBuf> {
    variable("HOME").map(PathBuf::from)
}

/// The file with the passphrase that `BRINE_PASSPHRASE_FILE` names.
pub(crate) fn passphrase_file() -> Option<PathBuf> {
    variable("BRINE_PASSPHRASE_FILE").map(PathBuf::from)
}

/// The password for servers of queues that `BRINE_QUEUE_PASSWORD` holds.
pub(crate) fn queue_password() -> Option<OsString> {
    variable("BRINE_QUEUE_PASSWORD")
}

/// The socket of the agent that `SSH_AUTH_SOCK` names.
pub(crate) fn agent_socket() -> Option<PathBuf> {
    variable("SSH_AUTH_SOCK").map(PathBuf::from)
}

/// The time zone that `TZ` names.
pub(crate) fn time_zone_variable() -> Option<OsString> {
    variable("TZ")
}

/// The directory for temporary files: `$TMPDIR`, else `/tmp`.
pub(crate) fn temporary_directory() -> PathBuf {
    env::temp_dir()
}

/// Where programs are looked for: the absolute directories of `PATH`. What lies in the current directory
/// has no say.
pub(crate) fn program_directories() -> Vec<PathBuf> {
    let path = variable("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    env::split_paths(&path).filter(|directory| directory.is_absolute()).collect()
}

/// Whether nobody watches, because this is CI: all such services set the variable.
pub(crate) fn is_ci() -> bool {
    variable("CI").is_some()
}

/// Whether this is a container that Kubernetes started: it sets the variable in all of them.
pub(crate) fn is_pod() -> bool {
    variable("KUBERNETES_SERVICE_HOST").is_some()
}

/// Whether the terminal takes control sequences.
pub(crate) fn has_full_terminal() -> bool {
    variable("TERM").is_some_and(|terminal| terminal != "dumb")
}

/// The name of a key in the key store: letters, digits and `. _ @ + -`, not first a dot or hyphen.
///
/// Names are printed and joined to paths, so nothing else is taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyName(String);

impl KeyName {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._@+-".contains(c);
        let good = (1..=MAX_NAME_BYTES).contains(&text.len())
            && text.chars().all(allowed)
            && !text.starts_with(['.', '-'])
            && !KEY_SUFFIXES.iter().any(|suffix| text.ends_with(suffix));
        if good { Ok(Self(text.to_owned())) } else { Err(Failure::BadName(text.to_owned())) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What makes a text a path and not a name.
pub(crate) const KEY_SUFFIXES: [&str; 3] = [".key", ".pub", ".pem"];

const MAX_NAME_BYTES: usize = 64;

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
