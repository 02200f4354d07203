//! The command line of `brinekey`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{PassphraseArgs, parse_context, parse_time};
use crate::claims::Timestamp;

/// Make and keep keys, and say whom to trust
///
/// Keys are files in $BRINE_HOME/keys, else $XDG_CONFIG_HOME/brine/keys, else ~/.config/brine/keys:
/// NAME.key is the private half (PKCS#8), NAME.pub the public one. trust.toml beside them lists the
/// signers that "brine verify" believes.
#[derive(Debug, Parser)]
#[command(name = "brinekey", version, propagate_version = true, after_long_help = EXAMPLES)]
pub struct BrineKey {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  Make a key, and let others trust it:
    $ brinekey gen
    $ brinekey pub > me.pub

  Trust somebody else's, for one purpose:
    $ brinekey trust add alice ./alice.pub --context 'reports/*'";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    #[command(after_long_help = GEN_EXAMPLES)]
    Gen(Gen),
    #[command(after_long_help = PUB_EXAMPLES)]
    Pub(Pub),
    #[command(after_long_help = LIST_EXAMPLES)]
    List(List),
    #[command(after_long_help = SHOW_EXAMPLES)]
    Show(Show),
    #[command(after_long_help = PASSWD_EXAMPLES)]
    Passwd(Passwd),
    #[command(after_long_help = IMPORT_EXAMPLES)]
    Import(Import),
    #[command(after_long_help = EXPORT_EXAMPLES)]
    Export(Export),
    #[command(subcommand, after_long_help = TRUST_EXAMPLES)]
    Trust(Trust),
}

/// Make a new Ed25519 key
///
/// Asks for a passphrase where there is a terminal; an empty one leaves the key unencrypted. Trusts
/// the new key under its name. Never overwrites a key. Writes the public key to standard output.
#[derive(Args, Debug)]
pub struct Gen {
    /// What to call it
    #[arg(value_name = "NAME", default_value = "default")]
    pub name: String,

    /// Do not add the key to the trust file
    #[arg(long)]
    pub no_trust: bool,

    /// Do not ask for a passphrase: leave the key unencrypted
    #[arg(long, conflicts_with_all = ["passphrase_file", "passphrase_fd"])]
    pub no_passphrase: bool,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

const GEN_EXAMPLES: &str = "\
Examples:
  Make the key that \"brine sign\" uses:
    $ brinekey gen

  Make a key for a worker, in a script:
    $ brinekey gen worker --passphrase-file /run/secrets/worker";

/// Write the public half of a key to standard output
#[derive(Args, Debug)]
pub struct Pub {
    /// Which key: a name or a file
    #[arg(value_name = "KEY", default_value = "default")]
    pub key: String,

    /// In which form
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub form: PublicForm,
}

const PUB_EXAMPLES: &str = "\
Examples:
  For a trust file or allowed_signers:
    $ brinekey pub

  For OpenSSL:
    $ brinekey pub --form spki > me.pem";

/// A form of public keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PublicForm {
    /// One line: ssh-ed25519 ...
    #[default]
    Openssh,
    /// SubjectPublicKeyInfo in PEM (RFC 8410)
    Spki,
}

/// List the keys in the key store
#[derive(Args, Debug)]
pub struct List {
    /// Write one line of JSON for each key
    #[arg(long)]
    pub json: bool,
}

const LIST_EXAMPLES: &str = "\
Examples:
  The names of all encrypted keys:
    $ brinekey list --json | jq -r 'select(.encrypted) | .name'";

/// Show the fingerprints of a key
///
/// Shows the key id of COSE (the thumbprint of RFC 9679) and the SHA256 fingerprint of OpenSSH, also
/// grouped to be read aloud.
#[derive(Args, Debug)]
pub struct Show {
    /// Which key: a name, a file, or the text of an OpenSSH public key
    #[arg(value_name = "KEY", default_value = "default")]
    pub key: String,

    /// Write one line of JSON
    #[arg(long)]
    pub json: bool,
}

const SHOW_EXAMPLES: &str = "\
Examples:
  Compare with what somebody reads to you over the telephone:
    $ brinekey show ./alice.pub";

/// Change the passphrase of a key
///
/// Asks for the old one, if there is one, and for the new one; an empty new one decrypts the key.
#[derive(Args, Debug)]
pub struct Passwd {
    /// Which key: a name, or a PKCS#8 file
    #[arg(value_name = "KEY", default_value = "default")]
    pub key: String,

    /// Read the new passphrase from FILE instead of the terminal
    #[arg(long, value_name = "FILE")]
    pub new_passphrase_file: Option<PathBuf>,

    /// Leave the key unencrypted
    #[arg(long, conflicts_with = "new_passphrase_file")]
    pub no_passphrase: bool,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

const PASSWD_EXAMPLES: &str = "\
Examples:
  Give the default key a passphrase:
    $ brinekey passwd

