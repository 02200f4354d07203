//! What people have in place of an envelope or a key: it is named, and the hint works.

use std::process::Output;

use crate::common::{Person, assert_refused, project};

fn hint(output: &Output) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    let (_, hint) = stderr.split_once(": hint: ").unwrap_or_else(|| panic!("no hint: {stderr}"));
    hint.trim_end().to_owned()
}

/// The command between the outermost quotes of a hint.
fn command(hint: &str) -> &str {
    let (_, from) = hint.split_once('"').unwrap_or_else(|| panic!("{hint}"));
    &from[..from.find('"').unwrap()]
}

/// Each of these is refused, and what the hint says makes an envelope of it.
#[test]
fn envelopes_that_something_happened_to_are_named_and_the_hint_restores_them() {
    let person = Person::with_key();
    person.shell("echo hello | brine sign -a -o a; brine sign -o e a").assert().success();
    for (line, named) in [
        ("iconv -f UTF-8 -t UTF-16 a", "an armored envelope in UTF-16"),
        ("iconv -f UTF-8 -t UTF-16LE a", "an armored envelope in UTF-16"),
        ("sed 's/$/\\r/' a | iconv -f UTF-8 -t UTF-16", "an armored envelope in UTF-16"),
        ("printf '\\357\\273\\277'; cat a", "behind a byte order mark"),
        ("echo; cat a", "with other lines before it"),
        ("echo Hello; cat a; echo -- ; echo Bob", "with other lines before it"),
        ("sed 's/^/  /' a", "that is indented"),
        ("sed 's/^/\t/' a", "that is indented"),
        ("sed 's/^/> /' a", "quoted with >"),
        ("base64 e", "base64 text of an envelope"),
        ("base64 -w 0 e", "base64 text of an envelope"),
    ] {
        person.shell(&format!("({line}) > x")).assert().success();
        let output = person.shell("brine verify x").output().unwrap();
        assert_refused(&output, 3, named);
        let restored = format!("{} < x | brine verify --check", command(&hint(&output)));
        person.shell(&restored).assert().success();
    }
}

#[test]
fn armor_that_was_changed_inside_says_what_happened_to_it() {
    let person = Person::with_key();
    person.shell("echo hello | brine sign -a -o a").assert().success();
    for (line, named) in [
        ("sed 's/$/ /' a", "white space in a line"),
        ("sed 'G' a", "a line is blank"),
        ("sed 's/=/=3D/g' a", "quoted-printable"),
        ("fold -w 60 a", "a line has not 64 characters"),
        ("head -n 3 a", "there is no END line"),
        ("cat a; echo Bob", "text follows the END line"),
    ] {
        let output = person.shell(&format!("({line}) | brine verify")).output().unwrap();
        assert_refused(&output, 1, named);
        assert!(hint(&output).contains("mail and editors change armor"));
    }
}

#[test]
fn a_line_end_after_an_envelope_is_named() {
    let person = Person::with_key();
    person.shell("echo hello | brine sign -o e").assert().success();
    for line in ["cat e; echo", "cat e; printf '\\r\\n'", "cat e; echo; echo"] {
        let output = person.shell(&format!("({line}) | brine verify")).output().unwrap();
        assert_refused(&output, 1, "a line end follows its end");
        assert!(hint(&output).contains("mosquitto_sub -N"));
    }
    let output = person.shell("(cat e; echo) | head -c -1 | brine verify").output().unwrap();
    assert_eq!(output.stdout, b"hello\n");
    let output = person.shell("cat e e | brine verify").output().unwrap();
    assert_refused(&output, 1, "bytes after its end");
    assert!(hint(&output).contains("give --cbor"));
    let output = person.shell("(cat e; printf xy) | brine verify").output().unwrap();
    assert_refused(&output, 1, "2 bytes after its end");
    assert_eq!(hint(&output), "something was written after its end; get it again");
    let output = person
        .shell("head -c 9000000 /dev/zero | brine sign -o s; (cat s; echo) | brine verify --check")
        .output()
        .unwrap();
    assert_refused(&output, 1, "something follows the end of the stream");
    assert!(hint(&output).contains("head -c -1"));
}

