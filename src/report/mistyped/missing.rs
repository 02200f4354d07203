//! What is missing on a command line, and which option makes it necessary.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use super::tree::{argument_name, path_of, typed_as, usage};
use super::{Mistake, listed};
use crate::report::console::typeable;

impl Mistake<'_> {
    /// Says what is missing, and for what.
    pub(super) fn missing(&self) -> String {
        let verb = path_of(self.command);
        if self.lone_file().is_some() {
            let both: Vec<_> = self.command.get_positionals().map(typed_as).collect();
            return format!("{verb} needs {}", listed(&both, "and"));
        }
        let missing = self.many(ContextKind::InvalidArg);
        // What only other arguments make necessary is in brackets of a group, or an option.
        let always = missing.iter().all(|text| text.starts_with('<') && !text.contains("--"));
        let names: Vec<_> = missing.iter().map(|text| argument_name(self.command, text)).collect();
        let names = listed(&names, "and");
        let needing = if always { Vec::new() } else { self.needing(&missing) };
        match needing.as_slice() {
            [] if always => format!("{verb} needs {names}"),
            [] => format!("with these options, {verb} needs {names}"),
            [one] => format!("{one} needs {names}"),
            several => format!("{} need {names}", listed(several, "and")),
        }
    }

    /// Shows the usage; or where the name of a file was left out, which comes before it, the whole line.
    pub(super) fn usage_or_name(&self) -> String {
        let line = self.lone_file().map(|file| {
            format!("a name comes first: {} NAME {}", path_of(self.command), typeable(file))
        });
        line.unwrap_or_else(|| format!("usage: {}", usage(self.command)))
    }

    /// Returns the only argument of a verb that takes a name and then a file, if it looks like a file.
    fn lone_file(&self) -> Option<&str> {
        let names: Vec<_> = self.command.get_positionals().map(typed_as).collect();
        let takes_both = names.first().is_some_and(|name| name == "NAME") && names.len() == 2;
        let verbs = path_of(self.command).split(' ').count();
        let mut words = self.typed.iter().skip(verbs).filter_map(|word| word.to_str());
        let word = words.next().filter(|word| takes_both && word.contains(['.', '/']))?;
        let word = Some(word).filter(|word| word.len() <= MAX_SHOWN_BYTES)?;
        (words.all(|word| word.starts_with("--")) && !word.starts_with('-')).then_some(word)
    }

    /// Returns the options that need what is missing, also when nothing else is typed.
    fn needing(&self, missing: &[&str]) -> Vec<String> {
        let options = self.command.get_arguments().filter(|argument| !argument.is_positional());
        let needing = options.filter(|option| {
            let alone = self.words_of(option).map(|words| missing_with(self.command, words));
            alone.is_some_and(|found| {
                !found.is_empty() && found.iter().all(|text| missing.contains(&text.as_str()))
            })
        });
        needing.map(typed_as).collect()
    }

    /// Returns the words by which an option was typed, with its value.
    fn words_of(&self, option: &Arg) -> Option<Vec<OsString>> {
        let takes_value = option.get_action().takes_values();
        let long = option.get_long().map(|long| format!("--{long}"));
        let mut words = self.typed.iter();
        while let Some(word) = words.next() {
            let text = word.to_str().unwrap_or_default();
            let (name, value) =
                text.split_once('=').map_or((text, None), |(name, _)| (name, Some(())));
            if long.as_deref() == Some(name) {
                let next = words.next().filter(|_| takes_value && value.is_none());
                return Some(std::iter::once(word).chain(next).cloned().collect());
            }
            let short = option.get_short().filter(|short| {
                !takes_value
                    && text.starts_with('-')
                    && !text.starts_with("--")
                    && text.contains(*short)
            });
            if let Some(short) = short {
                return Some(vec![format!("-{short}").into()]);
            }
        }
        None
    }
}

/// Returns what is missing where only these words are typed.
fn missing_with(command: &Command, words: Vec<OsString>) -> Vec<String> {
    let line = std::iter::once(OsString::from(command.get_name())).chain(words);
    match command.clone().try_get_matches_from(line) {
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => {
            match error.get(ContextKind::InvalidArg) {
                Some(ContextValue::Strings(texts)) => texts.clone(),
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

/// The longest name of a file that a hint repeats.
const MAX_SHOWN_BYTES: usize = 200;
