//! What is said about a command line that is wrong.

use crate::common::Person;

/// What is typed, the error, and the hint.
const MISTAKES: &[(&str, &str, &str)] = &[
    // Verbs.
    ("brine version", "brine has no verb \"version\"", "did you mean \"brine --version\"?"),
    (
        "brinekey version",
        "brinekey has no verb \"version\"",
        "did you mean \"brinekey --version\"?",
    ),
    (
        "brine man",
        "brine has no verb \"man\"",
        "did you mean \"man brine\"? \"brine --help\" is shorter",
    ),
    ("brine verfiy x", "brine has no verb \"verfiy\"", "did you mean \"brine verify\"?"),
    (
        "brine revoke alice",
        "brine has no verb \"revoke\"",
        "did you mean \"brinekey trust revoke NAME\"?",
    ),
    (
        "brinekey revoke alice",
        "no private key \"alice\" here, which could revoke itself",
        "\"brinekey trust revoke alice\" refuses the key here; its authority revokes it for everyone, with --with CA",
    ),
    ("brine gen", "brine has no verb \"gen\"", "did you mean \"brinekey gen\"?"),
    ("brine keygen", "brine has no verb \"keygen\"", "did you mean \"brinekey gen\"?"),
    ("brine trust add a b", "brine has no verb \"trust\"", "did you mean \"brinekey trust\"?"),
    ("brinekey sign x", "brinekey has no verb \"sign\"", "did you mean \"brine sign\"?"),
    (
        "brinekey trust rm alice",
        "brinekey trust has no verb \"rm\"",
        "did you mean \"brinekey trust remove\"?",
    ),
    ("brine init", "brine has no verb \"init\"", "did you mean \"brine replay init\"?"),
    (
        "brine decrypt x",
        "brine has no verb \"decrypt\"",
        "brine encrypts nothing: \"brine verify FILE\" writes what was signed, and \"age -d\" decrypts",
    ),
    (
        "brine report.pdf",
        "brine has no verb \"report.pdf\"",
        "\"brine sign FILE\" signs a file, and \"brine verify FILE\" verifies an envelope",
    ),
    ("brine zzz", "brine has no verb \"zzz\"", "\"brine -h\" lists the verbs"),
    ("brine help zzz", "brine has no verb \"zzz\"", "\"brine -h\" lists the verbs"),
    // Options of other programs.
    ("brine --verify x", "brine has no option \"--verify\"", "did you mean \"brine verify FILE\"?"),
    ("brine --sign x", "brine has no option \"--sign\"", "did you mean \"brine sign FILE\"?"),
    (
        "brine -b x",
        "brine has no option \"-b\"",
        "\"brine sign -d FILE\" writes a signature of FILE to FILE.sig",
    ),
    (
        "brine sign --detach-sign x",
        "brine sign has no option \"--detach-sign\"",
        "\"brine sign -d FILE\" writes a signature of FILE to FILE.sig",
    ),
    (
        "brine -Y sign -f key x",
        "brine has no option \"-Y\"",
        "\"brine sign FILE\" signs, and \"brine verify FILE\" verifies",
    ),
    (
        "brine -Sm x",
        "brine has no option \"-S\"",
        "\"brine sign FILE\" signs, and \"brine verify FILE\" verifies",
    ),
    (
        "brine -d x",
        "brine has no option \"-d\"",
        "brine encrypts nothing: \"brine verify FILE\" writes what was signed, and \"age -d\" decrypts",
    ),
    (
        "brine verify -k me x",
        "brine verify has no option \"-k\"",
        "\"-p KEY\" names the signer's public key",
    ),
    // The version, in the words of another program that verifies.
    (
        "brine verify -Vm x -p me",
        "brine verify has no option \"-V\"",
        "leave it out, \"brine verify FILE\" verifies; \"brine --version\" prints the version",
    ),
    (
        "brine verify --version x",
        "brine verify has no option \"--version\"",
        "leave it out, \"brine verify FILE\" verifies; \"brine --version\" prints the version",
    ),
    (
        "brinekey trust check -V x",
        "brinekey trust check has no option \"-V\"",
        "\"brinekey --version\" prints the version",
    ),
    (
        "brine -Vm x -p me",
        "-V and --version stand alone",
        "\"brine verify FILE\" verifies; \"brine --version\" prints the version",
    ),
    (
        "brinekey -V check",
        "-V and --version stand alone",
        "\"brinekey --version\" prints the version",
    ),
    // Options of other verbs.
    (
        "brine verify --armor x",
        "brine verify has no option \"--armor\"",
        "\"--armor\" is an option of \"brine sign\"",
    ),
    (
        "brine sign --max-age 7d x",
        "brine sign has no option \"--max-age\"",
        "\"--max-age\" is an option of \"brine cosign\", \"brine verify\" and \"brine replay init\", among others",
    ),
    (
        "brinekey gen --expires 30d",
        "brinekey gen has no option \"--expires\"",
        "\"--expires\" is an option of \"brine sign\", \"brine send\" and \"brine call\", among others",
    ),
    ("brine verify --expect x", "brine verify has no option \"--expect\"", ""),
    ("brine sign --kye me x", "brine sign has no option \"--kye\"", "did you mean \"--key\"?"),
    (
        "brine sign --zzz x",
        "brine sign has no option \"--zzz\"",
        "\"brine sign --help\" describes all options",
    ),
    // Values.
    ("brine sign --alg rsa", "--alg cannot be \"rsa\"", "it takes eddsa or ed25519"),
    ("brine sign --alg eddas", "--alg cannot be \"eddas\"", "did you mean \"eddsa\"?"),
    ("brine sign --key", "--key needs a value", "\"brine sign --help\" describes --key"),
    (
        "brine sign --armor=yes",
        "--armor takes no value like \"yes\"",
        "usage: brine sign [OPTIONS] [FILE]...",
    ),
    (
        "brine sign --segment-size 1MB",
        "--segment-size \"1MB\": expected a size like 65536, 64KiB or 1MiB, from 1 byte to 4MiB",
        "\"brine sign --help\" describes --segment-size",
    ),
    // Arguments.
    (
        "brine inspect a b",
        "\"b\" is one argument too many",
        "usage: brine inspect [OPTIONS] [FILE]",
    ),
    (
        "brinekey import",
        "brinekey import needs NAME and FILE",
        "usage: brinekey import [OPTIONS] <NAME> <FILE>",
    ),
    ("brine call --key a --key b q x", "--key is given twice", "give --key once"),
    ("brine sign --job --lines", "--job cannot be used with --lines", "leave out --job or --lines"),
    (
        "brine verify --retry kept",
        "--retry needs --lines, --null, --len32, --cbor or --out",
        "usage: brine verify [OPTIONS] [FILE]... [-- <CMD>...]",
    ),
    (
        "brine verify --lines -d x",
        "--lines cannot be used with --detached",
        "leave out --lines or --detached",
    ),
    (
        "brine verify --replay-db seen x",
        "--replay-db needs --lines, --null, --len32, --cbor, --in, --out or --retry",
        "",
    ),
    (
        "brine verify -q --reject-to=no --on-bad skip x",
        "--on-bad and --reject-to need --lines, --null, --len32, --cbor, --in, --out or --retry",
        "",
    ),
    ("brine sign -qf x", "--force needs --detached", "usage: brine sign [OPTIONS] [FILE]..."),
    (
        "brinekey import k.pem",
        "brinekey import needs NAME and FILE",
        "a name comes first: brinekey import NAME k.pem",
    ),
    (
        "brinekey trust add './my keys/a.pub'",
        "brinekey trust add needs NAME and KEY",
        "a name comes first: brinekey trust add NAME './my keys/a.pub'",
    ),
    (
        "brinekey trust add alice",
        "brinekey trust add needs KEY",
        "usage: brinekey trust add [OPTIONS] <NAME> <KEY>",
    ),
    (
        "brine sign --lines --batch 0",
        "--batch \"0\": expected a number from 2 to 4096",
        "\"brine sign --help\" describes --batch",
    ),
    (
        "brine sign --threads 0",
        "--threads \"0\": expected a number, 1 or more",
        "\"brine sign --help\" describes --threads",
    ),
    (
        "brine verify --try-keys x",
        "--try-keys \"x\": expected a number, 1 or more",
        "\"brine verify --help\" describes --try-keys",
    ),
    (
        "brine sign --passphrase-fd x",
        "--passphrase-fd \"x\": expected the number of an open descriptor, like 3",
        "\"brine sign --help\" describes --passphrase-fd",
    ),
    (
        "brinekey trust unrevoke alice",
        "brinekey trust has no verb \"unrevoke\"",
        "a revoked key stays revoked: ask its owner for a new one, and trust that with \"brinekey trust add NAME KEY\"",
    ),
    (
        "brine replay rm seen",
        "brine replay has no verb \"rm\"",
        "a database is a file: \"rm FILE\" removes it, and brine then forgets what was released",
    ),
    (
        "brinekey expire old",
        "brinekey has no verb \"expire\"",
        "a signature expires with \"brine sign --expires 30d FILE\", and trust in a key with \"brinekey trust add NAME KEY --not-after 30d\"",
    ),
    (
        "brine help sign verify",
        "\"verify\" is one argument too many",
        "did you mean \"brine help sign\" or \"brine help verify\"?",
    ),
    (
        "brine help sign zzz",
        "\"zzz\" is one argument too many",
        "did you mean \"brine help sign\"?",
    ),
    (
        "brine help replay zzz",
        "brine replay has no verb \"zzz\"",
        "\"brine replay -h\" lists the verbs",
    ),
    (
        "brinekey gen -q",
        "brinekey gen has no option \"-q\"",
        "\"brinekey gen --help\" describes all options",
    ),
    (
        "brinekey gen --type rsa",
        "brinekey gen has no option \"--type\"",
        "brinekey makes Ed25519 keys, and no others",
    ),
    (
        "brinekey gen -N x",
        "brinekey gen has no option \"-N\"",
        "\"--no-passphrase\" leaves the key unencrypted",
    ),
    (
        "brinekey export --format openssh",
        "brinekey export has no option \"--format\"",
        "did you mean \"--form\"?",
    ),
    (
        "brinekey pub -o x",
        "brinekey pub has no option \"-o\"",
        "it writes the key to standard output: brinekey pub > FILE",
    ),
    (
        "brinekey trust list -v",
        "brinekey trust list has no option \"-v\"",
        "\"brinekey trust list --help\" describes all options",
    ),
    (
        "brine sign --passphrase x",
        "brine sign has no option \"--passphrase\"",
        "\"--passphrase-file FILE\" reads the passphrase from a file, where \"ps\" does not show it",
    ),
    (
        "brinekey trust add a b --until 30d",
        "brinekey trust add has no option \"--until\"",
        "\"--not-after WHEN\" ends the trust, as in \"--not-after 2026-12-31\"",
    ),
    (
        "brine verify --pubkey x",
        "brine verify has no option \"--pubkey\"",
        "\"-p KEY\" names the signer's public key",
    ),
    (
        "brine run --timeout 5s x",
        "brine run has no option \"--timeout\"",
        "\"--limit wall=30s\" limits how long it runs",
    ),
    (
        "brine verify --exec sh x",
        "brine verify has no option \"--exec\"",
        "\"brine verify FILE -- CMD\" starts CMD with the payload on standard input",
    ),
    (
        "brine verify --ndjson x",
        "brine verify has no option \"--ndjson\"",
        "\"--lines\" takes each line as a record",
    ),
    (
        "brine sign -d -r dir",
        "brine sign has no option \"-r\"",
        "name the files, as in \"brine sign -d dir/*\"; brine does not look into directories",
    ),
];

