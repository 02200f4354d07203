//! The imports and refusals that a walk has found so far.

use std::collections::HashMap;

use super::entry::{Attributes, Entry};
use super::import::{ImportOpcode, MappedName, PickleImport, is_name, shown};
use super::rule::{PickleRefusal, PickleRule};
use super::{AllowList, MAX_IMPORTS, builtin_lists, python2_names};

/// The imports and refusals that a walk has found so far, each once.
#[derive(Debug)]
pub(super) struct Findings<'a, 'o> {
    allow: &'o AllowList,
    known: HashMap<ImportKey<'a>, u16>,
    pub(super) imports: Vec<PickleImport>,
    pub(super) refusals: Vec<PickleRefusal>,
    /// The rule of each import, where brine knows one.
    pub(super) rules: Vec<Option<&'static Entry>>,
    /// The imports that refusals are about.
    pub(super) subjects: Vec<(PickleRefusal, usize)>,
    beyond_the_end: bool,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ImportKey<'a> {
    module: &'a str,
    name: &'a str,
    how: ImportOpcode,
    python2: bool,
}

impl<'a, 'o> Findings<'a, 'o> {
    pub(super) fn new(allow: &'o AllowList) -> Self {
        Self {
            allow,
            known: HashMap::new(),
            imports: Vec::new(),
            refusals: Vec::new(),
            rules: Vec::new(),
            subjects: Vec::new(),
            beyond_the_end: false,
        }
    }

    /// Notes that a rule is broken.
    pub(super) fn refuse(&mut self, rule: PickleRule, offset: usize) {
        // The bytes after a pickle need not be a pickle: only the imports among them are worth a refusal.
        let is_noise = self.beyond_the_end && rule != PickleRule::ImportNotAllowed;
        if !is_noise && self.refusals.iter().all(|refusal| refusal.rule != rule) {
            self.refusals.push(PickleRefusal { rule, offset });
        }
    }

    /// Notes that something done with an import breaks its rule.
    pub(super) fn refuse_about(&mut self, import: u16, rule: PickleRule, offset: usize) {
        let import = usize::from(import);
        self.refuse(rule, offset);
        let refusal = PickleRefusal { rule, offset };
        if self.refusals.contains(&refusal) {
            self.subjects.push((refusal, import));
        }
    }

    /// Returns whether the list lifts the rule of an import.
    pub(super) fn is_lifted(&self, import: u16) -> bool {
        self.imports.get(usize::from(import)).is_some_and(|import| {
            let mapped = import.mapped.as_ref();
            self.allow.allows_anything(&import.module, &import.name)
                && mapped
                    .is_none_or(|mapped| self.allow.allows_anything(mapped.module, &mapped.name))
        })
    }

    /// Returns the rule of an import, if brine knows one.
    pub(super) fn rule(&self, import: u16) -> Option<&'static Entry> {
        self.rules.get(usize::from(import)).copied().flatten()
    }

    /// Returns whether the attributes of an import cannot be set.
    pub(super) fn is_native(&self, import: u16) -> bool {
        self.rule(import).is_some_and(|entry| entry.attributes == Attributes::Fixed)
    }

    /// Notes that the file continues after its pickle. Imports found there are listed, too.
    pub(super) fn go_beyond_the_end(&mut self, offset: usize) {
        self.refuse(PickleRule::TrailingBytes, offset);
        self.beyond_the_end = true;
    }

    /// Notes an import, judges it, and returns its index.
    pub(super) fn import(
        &mut self,
        (module, name): (&'a [u8], &'a [u8]),
        how: ImportOpcode,
        protocol: u8,
        offset: usize,
    ) -> Result<u16, PickleRule> {
        let index = u16::try_from(self.imports.len()).map_err(|_| PickleRule::TooManyImports);
        let names = listable(module).zip(listable(name));
        let python2 = protocol < FIRST_PROTOCOL_OF_PYTHON_3;
        if let Some((module, name)) = names {
            let key = ImportKey { module, name, how, python2 };
            if let Some(known) = self.known.get(&key).copied() {
                if let Some(import) = self.imports.get_mut(usize::from(known)) {
                    import.times = import.times.saturating_add(1);
                }
                return Ok(known);
            }
            if let Ok(index) = index {
                self.known.insert(key, index);
            }
        }
        if self.imports.len() >= MAX_IMPORTS {
            return Err(PickleRule::TooManyImports);
        }
        let mapped =
            names.filter(|_| python2).and_then(|(module, name)| python2_names::map(module, name));
        let refusal = self.judge(names, mapped.as_ref());
        if let Some(rule) = refusal {
            self.refuse(rule, offset);
        }
        self.rules.push(names.and_then(|(module, name)| {
            let of_old_name = builtin_lists::find(module, name);
            of_old_name
                .or_else(|| mapped.as_ref().and_then(|to| builtin_lists::find(to.module, &to.name)))
        }));
        let (module, name) = (shown(module), shown(name));
        self.imports.push(PickleImport {
            module,
            name,
            mapped,
            protocol,
            how,
            offset,
            times: 1,
            refusal,
        });
        index
    }

    fn judge(
        &self,
        names: Option<(&str, &str)>,
        mapped: Option<&MappedName>,
    ) -> Option<PickleRule> {
        let Some((module, name)) = names else { return Some(PickleRule::ImportName) };
        let listed = self.allow.allows(module, name)
            && mapped.is_none_or(|mapped| self.allow.allows(mapped.module, &mapped.name));
        (!listed).then_some(PickleRule::ImportNotAllowed)
    }
}

/// Returns the text of a name that can be on a list.
fn listable(bytes: &[u8]) -> Option<&str> {
    // A long name is not read as a whole: it can be imported again and again.
    let short = bytes.len() <= super::MAX_NAME_BYTES;
    short.then(|| str::from_utf8(bytes).ok())?.filter(|text| is_name(text))
}

/// From this protocol on, loaders take names as they are.
const FIRST_PROTOCOL_OF_PYTHON_3: u8 = 3;
