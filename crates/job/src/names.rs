//! The names that grants hold, and their rules.

use std::fmt;

use brine_core::text::all_harmless;

/// The rule that a text breaks, so that it is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NameError(pub(super) &'static str);

/// A signer's name for an interpreter. The policy maps it to a program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterpreterAlias(String);

impl InterpreterAlias {
    /// Reads an alias: letters, digits and `. _ + -`, up to 64 bytes. The first is a letter or digit.
    ///
    /// # Errors
    ///
    /// [`NameError`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let expected = "an interpreter name has letters, digits and . _ + -, as in python3";
        is_plain_name(text).then(|| Self(text.to_owned())).ok_or(NameError(expected))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VariableName(String);

impl VariableName {
    /// Reads a name: letters, digits and `_`, up to 128 bytes. The first is not a digit (POSIX, Section 8.1).
    ///
    /// # Errors
    ///
    /// [`NameError`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let good = (1..=128).contains(&text.len())
            && !text.starts_with(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let expected = "a variable name has letters, digits and _, as in LANG";
        good.then(|| Self(text.to_owned())).ok_or(NameError(expected))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a power that a signer wants: something that a program of the operator does for the job. The operator says
/// which program that is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PowerName(String);

impl PowerName {
    /// Reads a name: letters, digits and `. _ + -`, up to 64 bytes. The first is a letter or digit.
    ///
    /// # Errors
    ///
    /// [`NameError`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let expected = "the name of a power has letters, digits and . _ + -, as in orders";
        is_plain_name(text).then(|| Self(text.to_owned())).ok_or(NameError(expected))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_plain_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c))
}

/// The name of the queue that a signer wants the result on. It is beside the queue that the job came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyQueue(String);

impl ReplyQueue {
    /// Reads a name: up to 255 bytes of visible characters.
    ///
    /// # Errors
    ///
    /// [`NameError`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let good = (1..=255).contains(&text.len()) && all_harmless(text);
        let expected = "the name of a queue has 1 to 255 bytes, in visible characters";
        good.then(|| Self(text.to_owned())).ok_or(NameError(expected))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A path that a signer names. It is never a path of this system: its first part names a root of the policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogicalPath(String);

impl LogicalPath {
    /// Reads a path: parts with `/` between them, none of them empty, `.` or `..`, up to 255 bytes each and
    /// 1024 bytes in all, of visible characters.
    ///
    /// # Errors
    ///
    /// [`NameError`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let bad = |what| Err(NameError(what));
        if text.starts_with('/') {
            return bad("a path is relative to a root of the policy, as in data/in");
        }
        if text.len() > MAX_PATH_BYTES {
            return bad("a path has up to 1024 bytes");
        }
        if !all_harmless(text) {
            return bad("a path has no control characters and none that cannot be seen");
        }
        for part in text.split('/') {
            match part {
                "" => return bad("a path has no empty parts"),
                "." | ".." => return bad("a path has no part that is . or .."),
                part if part.len() > MAX_PART_BYTES => {
                    return bad("a part of a path has up to 255 bytes");
                }
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first part, which names a root, and the rest of the path. The rest is empty for the root
    /// itself.
    #[must_use]
    pub fn split_root(&self) -> (&str, &str) {
        self.0.split_once('/').unwrap_or((&self.0, ""))
    }

    /// Returns whether this path is `other`, or lies inside it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        let rest = self.0.strip_prefix(other.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

macro_rules! show_as_text {
    ($($name:ident)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

show_as_text!(InterpreterAlias VariableName PowerName ReplyQueue LogicalPath);

const MAX_PATH_BYTES: usize = 1024;

const MAX_PART_BYTES: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_keep_their_rules() {
        for good in ["a", "data/in", "a.b/..c", "...", "naïve/ü", "a b"] {
            assert_eq!(LogicalPath::parse(good).unwrap().as_str(), good);
        }
        for (bad, what) in [
            ("/etc", "relative"),
            ("", "empty"),
            ("a//b", "empty"),
            ("a/", "empty"),
            (".", ". or .."),
            ("a/../b", ". or .."),
            ("a/./b", ". or .."),
            ("a\nb", "control"),
            ("a\0", "control"),
            ("a\u{202e}b", "control"),
        ] {
            let error = LogicalPath::parse(bad).unwrap_err().to_string();
            assert!(error.contains(what), "{bad:?}: {error}");
        }
        assert!(LogicalPath::parse(&"a".repeat(255)).is_ok());
        assert!(LogicalPath::parse(&"a".repeat(256)).is_err());
        assert!(LogicalPath::parse(&vec!["a".repeat(255); 4].join("/")).is_ok());
        assert!(LogicalPath::parse(&vec!["a".repeat(255); 5].join("/")).is_err());
    }

    #[test]
    fn a_path_is_within_another_part_by_part() {
        let within = |one, other| {
            LogicalPath::parse(one).unwrap().is_within(&LogicalPath::parse(other).unwrap())
        };
        assert!(within("a/b", "a") && within("a", "a"));
        assert!(!within("a", "a/b") && !within("ab", "a"));
        assert_eq!(LogicalPath::parse("a/b/c").unwrap().split_root(), ("a", "b/c"));
        assert_eq!(LogicalPath::parse("a").unwrap().split_root(), ("a", ""));
    }

    #[test]
    fn names_keep_their_rules() {
        for good in ["python3", "g++", "7z", "a.b_c-d"] {
            assert!(InterpreterAlias::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-c", ".sh", "a/b", "a b", "é", "..", &"a".repeat(65)] {
            assert!(InterpreterAlias::parse(bad).is_err(), "{bad}");
        }
        for good in ["LANG", "_", "a1"] {
            assert!(VariableName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "1A", "A=B", "A B", "A\0", "Ä", &"A".repeat(129)] {
            assert!(VariableName::parse(bad).is_err(), "{bad}");
        }
    }
}
