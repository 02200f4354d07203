//! An import, as the pickle names it and as a loader takes it.

use std::fmt;

use super::rule::PickleRule;

/// The opcode that imports a name, or the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImportOpcode {
    /// `REDUCE` of `getattr`: the name is one of what was imported, and a text on the stack.
    Attribute,
    /// `GLOBAL`: the names are two lines.
    Global,
    /// `INST`: the names are two lines, and the class is called at once.
    Inst,
    /// `STACK_GLOBAL`: the names are two texts on the stack.
    StackGlobal,
}

impl ImportOpcode {
    /// Returns the name of the opcode.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attribute => "getattr",
            Self::Global => "GLOBAL",
            Self::Inst => "INST",
            Self::StackGlobal => "STACK_GLOBAL",
        }
    }
}

/// A name that a pickle imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PickleImport {
    /// The module, as it is in the file; if it is not a name, as much of it as can be shown.
    pub module: String,
    /// The name in the module, with dots for attributes of attributes; if it is not a name, as much of it as
    /// can be shown.
    pub name: String,
    /// The name that a loader of Python 3 imports instead, if it is another one: in protocols 0 to 2, it maps
    /// names of Python 2 to those of today. It can be told not to, so both must be on the list.
    pub mapped: Option<MappedName>,
    /// The protocol that the pickle states, or 0.
    pub protocol: u8,
    /// The opcode that imports it.
    pub how: ImportOpcode,
    /// How many bytes come before the opcode that first imports it.
    pub offset: usize,
    /// How many times it is imported by this opcode.
    pub times: usize,
    /// The rule that it breaks, if it is refused.
    pub refusal: Option<PickleRule>,
}

impl PickleImport {
    /// Returns the pairs that must be on a list for the import to be allowed.
    pub(super) fn pairs(&self) -> Vec<(&str, &str)> {
        let mapped = self.mapped.as_ref().map(|mapped| (mapped.module, mapped.name.as_str()));
        [(self.module.as_str(), self.name.as_str())].into_iter().chain(mapped).collect()
    }

    /// Returns what two imports share that are listed as one.
    pub(super) fn key(&self) -> (&str, &str, ImportOpcode, bool) {
        (&self.module, &self.name, self.how, self.mapped.is_some())
    }
}

/// The name of Python 3 that CPython imports for one of Python 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedName {
    /// The module.
    pub module: &'static str,
    /// The name.
    pub name: String,
}

impl fmt::Display for PickleImport {
    /// Writes it as a line of an allow list.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.module, self.name)?;
        match &self.mapped {
            Some(MappedName { module, name }) => {
                write!(formatter, " (in Python 3 {module}:{name})")
            }
            None => Ok(()),
        }
    }
}

/// Returns whether a text consists of ASCII identifiers with dots between them.
///
/// Another text can look like a different name, or be a different name to another loader.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= super::MAX_NAME_BYTES && text.split('.').all(is_identifier)
}

fn is_identifier(part: &str) -> bool {
    part.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
        && part.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

/// Returns as much of a name as can be shown.
pub(super) fn shown(bytes: &[u8]) -> String {
    let kept = bytes.get(..super::MAX_NAME_BYTES).unwrap_or(bytes);
    if kept.len() == bytes.len() {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    format!("{}…", String::from_utf8_lossy(kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MAX_NAME_BYTES;

    #[test]
    fn names_are_ascii_identifiers_with_dots_between_them() {
        for good in ["os", "_a1", "a.b.c", "Aa", &"a".repeat(MAX_NAME_BYTES)] {
            assert!(is_name(good), "{good}");
        }
        for bad in
            ["", ".", "a.", ".a", "a..b", "1a", "a.1", "a b", "a\0", "a\r", "оs", "<lambda>", "a:b"]
        {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(!is_name(&"a".repeat(MAX_NAME_BYTES + 1)));
    }
}
