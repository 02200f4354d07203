//! What reads that which arrived in place of an envelope.

use brine_core::{ArmorDamage, Lookalike};

/// Returns what to type.
pub(super) fn way_out(found: Lookalike) -> &'static str {
    match found {
        Lookalike::Armor(damage) => repair(damage),
        Lookalike::Base64 => "\"base64 -d\" decodes it",
        Lookalike::Cms => "\"openssl cms -verify\" reads it",
        Lookalike::Compressed(_) => {
            "unpack it first: gzip -dc, zstd -dc, xz -dc, bzip2 -dc or unzip -p"
        }
        Lookalike::Key => "keys are given with -k and -p",
        Lookalike::Minisign => "\"minisign -V\" or \"signify -V\" reads it",
        Lookalike::OpenPgp => "\"gpg --verify\" reads it",
        Lookalike::Records("len32") => "give --len32",
        Lookalike::Records("null") => "give --null",
        Lookalike::Records(_) => "give --lines",
        Lookalike::SshSignature => "\"ssh-keygen -Y verify\" reads it",
        Lookalike::Utf16 => {
            "\"iconv -f UTF-16 -t UTF-8\" converts it; PowerShell writes UTF-16 with >"
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
