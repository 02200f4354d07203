//! Words of other programs, and what they are called here.

/// Words that people try as a verb, the program or verb in which this is said of them, and what is said. `PROGRAM` stands
/// for the name of the program.
pub(super) const SAID_OF_VERBS: [(&[&str], Option<&str>, &str); 12] = [
    (
        &["unrevoke", "un-revoke", "restore", "reinstate"],
        None,
        "a revoked key stays revoked: ask its owner for a new one, and trust that with \"brinekey trust add NAME KEY\"",
    ),
    (
        &["del", "delete", "remove", "rm"],
        Some("brine replay"),
        "a database is a file: \"rm FILE\" removes it, and brine then forgets what was released",
    ),
    (
        &["expire", "expiry"],
        None,
        "a signature expires with \"brine sign --expires 30d FILE\", and trust in a key with \"brinekey trust add NAME KEY --not-after 30d\"",
    ),
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
    (&["revoke"], Some("brine"), "did you mean \"brinekey trust revoke NAME\"?"),
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
pub(super) const SAID_OF_OPTIONS: [SaidOfOption; 31] = [
    (
        &["-r", "-R", "--recursive"],
        Some(&["brine sign"]),
        "name the files, as in \"brine sign -d dir/*\"; brine does not look into directories",
    ),
    (
        &["-r", "-R", "--recursive"],
        Some(&["brine verify"]),
        "name the files, as in \"brine verify -d dir/*\"; brine does not look into directories",
    ),
    (
        &["-N", "-P", "--no-password", "--nopass", "--unencrypted"],
        Some(&["brinekey gen", "brinekey passwd", "brinekey export"]),
        "\"--no-passphrase\" leaves the key unencrypted",
    ),
    (
        &["--passphrase", "--password", "--pass", "--password-file"],
        Some(&[
            "brine sign",
            "brinekey gen",
            "brinekey passwd",
            "brinekey import",
            "brinekey export",
        ]),
        "\"--passphrase-file FILE\" reads the passphrase from a file, where \"ps\" does not show it",
    ),
    (&["--format"], Some(&["brinekey pub", "brinekey export"]), "did you mean \"--form\"?"),
    (
        &["-o", "--output"],
        Some(&["brinekey pub"]),
        "it writes the key to standard output: brinekey pub > FILE",
    ),
    (
        &["--pubkey", "--pub", "--public", "--verify-key"],
        Some(&["brine verify", "brine run"]),
        "\"-p KEY\" names the signer's public key",
    ),
    (
        &["--timeout", "--time-limit"],
        Some(&["brine run"]),
        "\"--limit wall=30s\" limits how long it runs",
    ),
    (
        &["--exec", "--command", "--cmd"],
        Some(&["brine verify"]),
        "\"brine verify FILE -- CMD\" starts CMD with the payload on standard input",
    ),
    (
        &["--exec", "--command", "--cmd"],
        Some(&["brine run"]),
        "\"brine run FILE -- CMD\" runs CMD with the payload on standard input",
    ),
    (
        &["--ndjson", "--jsonl", "--json-lines"],
        Some(&["brine sign", "brine verify", "brine inspect"]),
        "\"--lines\" takes each line as a record",
    ),
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
        &[
            "--ttl",
            "--expire",
            "--expiry",
            "--until",
            "--valid-until",
            "--valid-for",
            "--not-after",
        ],
        Some(&["brine sign"]),
        "\"--expires WHEN\" lets the signature expire, as in \"--expires 30d\"",
    ),
    (
        &["--ttl", "--expire", "--expires", "--expiry", "--until", "--valid-until"],
        Some(&["brinekey trust add"]),
        "\"--not-after WHEN\" ends the trust, as in \"--not-after 2026-12-31\"",
    ),
    (
        &["-t", "--type", "--alg", "--algorithm"],
        Some(&["brinekey gen"]),
        "brinekey makes Ed25519 keys, and no others",
    ),
];
