//! Lists of the names that may be imported.

use std::collections::BTreeMap;

use super::entry::Entry;
use super::import::is_name;
use super::{builtin_lists, gadgets, python2_names};

/// The names that may be imported: exact pairs of a module and a name in it.
///
/// There are no wildcards. A module from which anything may be imported also gives away what was left in it by
/// accident, and what it imported itself.
///
/// The names of the built-in lists have rules: with which arguments they may be called, and which state and items
/// their results may take. A rule holds wherever its name is listed, unless the line ends in `any`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList {
    names: BTreeMap<String, BTreeMap<String, Use>>,
}

/// What may be done with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    /// What its rule allows. Without a rule, anything.
    ByItsRule,
    /// Anything, whatever its rule says.
    Any,
}

/// A line of a list is not a pair.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {text:?} is not MODULE:NAME, each made of ASCII identifiers and dots")]
pub struct AllowListError {
    /// The line, counted from 1.
    pub line: usize,
    /// Its text, cut if it is long.
    pub text: String,
}

impl AllowList {
    /// Returns a list that allows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the list for values of Python's standard library: containers, numbers, dates, paths, UUIDs.
    #[must_use]
    pub fn std() -> Self {
        Self::of(builtin_lists::STD)
    }

    /// Returns the list for NumPy's arrays, scalars and types, by the names of NumPy 1 and 2.
    #[must_use]
    pub fn numpy() -> Self {
        Self::of(builtin_lists::NUMPY)
    }

    /// Reads a list: one `module:name` a line, empty lines, and comments after `#`. The word `any` after a name
    /// lifts the rule that brine has for it.
    ///
    /// # Errors
    ///
    /// [`AllowListError`] for the first line that is anything else.
    pub fn parse(text: &str) -> Result<Self, AllowListError> {
        let mut list = Self::new();
        for (index, line) in text.lines().enumerate() {
            let entry = line.split('#').next().unwrap_or_default().trim();
            if entry.is_empty() {
                continue;
            }
            let (pair, what) = match entry.strip_suffix("any").map(str::trim_end) {
                Some(pair) if pair.len() + "any".len() < entry.len() => (pair, Use::Any),
                _ => (entry, Use::ByItsRule),
            };
            let pair = pair.split_once(':').filter(|(module, name)| list.add(module, name, what));
            if pair.is_none() {
                let text = entry.chars().take(LONGEST_SHOWN).collect();
                return Err(AllowListError { line: index.saturating_add(1), text });
            }
        }
        Ok(list)
    }

    /// Adds a pair, unless one of its names does not consist of ASCII identifiers with dots between them.
    /// Returns whether it was added.
    pub fn insert(&mut self, module: &str, name: &str) -> bool {
        self.add(module, name, Use::ByItsRule)
    }

    /// Adds a pair as [`insert`](Self::insert) does, and lifts the rule that brine has for it.
    pub fn insert_any(&mut self, module: &str, name: &str) -> bool {
        self.add(module, name, Use::Any)
    }

    fn add(&mut self, module: &str, name: &str, what: Use) -> bool {
        let good = is_name(module) && is_name(name);
        if good {
            let names = self.names.entry(module.to_owned()).or_default();
            let known = names.entry(name.to_owned()).or_insert(what);
            *known = what.max(*known);
        }
        good
    }

    /// Adds all pairs of another list.
    pub fn extend(&mut self, other: Self) {
        for (module, names) in other.names {
            for (name, what) in names {
                self.add(&module, &name, what);
            }
        }
    }

    /// Returns whether a pair is on the list.
    #[must_use]
    pub fn allows(&self, module: &str, name: &str) -> bool {
        self.names.get(module).is_some_and(|names| names.contains_key(name))
    }

    /// Returns whether a pair is on the list, and its rule is lifted.
    #[must_use]
    pub fn allows_anything(&self, module: &str, name: &str) -> bool {
        self.names.get(module).and_then(|names| names.get(name)) == Some(&Use::Any)
    }

    /// Returns the pair that a loader of Python 3 imports for a name in a pickle of this protocol: in protocols 0 to 2,
    /// it maps names of Python 2 to those of today. `None` if one of both is not on the list.
    #[must_use]
    pub fn resolve(&self, module: &str, name: &str, protocol: u8) -> Option<(String, String)> {
        let mapped = (protocol < FIRST_PROTOCOL_OF_PYTHON_3)
            .then(|| python2_names::map(module, name))
            .flatten()
            .map(|mapped| (mapped.module.to_owned(), mapped.name));
        let found = mapped.unwrap_or_else(|| (module.to_owned(), name.to_owned()));
        (self.allows(module, name) && self.allows(&found.0, &found.1)).then_some(found)
    }

