//! What stands where a command line ends: its words are followed as clap reads them.

use std::borrow::Cow;
use std::path::PathBuf;

use clap::{Arg, Command};

/// What the last word of a command line is, or becomes.
#[derive(Clone, Debug)]
pub(super) struct CommandPlace<'a> {
    pub(super) part: Part<'a>,
    /// What the last word has before the part, as in `--output=`.
    pub(super) head: String,
    /// The trust file that was named before.
    pub(super) trust: Option<PathBuf>,
}

/// A part of a command line.
#[derive(Clone, Debug)]
pub(super) enum Part<'a> {
    /// A word of a command that is to be run: its name, or what comes after.
    Foreign { is_name: bool },
    /// An option of a verb.
    Option(&'a Command),
    /// A value of an option or an argument of a verb.
    Value(&'a Command, &'a Arg),
    /// A verb.
    Verb(&'a Command),
}

impl<'a> CommandPlace<'a> {
    /// Follows words without the program's name. Of a command without anything that fits there, returns `None`.
    pub(super) fn find(command: &'a Command, words: &[Cow<'_, str>]) -> Option<Self> {
        let (last, before) = words.split_last()?;
        let mut walk =
            Walk { verb: command, awaiting: None, arguments: 0, escaped: None, trust: None };
        before.iter().for_each(|word| walk.follow(word));
        let (part, head) = walk.end(last)?;
        Some(Self { part, head, trust: walk.trust })
    }
}

/// How far the words of a command line have been followed.
struct Walk<'a> {
    verb: &'a Command,
    /// The option whose value comes next.
    awaiting: Option<&'a Arg>,
    /// How many arguments the verb has so far.
    arguments: usize,
    /// After `--`: how many words came since.
    escaped: Option<usize>,
    trust: Option<PathBuf>,
}

impl<'a> Walk<'a> {
    fn follow(&mut self, word: &str) {
        if let Some(option) = self.awaiting.take() {
            self.take(option, word);
        } else if let Some(words) = &mut self.escaped {
            *words += 1;
            self.arguments += 1;
        } else if word == "--" {
            self.escaped = Some(0);
        } else if let Some((option, value)) = self.option_in(word) {
            match value {
                Some((_, value)) => self.take(option, value),
                None => self.awaiting = Some(option),
            }
        } else if is_option(word) {
            // It takes no value, or is none of ours.
        } else if let Some(verb) = self.verb.find_subcommand(word) {
            (self.verb, self.arguments) = (verb, 0);
        } else {
            self.arguments += 1;
        }
    }

    fn take(&mut self, option: &Arg, value: &str) {
        if option.get_id() == "trust" {
            self.trust = Some(PathBuf::from(value));
        }
    }

    /// Returns what the last word is a part of, and what it has before that.
    fn end(&self, word: &str) -> Option<(Part<'a>, String)> {
        let whole = |part| Some((part, String::new()));
        if let Some(option) = self.awaiting {
            return whole(Part::Value(self.verb, option));
        }
        if let Some(words) = self.escaped
            && self.verb.get_positionals().any(Arg::is_last_set)
        {
            return whole(Part::Foreign { is_name: words == 0 });
        }
        if self.escaped.is_none() && is_option(word) {
            return match self.option_in(word) {
                Some((option, Some((head, _)))) => {
                    Some((Part::Value(self.verb, option), head.to_owned()))
                }
                _ => whole(Part::Option(self.verb)),
            };
        }
        if self.verb.has_subcommands() {
            return whole(Part::Verb(self.verb));
        }
        whole(self.argument().map_or(Part::Option(self.verb), |arg| Part::Value(self.verb, arg)))
    }