#[test]
fn a_usage_error_is_one_line_and_a_hint() {
    let person = Person::new();
    for (line, error, hint) in MISTAKES {
        let output = person.shell(line).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{line}: {stderr}");
        let program = line.split(' ').next().unwrap();
        let expected = format!("{program}: error: {error}\n{program}: hint: {hint}");
        assert!(stderr.starts_with(&expected), "{line}:\n{stderr}expected:\n{expected}");
        assert!(hint.is_empty() || stderr == format!("{expected}\n"), "{line}:\n{stderr}");
        assert_eq!(stderr.lines().count(), 2, "{line}: {stderr}");
    }
}

/// No verb ends with 0 because it printed the version: a script would take it for its result.
#[test]
fn only_the_programs_have_a_version() {
    let person = Person::new();
    for line in ["brine -V", "brine --version", "brinekey -V", "brinekey --version"] {
        let output = person.shell(line).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let program = line.split(' ').next().unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}");
        assert_eq!(printed, format!("{program} {}\n", env!("CARGO_PKG_VERSION")), "{line}");
    }
    for line in ["brine verify -V nosuch", "brine verify -Vm nosuch", "brine -Vm nosuch"] {
        let output = person.shell(&format!("{line} && echo INSTALL")).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{line}");
    }
}

/// What was typed can hold anything, and be of any length.
#[test]
fn what_was_typed_stays_in_its_line() {
    let person = Person::new();
    let long = "y".repeat(5000);
    let typed = ["--x\nbrine: done", "x\nbrine: done", "--\u{1b}[2J", "\u{202e}", long.as_str()];
    for word in typed {
        for before in [&["brine"][..], &["brine", "inspect", "file"], &["brine", "sign", "--alg"]] {
            let arguments: Vec<_> = before.iter().skip(1).copied().chain([word]).collect();
            let output = person.brine([]).args(&arguments).output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{stderr}");
            assert!(stderr.lines().all(|line| line.starts_with("brine: ")), "{stderr:?}");
            assert!(stderr.lines().count() == 2 && stderr.len() < 400, "{stderr:?}");
            assert!(!stderr.contains(['\u{1b}', '\u{202e}']), "{stderr:?}");
        }
    }
}

