use super::*;

fn of(input: impl AsRef<[u8]>) -> Lookalike {
    Lookalike::of(input.as_ref(), Lookalike::NoTag)
}

const ARMOR: &str = "-----BEGIN BRINE ENVELOPE-----\n0oRYJqIBJwRY\n-----END BRINE ENVELOPE-----\n";

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

#[test]
fn damaged_armor_is_named_with_its_damage() {
    let marked = format!("\u{feff}{ARMOR}");
    for (input, damage) in [
        (marked.clone().into_bytes(), ArmorDamage::ByteOrderMark),
        (utf16(&marked, u16::to_le_bytes), ArmorDamage::Utf16),
        (utf16(&marked, u16::to_be_bytes), ArmorDamage::Utf16),
        (utf16(ARMOR, u16::to_le_bytes), ArmorDamage::Utf16),
        (format!("\n{ARMOR}").into_bytes(), ArmorDamage::TextBefore),
        (format!("Hello,\n\n{ARMOR}").into_bytes(), ArmorDamage::TextBefore),
        (format!("caf\u{e9} {ARMOR}").into_bytes(), ArmorDamage::TextBefore),
        (format!("  {ARMOR}").into_bytes(), ArmorDamage::Indented),
        (format!("Hello\n\t{ARMOR}").into_bytes(), ArmorDamage::Indented),
        (format!("> {ARMOR}").into_bytes(), ArmorDamage::Quoted),
        (format!("Bob wrote:\n> > {ARMOR}").into_bytes(), ArmorDamage::Quoted),
    ] {
        assert_eq!(of(&input), Lookalike::Armor(damage), "{input:?}");
    }
}

#[test]
fn envelopes_in_other_clothes_are_named() {
    let line = "0oRYJqIBJwRYIIZu771nGMiEbNfd_kP8dKsdqsRTj_hRTqLsLUEKQVdDoEVoZWxs";
    for (input, expected) in [
        (line.to_owned(), Lookalike::Records("lines")),
        (format!("{line}\n"), Lookalike::Records("lines")),
        (format!("{line}\r\n\r\n{line}\n"), Lookalike::Records("lines")),
        (format!("\n{line}\n"), Lookalike::Records("lines")),
        (format!("{line}\0{line}\0"), Lookalike::Records("null")),
        (line.replace('_', "/"), Lookalike::Base64),
        (format!("{line}\nb1hAi94OPTh4\n"), Lookalike::Base64),
        (format!("{line}="), Lookalike::Base64),
        ("\0\0\0\u{0}".to_owned(), Lookalike::NoTag),
    ] {
        assert_eq!(of(&input), expected, "{input:?}");
    }
    assert_eq!(of(b"\0\0\x01\x05\xd2\x84X"), Lookalike::Records("len32"));
}

