use super::*;

fn refusal(bytes: &[u8]) -> KeyFileError {
    match KeyForm::of(bytes) {
        Ok(_) => panic!("accepted: {:?}", str::from_utf8(bytes)),
        Err(error) => error,
    }
}

fn malformed(why: &str) -> KeyFileError {
    KeyFileError::malformed(PEM, why)
}

#[test]
fn unsupported_forms_are_refused_by_name() {
    for (bytes, form) in [
        (fixture!("ed25519.cert.pem"), OtherKeyForm::Certificate),
        (fixture!("ed25519.der"), OtherKeyForm::Der),
        (fixture!("rsa.der"), OtherKeyForm::Der),
        (fixture!("ed25519.p12"), OtherKeyForm::Pkcs12),
        (fixture!("ssh-cert.pub"), OtherKeyForm::OpensshCertificate),
        (b"\xa4\x01\x01\x03\x27\x20\x06\x21\x40", OtherKeyForm::CoseKey),
        (b"{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}", OtherKeyForm::Jwk),
        (b"[{\"kty\":\"OKP\"}]", OtherKeyForm::Jwk),
        (b"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", OtherKeyForm::Putty),
        (b"untrusted comment: minisign public key 0\nRWQ\n", OtherKeyForm::Minisign),
        (b"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3", OtherKeyForm::Minisign),
        (b"AGE-SECRET-KEY-1QQQ", OtherKeyForm::Age),
        (b"# created: now\n# public key: age1q\nAGE-SECRET-KEY-1Q\n", OtherKeyForm::Age),
        (b"age1qqqq", OtherKeyForm::Age),
        (b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ\n", OtherKeyForm::OpenPgp),
        (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: 1\n\nmD\n", OtherKeyForm::OpenPgp),
        (b"-----BEGIN CERTIFICATE REQUEST-----\n", OtherKeyForm::CertificateRequest),
        (b"-----BEGIN BRINE ENVELOPE-----\n", OtherKeyForm::Pem),
        (b"---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n", OtherKeyForm::Ssh2),
        (b"restrict ssh-ed25519 AAAA", OtherKeyForm::OpensshOptions),
        (b"a@example.org ssh-ed25519 AAAA", OtherKeyForm::OpensshOptions),
        (b"ssh-admins ssh-ed25519 AAAA", OtherKeyForm::OpensshOptions),
        (b"ssh-ed25519@laptop ssh-ed25519 AAAA", OtherKeyForm::OpensshOptions),
        (b"-----BEGIN SSH SIGNATURE-----\nU1NI\n", OtherKeyForm::SshSignature),
        (b"-----BEGIN PGP SIGNATURE-----\n\niH\n", OtherKeyForm::OpenPgpMessage),
        (b"-----BEGIN CMS-----\nMII\n", OtherKeyForm::Cms),
        (b"ED25519 Private-Key:\npriv:\n    25:92\n", OtherKeyForm::OpensslText),
    ] {
        assert_eq!(refusal(bytes), KeyFileError::UnsupportedForm { form });
    }
}

#[test]
fn other_algorithms_are_refused_by_name() {
    for (bytes, found) in [
        (fixture!("rsa.traditional.pem"), "RSA"),
        (fixture!("ec.traditional.pem"), "EC"),
        (b"-----BEGIN EC PARAMETERS-----\n", "EC"),
        (b"-----BEGIN RSA PUBLIC KEY-----\n", "RSA"),
        (b"-----BEGIN DSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", "DSA"),
        (fixture!("ssh.rsa.pub"), "ssh-rsa"),
        (fixture!("ssh.ecdsa.pub"), "ecdsa-sha2-nistp256"),
        (b"sk-ssh-ed25519@openssh.com AAAA", "sk-ssh-ed25519@openssh.com"),
        (b"ssh-dss AAAA", "ssh-dss"),
    ] {
        assert_eq!(refusal(bytes), KeyFileError::not_ed25519(found));
    }
}

fn pem() -> &'static str {
    str::from_utf8(fixture!("ed25519.pem")).unwrap()
}

fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn text_around_a_key_and_what_carried_it_change_nothing() {
    let wanted = pem_rfc7468::decode_vec(pem().as_bytes()).unwrap().1;
    let certificate = str::from_utf8(fixture!("ed25519.cert.pem")).unwrap();
    for file in [
        fixture!("ed25519.bag.pem").to_vec(),
        fixture!("ed25519.text.pem").to_vec(),
        format!("{certificate}{}", pem()).into_bytes(),
        format!("{}{certificate}{certificate}", pem()).into_bytes(),
        format!("-----BEGIN DH PARAMETERS-----\n{}", pem()).into_bytes(),
        pem().replace('\n', "\r\n").into_bytes(),
        pem().replace('\n', " \n  ").into_bytes(),
        pem().trim_end().as_bytes().to_vec(),
        pem().replace('\n', "\\n").into_bytes(),
        format!("\"{}\"", pem().replace('\n', "\\n").replace('/', "\\/")).into_bytes(),
        format!("\u{feff}{}", pem()).into_bytes(),
        utf16(pem()),
        utf16(&pem().replace('\n', "\r\n")),
        [b"caf\xe9\n", pem().as_bytes()].concat(),
        format!("ssh-ed25519 of the build host:\n{}", pem()).into_bytes(),
    ] {
        let Ok(KeyForm::Pkcs8(found)) = KeyForm::of(&file) else {
            panic!("{:?}", String::from_utf8_lossy(&file))
        };
        assert_eq!(*found, wanted);
    }
    assert!(matches!(KeyForm::of(fixture!("ed25519.text.pub.pem")), Ok(KeyForm::Spki(_))));
}

#[test]
fn a_file_holds_one_key() {
    let public = str::from_utf8(fixture!("ed25519.pub.pem")).unwrap();
    let others = [
        "-----BEGIN RSA PRIVATE KEY-----\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN ML-DSA-44 PRIVATE KEY-----\n",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
        public,
        pem(),
    ];
    for other in others {
        for text in [format!("{}{other}", pem()), format!("{other}{}", pem())] {
            assert_eq!(refusal(text.as_bytes()), malformed("more than one key"), "{text}");
        }
    }
    let certificate = str::from_utf8(fixture!("ed25519.cert.pem")).unwrap();
    let text = format!("{certificate}-----BEGIN EC PRIVATE KEY-----\n");
    assert_eq!(refusal(text.as_bytes()), KeyFileError::not_ed25519("EC"));
}

#[test]
fn broken_armor_is_refused_by_its_reason() {
    for (text, why) in [
        (pem()[..70].to_owned(), "no END line"),
        (pem().replacen("-----\n", "----\n", 1), "the BEGIN line is broken"),
        (pem().replace("MC4C", "MC4C!"), "the base64 is broken"),
        (pem().replace("MC4C", "> MC4C"), "the base64 is broken"),
    ] {
        assert_eq!(refusal(text.as_bytes()), malformed(why), "{text}");
    }
}

#[test]
fn comments_are_bytes() {
    for file in [
        fixture!("ssh.gbk.pub").to_vec(),
        [b"# caf\xe9\n", fixture!("ssh.pub")].concat(),
        [b"\xef\xbb\xbf", fixture!("ssh.pub")].concat(),
        utf16(str::from_utf8(fixture!("ssh.pub")).unwrap()),
        [fixture!("ssh.pub").trim_ascii_end(), b" -----BEGIN PRIVATE KEY-----"].concat(),
        [fixture!("ssh.pub").trim_ascii_end(), b" ssh-rsa AAAA"].concat(),
    ] {
        let Ok(KeyForm::OpensshPublic(line)) = KeyForm::of(&file) else {
            panic!("{:?}", String::from_utf8_lossy(&file))
        };
        let (key, _comment) = openssh::read_openssh_line(&line).unwrap();
        assert_eq!(Ok(key), crate::read_public(fixture!("ssh.pub")));
    }
}

#[test]
fn a_public_file_holds_one_key() {
    let line = str::from_utf8(fixture!("ssh.pub")).unwrap();
    let noted = format!("# laptop\n\n  {line}\n\n");
    let Ok(KeyForm::OpensshPublic(found)) = KeyForm::of(noted.as_bytes()) else {
        panic!("{noted}")
    };
    assert_eq!(found, line.trim_end().as_bytes());
    for second in [line, "ssh-rsa AAAA\n", "junk\n"] {
        let found = refusal(format!("{line}{second}").as_bytes());
        let why = "more than one line holds a key";
        assert_eq!(found, KeyFileError::malformed(openssh::PUBLIC, why));
    }
}

#[test]
fn other_bytes_are_unrecognised() {
    for bytes in [b"".as_slice(), b"\n", b"# only a comment", b"hunter2", b"\xff\xfe", b"0"] {
        assert_eq!(refusal(bytes), KeyFileError::Unrecognised, "{bytes:?}");
    }
}

#[test]
fn the_size_limit_is_exact() {
    assert_eq!(refusal(&[b' '; MAX_KEY_FILE_BYTES]), KeyFileError::Unrecognised);
    assert_eq!(refusal(&[b' '; MAX_KEY_FILE_BYTES + 1]), KeyFileError::TooLarge);
}