    /// Returns the argument that comes next. One that can be repeated takes all that is left.
    fn argument(&self) -> Option<&'a Arg> {
        let arguments = self.verb.get_positionals().filter(|argument| !argument.is_last_set());
        let arguments: Vec<_> = arguments.collect();
        let repeats = |argument: &Arg| argument.get_num_args().is_some_and(|n| n.max_values() > 1);
        let found = arguments.get(self.arguments).copied();
        found.or_else(|| arguments.into_iter().find(|argument| repeats(argument)))
    }

    /// Returns the option in a word that takes a value, and the word split into what comes before the value and the
    /// value, if it has begun.
    fn option_in<'w>(&self, word: &'w str) -> Option<(&'a Arg, Option<(&'w str, &'w str)>)> {
        match word.strip_prefix("--") {
            Some(long) => {
                let (name, value) = long.split_once('=').unzip();
                let option = self.with_value(|arg| has_long(arg, name.unwrap_or(long)))?;
                let head = value.and_then(|value| word.strip_suffix(value)).zip(value);
                Some((option, head))
            }
            None => self.short_option_in(word),
        }
    }

    /// As in `-o`, `-oFILE` and `-vo`. What comes after the first option with a value is that value.
    fn short_option_in<'w>(&self, word: &'w str) -> Option<(&'a Arg, Option<(&'w str, &'w str)>)> {
        let letters = word.strip_prefix('-')?.char_indices();
        let mut found = letters.filter_map(|(place, letter)| {
            let option = self.with_value(|arg| arg.get_short() == Some(letter))?;
            Some((option, word.split_at_checked(1 + place + letter.len_utf8())?))
        });
        let (option, split) = found.next()?;
        Some((option, Some(split).filter(|(_, value)| !value.is_empty())))
    }

    fn with_value(&self, is_meant: impl Fn(&Arg) -> bool) -> Option<&'a Arg> {
        let options = self.verb.get_arguments().filter(|arg| !arg.is_positional());
        options.filter(|arg| arg.get_action().takes_values()).find(|arg| is_meant(arg))
    }
}

fn is_option(word: &str) -> bool {
    word.starts_with('-')
}

fn has_long(arg: &Arg, name: &str) -> bool {
    arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|all| all.contains(&name))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::args::brine::Brine;
    use crate::args::brinekey::BrineKey;

    /// Says where a command line of either program ends: the part, what is before it, and the trust file.
    fn place(line: &str) -> String {
        let mut words: Vec<_> = line.split(' ').map(Cow::from).collect();
        let mut command = match words.remove(0).as_ref() {
            "brine" => Brine::command(),
            _ => BrineKey::command(),
        };
        command.build();
        let Some(found) = CommandPlace::find(&command, &words) else { return "nothing".to_owned() };
        let part = match found.part {
            Part::Foreign { is_name: true } => "name of a command".to_owned(),
            Part::Foreign { is_name: false } => "word of a command".to_owned(),
            Part::Option(verb) => format!("option of {}", verb.get_name()),
            Part::Value(verb, arg) => format!("{} of {}", arg.get_id(), verb.get_name()),
            Part::Verb(verb) => format!("verb of {}", verb.get_name()),
        };
        let head =
            if found.head.is_empty() { found.head } else { format!(" after {}", found.head) };
        let trust = found.trust.map(|path| format!(" by {}", path.display())).unwrap_or_default();
        part + &head + &trust
    }

    #[test]
    fn the_place_is_found_as_clap_reads_the_words() {
        for (line, expected) in [
            ("brine ", "verb of brine"),
            ("brine ve", "verb of brine"),
            ("brine -", "option of brine"),
            ("brinekey trust ", "verb of trust"),
            ("brinekey trust remove ", "signer of remove"),
            ("brine verify ", "inputs of verify"),
            ("brine verify a b ", "inputs of verify"),
            ("brine verify --", "option of verify"),
            ("brine verify --sig", "option of verify"),
            ("brine verify --signer ", "signers of verify"),
            ("brine verify --signer x ", "inputs of verify"),
            ("brine verify --signer=x", "signers of verify after --signer="),
            ("brine verify --signer=x ", "inputs of verify"),
            ("brine verify -p ", "public_keys of verify"),
            ("brine verify -pal", "public_keys of verify after -p"),
            ("brine verify -vp ", "public_keys of verify"),
            ("brine verify -vpal", "public_keys of verify after -vp"),
            ("brine verify -v", "option of verify"),
            ("brine verify -v ", "inputs of verify"),
            ("brine verify --quiet x --signer ", "signers of verify"),
            ("brine verify --signer --quiet ", "inputs of verify"),
            ("brine verify -pé", "public_keys of verify after -p"),
            ("brine verify -é", "option of verify"),
            ("brine verify --trust t --signer ", "signers of verify by t"),
            ("brine verify --trust=t --signer ", "signers of verify by t"),
            ("brine run job ", "option of run"),
            ("brine run job -- ", "name of a command"),
            ("brine run job -- sh ", "word of a command"),
            ("brine run job -- sh --signer ", "word of a command"),
            ("brine sign -- ", "inputs of sign"),
            ("brine sign -- --key", "inputs of sign"),
            ("brine nonsense ", "verb of brine"),
        ] {
            assert_eq!(place(line), expected, "{line:?}");
        }
    }
}
