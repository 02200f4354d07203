//! The imports and refusals that a walk has found so far.

use std::collections::HashMap;

use super::allow_list::FIRST_PROTOCOL_OF_PYTHON_3;
use super::entry::{Attributes, Entry};
use super::import::{ImportOpcode, MappedName, PickleImport, is_name, shown};
use super::machine::{GlobalSort, Value};
use super::rule::{PickleRefusal, PickleRule};
use super::{AllowList, MAX_IMPORTS, builtin_lists, python2_names};

/// The imports and refusals that a walk has found so far, each once.
#[derive(Debug)]
pub(super) struct Findings<'a, 'o> {
    allow: &'o AllowList,
    known: HashMap<ImportKey<'a>, u16>,
    /// The attributes of imports, by these and their names.
    attributes: HashMap<(u16, &'a str), u16>,
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
            attributes: HashMap::new(),
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

    /// Returns the value of an import.
    pub(super) fn value(&self, import: u16) -> Value {
        let sort = match self.rule(import) {
            Some(rule) if rule.takes_attribute() && !self.is_lifted(import) => {
                GlobalSort::TakesAttributes
            }
            Some(rule) if rule.attributes == Attributes::Fixed => GlobalSort::Fixed,
            _ => GlobalSort::Open,
        };
        Value::Global { import, sort }
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
        let names = listable(module).zip(listable(name));
        let python2 = protocol < FIRST_PROTOCOL_OF_PYTHON_3;
        let key = names.map(|(module, name)| ImportKey { module, name, how, python2 });
        let known = key.as_ref().and_then(|key| self.known.get(key)).copied();
        if let Some(known) = known {
            self.count(known);
            return Ok(known);
        }
        let mapped =
            names.filter(|_| python2).and_then(|(module, name)| python2_names::map(module, name));
        let index = self.add(PickleImport {
            module: shown(module),
            name: shown(name),
            refusal: self.judge(names, mapped.as_ref()),
            mapped,
            protocol,
            how,
            offset,
            times: 1,
        })?;
        if let Some(key) = key {
            self.known.insert(key, index);
        }
        Ok(index)
    }

    /// Notes an import of an attribute of what was imported, as `getattr` takes it, and returns its index. `None` if
    /// there can be no such name.
    pub(super) fn import_attribute(
        &mut self,
        holder: u16,
        attribute: &'a str,
        protocol: u8,
        offset: usize,
    ) -> Result<Option<u16>, PickleRule> {
        if let Some(known) = self.attributes.get(&(holder, attribute)).copied() {
            self.count(known);
            return Ok(Some(known));
        }
        let held = self.imports.get(usize::from(holder));
        let held = held.filter(|held| held.refusal != Some(PickleRule::ImportName));
        let Some(held) = held.filter(|_| is_name(attribute) && !attribute.contains('.')) else {
            return Ok(None);
        };
        let (module, name) = (held.module.clone(), format!("{}.{attribute}", held.name));
        let mapped = held.mapped.as_ref().map(|mapped| MappedName {
            module: mapped.module,
            name: format!("{}.{attribute}", mapped.name),
        });
        let names = is_name(&name).then_some((module.as_str(), name.as_str()));
        let refusal = self.judge(names, mapped.as_ref());
        let how = ImportOpcode::Attribute;
        let import =
            PickleImport { module, name, mapped, protocol, how, offset, times: 1, refusal };
        let index = self.add(import)?;
        self.attributes.insert((holder, attribute), index);
        Ok(Some(index))
    }

    fn count(&mut self, import: u16) {
        if let Some(import) = self.imports.get_mut(usize::from(import)) {
            import.times = import.times.saturating_add(1);
        }
    }

    /// Adds an import with its rule, and returns its index.
    fn add(&mut self, import: PickleImport) -> Result<u16, PickleRule> {
        let index = u16::try_from(self.imports.len()).map_err(|_| PickleRule::TooManyImports)?;
        if self.imports.len() >= MAX_IMPORTS {
            return Err(PickleRule::TooManyImports);
        }
        if let Some(rule) = import.refusal {
            self.refuse(rule, import.offset);
        }
        let nameable = import.refusal != Some(PickleRule::ImportName);
        let rule =
            import.pairs().iter().find_map(|(module, name)| builtin_lists::find(module, name));
        self.rules.push(rule.filter(|_| nameable));
        self.imports.push(import);
        Ok(index)
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