#[test]
fn records_without_their_framing_are_named() {
    let person = Person::with_key();
    for framing in ["lines", "null", "len32", "cbor"] {
        let sign = format!("printf 1 | brine sign --{framing} --in lines > r");
        person.shell(&sign).assert().success();
        let output = person.shell("cat r r | brine verify").output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(&format!("give --{framing}\n")), "{framing}: {stderr}");
        person.shell(&format!("cat r r | brine verify --{framing}")).assert().success();
    }
    let line = "printf 1 | brine sign --lines | brine verify --len32";
    let output = person.shell(line).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0));
    assert!(hint(&output).contains("give --lines"));
}

#[test]
fn what_other_programs_sign_is_named_with_the_program_that_reads_it() {
    let person = Person::with_key();
    person.shell("echo hello | brine sign -o e; gzip -c e > z").assert().success();
    let key = std::fs::read(project("fixtures/keys/ed25519.pem")).unwrap();
    person.write("key", key);
    for (line, named, reader) in [
        ("cat z", "compressed with gzip", "gzip -dc"),
        ("printf -- '-----BEGIN PGP SIGNATURE-----\\n\\niHUE\\n'", "OpenPGP", "gpg --verify"),
        ("printf -- '-----BEGIN SSH SIGNATURE-----\\nU1NI\\n'", "SSH signature", "ssh-keygen -Y"),
        ("printf 'untrusted comment: signature\\nRUQ\\n'", "minisign", "minisign -V"),
        ("printf -- '-----BEGIN PKCS7-----\\nMII\\n'", "CMS", "openssl cms"),
        ("cat key", "not an envelope: a key", "-p KEY"),
        ("echo", "nothing but white space", "failed or wrote nothing"),
        ("echo '{\"a\": 1}'", "JSON text", "brine sign"),
        ("printf ''", "it is empty", "failed or wrote nothing"),
    ] {
        let output = person.shell(&format!("({line}) | brine verify")).output().unwrap();
        assert_refused(&output, 3, named);
        assert!(hint(&output).contains(reader), "{line}: {}", hint(&output));
        // It shows none of it, and says the same, but for what only the other verb takes.
        let shown = person.shell(&format!("({line}) | brine inspect")).output().unwrap();
        let first = |said: &[u8]| said.split(|&byte| byte == b'\n').next().map(<[u8]>::to_vec);
        let (shown_line, line_before) = (first(&shown.stderr), first(&output.stderr));
        assert_eq!((shown.status.code(), shown_line), (Some(3), line_before), "{line}");
        assert!(shown.stdout.is_empty(), "{line}: {shown:?}");
    }
}

/// None of these words may be quoted to a terminal from the input.
#[test]
fn a_named_input_is_not_quoted() {
    let person = Person::with_key();
    let line = "printf -- '-----BEGIN \\033[2J KEY-----\\n' | brine verify";
    assert_refused(&person.shell(line).output().unwrap(), 3, "not an envelope: a key");
}

#[test]
fn keys_with_other_text_around_them_sign_and_verify() {
    let person = Person::new();
    let fixture = |name: &str| std::fs::read(project(&format!("fixtures/keys/{name}"))).unwrap();
    for name in
        ["ed25519.bag.pem", "ed25519.text.pem", "ed25519.text.pub.pem", "ssh.gbk.pub", "ssh"]
    {
        person.write(name, fixture(name));
    }
    person
        .shell("iconv -f UTF-8 -t UTF-16 ed25519.text.pem > u.pem; chmod 600 *")
        .assert()
        .success();
    for key in ["ed25519.bag.pem", "ed25519.text.pem", "u.pem"] {
        let line =
            format!("echo x | brine sign -k ./{key} | brine verify -p ./ed25519.text.pub.pem");
        let output = person.shell(&line).output().unwrap();
        assert_eq!((output.stdout, output.stderr), (b"x\n".to_vec(), Vec::new()), "{key}");
    }
    let output = person.shell("echo x | brine sign -k ./ssh | brine verify -p ./ssh.gbk.pub");
    assert_eq!({ output }.output().unwrap().stdout, b"x\n");
    person.shell("brinekey trust add x ./ssh.gbk.pub").assert().success();
    let twice =
        person.shell("cat ed25519.bag.pem ed25519.text.pem > two; brine sign -k ./two u.pem");
    assert_refused(&{ twice }.output().unwrap(), 6, "PEM is malformed: more than one key");
}

