//! Where lines of JSON go. docs/json.md says the same.

use std::ffi::OsString;

/// Where a verb writes its lines of JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum JsonPlace {
    /// Standard error, which then has nothing else: standard output has data.
    #[default]
    Stderr,
    /// Standard output. Standard error is for people.
    Stdout,
}

impl JsonPlace {
    /// Returns where lines of JSON are to go, if what was `typed` asks for them, right or wrong as it may be.
    pub(crate) fn asked(program: &str, typed: &[OsString]) -> Option<Self> {
        let own = || typed.iter().skip(1).take_while(|word| *word != "--");
        let words = own().map(|word| word.to_string_lossy()).filter(|word| !word.starts_with('-'));
        let verbs: Vec<_> = words.take(2).collect();
        let verbs: Vec<&str> = verbs.iter().map(AsRef::as_ref).collect();
        own().any(|word| word == "--json").then(|| Self::of(program, &verbs))
    }

    fn of(program: &str, verbs: &[&str]) -> Self {
        match (program, verbs) {
            (
                "brine",
                [
                    "call" | "completions" | "cosign" | "recv" | "relay" | "run" | "send" | "sign"
                    | "verify" | "work",
                    ..,
                ],
            )
            | ("brine", ["dead", "show"])
            | ("brinekey", ["export" | "pub", ..]) => Self::Stderr,
            _ => Self::Stdout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_where_no_data_goes() {
        for (line, place) in [
            ("brine verify x", None),
            ("brine verify -- --json", None),
            ("brine verify --json x", Some(JsonPlace::Stderr)),
            ("brine verify x --nonsense --json -- y", Some(JsonPlace::Stderr)),
            ("brine --json sign", Some(JsonPlace::Stderr)),
            ("brine dead show URL 1 --json", Some(JsonPlace::Stderr)),
            ("brine dead list --json URL", Some(JsonPlace::Stdout)),
            ("brine inspect --json", Some(JsonPlace::Stdout)),
            ("brine --json", Some(JsonPlace::Stdout)),
            ("brine pub --json", Some(JsonPlace::Stdout)),
            ("brinekey pub --json", Some(JsonPlace::Stderr)),
            ("brinekey trust list --json", Some(JsonPlace::Stdout)),
        ] {
            let typed: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let program = line.split(' ').next().unwrap();
            assert_eq!(JsonPlace::asked(program, &typed), place, "{line}");
        }
    }
}
