//! How help is arranged: what people use most in the short one, and headings in the long one.

use clap::Arg;

/// Returns a function for `Command::mut_args`: the short help shows these options, and the long one has headings for
/// the others.
pub(super) fn arranged(common: &'static [&'static str]) -> impl FnMut(Arg) -> Arg {
    move |argument| {
        let id = argument.get_id().as_str();
        let is_common = argument.is_positional() || common.contains(&id);
        let heading = HEADINGS.iter().find(|(_, ids)| ids.contains(&id) && !common.contains(&id));
        let argument = argument.hide_short_help(!is_common);
        match heading {
            Some((heading, _)) => argument.help_heading(*heading),
            None => argument,
        }
    }
}

/// Returns the first two of the examples, for the short help.
pub(super) fn first_of(examples: &'static str) -> &'static str {
    let end = examples.match_indices("\n\n").nth(1).map(|(end, _)| end);
    end.and_then(|end| examples.get(..end)).unwrap_or(examples)
}

/// The headings, and the options below each, by their ids.
const HEADINGS: [(&str, &[&str]); 7] = [
    ("Trust", &["public_keys", "trust", "revoked", "signers", "require", "insecure_permissions"]),
    ("Several signers", &["cosignable", "needs_all"]),
    ("Time", &["expires", "not_before", "max_age", "now"]),
    (
        "Output",
        &[
            "output",
            "force",
            "armor",
            "check",
            "partial_output",
            "collect_to",
            "sign_result",
            "result_context",
            "format",
            "json",
            "report",
            "verbose",
            "quiet",
        ],
    ),
    ("Streams", &["single", "segment_size", "hash", "flush_after", "whole", "threads"]),
    ("Passphrase", &["passphrase_file", "passphrase_fd"]),
    (
        "Expert",
        &[
            "aad",
            "die_with_parent",
            "alg",
            "plain",
            "typ",
            "untyped",
            "untagged",
            "outer_tags",
            "try_keys",
            "system",
            "powers",
            "without",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::*;
    use crate::args::brine::Brine;

    fn verb(name: &str) -> Command {
        let mut brine = Brine::command();
        brine.build();
        brine.find_subcommand(name).unwrap().clone()
    }

    #[test]
    fn headings_name_options_that_there_are() {
        let verbs = ["sign", "verify", "run"].map(verb);
        for id in HEADINGS.iter().flat_map(|(_, ids)| *ids) {
            let is_known =
                |verb: &Command| verb.get_arguments().any(|argument| argument.get_id() == id);
            assert!(verbs.iter().any(is_known), "{id}");
        }
    }

    #[test]
    fn every_option_is_common_or_below_a_heading() {
        for verb in ["sign", "verify", "run"].map(verb) {
            for argument in verb.get_arguments().filter(|argument| !argument.is_positional()) {
                let is_common = !argument.is_hide_short_help_set();
                let is_below = argument.get_help_heading().is_some();
                let is_plain = ["detached", "signature", "result_of", "content_type", "explain"]
                    .contains(&argument.get_id().as_str());
                assert!(is_common || is_below || is_plain, "{} {argument}", verb.get_name());
            }
        }
    }

    #[test]
    fn the_first_examples_are_two() {
        assert_eq!(
            first_of("Examples:\n  A:\n    $ a\n\n  B:\n    $ b\n\n  C:\n    $ c"),
            "Examples:\n  A:\n    $ a\n\n  B:\n    $ b"
        );
        assert_eq!(first_of("Examples:\n  A:\n    $ a"), "Examples:\n  A:\n    $ a");
    }
}