#[test]
fn what_other_programs_make_is_named() {
    for (input, expected) in [
        (b"\x1f\x8b\x08\0".as_slice(), Lookalike::Compressed("gzip")),
        (b"\x28\xb5\x2f\xfd\x04", Lookalike::Compressed("zstd")),
        (b"\xfd7zXZ\0", Lookalike::Compressed("xz")),
        (b"BZh91AY&SY", Lookalike::Compressed("bzip2")),
        (b"PK\x03\x04", Lookalike::Compressed("zip")),
        (b"-----BEGIN PGP SIGNATURE-----\n\niH", Lookalike::OpenPgp),
        (b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n", Lookalike::OpenPgp),
        (b"\x88\x75\x04\0\x16", Lookalike::OpenPgp),
        (b"\x89\x01\x33\x04\0\x01", Lookalike::OpenPgp),
        (b"-----BEGIN SSH SIGNATURE-----\nU1NI", Lookalike::SshSignature),
        (b"\n  -----BEGIN SSH SIGNATURE-----\nU1NI", Lookalike::SshSignature),
        (b"SSHSIG\0\0\0\x01", Lookalike::SshSignature),
        (b"untrusted comment: signature from minisign secret key\nRUQ", Lookalike::Minisign),
        (b"-----BEGIN PKCS7-----\nMII", Lookalike::Cms),
        (b"\x30\x82\x01\x02\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0", Lookalike::Cms),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\n", Lookalike::Key),
        (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n", Lookalike::Key),
        (b"-----BEGIN CERTIFICATE-----\n", Lookalike::Certificate),
        (b"-----BEGIN CERTIFICATE REQUEST-----\n", Lookalike::Certificate),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n", Lookalike::Age),
        (b"age-encryption.org/v1\n-> X25519 ", Lookalike::Age),
        (b"-----BEGIN DH PARAMETERS-----\n", Lookalike::OtherArmor),
        (b"{\"payload\": 1}", Lookalike::Json),
        (b"eyJhbGciOiJFZERTQSJ9.e30.c2ln", Lookalike::Jwt),
        (b"\xff\xfea\0", Lookalike::Utf16),
        (b"\r\n", Lookalike::WhiteSpace),
        (b"-----BEGIN", Lookalike::Text),
        (b"\x89PNG\r\n", Lookalike::File("a PNG image")),
        (b"\x84\x01\x02\x04", Lookalike::NoTag),
    ] {
        assert_eq!(of(input), expected, "{input:?}");
    }
}

#[test]
fn what_a_download_gives_in_place_of_a_file_is_named() {
    for (input, expected) in [
        ("<!DOCTYPE html>\n<title>404</title>", Lookalike::Html),
        ("\n<HTML><head><title>301 Moved Permanently", Lookalike::Html),
        ("\u{feff}<html>", Lookalike::Html),
        ("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", Lookalike::Xml),
        ("<Error><Code>NoSuchKey</Code></Error>", Lookalike::Xml),
        ("HTTP/1.1 302 Found\r\nlocation: /x\r\n", Lookalike::HttpResponse),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", Lookalike::GitLfs),
        ("{\"message\":\"Not Found\",\"status\":\"404\"}", Lookalike::Json),
        ("{}", Lookalike::Json),
        ("[]\n", Lookalike::Json),
        ("404: Not Found", Lookalike::Text),
        ("caf\u{e9}\t\u{4e2d}\r\n", Lookalike::Text),
        ("Received: from mx\n", Lookalike::Mail),
        ("#!/bin/sh\necho hello\n", Lookalike::Script),
        ("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", Lookalike::Zeros),
        ("bell \u{7}", Lookalike::NoTag),
    ] {
        assert_eq!(of(input), expected, "{input:?}");
    }
    let cut = "\u{4e2d}".repeat(LOOKED_AT_BYTES / 3 + 1);
    assert_eq!(of(&cut), Lookalike::Text, "a character is cut where nobody looks any further");
}

#[test]
fn what_signs_in_other_ways_is_named() {
    let sum = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";
    for (input, expected) in [
        (format!("{sum}  a.txt\n"), Lookalike::Checksums),
        (format!("{sum} *a.txt\n"), Lookalike::Checksums),
        (format!("SHA256 (a.txt) = {sum}\n"), Lookalike::Checksums),
        (format!("{sum}\n"), Lookalike::Text),
        ("untrusted comment: verify with k.pub\nRWS".to_owned(), Lookalike::Minisign),
        ("untrusted comment: minisign public key 5A\nRWQ".to_owned(), Lookalike::Key),
        ("untrusted comment: signify public key\nRWQ".to_owned(), Lookalike::Key),
        ("ssh-ed25519 AAAAC3Nza me@host\n".to_owned(), Lookalike::Key),
        (
            "{\"payloadType\":\"application/vnd.in-toto+json\",\"payload\":\"\",\"signatures\":[]}"
                .to_owned(),
            Lookalike::Dsse,
        ),
        (
            "{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\"}".to_owned(),
            Lookalike::Sigstore,
        ),
        (
            "{\"payload\":\"e30\",\"protected\":\"e30\",\"signature\":\"c2ln\"}".to_owned(),
            Lookalike::Jws,
        ),
        ("{\"schema\":\"brine.verdict/1\",\"status\":0}".to_owned(), Lookalike::Report),
        ("[[signer]]\nname = \"a\"\n".to_owned(), Lookalike::TrustFile),
        ("[[allow]]\nsigners = [\"a\"]\n".to_owned(), Lookalike::Policy),
    ] {
        assert_eq!(of(&input), expected, "{input:?}");
    }
    for (input, expected) in [
        (&b"\x84\x5e\x03\x01"[..], Lookalike::OpenPgp),
        (b"\x85\x01\x8c\x03\x01", Lookalike::OpenPgp),
        (b"\x90\x0d\x03\x00\x0a", Lookalike::OpenPgp),
        (b"\xa3\x01\x5b\x03", Lookalike::OpenPgp),
        (b"\x98\x33\x04\x66", Lookalike::Key),
        (b"\xa3\x01\x01\x20\x06", Lookalike::NoTag),
        (b"\x80\x04\x95\x01", Lookalike::File("a pickle")),
        (b"\x7fELF\x02", Lookalike::File("a program")),
    ] {
        assert_eq!(of(input), expected, "{input:02x?}");
    }
    let mut tar = vec![0; 512];
    tar[..5].copy_from_slice(b"a.txt");
    tar[257..262].copy_from_slice(b"ustar");
    assert_eq!(of(&tar), Lookalike::File("a tar archive"));
}

#[test]
fn no_more_than_the_beginning_is_looked_at() {
    let near = format!("{}{ARMOR}", "\n".repeat(LOOKED_AT_BYTES - 30));
    assert_eq!(of(&near), Lookalike::Armor(ArmorDamage::TextBefore));
    let far = format!("{}{ARMOR}", "x".repeat(LOOKED_AT_BYTES - 29));
    assert_eq!(of(&far), Lookalike::Text);
}
