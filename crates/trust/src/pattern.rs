//! The two pattern languages of trust files: globs over contexts, and OpenSSH pattern lists.
//!
//! Neither matcher recurses or tries every way, so no pattern makes a match slow.

use std::fmt;
use std::str::FromStr;

/// A pattern for contexts. `*` stands for any number of characters other than `/`.
///
/// ```
/// use brine_trust::ContextGlob;
///
/// let glob = ContextGlob::parse("reports/*")?;
/// assert!(glob.matches("reports/daily"));
/// assert!(!glob.matches("reports/daily/late"));
/// # Ok::<(), brine_trust::ReservedGlob>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContextGlob {
    text: String,
}

impl ContextGlob {
    /// Reads a pattern.
    ///
    /// Characters with a meaning in other pattern languages are refused: the author of the file may have had that
    /// meaning in mind.
    ///
    /// # Errors
    ///
    /// [`ReservedGlob`] if the pattern contains one of `?`, `[`, `]`, `{`, `}`, `\` or `**`.
    pub fn parse(text: &str) -> Result<Self, ReservedGlob> {
        match RESERVED.into_iter().find(|&reserved| text.contains(reserved)) {
            None => Ok(Self { text: text.to_owned() }),
            Some(reserved) => Err(ReservedGlob { glob: text.to_owned(), reserved }),
        }
    }

    /// Returns the pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether the whole of `context` matches.
    #[must_use]
    pub fn matches(&self, context: &str) -> bool {
        // Only `/` matches `/`, so the parts between them can be matched one by one.
        let (patterns, parts) = (self.text.split('/'), context.split('/'));
        patterns.clone().count() == parts.clone().count()
            && patterns.zip(parts).all(|(pattern, part)| part_matches(pattern, part))
    }
}

impl fmt::Display for ContextGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ContextGlob {
    type Err = ReservedGlob;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// A context pattern contains something that is reserved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("context pattern {glob:?} contains {reserved:?}, which is reserved")]
pub struct ReservedGlob {
    /// The pattern.
    pub glob: String,
    /// The reserved text in it.
    pub reserved: &'static str,
}

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

/// Matches a part without `/`.
///
/// Each text between two stars is searched for from left to right. Its first place is as good as any other, because
/// the stars take everything around it.
fn part_matches(pattern: &str, part: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| part.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    let Some(middle) = rest.strip_suffix(last) else { return false };
    rest = middle;
    pieces.all(|piece| match rest.split_once(piece) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
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

/// What a context pattern may not contain. `**` may one day match `/`.
const RESERVED: [&str; 7] = ["?", "[", "]", "{", "}", "\\", "**"];

/// The longest pattern that OpenSSH matches. Its buffer has 1024 bytes, and two are never used.
const MAX_PATTERN_BYTES: usize = 1022;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn globs_match_within_a_part() {
        for (glob, context, expected) in [
            ("", "", true),
            ("", "a", false),
            ("a", "a", true),
            ("a", "A", false),
            ("a", "ab", false),
            ("ab", "a", false),
            ("*", "", true),
            ("*", "a", true),
            ("*", "a b.é", true),
            ("*", "/", false),
            ("*", "a/b", false),
            ("*/*", "a/b", true),
            ("*/*", "/", true),
            ("*/*", "a", false),
            ("*/*", "a/b/c", false),
            ("reports/*", "reports/daily", true),
            ("reports/*", "reports/", true),
            ("reports/*", "reports", false),
            ("reports/*", "reports/daily/late", false),
            ("reports/*", "other/reports/daily", false),
            ("*/daily", "reports/daily", true),
            ("*/daily", "/daily", true),
            ("a*", "a", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("a*bc*bc", "abcbc", true),
            ("a*bc*bc", "abc", false),
            ("*é*", "café!", true),
            ("a/*/b", "a//b", true),
            ("a/*/b", "a/b", false),
            ("!a", "!a", true),
            ("a,b", "a,b", true),
        ] {
            let glob = ContextGlob::parse(glob).unwrap();
            assert_eq!(glob.matches(context), expected, "{glob:?} on {context:?}");
        }
    }

    #[test]
    fn globs_with_reserved_characters_are_refused() {
        for (glob, reserved) in [
            ("a?", "?"),
            ("[a", "["),
            ("a]", "]"),
            ("{a", "{"),
            ("a}", "}"),
            ("a\\*", "\\"),
            ("a/**", "**"),
            ("***", "**"),
        ] {
            let error = ReservedGlob { glob: glob.to_owned(), reserved };
            assert_eq!(ContextGlob::parse(glob), Err(error.clone()));
            assert_eq!(glob.parse::<ContextGlob>(), Err(error));
        }
    }

    #[test]
    fn reserved_globs_say_what_is_reserved() {
        let error = ContextGlob::parse("a/**").unwrap_err();
        assert_eq!(error.to_string(), r#"context pattern "a/**" contains "**", which is reserved"#);
    }

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
        let glob = ContextGlob::parse(&("*a".repeat(20_000) + "b*")).unwrap();
        assert!(!glob.matches(&text));
        let list = PatternList::new("*a".repeat(500) + "*b,*ab");
        assert!(!list.matches(&text));
        let list = PatternList::new("*?a".repeat(300) + "b");
        assert!(!list.matches(&text));
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    /// The definition, which tries every way. Both matchers must agree with it.
    fn matches_by_definition(pattern: &[u8], text: &[u8], crosses: bool) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => {
                matches_by_definition(rest, text, crosses)
                    || text.split_first().is_some_and(|(first, after)| {
                        (crosses || *first != b'/')
                            && matches_by_definition(pattern, after, crosses)
                    })
            }
            ([b'?', p @ ..], [_, t @ ..]) if crosses => matches_by_definition(p, t, crosses),
            ([p, pattern @ ..], [t, text @ ..]) if p == t => {
                matches_by_definition(pattern, text, crosses)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn globs_agree_with_their_definition(glob in "[ab/*]{0,8}", text in "[ab/]{0,10}") {
            if let Ok(parsed) = ContextGlob::parse(&glob) {
                let expected = matches_by_definition(glob.as_bytes(), text.as_bytes(), false);
                prop_assert_eq!(parsed.matches(&text), expected);
            }
        }

        #[test]
        fn patterns_agree_with_their_definition(pattern in "[ab*?]{1,8}", text in "[ab]{0,10}") {
            let expected = matches_by_definition(pattern.as_bytes(), text.as_bytes(), true);
            prop_assert_eq!(PatternList::new(pattern).matches(&text), expected);
        }
    }
}