    /// Returns why what the rule of a pair allows is harmless, if brine has a rule for it.
    #[must_use]
    pub fn reason(module: &str, name: &str) -> Option<&'static str> {
        builtin_lists::find(module, name).map(|entry| entry.why)
    }

    /// Returns all pairs, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.names
            .iter()
            .flat_map(|(module, names)| names.keys().map(|name| (module.as_str(), name.as_str())))
    }

    /// Returns the pairs through which a pickle can reach names that are not on the list, as far as they are
    /// known: by their name, or because their rule is lifted. That a pair is not among them says nothing.
    pub fn gadgets(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().filter(|(module, name)| match builtin_lists::find(module, name) {
            Some(_) => self.allows_anything(module, name),
            None => gadgets::is_known(module, name),
        })
    }

    fn of(entries: &[&[Entry]]) -> Self {
        let mut list = Self::new();
        for (module, name) in entries.iter().copied().flatten().flat_map(|entry| entry.names) {
            list.insert(module, name);
        }
        list
    }
}

/// From this protocol on, loaders take names as they are.
pub(super) const FIRST_PROTOCOL_OF_PYTHON_3: u8 = 3;

/// The most characters of a bad line that an error shows.
const LONGEST_SHOWN: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_pair_a_line_and_comments() {
        let list =
            AllowList::parse("# mine\n\n a.b:C.d # why\r\nbuiltins:set\nbuiltins:set").unwrap();
        assert_eq!(list.iter().collect::<Vec<_>>(), [("a.b", "C.d"), ("builtins", "set")]);
        assert!(list.allows("a.b", "C.d"));
        for (module, name) in [("a.b", "C"), ("a.b", "d"), ("a", "C.d"), ("a", "b.C.d"), ("", "")] {
            assert!(!list.allows(module, name), "{module}:{name}");
        }
    }

    #[test]
    fn a_line_that_is_not_a_pair_is_refused_with_its_number() {
        for bad in ["os", "os:", ":a", "os:*", "os.*:getpid", "a:b:c", "a b:c", "a: b", "оs:getpid"]
        {
            let error = AllowList::parse(&format!("a:b\n{bad} # x")).unwrap_err();
            assert_eq!(error, AllowListError { line: 2, text: bad.to_owned() });
        }
    }

    #[test]
    fn an_extended_list_has_the_pairs_of_both() {
        let mut list = AllowList::std();
        list.extend(AllowList::numpy());
        assert!(
            AllowList::std()
                .iter()
                .chain(AllowList::numpy().iter())
                .all(|(m, n)| list.allows(m, n))
        );
    }

    #[test]
    fn a_name_of_python_2_resolves_only_if_both_names_are_listed() {
        let pair = |module: &str, name: &str| Some((module.to_owned(), name.to_owned()));
        let both = AllowList::parse("__builtin__:xrange\nbuiltins:range").unwrap();
        assert_eq!(both.resolve("__builtin__", "xrange", 2), pair("builtins", "range"));
        assert_eq!(both.resolve("__builtin__", "xrange", 3), pair("__builtin__", "xrange"));
        assert_eq!(both.resolve("builtins", "range", 0), pair("builtins", "range"));
        for one in ["__builtin__:xrange", "builtins:range"] {
            let one = AllowList::parse(one).unwrap();
            assert_eq!(one.resolve("__builtin__", "xrange", 2), None);
        }
        assert_eq!(both.resolve("builtins", "xrange", 4), None);
    }

    #[test]
    fn known_gadgets_are_found_and_the_built_in_lists_have_none() {
        let list = "builtins:getattr any\ncollections:deque\nos.path:join\nos:getpid";
        let list = AllowList::parse(list).unwrap();
        let found: Vec<_> = list.gadgets().collect();
        assert_eq!(found, [("builtins", "getattr"), ("os", "getpid")]);
        // By its rule it imports what is on the list, and no more.
        assert_eq!(AllowList::parse("builtins:getattr").unwrap().gadgets().next(), None);
        for list in [AllowList::std(), AllowList::numpy()] {
            assert_eq!(list.gadgets().next(), None);
            assert!(list.iter().all(|(module, name)| is_name(module) && is_name(name)));
        }
    }
}
