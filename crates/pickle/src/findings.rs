//! The imports and refusals that a walk has found so far.

use std::collections::HashMap;

use super::import::{ImportOpcode, MappedName, PickleImport, is_name, shown};
use super::rule::{PickleRefusal, PickleRule};
use super::{AllowList, MAX_IMPORTS, python2_names};

/// The imports and refusals that a walk has found so far, each once.
#[derive(Debug)]
pub(super) struct Findings<'a, 'o> {
    allow: &'o AllowList,
    known: HashMap<ImportKey<'a>, usize>,
    pub(super) imports: Vec<PickleImport>,
    pub(super) refusals: Vec<PickleRefusal>,
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

    /// Notes that the file continues after its pickle. Imports found there are listed, too.
    pub(super) fn go_beyond_the_end(&mut self, offset: usize) {
        self.refuse(PickleRule::TrailingBytes, offset);
        self.beyond_the_end = true;
    }

    /// Notes an import, and judges it.
    pub(super) fn import(
        &mut self,
        (module, name): (&'a [u8], &'a [u8]),
        how: ImportOpcode,
        protocol: u8,
        offset: usize,
    ) -> Result<(), PickleRule> {
        let names = listable(module).zip(listable(name));
        let python2 = protocol < FIRST_PROTOCOL_OF_PYTHON_3;
        if let Some((module, name)) = names {
            let key = ImportKey { module, name, how, python2 };
            let known = self.known.get(&key).and_then(|index| self.imports.get_mut(*index));
            if let Some(import) = known {
                import.times = import.times.saturating_add(1);
                return Ok(());
            }
            self.known.insert(key, self.imports.len());
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
        Ok(())
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
