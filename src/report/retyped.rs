//! What was typed, as words of a shell that can be typed again.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use super::console::{typeable, typeable_path};
use crate::args::judge::JudgeArgs;
use crate::args::verify::Verify;

/// Returns the options that say which records are verified, each after a space.
pub(crate) fn judging(args: &Verify) -> String {
    let judge = &args.judge;
    let trust = &judge.trust;
    let keys = trust.public_keys.iter().map(|key| option("-p", key));
    let path = |name: &str, path: &Option<_>| path.as_deref().map(|path| path_option(name, path));
    let text = |name: &str, text: &Option<String>| text.as_deref().map(|text| option(name, text));
    let flag = |name: &str, is_set: bool| is_set.then(|| format!(" {name}"));
    let others = [
        path("--trust", &trust.trust),
        path("--revoked", &trust.revoked),
        judge.require.map(|persons| option("--require", &persons.to_string())),
        text("-c", &judge.context),
        judge.max_age.map(|age| option("--max-age", &length(age))),
        path("--aad", &judge.aad),
        flag("--untagged", judge.untagged),
        flag("--outer-tags", judge.outer_tags),
        judge.try_keys.map(|keys| option("--try-keys", &keys.to_string())),
        text("--typ", &args.typ),
        flag("--untyped", args.untyped),
        flag("--insecure-permissions", trust.permissions.insecure_permissions),
    ];
    let signers = judge.signers.iter().map(|name| option("--signer", name));
    keys.chain(signers).chain(others.into_iter().flatten()).collect()
}

/// Returns the same options as words, for a verb that judges in the same way.
pub(crate) fn judge_words(judge: &JudgeArgs) -> Vec<OsString> {
    let trust = &judge.trust;
    let mut words: Vec<_> = trust.public_keys.iter().map(|key| word("--public-key", key)).collect();
    let files = [("--trust", &trust.trust), ("--revoked", &trust.revoked), ("--aad", &judge.aad)];
    words.extend(files.iter().filter_map(|(name, path)| Some(word(name, path.as_ref()?))));
    words.extend(judge.signers.iter().map(|name| word("--signer", name)));
    words.extend(judge.context.iter().map(|context| word("--context", context)));
    words.extend(judge.require.map(|persons| word("--require", persons.to_string())));
    words.extend(judge.max_age.map(|age| word("--max-age", length(age))));
    words.extend(judge.try_keys.map(|keys| word("--try-keys", keys.to_string())));
    let flags = [
        ("--untagged", judge.untagged),
        ("--outer-tags", judge.outer_tags),
        ("--insecure-permissions", trust.permissions.insecure_permissions),
    ];
    words.extend(flags.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name.into()));
    words
}

/// Returns an option and its value as one word.
pub(crate) fn word(name: &str, value: impl AsRef<OsStr>) -> OsString {
    let mut word = OsString::from(name);
    word.push("=");
    word.push(value);
    word
}

/// Writes a length of time in the largest unit that it is a multiple of.
pub(super) fn length(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let unit = units.into_iter().find(|(unit, _)| seconds != 0 && seconds.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{seconds}s"), |(unit, name)| format!("{}{name}", seconds / unit))
}

fn path_option(name: &str, path: &Path) -> String {
    format!(" {name} {}", typeable_path(path))
}

/// Writes an option after a space. A value that begins as an option does is joined to it.
fn option(name: &str, value: &str) -> String {
    let between = if value.starts_with('-') { '=' } else { ' ' };
    format!(" {name}{between}{}", typeable(value))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::brine::{Brine, BrineVerb};

    #[test]
    fn what_judges_is_typed_again_and_means_the_same() {
        let line = "brine verify --lines --replay-db db -q --threads 2";
        for (options, expected) in [
            (&[][..], ""),
            (&["-c", "orders", "--reject-to", "kept"], " -c orders"),
            (&["--context=-x", "--signer", "al ice"], " --signer 'al ice' -c=-x"),
            (
                &["-p", "ssh-ed25519 AAAA it's", "-p", "./b"],
                r" -p 'ssh-ed25519 AAAA it'\''s' -p ./b",
            ),
            (
                &["--untyped", "--typ", "a/b;c", "--max-age", "7d", "--try-keys", "3"],
                " --max-age 7d --try-keys 3 --typ 'a/b;c' --untyped",
            ),
            (
                &["--trust", "t $x", "--revoked", "r", "--aad", "a", "--insecure-permissions"],
                " --trust 't $x' --revoked r --aad a --insecure-permissions",
            ),
            (
                &["--untagged", "--outer-tags", "--max-age", "90s"],
                " --max-age 90s --untagged --outer-tags",
            ),
        ] {
            let words = line.split(' ').chain(options.iter().copied());
            let BrineVerb::Verify(args) = Brine::try_parse_from(words).unwrap().verb else {
                panic!()
            };
            assert_eq!(judging(&args), expected);
            let again = ["brine", "verify"].map(OsString::from).into_iter();
            let again = again.chain(judge_words(&args.judge));
            let BrineVerb::Verify(again) = Brine::try_parse_from(again).unwrap().verb else {
                panic!()
            };
            assert_eq!(format!("{:?}", again.judge), format!("{:?}", args.judge));
        }
    }

    #[test]
    fn a_length_of_time_is_what_it_was() {
        for (seconds, expected) in
            [(0, "0s"), (61, "61s"), (120, "2m"), (7200, "2h"), (86_400, "1d")]
        {
            assert_eq!(length(Duration::from_secs(seconds)), expected);
        }
    }
}
