//! What a walk has found so far.

use std::collections::HashMap;

use super::import::{How, Import, Mapped, is_name, shown};
use super::reason::{Reason, Refusal};
use super::{AllowList, MAX_IMPORTS, compat};

/// Imports and refusals, each once.
#[derive(Debug)]
pub(super) struct Findings<'a, 'o> {
    allow: &'o AllowList,
    known: HashMap<Key<'a>, usize>,
    pub(super) imports: Vec<Import<'a>>,
    pub(super) refusals: Vec<Refusal>,
    beyond_the_end: bool,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key<'a> {
    module: &'a str,
    name: &'a str,
    how: How,
    old_names: bool,
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
    pub(super) fn refuse(&mut self, reason: Reason, offset: usize) {
        // What follows a pickle need not be one: that it follows is enough.
        let noise = self.beyond_the_end && reason != Reason::ImportNotAllowed;
        if !noise && self.refusals.iter().all(|refusal| refusal.reason != reason) {
            self.refusals.push(Refusal { reason, offset });
        }
    }

    /// Notes that the file goes on after its pickle. What that imports is listed, too.
    pub(super) fn go_beyond_the_end(&mut self, offset: usize) {
        self.refuse(Reason::TrailingBytes, offset);
        self.beyond_the_end = true;
    }

    /// Notes an import, and judges it.
    pub(super) fn import(
        &mut self,
        (module, name): (&'a [u8], &'a [u8]),
        how: How,
        protocol: u8,
        offset: usize,
    ) -> Result<(), Reason> {
        let names = text(module).zip(text(name));
        let old_names = protocol < FIRST_PROTOCOL_OF_PYTHON_3;
        if let Some((module, name)) = names {
            let key = Key { module, name, how, old_names };
            if let Some(import) =
                self.known.get(&key).and_then(|index| self.imports.get_mut(*index))
            {
                import.times = import.times.saturating_add(1);
                return Ok(());
            }
            self.known.insert(key, self.imports.len());
        }
        if self.imports.len() >= MAX_IMPORTS {
            return Err(Reason::TooManyImports);
        }
        let mapped =
            names.filter(|_| old_names).and_then(|(module, name)| compat::map(module, name));
        let refusal = self.judge(names, mapped.as_ref());
        if let Some(reason) = refusal {
            self.refuse(reason, offset);
        }
        let (module, name) = (shown(module), shown(name));
        self.imports.push(Import {
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

    fn judge(&self, names: Option<(&str, &str)>, mapped: Option<&Mapped<'_>>) -> Option<Reason> {
        let Some((module, name)) = names else { return Some(Reason::ImportName) };
        let listed = self.allow.allows(module, name)
            && mapped.is_none_or(|mapped| self.allow.allows(mapped.module, &mapped.name));
        (!listed).then_some(Reason::ImportNotAllowed)
    }
}

/// Returns a name that can be on a list.
fn text(bytes: &[u8]) -> Option<&str> {
    // So that no name is looked at as a whole again and again, however long it is.
    let short = bytes.len() <= super::MAX_NAME_BYTES;
    short.then(|| str::from_utf8(bytes).ok())?.filter(|text| is_name(text))
}

/// From this protocol on, loaders take names as they are.
const FIRST_PROTOCOL_OF_PYTHON_3: u8 = 3;