  Rotate the passphrase of a worker in a script:
    $ brinekey passwd worker --passphrase-file old --new-passphrase-file new";

/// Take a private key file into the key store
///
/// Reads PKCS#8 (PEM) and OpenSSH private keys. A passphrase on FILE is kept.
#[derive(Args, Debug)]
pub struct Import {
    /// What to call it
    #[arg(value_name = "NAME")]
    pub name: String,

    /// The private key; "-" is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Add the key to the trust file, too
    #[arg(long)]
    pub trust: bool,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  Sign with your SSH key by default:
    $ brinekey import default ~/.ssh/id_ed25519";

/// Write a private key in another form
///
/// A passphrase on the key is kept, unless --no-passphrase is given.
#[derive(Args, Debug)]
pub struct Export {
    /// Which key: a name or a file
    #[arg(value_name = "KEY", default_value = "default")]
    pub key: String,

    /// In which form
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub form: PrivateForm,

    /// Write to FILE, readable by its owner only; "-" is standard output, even a terminal
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Leave the exported key unencrypted
    #[arg(long)]
    pub no_passphrase: bool,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

const EXPORT_EXAMPLES: &str = "\
Examples:
  Use the key with ssh-keygen:
    $ brinekey export --form openssh -o id_brine";

/// A form of private keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PrivateForm {
    /// PKCS#8 in PEM (RFC 5958), as OpenSSL reads it
    #[default]
    Pkcs8,
    /// An OpenSSH private key file
    Openssh,
}

/// Say whom to trust
#[derive(Debug, Subcommand)]
pub enum Trust {
    #[command(after_long_help = TRUST_ADD_EXAMPLES)]
    Add(TrustAdd),
    #[command(after_long_help = TRUST_LIST_EXAMPLES)]
    List(TrustList),
    #[command(after_long_help = TRUST_REMOVE_EXAMPLES)]
    Remove(TrustRemove),
    #[command(after_long_help = TRUST_CHECK_EXAMPLES)]
    Check(TrustCheck),
}

const TRUST_EXAMPLES: &str = "\
Examples:
  Trust alice for her reports, until the end of the year:
    $ brinekey trust add alice ./alice.pub --context 'reports/*' --not-after 2027-01-01T00:00:00Z";

/// Trust a key under a name
///
/// Comments in the trust file are kept.
#[derive(Args, Debug)]
pub struct TrustAdd {
    /// What to call the signer
    #[arg(value_name = "NAME")]
    pub name: String,

    /// The public key: its OpenSSH text, a file, or a name in the key store
    #[arg(value_name = "KEY")]
    pub key: String,

    /// Only for contexts like this; * stands for anything but a slash (can be repeated)
    ///
    /// A signer with contexts is not believed for signatures without one.
    #[arg(long = "context", value_name = "GLOB")]
    pub contexts: Vec<String>,

    /// Not before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub not_before: Option<Timestamp>,

    /// Only before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub not_after: Option<Timestamp>,

    #[command(flatten)]
    pub file: TrustFile,
}

const TRUST_ADD_EXAMPLES: &str = "\
Examples:
  From a file:
    $ brinekey trust add alice ./alice.pub

  From a message:
    $ brinekey trust add alice \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI...\"";

/// List whom you trust
#[derive(Args, Debug)]
pub struct TrustList {
    /// Write one line of JSON for each signer
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub file: TrustFile,
}

const TRUST_LIST_EXAMPLES: &str = "\
Examples:
  Everybody, and what for:
    $ brinekey trust list";

/// Trust a signer no more
///
/// Removes every entry with this name or key. To keep on record that a key must not be believed,
/// give its entry a revoked-at time in the trust file instead.
#[derive(Args, Debug)]
pub struct TrustRemove {
    /// The signer's name, its key id in hex, or the text of its public key
    #[arg(value_name = "SIGNER")]
    pub signer: String,

    #[command(flatten)]
    pub file: TrustFile,
}

const TRUST_REMOVE_EXAMPLES: &str = "\
Examples:
  By name:
    $ brinekey trust remove alice";

/// Say what would be believed of a key, and why
///
/// Ends with status 0 if its signatures would be believed, and with 5 if not.
#[derive(Args, Debug)]
pub struct TrustCheck {
    /// The public key: its OpenSSH text, a file, or a name
    #[arg(value_name = "KEY")]
    pub key: String,

    /// For a signature with this context; without it, for one that has none
    #[arg(long, value_name = "TEXT", value_parser = parse_context)]
    pub context: Option<String>,

    /// As of this moment
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub now: Option<Timestamp>,

    /// Believe none of the keys in FILE, one OpenSSH public key a line
    #[arg(long, value_name = "FILE")]
    pub revoked: Option<PathBuf>,

    #[command(flatten)]
    pub file: TrustFile,
}

const TRUST_CHECK_EXAMPLES: &str = "\
Examples:
  Would alice be believed for this?
    $ brinekey trust check ./alice.pub --context reports/daily";

/// Which trust file.
#[derive(Args, Clone, Debug, Default)]
pub struct TrustFile {
    /// Use this trust file instead of the default one
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
}
