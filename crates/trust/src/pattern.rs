//! OpenSSH pattern lists. The matcher does not recurse or try every way, so no pattern makes a match slow.

use std::fmt;

pub use brine_core::{ContextGlob, ReservedGlob};

/// A list of OpenSSH patterns (ssh_config(5), PATTERNS).
///
/// Commas separate the patterns. `*` stands for any number of bytes and `?` for any one byte. A pattern that begins
/// with `!` must not match, wherever in the list it is; such patterns alone match nothing. Case matters. This is what
/// `match_pattern_list(…, 0)` does in OpenSSH.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PatternList {
    text: String,
}

impl PatternList {
    /// Returns the list that is written so. Every text is a list.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// Returns the list as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether a negated pattern matches `text`, so that nothing else can.
    #[must_use]
    pub fn excludes(&self, text: &str) -> bool {
        let mut patterns = self.text.split_terminator(',').filter_map(|one| one.strip_prefix('!'));
        patterns.any(|pattern| {
            pattern.len() > MAX_PATTERN_BYTES
                || pattern_matches(pattern.as_bytes(), text.as_bytes())
        })
    }

    /// Returns whether a pattern matches `text` and no negated pattern does.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let mut matched = false;
        // As in OpenSSH, there is no pattern after a last comma, and an empty one between two commas.
        for pattern in self.text.split_terminator(',') {
            let negated = pattern.strip_prefix('!');
            let pattern = negated.unwrap_or(pattern);
            // OpenSSH rejects the whole list if it reaches such a pattern.
            if pattern.len() > MAX_PATTERN_BYTES {
                return false;
            }
            if pattern_matches(pattern.as_bytes(), text.as_bytes()) {
                if negated.is_some() {
                    return false;
                }
                matched = true;
            }
        }
        matched
    }
}

impl fmt::Display for PatternList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Matches `*` and `?` over bytes.
///
/// After a mismatch only the last star takes more bytes; that earlier stars do would not help. This takes at most
/// `pattern.len() * text.len()` steps.
fn pattern_matches(mut pattern: &[u8], mut text: &[u8]) -> bool {
    let mut last_star: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), text.split_first()) {
            (Some((b'*', after)), _) => {
                last_star = Some((after, text));
                pattern = after;
                continue;
            }
            (Some((wanted, pattern_rest)), Some((found, text_rest)))
                if *wanted == b'?' || wanted == found =>
            {
                (pattern, text) = (pattern_rest, text_rest);
                continue;
            }
            (None, None) => return true,
            (Some(_) | None, Some(_)) | (Some(_), None) => {}
        }
        // The last star takes one more byte, if there is one.
        let Some((after, taken)) = last_star else { return false };
        let Some((_, taken)) = taken.split_first() else { return false };
        last_star = Some((after, taken));
        (pattern, text) = (after, taken);
    }
}

/// The longest pattern that OpenSSH matches. Its buffer has 1024 bytes, and two are never used.
const MAX_PATTERN_BYTES: usize = 1022;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pattern_lists_match_as_in_openssh() {
        for (list, text, expected) in [
            ("", "", false),
            ("", "a", false),
            (",", "", true),
            ("a,", "", false),
            ("a,,", "", true),
            ("a", "a", true),
            ("a", "A", false),
            ("a,b", "b", true),
            ("a,b", "c", false),
            ("a, b", "b", false),
            ("*", "", true),
            ("*", "a/b", true),
            ("?", "", false),
            ("?", "a", true),
            ("?", "é", false), // two bytes
            ("??", "é", true),
            ("*?", "", false),
            ("*?", "abc", true),
            ("a*?c", "abc", true),
            ("a*?c", "ac", false),
            ("a*b*c", "axbxbxc", true),
            ("*@example.com", "alice@example.com", true),
            ("*@example.com", "alice@example.org", false),
            ("!alice", "alice", false),
            ("!alice", "bob", false), // negation alone matches nothing
            ("!alice,*", "bob", true),
            ("!alice,*", "alice", false),
            ("*,!alice", "alice", false), // wherever it is
            ("!a*,*", "alice", false),
            ("!!a,*", "a", true), // "!a", negated
            ("!!a,*", "!a", false),
            ("*,!", "", false),
            ("*,!", "a", true),
            ("[ab]", "a", false),
            ("[ab]", "[ab]", true),
        ] {
            let found = PatternList::new(list).matches(text);
            assert_eq!(found, expected, "{list:?} on {text:?}");
        }
    }

    #[test]
    fn patterns_beyond_the_limit_of_openssh_spoil_their_list() {
        for (bytes, expected) in [(1021, true), (1022, true), (1023, false), (1024, false)] {
            let list = PatternList::new(format!("alice,{}", "a".repeat(bytes)));
            assert_eq!(list.matches("alice"), expected, "{bytes}");
        }
    }

    #[test]
    fn adversarial_patterns_take_no_time() {
        let start = Instant::now();
        let text = "a".repeat(60_000);
        let list = PatternList::new("*a".repeat(500) + "*b,*ab");
        assert!(!list.matches(&text));
        let list = PatternList::new("*?a".repeat(300) + "b");
        assert!(!list.matches(&text));
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    /// What the matcher must agree with: the definition, tried in every way.
    fn matches_by_definition(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => {
                matches_by_definition(rest, text)
                    || text
                        .split_first()
                        .is_some_and(|(_, after)| matches_by_definition(pattern, after))
            }
            ([b'?', p @ ..], [_, t @ ..]) => matches_by_definition(p, t),
            ([p, pattern @ ..], [t, text @ ..]) if p == t => matches_by_definition(pattern, text),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn patterns_agree_with_their_definition(pattern in "[ab*?]{1,8}", text in "[ab]{0,10}") {
            let expected = matches_by_definition(pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(PatternList::new(pattern).matches(&text), expected);
        }
    }
}
