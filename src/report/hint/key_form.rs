//! The way from a form of key that is not supported to one that is.

use std::path::Path;

use brine_keys::{Fingerprint, OtherKeyForm};

use crate::report::console::typeable;

/// Returns what to type in place of something that is no name of a key, and is known to be something else.
pub(super) fn of_name(text: &str) -> Option<String> {
    if text == "-" {
        return Some("\"/dev/stdin\" names standard input where a key is read".to_owned());
    }
    let digits = text.strip_prefix("SHA256:")?;
    Some(match Fingerprint::parse(text) {
        Ok(_) => "a fingerprint tells keys apart, and is none: name the key itself, as in ./NAME.pub, or whom the \
                  trust file calls by a name"
            .to_owned(),
        Err(_) if digits.chars().count() == 43 => {
            "a character of this fingerprint was mistyped".to_owned()
        }
        Err(_) => format!(
            "a fingerprint has 43 characters after SHA256:; this has {}",
            digits.chars().count()
        ),
    })
}

/// Returns what to type where a private key was to be in a file, and a public one is.
pub(super) fn of_public(path: &Path) -> String {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let file = match path.components().count() {
        1 => Path::new(".").join(path),
        _ => path.to_owned(),
    };
    let (name, file) = (typeable(&name), typeable(&file.to_string_lossy()));
    format!(
        "that is a public key; signing takes the private one; to trust it: brinekey trust add {name} {file}"
    )
}

/// Returns what to type, where a program converts the form.
pub(super) const fn conversion(form: OtherKeyForm) -> Option<&'static str> {
    Some(match form {
        OtherKeyForm::Certificate => {
            "\"openssl x509 -in FILE -noout -pubkey\" prints the public key in it"
        }
        OtherKeyForm::Der => {
            "\"openssl pkcs8 -topk8 -inform DER -in FILE -out NEW\" converts a private key, \"openssl pkey -pubin \
             -inform DER -in FILE -out NEW\" a public one"
        }
        OtherKeyForm::OpensshCertificate => {
            "name the key that it certifies: the .pub file beside it"
        }
        OtherKeyForm::OpensshOptions => {
            "\"--trust FILE\" takes lines with names; a key file begins with ssh-ed25519"
        }
        OtherKeyForm::OpensslText => {
            "\"openssl pkey -in KEY\", without an option that leaves it out, prints the key too"
        }
        // The second function is the default since OpenSSL 1.1, and not before.
        OtherKeyForm::Pkcs8Encryption
        | OtherKeyForm::Pkcs8Pbes1
        | OtherKeyForm::Pkcs8Sha1
        | OtherKeyForm::Pkcs8TripleDes => {
            "\"openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -in FILE -out NEW\" converts it"
        }
        OtherKeyForm::Pkcs12 => "\"openssl pkcs12 -in FILE -nocerts -out NEW\" takes the key out",
        OtherKeyForm::Putty => "\"puttygen FILE -O private-openssh-new -o NEW\" converts it",
        OtherKeyForm::Ssh2 => "\"ssh-keygen -i -f FILE\" prints it as an OpenSSH line",
        OtherKeyForm::OpenPgpMessage => "\"gpg\" reads it; it holds no key",
        OtherKeyForm::SshSignature => "\"ssh-keygen -Y verify\" reads it; it holds no key",
        _ => return None,
    })
}
