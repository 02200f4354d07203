//! The command line of `brinekey`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::certify::{CA_EXAMPLES, Ca, ISSUE_EXAMPLES, Issue};
use super::help::first_of;
use super::key_care::{CHECK_EXAMPLES, Check, REMOVE_EXAMPLES, RENAME_EXAMPLES, Remove, Rename};
use super::statement::{REVOKE_EXAMPLES, ROTATE_EXAMPLES, Revoke, Rotate};
use super::trust::{TrustFile, TrustVerb};
use super::{PassphraseArgs, PermissionArgs};

/// Make and keep keys, and choose whom to trust
///
/// Keys are files in $BRINE_HOME/keys, else $XDG_CONFIG_HOME/brine/keys, else ~/.config/brine/keys:
/// NAME.key is the private half (PKCS#8), NAME.pub the public one. trust.toml beside them lists the
/// signers that "brine verify" believes.
#[derive(Debug, Parser)]
#[command(name = "brinekey", version, max_term_width = 80,
    after_long_help = EXAMPLES, after_help = first_of(EXAMPLES))]
pub struct BrineKey {
    /// What to do.
    #[command(subcommand)]
    pub verb: BrinekeyVerb,
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
#[command(defer = true)]
pub enum BrinekeyVerb {
    /// Make a new Ed25519 key
    #[command(after_long_help = GEN_EXAMPLES, after_help = first_of(GEN_EXAMPLES))]
    Gen(Gen),
    /// Make a key that certifies the keys of others
    #[command(after_long_help = CA_EXAMPLES, after_help = first_of(CA_EXAMPLES))]
    Ca(Ca),
    /// Certify a key: say whose it is, until when, and for which contexts
    #[command(after_long_help = ISSUE_EXAMPLES, after_help = first_of(ISSUE_EXAMPLES))]
    Issue(Issue),
    /// Revoke keys for everybody who trusts the signer
    #[command(after_long_help = REVOKE_EXAMPLES, after_help = first_of(REVOKE_EXAMPLES))]
    Revoke(Revoke),
    /// Announce the successor of a key
    #[command(after_long_help = ROTATE_EXAMPLES, after_help = first_of(ROTATE_EXAMPLES))]
    Rotate(Rotate),
    /// Write the public half of a key to standard output
    #[command(after_long_help = PUB_EXAMPLES, after_help = first_of(PUB_EXAMPLES))]
    Pub(Pub),
    /// List the keys in the key store, and those in the SSH agent
    #[command(after_long_help = LIST_EXAMPLES, after_help = first_of(LIST_EXAMPLES))]
    List(List),
    /// Show the fingerprints of a key
    #[command(after_long_help = SHOW_EXAMPLES, after_help = first_of(SHOW_EXAMPLES))]
    Show(Show),
    /// Change the passphrase of a key
    #[command(after_long_help = PASSWD_EXAMPLES, after_help = first_of(PASSWD_EXAMPLES))]
    Passwd(Passwd),
    /// Import a private key file into the key store
    #[command(after_long_help = IMPORT_EXAMPLES, after_help = first_of(IMPORT_EXAMPLES))]
    Import(Import),
    /// Write a private key in another form
    #[command(after_long_help = EXPORT_EXAMPLES, after_help = first_of(EXPORT_EXAMPLES))]
    Export(Export),
    /// Rename a key of the key store
    #[command(after_long_help = RENAME_EXAMPLES, after_help = first_of(RENAME_EXAMPLES))]
    Rename(Rename),
    /// Remove a key from the key store
    #[command(after_long_help = REMOVE_EXAMPLES, after_help = first_of(REMOVE_EXAMPLES))]
    Remove(Remove),
    /// Check keys and trust for what is wrong, and say what to type
    #[command(after_long_help = CHECK_EXAMPLES, after_help = first_of(CHECK_EXAMPLES))]
    Check(Check),
    /// Manage the trust file
    #[command(subcommand, after_long_help = TRUST_EXAMPLES, after_help = first_of(TRUST_EXAMPLES))]
    Trust(TrustVerb),
}

/// Make a new Ed25519 key
///
/// Asks for a passphrase if there is a terminal; an empty one leaves the key unencrypted. Adds the new key to
/// the trust file under its name. Never overwrites a key. Writes the public key to standard output.
#[derive(Args, Debug)]
pub struct Gen {
    /// The name of the key
    #[arg(value_name = "NAME", default_value = "default")]
    pub name: String,