#[test]
fn keys_in_forms_that_are_not_read_are_named_with_what_converts_them() {
    let person = Person::new();
    for (name, form, way_out) in [
        ("ed25519.p12", "PKCS#12 container", "openssl pkcs12 -in FILE -nocerts -out NEW"),
        ("ed25519.der", "DER without PEM armor", "openssl pkcs8 -topk8 -inform DER -in FILE"),
        ("ed25519.sha1.pem", "HMAC-SHA-1", "openssl pkcs8 -topk8 -v2 aes-256-cbc"),
        ("ed25519.cert.pem", "X.509 certificate", "openssl x509 -in FILE -noout -pubkey"),
        ("ssh-cert.pub", "OpenSSH certificate", "the .pub file beside it"),
    ] {
        let path = project(&format!("fixtures/keys/{name}"));
        let output =
            person.brine(["sign", "-k", path.to_str().unwrap()]).write_stdin("x").output().unwrap();
        assert_refused(&output, 6, form);
        assert!(hint(&output).contains(way_out), "{name}: {}", hint(&output));
    }
}

#[test]
fn trust_files_of_other_forms_are_named() {
    let person = Person::with_key();
    person
        .shell("brinekey pub > k.pub; brinekey pub --form spki > k.pem; echo x | brine sign -o e")
        .assert()
        .success();
    person
        .shell("iconv -f UTF-8 -t UTF-16 k.pub > u; (printf '\\357\\273\\277me '; cat k.pub) > b")
        .assert()
        .success();
    for (file, named, way_out) in [
        ("k.pub", "line 1: no names before the key", "-p FILE"),
        ("k.pem", "line 1: PEM, not a trust file", "-p FILE"),
        ("u", "the text is UTF-16", "iconv -f UTF-16"),
        ("b", "byte order mark", "tail -c +4"),
    ] {
        let output = person.shell(&format!("brine verify --trust ./{file} e")).output().unwrap();
        assert_refused(&output, 6, named);
        assert!(hint(&output).contains(way_out), "{file}: {}", hint(&output));
    }
    person.shell("tail -c +4 b > t; brine verify --trust ./t --signer me e").assert().success();
}

/// Names that differ in what cannot be seen look the same, wherever they stand.
#[test]
fn names_contexts_paths_and_arguments_have_no_characters_that_cannot_be_seen() {
    let person = Person::with_key();
    person.shell("brinekey pub > k.pub; echo x > in; brine sign in -o e").assert().success();
    for hidden in
        ["\u{3164}", "\u{2800}", "\u{fe0f}", "\u{e0061}", "\u{202e}", "\u{180b}", "\u{34f}"]
    {
        let name = format!("a{hidden}b");
        person.write(
            "allowed",
            format!("{name} {}", String::from_utf8(person.read("k.pub")).unwrap()),
        );
        person.write("policy", format!("[[allow]]\nsigners = [\"{name}\"]\n"));
        person.write(
            "toml",
            format!(
                "[[signer]]\nname = \"bob\"\nkey = \"{}\"\ncontexts = [\"{name}\"]\n",
                String::from_utf8(person.read("k.pub")).unwrap().trim()
            ),
        );
        for (line, status) in [
            (format!("brine sign --context '{name}' in"), 2),
            (format!("brine verify --context '{name}' e"), 2),
            (format!("brine sign --type 'text/{name}' in"), 2),
            (format!("brine sign --grant 'read=data/{name}' in"), 2),
            (format!("brine sign --grant run=sh --grant 'arg={name}' in"), 2),
            (format!("brinekey trust add '{name}' ./k.pub"), 6),
            ("brine verify --trust ./allowed e".to_owned(), 6),
            ("brine verify --trust ./toml e".to_owned(), 6),
            ("brine policy check policy".to_owned(), 6),
        ] {
            let output = person.shell(&line).output().unwrap();
            assert_eq!(output.status.code(), Some(status), "{line:?}: {output:?}");
            assert!(output.stdout.is_empty(), "{line:?}");
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(!said.contains(hidden), "{line:?}: it stands in the message");
        }
    }
}
