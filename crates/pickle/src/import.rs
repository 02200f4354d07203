//! One import, as the pickle has it and as the loader takes it.

use std::borrow::Cow;
use std::fmt;

use super::reason::Reason;

/// How a pickle imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum How {
    /// By two lines.
    Global,
    /// By two lines, and calls it at once.
    Inst,
    /// By two texts on the stack.
    StackGlobal,
}

impl How {
    /// Returns the name of the opcode.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Global => "GLOBAL",
            Self::Inst => "INST",
            Self::StackGlobal => "STACK_GLOBAL",
        }
    }
}

/// What a pickle imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import<'a> {
    /// The module, as it stands in the file; if that is no name, as much of it as can be shown.
    pub module: Cow<'a, str>,
    /// The name in it, with dots for attributes of attributes; if that is no name, as much of it as can
    /// be shown.
    pub name: Cow<'a, str>,
    /// What a loader of Python 3 makes of it, if that is something else: of protocols 0 to 2, it takes the
    /// names of Python 2 for those of today. It can be told not to, so both must be on the list.
    pub mapped: Option<Mapped<'a>>,
    /// The protocol that the pickle states, or 0.
    pub protocol: u8,
    /// Which opcode imports it first.
    pub how: How,
    /// How many bytes stand before that opcode.
    pub offset: usize,
    /// How many times it is imported in this way, in all.
    pub times: usize,
    /// Why it is refused, if it is.
    pub refusal: Option<Reason>,
}

impl Import<'_> {
    /// Returns what makes it the same as another.
    pub(super) fn key(&self) -> (&str, &str, How, bool) {
        (&self.module, &self.name, self.how, self.mapped.is_some())
    }
}

/// What CPython takes a name of Python 2 for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped<'a> {
    /// The module.
    pub module: &'static str,
    /// The name.
    pub name: Cow<'a, str>,
}

impl fmt::Display for Import<'_> {
    /// Writes it as a list has it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.module, self.name)?;
        match &self.mapped {
            Some(Mapped { module, name }) => write!(formatter, " (in Python 3 {module}:{name})"),
            None => Ok(()),
        }
    }
}

/// Returns whether something is made of ASCII identifiers with dots between them.
///
/// What is not may look like a name that it is not, or be another one to another loader.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= super::MAX_NAME_BYTES && text.split('.').all(is_identifier)
}

fn is_identifier(part: &str) -> bool {
    part.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
        && part.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

/// Returns what can be shown of a name.
pub(super) fn shown(bytes: &[u8]) -> Cow<'_, str> {
    let kept = bytes.get(..super::MAX_NAME_BYTES).unwrap_or(bytes);
    if kept.len() == bytes.len() {
        return String::from_utf8_lossy(bytes);
    }
    Cow::Owned(format!("{}…", String::from_utf8_lossy(kept)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ascii_identifiers_with_dots_between_them() {
        for good in ["os", "_a1", "a.b.c", "Aa", &"a".repeat(super::super::MAX_NAME_BYTES)] {
            assert!(is_name(good), "{good}");
        }
        for bad in
            ["", ".", "a.", ".a", "a..b", "1a", "a.1", "a b", "a\0", "a\r", "оs", "<lambda>", "a:b"]
        {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(!is_name(&"a".repeat(super::super::MAX_NAME_BYTES + 1)));
    }
}