/// A hint that repeats the name of a file stays in its line, too.
#[test]
fn a_file_without_a_name_stays_in_its_line() {
    let person = Person::new();
    let long = format!("./{}", "y".repeat(5000));
    for file in ["./a\nbrinekey: done", "./\u{1b}[2J", "./\u{202e}", long.as_str()] {
        let output = person.brinekey(["import", file]).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{stderr}");
        let error = "brinekey: error: brinekey import needs ";
        assert!(stderr.starts_with(error) && stderr.contains("\nbrinekey: hint: "), "{stderr:?}");
        assert!(stderr.lines().count() == 2 && stderr.len() < 400, "{stderr:?}");
        assert!(!stderr.contains(['\u{1b}', '\u{202e}']), "{stderr:?}");
    }
}

/// A word that is not UTF-8 is not taken where text is, and is a file name where one can be.
#[test]
fn words_that_are_not_utf_8_are_named() {
    let person = Person::with_key();
    let output = person.shell("brine sign --context $(printf '\\377')").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.starts_with("brine: error: \"\\xff\" is not UTF-8\nbrine: hint: "), "{stderr}");
    person
        .shell("echo a > $(printf 'f\\377') && brine sign $(printf 'f\\377') > out")
        .assert()
        .success();
}

#[test]
fn a_program_without_arguments_shows_its_short_help_and_does_nothing() {
    let person = Person::new();
    for line in ["brine", "brinekey", "brinekey trust", "brine replay"] {
        let output = person.shell(line).output().unwrap();
        let shown = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{shown}");
        let asked = person.shell(&format!("{line} -h")).output().unwrap();
        assert_eq!(asked.status.code(), Some(0));
        assert_eq!(shown, String::from_utf8(asked.stdout).unwrap(), "{line}");
    }
}
