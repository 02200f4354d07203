use super::*;
use crate::read_openssh_line;

const LINE: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
/// That of `ssh-keygen -l`.
const SSH: &str = "SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8";

fn key() -> VerifyingKey {
    read_openssh_line(LINE).unwrap().0
}

#[test]
fn both_forms_are_read_as_people_retype_them() {
    let (ssh, id) = (Fingerprint::ssh(&key()), Fingerprint::KeyId(key().id()));
    let hex = key().id().to_string();
    for (text, expected) in [
        (SSH.to_owned(), ssh),
        (SSH.replace("SHA256", "sha256"), ssh),
        (SSH.replace("SHA256:", ""), ssh),
        (SSH.replace("SHA256:", "SHA256: "), ssh),
        (format!(" {SSH}=\n"), ssh),
        (ssh.grouped(), ssh),
        (ssh.grouped().replace(' ', "-"), ssh),
        (ssh.grouped().replace(' ', "\u{a0}\t"), ssh),
        (hex.clone(), id),
        (hex.to_uppercase(), id),
        (id.grouped(), id),
        (id.grouped().replace(' ', "-"), id),
    ] {
        assert_eq!(Fingerprint::parse(&text), Ok(expected), "{text:?}");
    }
    assert_eq!((ssh.to_string().as_str(), id.to_string()), (SSH, hex));
    assert_eq!(id.grouped(), key().id().grouped());
}

#[test]
fn a_part_of_a_fingerprint_is_none() {
    let hex = key().id().to_string();
    let (ssh_part, hex_part) = (&SSH[..SSH.len() - 1], &hex[..63]);
    let texts = [
        "",
        "SHA256:",
        ssh_part,
        &format!("{SSH}A"),
        // The last character has two bits too many.
        &SSH.replace("bU8", "bU9"),
        &format!("{SSH}=="),
        hex_part,
        &format!("{hex}0"),
        &format!("{hex}00"),
        &hex.replace('8', "g"),
        // Hex after the name of the other form could be either.
        &format!("SHA256:{hex}"),
        "5f3a91c0\u{2026}d2c1",
        "\u{df}SHA256",
        LINE,
    ];
    for text in texts {
        assert_eq!(Fingerprint::parse(text), Err(FingerprintError::NotWhole), "{text:?}");
    }
    for text in ["MD5:00:11:22", "md5: 00"] {
        assert_eq!(Fingerprint::parse(text), Err(FingerprintError::Md5), "{text:?}");
    }
}

#[test]
fn every_character_of_a_fingerprint_counts() {
    for whole in [SSH.to_owned(), key().id().to_string()] {
        let start = whole.find(':').map_or(0, |colon| colon + 1);
        for place in start..whole.len() {
            let mut other = whole.clone().into_bytes();
            other[place] = if other[place] == b'0' { b'1' } else { b'0' };
            let other = String::from_utf8(other).unwrap();
            let matches = Fingerprint::parse(&other).is_ok_and(|told| told.is_of(&key()));
            assert!(!matches, "{other}");
        }
        assert!(Fingerprint::parse(&whole).unwrap().is_of(&key()));
    }
}

#[test]
fn letters_of_base64_have_their_case() {
    let told = Fingerprint::parse(&SSH.to_lowercase());
    assert!(!told.is_ok_and(|told| told.is_of(&key())));
}
