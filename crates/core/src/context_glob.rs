//! Patterns over contexts, as trust files and policies hold them.

use std::fmt;
use std::str::FromStr;

use crate::text::quoted;

/// A pattern for contexts. `*` stands for any number of characters other than `/`.
///
/// ```
/// use brine_core::ContextGlob;
///
/// let glob = ContextGlob::parse("reports/*")?;
/// assert!(glob.matches("reports/daily"));
/// assert!(!glob.matches("reports/daily/late"));
/// # Ok::<(), brine_core::ReservedGlob>(())
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
#[error("context pattern {} contains {reserved:?}, which is reserved", quoted(glob))]
pub struct ReservedGlob {
    /// The pattern.
    pub glob: String,
    /// The reserved text in it.
    pub reserved: &'static str,
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

/// What a context pattern may not contain. `**` may one day match `/`.
const RESERVED: [&str; 7] = ["?", "[", "]", "{", "}", "\\", "**"];

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
    fn an_adversarial_glob_takes_no_time() {
        let start = Instant::now();
        let text = "a".repeat(60_000);
        let glob = ContextGlob::parse(&("*a".repeat(20_000) + "b*")).unwrap();
        assert!(!glob.matches(&text));
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    /// What the matcher must agree with: the definition, tried in every way.
    fn matches_by_definition(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => {
                matches_by_definition(rest, text)
                    || text.split_first().is_some_and(|(first, after)| {
                        *first != b'/' && matches_by_definition(pattern, after)
                    })
            }
            ([p, pattern @ ..], [t, text @ ..]) if p == t => matches_by_definition(pattern, text),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn globs_agree_with_their_definition(glob in "[ab/*]{0,8}", text in "[ab/]{0,10}") {
            if let Ok(parsed) = ContextGlob::parse(&glob) {
                let expected = matches_by_definition(glob.as_bytes(), text.as_bytes());
                prop_assert_eq!(parsed.matches(&text), expected);
            }
        }
    }
}