    /// Do not add the key to the trust file
    #[arg(long)]
    pub no_trust: bool,

    /// Leave the key unencrypted, without asking for a passphrase
    #[arg(long, conflicts_with_all = ["passphrase_file", "passphrase_fd"])]
    pub no_passphrase: bool,

    /// Write one line of JSON instead of the public key
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,

    #[command(flatten)]
    pub permissions: PermissionArgs,
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
    /// The key: a name, a file, or agent:NAME
    #[arg(value_name = "KEY", default_value = "default")]
    pub key: String,

    /// The form to write
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub form: PublicForm,

    /// Describe the key on standard error as a line of JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub permissions: PermissionArgs,
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

/// List the keys in the key store, and those in the SSH agent
///
/// SSH_AUTH_SOCK names the agent. One that does not answer within 2 s is passed over.
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
/// Shows the OpenSSH SHA256 fingerprint and the COSE key id (the thumbprint of RFC 9679), each also in groups
/// for reading aloud. Where no key in the key store has the name, it is that of a trusted signer; where both have it,
/// both are shown.
#[derive(Args, Debug)]
pub struct Show {
    /// The key: a name, a file, the text of an OpenSSH public key, or the fingerprint of a trusted key
    #[arg(value_name = "KEY", default_value = "default")]
    pub key: String,

    /// Write one line of JSON for each key
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub file: TrustFile,
}

const SHOW_EXAMPLES: &str = "\
Examples:
  Read your fingerprint to somebody:
    $ brinekey show

  Compare with a fingerprint that somebody reads to you:
    $ brinekey show ./alice.pub";

/// Change the passphrase of a key
///
/// Asks for the old passphrase, if there is one, and for the new one. An empty new passphrase leaves the key
/// unencrypted.
#[derive(Args, Debug)]
pub struct Passwd {
    /// The key: a name, or a PKCS#8 file
    #[arg(value_name = "KEY", default_value = "default")]
    pub key: String,

    /// Read the new passphrase from FILE instead of the terminal
    #[arg(long, value_name = "FILE")]
    pub new_passphrase_file: Option<PathBuf>,

    /// Leave the key unencrypted
    #[arg(long, conflicts_with = "new_passphrase_file")]
    pub no_passphrase: bool,

    /// Write one line of JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,

    #[command(flatten)]
    pub permissions: PermissionArgs,
}

const PASSWD_EXAMPLES: &str = "\
Examples:
  Give the default key a passphrase:
    $ brinekey passwd

  Rotate the passphrase of a worker in a script:
    $ brinekey passwd worker --passphrase-file old --new-passphrase-file new";

/// Import a private key file into the key store
///
/// Reads PKCS#8 (PEM) and OpenSSH private keys. The passphrase of FILE is kept.
#[derive(Args, Debug)]
pub struct Import {
    /// The name of the key
    #[arg(value_name = "NAME")]
    pub name: String,

    /// The private key; "-" is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Add the key to the trust file, too
    #[arg(long)]
    pub trust: bool,

    /// Write one line of JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,

    #[command(flatten)]
    pub permissions: PermissionArgs,
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  Sign with your SSH key by default:
    $ brinekey import default ~/.ssh/id_ed25519";

/// Write a private key in another form
///
/// The passphrase of the key is kept, unless --no-passphrase is given.
#[derive(Args, Debug)]
pub struct Export {
    /// The key: a name or a file
    #[arg(value_name = "KEY", default_value = "default")]
    pub key: String,

    /// The form to write
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub form: PrivateForm,

    /// Write to FILE, readable by its owner only; "-" is standard output, even a terminal
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Leave the exported key unencrypted
    #[arg(long)]
    pub no_passphrase: bool,

    /// Describe the key on standard error as a line of JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,

    #[command(flatten)]
    pub permissions: PermissionArgs,
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

const TRUST_EXAMPLES: &str = "\
Examples:
  Trust alice for her reports, until the end of the year:
    $ brinekey trust add alice ./alice.pub -c 'reports/*' --not-after 2027-01-01

  Her laptop is stolen, and its key no longer hers alone:
    $ brinekey trust revoke alice --reason 'laptop stolen'";
