//! Forms of text, told by how they begin.

use super::{Lookalike, contains, text_of};

/// Recognises text.
pub(super) fn recognise(start: &[u8]) -> Option<Lookalike> {
    let text = text_of(start);
    Some(match text {
        [] => Lookalike::WhiteSpace,
        // What follows the first two bytes of an envelope is in the third character.
        [b'0', b'o', b'Q'..=b'T', ..] => of_base64(text),
        [b'{' | b'[', b'"' | b'{' | b'\n' | b' ' | b'\r' | b'}' | b']', ..] => of_json(text),
        [b'<', ..] => of_markup(text),
        _ => match BEGINNINGS.iter().find(|(beginning, _)| text.starts_with(beginning)) {
            Some((_, found)) => *found,
            None if text.starts_with(MINISIGN) => of_minisign(text),
            None if is_checksum(text) => Lookalike::Checksums,
            None if is_text(text) => Lookalike::Text,
            None => return None,
        },
    })
}

/// Tells records, each of which is base64url text, from an envelope that some program wrote in lines of base64.
fn of_base64(text: &[u8]) -> Lookalike {
    if text.contains(&0) {
        return Lookalike::Records("null");
    }
    let mut lines = text.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let is_wrapped = lines.nth(1).is_some_and(|second| !second.starts_with(b"0o"));
    let is_padded = text.iter().any(|byte| b"+/=".contains(byte));
    if is_wrapped || is_padded { Lookalike::Base64 } else { Lookalike::Records("lines") }
}

/// Tells what signs with JSON by its member names.
fn of_json(text: &[u8]) -> Lookalike {
    let has = |name: &[u8]| contains(text, name);
    if has(b"\"payloadType\"") && has(b"\"signatures\"") {
        Lookalike::Dsse
    } else if has(b"application/vnd.dev.sigstore.") {
        Lookalike::Sigstore
    } else if has(b"\"protected\"") && has(b"\"signature\"") {
        Lookalike::Jws
    } else if has(b"\"schema\":\"brine.") {
        Lookalike::Report
    } else {
        Lookalike::Json
    }
}

fn of_markup(text: &[u8]) -> Lookalike {
    let begins =
        |with: &[u8]| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    if [&b"<!doctype html"[..], b"<html", b"<head", b"<body", b"<!--"]
        .iter()
        .any(|with| begins(with))
    {
        Lookalike::Html
    } else {
        Lookalike::Xml
    }
}

/// Tells keys of minisign and signify from signatures. The comment of a signature names the key, too.
fn of_minisign(text: &[u8]) -> Lookalike {
    let comment = text.get(MINISIGN.len()..).unwrap_or_default().trim_ascii_start();
    let line = comment.split(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let is_key = line.ends_with(b"public key")
        || line.ends_with(b"secret key")
        || line.starts_with(b"minisign public key");
    if is_key && !line.starts_with(b"signature") { Lookalike::Key } else { Lookalike::Minisign }
}

/// Returns whether the first line is of a checksum: hex digits and a name, or as BSD writes it.
fn is_checksum(text: &[u8]) -> bool {
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let rest = line.get(digits..).unwrap_or_default();
    let is_gnu = matches!(digits, 32 | 40 | 56 | 64 | 96 | 128)
        && (rest.starts_with(b"  ") || rest.starts_with(b" *"));
    let is_bsd = [&b"MD5 ("[..], b"SHA1 (", b"SHA256 (", b"SHA512 (", b"BLAKE2b ("];
    is_gnu || is_bsd.iter().any(|with| line.starts_with(with)) && contains(line, b") = ")
}

/// Returns whether this is text, of which the last character may be cut.
fn is_text(text: &[u8]) -> bool {
    let whole = match std::str::from_utf8(text) {
        Ok(whole) => whole,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(text.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or("")
        }
        Err(_) => return false,
    };
    !whole.is_empty()
        && whole.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}'))
}

/// How the text of other programs begins.
const BEGINNINGS: &[(&[u8], Lookalike)] = &[
    (b"#!", Lookalike::Script),
    (b"[[signer]]", Lookalike::TrustFile),
    (b"[[allow]]", Lookalike::Policy),
    (b"version https://git-lfs.github.com/spec/", Lookalike::GitLfs),
    (b"HTTP/", Lookalike::HttpResponse),
    (b"eyJ", Lookalike::Jwt),
    (b"ssh-ed25519 ", Lookalike::Key),
    (b"ssh-rsa ", Lookalike::Key),
    (b"ecdsa-sha2-", Lookalike::Key),
    (b"sk-ssh-", Lookalike::Key),
    (b"age1", Lookalike::Key),
    (b"AGE-SECRET-KEY-", Lookalike::Key),
    (b"PuTTY-User-Key-File", Lookalike::Key),
    (b"# v2 git bundle", Lookalike::File("a Git bundle")),
    (b"# v3 git bundle", Lookalike::File("a Git bundle")),
    (b"$ANSIBLE_VAULT;", Lookalike::File("an Ansible vault")),
    (b"Return-Path:", Lookalike::Mail),
    (b"Received:", Lookalike::Mail),
    (b"Delivered-To:", Lookalike::Mail),
    (b"MIME-Version:", Lookalike::Mail),
    (b"From: ", Lookalike::Mail),
];

const MINISIGN: &[u8] = b"untrusted comment:";
