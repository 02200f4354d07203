//! The files and variables that a command has to do with, for its page.

use clap_mangen::roff::{Roff, bold, roman};

/// What a page says of a file or variable, and the pages that say it. A page is meant by the beginning of its name.
type Surrounding = (&'static str, &'static str, &'static [&'static str]);

const HOME: &str = "The directory with keys, trust file and policy. Without it, $XDG_CONFIG_HOME/brine, else ~/.config/brine.";

/// Those who read keys or trust.
const OF_HOME: &[&str] = &[
    "brine",
    "brine-sign",
    "brine-verify",
    "brine-run",
    "brine-policy",
    "brine-doctor",
    "brinekey*",
];

pub(super) const VARIABLES: [Surrounding; 12] = [
    ("BRINE_HOME", HOME, OF_HOME),
    (
        "BRINE_PASSPHRASE_FILE",
        "The file with the passphrase of the key, instead of the terminal.",
        &[
            "brine",
            "brine-sign",
            "brinekey",
            "brinekey-gen",
            "brinekey-passwd",
            "brinekey-import",
            "brinekey-export",
        ],
    ),
    (
        "BRINE_QUEUE_PASSWORD",
        "The password for the server of a queue, where the URL names no file with it.",
        &["brine-send", "brine-recv", "brine-dead*", "brine-work", "brine-call"],
    ),
    (
        "CI",
        "If it is set, no progress is shown.",
        &["brine", "brine-sign", "brine-verify", "brine-run"],
    ),
    ("HOME", "Holds .config/brine, where neither BRINE_HOME nor XDG_CONFIG_HOME is set.", OF_HOME),
    (
        "KUBERNETES_SERVICE_HOST",
        "If it is set, the advice is for containers of Kubernetes.",
        &["brine-doctor"],
    ),
    (
        "PATH",
        "Where CMD is looked for, in its absolute directories.",
        &["brine", "brine-verify", "brine-run", "brine-policy"],
    ),
    (
        "SSH_AUTH_SOCK",
        "The socket of the SSH agent, which signs with agent:NAME.",
        &[
            "brine",
            "brine-sign",
            "brine-run",
            "brine-send",
            "brine-relay",
            "brine-work",
            "brine-call",
            "brinekey",
            "brinekey-list",
            "brinekey-pub",
        ],
    ),
    (
        "TERM",
        "If it is not set, or dumb, no progress is shown.",
        &["brine", "brine-sign", "brine-verify", "brine-run"],
    ),
    (
        "TMPDIR",
        "The directory for input that does not fit memory; by default /tmp.",
        &["brine", "brine-sign", "brine-verify", "brine-run", "brine-doctor"],
    ),
    (
        "TZ",
        "The time zone of dates and times that are typed without one; by default that of /etc/localtime.",
        &["brine", "brine-sign", "brine-verify", "brine-run", "brinekey", "brinekey-trust*"],
    ),
    ("XDG_CONFIG_HOME", "Holds the directory brine, where BRINE_HOME is not set.", OF_HOME),
];

const FILES: [Surrounding; 6] = [
    (
        "$BRINE_HOME/keys/NAME.key",
        "The private half of a key: PKCS#8 (PEM), mode 0600.",
        &[
            "brine",
            "brine-sign",
            "brinekey",
            "brinekey-gen",
            "brinekey-passwd",
            "brinekey-import",
            "brinekey-export",
            "brinekey-list",
        ],
    ),
    (
        "$BRINE_HOME/keys/NAME.pub",
        "The public half of a key: one line of OpenSSH.",
        &["brine", "brinekey*"],
    ),
    (
        "$BRINE_HOME/policy.toml",
        "What jobs may have; see policy.toml(5).",
        &["brine", "brine-run", "brine-policy"],
    ),
    (
        "$BRINE_HOME/trust.toml",
        "Who is believed; see trust.toml(5).",
        &["brine", "brine-verify", "brine-run", "brinekey*"],
    ),
    (
        "FILE.brine",
        "An envelope with its payload, by custom.",
        &["brine", "brine-sign", "brine-verify"],
    ),
    (
        "FILE.sig",
        "The signature of FILE, which lies beside it.",
        &["brine", "brine-sign", "brine-verify"],
    ),
];

/// Writes the sections of a page, where there is something to say.
pub(super) fn sections(name: &str) -> Roff {
    let mut roff = Roff::new();
    for (title, all) in [("FILES", &FILES[..]), ("ENVIRONMENT", &VARIABLES[..])] {
        let told: Vec<_> = all.iter().filter(|(_, _, pages)| is_on(name, pages)).collect();
        if told.is_empty() {
            continue;
        }
        roff.control("SH", [title]);
        for (what, text, _) in told {
            roff.control("TP", ["4"]).text([bold(*what)]).text([roman(*text)]);
        }
    }
    roff
}

fn is_on(name: &str, pages: &[&str]) -> bool {
    pages.iter().any(|page| match page.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *page || (*page == "brine-policy" && name == "brine-policy-check"),
    })
}
