//! Words of other programs, and what they are called here.

/// Words that people try as a verb, the program in which this is said of them, and what is said. `PROGRAM` stands
/// for the name of the program.
pub(super) const SAID_OF_VERBS: [(&[&str], Option<&str>, &str); 9] = [
    (&["version"], None, "did you mean \"PROGRAM --version\"?"),
    (
        &["man", "manual", "usage"],
        None,
        "did you mean \"man PROGRAM\"? \"PROGRAM --help\" is shorter",
    ),
    (
        &["decrypt", "dec"],
        None,
        "brine encrypts nothing: \"brine verify FILE\" writes what was signed, and \"age -d\" decrypts",
    ),
    (
        &["encrypt", "enc"],
        None,
        "brine encrypts nothing: \"brine sign FILE\" signs, and \"age -r RECIPIENT\" encrypts",
    ),
    (&["revoke"], None, "did you mean \"brinekey trust revoke NAME\"?"),
    (
        &["show", "view"],
        Some("brine"),
        "\"brine inspect FILE\" shows an envelope, and \"brinekey show KEY\" a key",
    ),
    (
        &["list", "ls"],
        Some("brine"),
        "\"brinekey list\" lists your keys, and \"brinekey trust list\" the signers that you trust",
    ),
    (&["key", "keys"], None, "\"brinekey -h\" lists what can be done with keys"),
    (
        &["check", "test"],
        Some("brine"),
        "\"brine verify --check FILE\" checks an envelope, and \"brine policy check\" a policy",
    ),
];

/// Words for verbs that are called something else here.
pub(super) const SYNONYMS: [(&[&str], &str); 12] = [
    (&["attest", "seal", "wrap"], "sign"),
    (&["authenticate", "extract", "open", "unsign", "unwrap", "validate"], "verify"),
    (&["change-passphrase", "passphrase", "password"], "passwd"),
    (&["completion"], "completions"),
    (&["create", "generate", "genkey", "gen-key", "keygen", "new"], "gen"),
    (&["decode", "dump", "info", "parse", "print"], "inspect"),
    (&["del", "delete", "distrust", "rm", "untrust"], "remove"),
    (&["exec", "execute"], "run"),
    (&["fingerprint", "id"], "show"),
    (&["load"], "import"),
    (&["ls", "list-keys"], "list"),
    (&["public", "pubkey", "public-key"], "pub"),
];

/// Options, the verbs, and the hint.
pub(super) type SaidOfOption =
    (&'static [&'static str], Option<&'static [&'static str]>, &'static str);

/// Options of other programs, the verbs of which this is said (of all if there are none), and what is said. `PROGRAM`
/// stands for the name of the program.
pub(super) const SAID_OF_OPTIONS: [SaidOfOption; 20] = [
    (
        &["-V", "--version"],
        Some(&["brine verify"]),
        "leave it out, \"brine verify FILE\" verifies; \"brine --version\" prints the version",
    ),
    (&["-V", "--version"], None, "\"PROGRAM --version\" prints the version"),
    (
        &["-b", "--detach", "--detach-sign", "--detached-sign", "--detach-signature"],
        None,
        "\"brine sign -d FILE\" writes a signature of FILE to FILE.sig",
    ),
    (&["-Y", "-S"], None, "\"brine sign FILE\" signs, and \"brine verify FILE\" verifies"),
    (&["--clearsign", "--clear-sign"], None, "\"brine sign -a FILE\" writes an envelope as text"),
    (&["-s", "--sign"], Some(&["brine", "brinekey"]), "did you mean \"brine sign FILE\"?"),
    (&["-m", "--verify"], Some(&["brine", "brinekey"]), "did you mean \"brine verify FILE\"?"),
    (
        &["-d", "--decrypt"],
        Some(&["brine", "brinekey"]),
        "brine encrypts nothing: \"brine verify FILE\" writes what was signed, and \"age -d\" decrypts",
    ),
    (
        &["-e", "-r", "--encrypt", "--recipient"],
        None,
        "brine encrypts nothing: \"brine sign FILE\" signs, and \"age -r RECIPIENT\" encrypts",
    ),
    (
        &["-G", "--gen-key", "--generate-key", "--full-generate-key"],
        None,
        "did you mean \"brinekey gen\"?",
    ),
    (
        &["-k", "--key", "--public-key-file"],
        Some(&["brine verify", "brine run"]),
        "\"-p KEY\" names the signer's public key",
    ),
    (
        &[
            "-u",
            "-i",
            "-s",
            "--local-user",
            "--default-key",
            "--identity",
            "--private-key",
            "--secret-key",
        ],
        Some(&["brine sign"]),
        "\"-k KEY\" names the key to sign with",
    ),
    (&["-n", "--namespace", "--purpose"], None, "\"-c TEXT\" names the context"),
    (
        &["-f", "--allowed-signers", "--allowed-signers-file", "--keyring"],
        Some(&["brine verify", "brine run"]),
        "\"--trust FILE\" takes a trust file or allowed_signers",
    ),
    (
        &["-I", "--signer-identity", "--certificate-identity"],
        Some(&["brine verify", "brine run"]),
        "\"--signer NAME\" accepts only the signer of this name",
    ),
    (
        &["-x", "--sig", "--sigfile", "--signature-file", "--beside"],
        Some(&["brine verify"]),
        "\"--signature SIG\" names the signature of FILE, and \"-d\" stands for FILE.sig",
    ),
    (&["-m"], Some(&["brine sign", "brine verify"]), "leave it out: FILE stands by itself"),
    (
        &["--ttl", "--expire", "--expiry", "--valid-until", "--valid-for", "--not-after"],
        Some(&["brine sign"]),
        "\"--expires WHEN\" lets the signature expire, as in \"--expires 30d\"",
    ),
    (
        &["--ttl", "--expire", "--expires", "--expiry", "--valid-until"],
        Some(&["brinekey trust add"]),
        "\"--not-after WHEN\" ends the trust, as in \"--not-after 2026-12-31\"",
    ),
    (&["-t"], Some(&["brinekey gen"]), "brinekey makes Ed25519 keys, and no others"),
];
