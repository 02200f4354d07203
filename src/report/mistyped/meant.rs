//! What may have been meant by a verb or an option that there is not.

use clap::error::ContextKind;
use clap::{Arg, Command};

use super::tree::{has_option, path_of, verbs_below};
use super::words::{SAID_OF_OPTIONS, SAID_OF_VERBS, SYNONYMS};
use super::{Mistake, listed};
use crate::report::similar::closest;

impl Mistake<'_> {
    /// Says which verb may have been meant.
    pub(super) fn meant_verb(&self) -> String {
        let typed = self.one(ContextKind::InvalidSubcommand);
        let program = self.program();
        let verb = path_of(self.command);
        let said = SAID_OF_VERBS.iter().find(|(words, of, _)| {
            words.contains(&typed) && of.is_none_or(|of| of == program || of == verb)
        });
        if let Some((_, _, hint)) = said {
            return hint.replace("PROGRAM", program);
        }
        let synonym = SYNONYMS.iter().find(|(words, _)| words.contains(&typed));
        let meant = self.verbs_called(synonym.map_or(typed, |(_, verb)| verb));
        if !meant.is_empty() {
            return did_you_mean(&meant);
        }
        let verbs = self.command.get_subcommands().map(Command::get_name);
        if let Some(similar) = closest(typed, verbs) {
            return did_you_mean(&[format!("{} {similar}", path_of(self.command))]);
        }
        if typed.contains(['.', '/']) {
            return "\"brine sign FILE\" signs a file, and \"brine verify FILE\" verifies an envelope".to_owned();
        }
        format!("\"{} -h\" lists the verbs", path_of(self.command))
    }

    /// Returns whether the help of two verbs was asked for at once.
    pub(super) fn is_help_of_two(&self) -> bool {
        let asks = self.typed.get(1).is_some_and(|word| word == "help");
        asks && !self.command.has_subcommands()
    }

    /// Returns what shows the help of each of two verbs.
    pub(super) fn helps(&self) -> String {
        let program = self.program();
        let first = path_of(self.command).trim_start_matches(program).trim_start();
        let second = self.one(ContextKind::InvalidSubcommand);
        let is_verb = |verb: &&str| {
            self.programs.first().is_some_and(|own| own.find_subcommand(verb).is_some())
        };
        let verbs = std::iter::once(first).chain(Some(second).filter(is_verb));
        let helps: Vec<_> = verbs.map(|verb| format!("{program} help {verb}")).collect();
        did_you_mean(&helps)
    }

    fn program(&self) -> &str {
        self.programs.first().map_or("brine", Command::get_name)
    }

    /// Returns the verbs of this name that are nearest: below what was typed, else in the same program, else in the
    /// other one.
    fn verbs_called(&self, name: &str) -> Vec<String> {
        let [own, other] = self.programs;
        [self.command, own, other]
            .into_iter()
            .map(|command| {
                let found = verbs_below(command).into_iter().filter(|verb| verb.get_name() == name);
                found.map(|verb| path_of(verb).to_owned()).collect::<Vec<_>>()
            })
            .find(|found| !found.is_empty())
            .unwrap_or_default()
    }

    /// Says which option may have been meant, or what has it.
    pub(super) fn meant_option(&self) -> String {
        let typed = self.one(ContextKind::InvalidArg);
        let verb = path_of(self.command);
        let said = SAID_OF_OPTIONS.iter().find(|(options, of, _)| {
            options.contains(&typed) && of.is_none_or(|of| of.contains(&verb))
        });
        if let Some((_, _, hint)) = said {
            return hint.replace("PROGRAM", self.program());
        }
        let owners = self.owners_of(typed);
        if !owners.is_empty() {
            return owners_line(typed, &owners);
        }
        if let Some(meant) = typed.strip_prefix("--").map(|name| self.verbs_called(name))
            && !meant.is_empty()
        {
            return did_you_mean(&meant);
        }
        let options = self.command.get_arguments().filter_map(Arg::get_long);
        let similar = typed.strip_prefix("--").and_then(|name| closest(name, options));
        match similar {
            Some(similar) => format!("did you mean \"--{similar}\"?"),
            None => format!("\"{verb} --help\" describes all options"),
        }
    }

    /// Returns the verbs that have an option: those of the same program, else those of the other one. One letter means
    /// something else in another program.
    fn owners_of(&self, option: &str) -> Vec<&str> {
        let is_long = option.starts_with("--");
        let owners = |program| {
            let verbs = verbs_below(program).into_iter();
            verbs.filter(|verb| has_option(verb, option)).map(path_of).collect::<Vec<_>>()
        };
        let found = self
            .programs
            .iter()
            .take(if is_long { 2 } else { 1 })
            .map(owners)
            .find(|found| !found.is_empty());
        found.unwrap_or_default()
    }
}

fn owners_line(option: &str, owners: &[&str]) -> String {
    let shown: Vec<_> =
        owners.iter().take(MAX_OWNERS).map(|owner| format!("\"{owner}\"")).collect();
    let more = if owners.len() > MAX_OWNERS { ", among others" } else { "" };
    format!("{option:?} is an option of {}{more}", listed(&shown, "and"))
}

fn did_you_mean(commands: &[String]) -> String {
    let commands: Vec<_> = commands.iter().map(|command| format!("\"{command}\"")).collect();
    format!("did you mean {}?", listed(&commands, "or"))
}

/// How many verbs a hint names.
const MAX_OWNERS: usize = 3;
