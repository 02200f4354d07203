//! What reads that which arrived in place of an envelope.

use brine_core::{ArmorDamage, Lookalike};

/// Returns what to type.
pub(super) fn way_out(found: Lookalike) -> &'static str {
    match found {
        Lookalike::Age => "\"age -d\" decrypts it",
        Lookalike::Armor(damage) => repair(damage),
        Lookalike::Base64 => "\"base64 -d\" decodes it",
        Lookalike::Certificate => "\"openssl x509 -noout -text\" shows it",
        Lookalike::Checksums => {
            "\"sha256sum -c\" compares files with it; \"brine sign\" signs the list itself"
        }
        Lookalike::Cms => "\"openssl cms -verify\" reads it",
        Lookalike::Compressed(_) => {
            "unpack it first: \"gzip -dc\", \"zstd -dc\", \"xz -dc\", \"bzip2 -dc\" or \"unzip -p\""
        }
        Lookalike::Dsse => "\"cosign verify-attestation\" or \"slsa-verifier\" reads it",
        Lookalike::Empty | Lookalike::WhiteSpace => {
            "whatever should have written it failed or wrote nothing: see what that says, and get it again"
        }
        Lookalike::GitLfs => "\"git lfs pull\" fetches the file",
        Lookalike::Html | Lookalike::Xml => {
            "a server may have answered with a page: \"curl -fL\" follows redirects and tells of errors"
        }
        Lookalike::HttpResponse => "leave out \"curl -i\", and give \"curl -fL\"",
        Lookalike::Jws | Lookalike::Jwt => {
            "\"step crypto jws verify\" and libraries for JOSE read it"
        }
        Lookalike::Key => "\"-k KEY\" takes a private key; \"-p KEY\" takes a public key",
        Lookalike::Mail => "save what is attached to it, and verify that",
        Lookalike::Minisign => "\"minisign -V\" or \"signify -V\" reads it",
        Lookalike::OpenPgp => "\"gpg --verify\" checks a signature, \"gpg --decrypt\" a message",
        Lookalike::Policy => "\"--policy FILE\" takes it; \"brine policy check FILE\" reads it",
        Lookalike::Records("len32") => "give --len32",
        Lookalike::Records("null") => "give --null",
        Lookalike::Records(_) => "give --lines",
        Lookalike::Report => "it tells of an envelope; name that",
        Lookalike::Sigstore => "\"cosign verify-blob --bundle\" reads it",
        Lookalike::SshSignature => "\"ssh-keygen -Y verify\" reads it",
        Lookalike::TrustFile => {
            "\"--trust FILE\" takes it; \"brinekey trust list --trust FILE\" shows it"
        }
        Lookalike::Utf16 => {
            "\"iconv -f UTF-16 -t UTF-8\" converts it; PowerShell writes UTF-16 with >"
        }
        Lookalike::Zeros => {
            "a download or copy that was not finished looks like this; get it again"
        }
        _ => "\"brine sign\" makes envelopes; unsigned data is never passed on",
    }
}

const fn repair(damage: ArmorDamage) -> &'static str {
    match damage {
        ArmorDamage::ByteOrderMark => "take the mark off: \"tail -c +4\"",
        ArmorDamage::Indented | ArmorDamage::Quoted => {
            "\"sed -n 's/^[> \\t]*//; /^-----BEGIN/,/^-----END/p'\" takes it out"
        }
        ArmorDamage::Utf16 => {
            "\"iconv -f UTF-16 -t UTF-8\" restores it; PowerShell writes UTF-16 with >"
        }
        _ => "\"sed -n '/^-----BEGIN/,/^-----END/p'\" takes it out",
    }
}
