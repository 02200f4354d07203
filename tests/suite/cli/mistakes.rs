//! The mistakes that people are most likely to make: what they had, what they typed, and what they are told.
//!
//! A row is a new person with a home of their own. `[..]` stands for what differs from day to day. What takes a terminal
//! is in `terminal.rs`, and what takes another user in `permissions.rs`.

use crate::common::Person;

/// What somebody had, what they typed, and what came: the error, the hint (empty where there is none), and the status.
type Row = (&'static str, &'static str, &'static str, &'static str, i32);

#[test]
fn the_most_likely_mistakes_are_told_with_what_to_type_next() {
    let mut differ = Vec::new();
    for row @ (before, typed, ..) in ROWS {
        let person = Person::new();
        person.shell(before).assert().success();
        let output = person.shell(typed).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let home = person.home_path("").display().to_string();
        let said = said.replace(home.trim_end_matches('/'), "HOME");
        assert!(!said.contains("os error") && !said.contains("/.tmp"), "{typed}: {said}");
        assert!(output.stdout.is_empty(), "{typed}: {:?}", output.stdout);
        let line = |mark: &str| {
            let mut found = said.lines().filter_map(|line| line.split_once(mark));
            found.next().map_or("", |(_, text)| text).to_owned()
        };
        let found = (line(": error: "), line(": hint: "), output.status.code());
        if !is_told(row, &found) {
            differ.push(format!("{typed}\n  is   {found:?}\n  must {:?}", (row.2, row.3, row.4)));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

fn is_told(row: &Row, (error, hint, status): &(String, String, Option<i32>)) -> bool {
    fits(row.2, error) && fits(row.3, hint) && *status == Some(row.4)
}

/// Returns whether a line is as the pattern has it.
fn fits(pattern: &str, line: &str) -> bool {
    match pattern.split_once("[..]") {
        None => pattern == line,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|line| {
            let ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
            ends.into_iter().any(|at| fits(rest, &line[at..]))
        }),
    }
}

#[test]
fn there_are_at_least_forty_and_a_wrong_row_is_found() {
    assert!(ROWS.len() >= 40, "only {} mistakes", ROWS.len());
    let found = ("\"a\" is gone".to_owned(), "look".to_owned(), Some(4));
    for (error, hint, status, told) in [
        ("\"a\" is gone", "look", 4, true),
        ("[..] is gone", "look", 4, true),
        ("\"b\" is gone", "look", 4, false),
        ("\"a\" is gone", "", 4, false),
        ("\"a\" is gone", "look", 5, false),
    ] {
        assert_eq!(
            is_told(&("", "", error, hint, status), &found),
            told,
            "{error} {hint} {status}"
        );
    }
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    (
        "",
        "echo x | brine sign",
        "no key named \"default\" in \"HOME/keys\"",
        "\"brinekey gen\" makes one; \"-k FILE\" takes a key file",
        6,
    ),
    (
        "brinekey gen",
        "brinekey gen",
        "\"HOME/keys/default.key\" exists already",
        "nothing was overwritten; move it away or choose another name",
        4,
    ),
    (
        "printf right > p; printf wrong > w; brinekey gen --passphrase-file p; echo x > in",
        "brine sign --passphrase-file w in -o out",
        "\"HOME/keys/default.key\": passphrase is wrong, or the key is damaged",
        "",
        6,
    ),
    (
        "printf right > p; brinekey gen --passphrase-file p; echo x > in",
        "brine sign in -o out",
        "\"HOME/keys/default.key\" is encrypted, and there is no terminal to ask for the passphrase",
        "give \"--passphrase-file FILE\" or \"--passphrase-fd N\", or set BRINE_PASSPHRASE_FILE",
        6,
    ),
    (
        "brinekey gen; echo hello > in",
        "brine sign -k alice in -o out",
        "no key named \"alice\" in \"HOME/keys\"",
        "\"brinekey list\" shows the keys, \"brinekey trust list\" the signers; a file needs a slash, as in ./NAME",
        6,
    ),
    (
        "brinekey gen; echo hello > in; brinekey gen alice",
        "brine sign -k alcie in -o out",
        "no key named \"alcie\" in \"HOME/keys\"",
        "did you mean \"alice\"?",
        6,
    ),
    (
        "brinekey gen; echo hello > in; brinekey pub > me.pub",
        "brine sign -k ./me.pub in -o out",
        "\"./me.pub\": key is public, not private",
        "that is a public key; signing takes the private one; to trust it: brinekey trust add me ./me.pub; an agent may hold the private one, if SSH_AUTH_SOCK names one that runs",
        6,
    ),
    (
        "brinekey gen; echo hello > in; openssl genrsa -out rsa.pem 2048",
        "brine sign -k ./rsa.pem in -o out",
        "\"./rsa.pem\": key is for RSA, not Ed25519",
        "brine takes Ed25519 keys as PKCS#8 or OpenSSH files: \"brinekey gen\", or \"ssh-keygen -t ed25519\"",
        6,
    ),
    (
        "brinekey gen; echo hello > in",
        "brine sign missing -o out",
        "cannot read \"missing\": No such file or directory",
        "",
        4,
    ),
    (
        "brinekey gen; echo hello > in",
        "brine sign . -o out",
        "cannot read \".\": Is a directory",
        "",
        4,
    ),
    (
        "brinekey gen",
        "brinekey show SHA256:bUQ95",
        "\"SHA256:bUQ95\" is not a key name",
        "a fingerprint has 43 characters after SHA256:; this has 5",
        2,
    ),
    (
        "brinekey gen; echo x | brine sign > e",
        "brine verify e -p SHA256://////////////////////////////////////////8",
        "\"SHA256://////////////////////////////////////////8\" is not a key name",
        "a fingerprint tells keys apart, and is none: name the key itself, as in ./NAME.pub, or whom the trust file calls by a name",
        2,
    ),
    (
        "brinekey gen",
        "brinekey trust add alice - < /dev/null",
        "\"-\" is not a key name",
        "\"/dev/stdin\" names standard input where a key is read",
        2,
    ),
    (
        "brinekey gen > alice.pub",
        "brinekey trust add ./alice.pub alice",
        "the name comes before the key: brinekey trust add alice ./alice.pub",
        "",
        2,
    ),
    (
        "brinekey gen > v.pub",
        "brinekey import x v.pub",
        "\"v.pub\": key is public, not private",
        "that is a public key; signing takes the private one; to trust it: brinekey trust add v ./v.pub",
        6,
    ),
    (
        "brinekey gen; echo hello > in",
        "brine sign in -o none/out",
        "\"none/out\" cannot be made: there is no directory \"none\"",
        "\"mkdir -p none\" makes it",
        4,
    ),
    (
        "brinekey gen; echo hello > in",
        "brine sign in > /dev/full",
        "cannot write standard output: No space left on device",
        "",
        4,
    ),
    (
        "brinekey gen; echo hello > in",
        "brine sign in -o in",
        "input and output are the same file",
        "write elsewhere and move it",
        2,
    ),
    (
        "brinekey gen; echo hello > in; brine sign -d in",
        "brine sign -d in",
        "\"in.sig\" exists already",
        "to replace it, give -f: brine sign -d -f in",
        4,
    ),
    (
        "brinekey gen; echo hello > in",
        "brine sign --expires tomorow in -o out",
        "--expires \"tomorow\": expected a time like 2026-12-31, [..], 30d, 12h or now",
        "\"brine sign --help\" describes --expires",
        2,
    ),
    (
        "brinekey gen; echo hello > in",
        "brine sign --passphrase-fd 0",
        "standard input cannot be both the data and the passphrase",
        "",
        2,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e",
        "brine verify missing",
        "cannot read \"missing\": No such file or directory",
        "",
        4,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e",
        "brine verify in",
        "\"in\": not an envelope: plain text",
        "\"brine sign\" makes envelopes; unsigned data is never passed on",
        3,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e; BRINE_HOME=./other brinekey gen",
        "BRINE_HOME=./other brine verify e",
        "\"e\": signer is not trusted: no trust anchor for key id [..]",
        "if you know the signer, \"brinekey trust add NAME KEY\"; \"brine inspect\" shows what it claims",
        5,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e; BRINE_HOME=./other brinekey gen; cp other/keys/default.pub v.pub",
        "brine verify -p v.pub e",
        "\"e\": signer is not trusted: no trust anchor for key id [..]",
        "\"-p KEY\" trusts another key for this command; \"brine inspect\" shows what it claims",
        5,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e; BRINE_HOME=./other brinekey gen; cp other/trust.toml t4.toml",
        "brine verify --trust t4.toml e",
        "\"e\": signer is not trusted: no trust anchor for key id [..]",
        "if you know the signer, \"brinekey trust add NAME KEY --trust t4.toml\"; \"brine inspect\" shows what it claims",
        5,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e; BRINE_HOME=./other brinekey gen; echo bob $(cat other/keys/default.pub) > signers",
        "brine verify --trust signers e",
        "\"e\": signer is not trusted: no trust anchor for key id [..]",
        "if you know the signer, add its key to \"signers\"; \"brine inspect\" shows what it claims",
        5,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e",
        "brine verify --signer alice e",
        "\"e\": signed by default, not by alice",
        "",
        5,
    ),
    (
        "brinekey gen; echo hello > in; brine sign --expires 1h in -o e",
        "brine verify --now 2199-01-01T00:00Z e",
        "\"e\": signature expired at [..]",
        "",
        5,
    ),
    (
        "brinekey gen; echo hello > in; brine sign --not-before 1h in -o e",
        "brine verify e",
        "\"e\": signature is not valid before [..]",
        "",
        5,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e",
        "brine verify --now 2199-01-01T00:00Z --max-age 7d e",
        "\"e\": signature was issued at [..], more than 7 days ago",
        "",
        5,
    ),
    (
        "brinekey gen; echo hello > in; brine sign -c reports in -o e",
        "brine verify e",
        "\"e\": signature is for context \"reports\", which was not asked for",
        "if that is what you expect, give \"--context reports\"",
        5,
    ),
    (
        "brinekey gen; echo hello > in; brine sign -c \"$(yes | head -c 400 | tr -d '\\n')\" in -o e",
        "brine verify e",
        "\"e\": signature is for context \"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\", which was not asked for",
        "if that is what you expect, give \"--context CONTEXT\"",
        5,
    ),
    (
        "brinekey gen; echo hello > in; brine sign -c reports in -o e",
        "brine verify -c orders e",
        "\"e\": signature is for context \"reports\", not \"orders\"",
        "\"brine inspect\" shows what it was signed for",
        5,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e",
        "brine verify -c reports e",
        "\"e\": signature has no context, \"reports\" is required",
        "leave out \"--context\" if a signature for no purpose in particular will do",
        5,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e; sed -i s/hello/jello/ e",
        "brine verify e",
        "\"e\": signature does not verify: it or what it signs was altered",
        "get it again from whoever signed it; if it was signed with \"--aad FILE\", give the same file",
        1,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e; head -c 100 e > cut",
        "brine verify cut",
        "\"cut\": envelope is malformed: it is cut short",
        "a download or copy that was not finished looks like this; get it again",
        1,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e; cat e e > two",
        "brine verify two",
        "\"two\": envelope is malformed: it goes on for 176 bytes after its end",
        "if it is one envelope after the other, these are records: give --cbor",
        1,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e; brinekey trust revoke default",
        "brine verify e",
        "\"e\": key of default was revoked at [..]",
        "",
        5,
    ),
    (
        "brinekey gen; echo hello > in; brine sign -d in; rm in",
        "brine verify in.sig",
        "\"in.sig\" is a detached signature, and its file \"in\" is not there",
        "if it is elsewhere: brine verify --signature in.sig FILE",
        2,
    ),
    (
        "brinekey gen; echo hello > in; brine sign -d in",
        "brine verify --signature in in.sig",
        "\"in\" is no detached signature, and \"in.sig\" is one: they are swapped",
        "brine verify --signature in.sig in",
        2,
    ),
    (
        "brinekey gen; echo hello > in; brine sign -d in; echo more >> in",
        "brine verify in.sig",
        "\"in\": signature does not verify: it or what it signs was altered",
        "get it again from whoever signed it; if it was signed with \"--aad FILE\", give the same file",
        1,
    ),
    (
        "brinekey gen; echo hello > in",
        "brine verify -d in",
        "\"in\" has no signature \"in.sig\" beside it",
        "if it is elsewhere: brine verify --signature SIG in",
        4,
    ),
    (
        "brinekey gen; echo hello > in; brine sign -d in",
        "brine verify in in.sig",
        "\"in\" and \"in.sig\" cannot both be the envelope",
        "brine verify --signature in.sig in",
        2,
    ),
    (
        "brinekey gen; echo hello > in; printf '\\211\\001\\063\\004\\000\\001' > in.sig",
        "brine verify in.sig",
        "\"in.sig\": not an envelope: an OpenPGP message or signature",
        "\"gpg --verify\" checks a signature, \"gpg --decrypt\" a message",
        3,
    ),
    (
        "printf -- '-----BEGIN PGP SIGNED MESSAGE-----\\nHash: SHA256\\n' > m",
        "brine verify m",
        "\"m\": not an envelope: an OpenPGP message or signature",
        "\"gpg --verify\" checks a signature, \"gpg --decrypt\" a message",
        3,
    ),
    (
        "printf 'untrusted comment: signature from minisign secret key\\nRUQ\\n' > m",
        "brine verify m",
        "\"m\": not an envelope: a signature of minisign or signify",
        "\"minisign -V\" or \"signify -V\" reads it",
        3,
    ),
    (
        "printf -- '-----BEGIN SSH SIGNATURE-----\\nU1NI\\n' > m",
        "brine verify m",
        "\"m\": not an envelope: an SSH signature",
        "\"ssh-keygen -Y verify\" reads it",
        3,
    ),
    (
        "printf '<!DOCTYPE html>\\n<title>404</title>\\n' > m",
        "brine verify m",
        "\"m\": not an envelope: an HTML page",
        "a server may have answered with a page: \"curl -fL\" follows redirects and tells of errors",
        3,
    ),
    (
        "",
        "true | brine verify",
        "standard input: not an envelope: it is empty",
        "whatever should have written it failed or wrote nothing: see what that says, and get it again",
        3,
    ),
    (
        "echo '{\"message\": \"Not Found\"}' > m",
        "brine verify m",
        "\"m\": not an envelope: JSON text",
        "\"brine sign\" makes envelopes; unsigned data is never passed on",
        3,
    ),
    (
        "printf 'version https://git-lfs.github.com/spec/v1\\n' > m",
        "brine verify m",
        "\"m\": not an envelope: a Git LFS pointer, in place of the file",
        "\"git lfs pull\" fetches the file",
        3,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e; gzip e",
        "brine verify e.gz",
        "\"e.gz\": not an envelope: compressed with gzip",
        "unpack it first: \"gzip -dc\", \"zstd -dc\", \"xz -dc\", \"bzip2 -dc\" or \"unzip -p\"",
        3,
    ),
    (
        "brinekey gen; echo hello > in; brine sign -a in | sed 's/^/> /' > mail",
        "brine verify mail",
        "\"mail\": not an envelope: an armored envelope quoted with >",
        "\"sed -n 's/^[> \\t]*//; /^-----BEGIN/,/^-----END/p'\" takes it out",
        3,
    ),
    (
        "brinekey gen; echo hello > in; sha256sum in > SHA256SUMS",
        "brine verify SHA256SUMS",
        "\"SHA256SUMS\": not an envelope: a list of checksums",
        "\"sha256sum -c\" compares files with it; \"brine sign\" signs the list itself",
        3,
    ),
    (
        "brinekey gen; echo hello > in; brinekey pub > me.pub",
        "brine verify me.pub",
        "\"me.pub\": not an envelope: a key",
        "\"-p KEY\" takes a public key",
        3,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e",
        "brine verify -o e e",
        "input and output are the same file",
        "write elsewhere and move it",
        2,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e",
        "brine verify e > /dev/full",
        "cannot write standard output: No space left on device",
        "",
        4,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e",
        "brine verify --signature - -",
        "standard input cannot be both the signature and the file",
        "",
        2,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e",
        "brine verfiy e",
        "brine has no verb \"verfiy\"",
        "did you mean \"brine verify\"?",
        2,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e",
        "brine verify --contxt reports e",
        "brine verify has no option \"--contxt\"",
        "did you mean \"--context\"?",
        2,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e",
        "brine verify --max-age soon e",
        "--max-age \"soon\": expected a length of time like 200ms, 90s, 12h or 7d",
        "\"brine verify --help\" describes --max-age",
        2,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e; printf '[[signer]]\\nnmae = \"alice\"\\n' > trust",
        "brine verify --trust trust e",
        "\"trust\": line 2: unknown key \"nmae\"",
        "",
        6,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e; brinekey pub > me.pub",
        "brine verify --trust me.pub e",
        "\"me.pub\": line 1: no names before the key",
        "a line begins with names, as in: alice ssh-ed25519 AAAA...; \"-p FILE\" takes a key file",
        6,
    ),
    (
        "brinekey gen; echo hello > in; brine sign --job in -o job",
        "brine verify job",
        "\"job\": this is a job, not a data envelope",
        "\"brine run\" runs jobs",
        3,
    ),
    (
        "brinekey gen; echo hello > in; brine sign in -o e",
        "brine run e -- cat",
        "\"e\": this is a data envelope, not a job",
        "\"brine sign --job\" makes jobs",
        3,
    ),
    (
        "brinekey gen; echo hello > in; brine sign --job in -o job; printf '[[allow]]\\nsigner = [\"default\"]\\n' > policy",
        "brine run --policy policy job -- cat",
        "\"policy\": line 2: unknown key \"signer\"",
        "did you mean \"signers\"?",
        6,
    ),
    (
        "brinekey gen; echo hello > in; seq 3 | brine sign --lines > r",
        "brine verify r",
        "\"r\": not an envelope: envelopes as records, in the framing lines",
        "give --lines",
        3,
    ),
    (
        "brinekey gen; echo hello > in; brine replay init --accept-older db; seq 3 | brine sign --lines > r; brine verify --lines --replay-db db r",
        "brine verify --lines --replay-db db r",
        "\"r\": record 1: record was handled before",
        "",
        5,
    ),
    (
        "brinekey gen; echo hello > in; seq 3 | brine sign --lines > r",
        "brine verify --lines --replay-db db r",
        "\"db\" does not exist",
        "\"brine replay init FILE\" makes one, where there is no file",
        4,
    ),
    (
        "brinekey gen; echo hello > in",
        "brinekey pub alice",
        "no key named \"alice\" in \"HOME/keys\"",
        "\"brinekey list\" shows the keys, \"brinekey trust list\" the signers; a file needs a slash, as in ./NAME",
        6,
    ),
    (
        "brinekey gen; echo hello > in; brinekey pub > me.pub; brinekey trust add alice ./me.pub",
        "brinekey trust add alice ./me.pub",
        "\"HOME/trust.toml\": \"alice\" is trusted with this key already",
        "\"brinekey trust list\" shows it; to change its limits, remove it first",
        6,
    ),
    (
        "brinekey gen; echo hello > in",
        "brinekey trust remove alcie",
        "\"HOME/trust.toml\": no signer \"alcie\"",
        "\"brinekey trust list\" shows the signers; a key without an entry is named by its text or its file",
        6,
    ),
];
