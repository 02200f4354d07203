//! Usage errors: from what clap found to one line and a hint.

mod meant;
mod missing;
mod tree;
mod words;

use std::error::Error as _;
use std::ffi::OsString;

use brine_core::text::quoted;
use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use self::tree::{argument_name, innermost, path_of, programs, usage};
use super::Failure;
use super::similar::closest;

/// Says what is wrong with what was `typed` to a program, and what to type instead.
pub(crate) fn failure(program: &str, error: &clap::Error, typed: &[OsString]) -> Failure {
    let programs = programs(program);
    let [own, _] = &programs;
    let mistake = Mistake { command: innermost(own, typed), error, programs: &programs, typed };
    Failure::Mistyped { message: mistake.message(), hint: mistake.hint() }
}

/// Refuses the version where something else was typed with it: in `brine -Vm FILE && install FILE`, the words of
/// another program, success would mean that FILE verified.
pub(crate) fn version_failure(program: &str) -> Failure {
    let verifies = if program == "brine" { "\"brine verify FILE\" verifies; " } else { "" };
    Failure::Mistyped {
        message: "-V and --version stand alone".to_owned(),
        hint: Some(format!("{verifies}\"{program} --version\" prints the version")),
    }
}

/// What clap did not take.
struct Mistake<'a> {
    /// The verb that was typed, or the program if none was.
    command: &'a Command,
    error: &'a clap::Error,
    /// Both programs, with the one that was started first.
    programs: &'a [Command; 2],
    typed: &'a [OsString],
}

impl Mistake<'_> {
    fn message(&self) -> String {
        let verb = path_of(self.command);
        let name = self.argument();
        match self.error.kind() {
            ErrorKind::ArgumentConflict => self.conflict(&name),
            ErrorKind::InvalidSubcommand if self.is_help_of_two() => {
                format!(
                    "{} is one argument too many",
                    shown(self.one(ContextKind::InvalidSubcommand))
                )
            }
            ErrorKind::InvalidSubcommand => {
                format!("{verb} has no verb {}", shown(self.one(ContextKind::InvalidSubcommand)))
            }
            ErrorKind::InvalidUtf8 => {
                let broken = self.typed.iter().find(|word| word.to_str().is_none());
                format!("{} is not UTF-8", quoted(&broken.cloned().unwrap_or_default()))
            }
            ErrorKind::InvalidValue => self.invalid_value(&name),
            ErrorKind::MissingRequiredArgument => self.missing(),
            ErrorKind::MissingSubcommand => format!("{verb} needs a verb"),
            ErrorKind::TooManyValues | ErrorKind::WrongNumberOfValues => {
                format!("{name} takes no value like {}", self.value())
            }
            ErrorKind::UnknownArgument if self.is_option() => {
                format!("{verb} has no option {}", shown(self.one(ContextKind::InvalidArg)))
            }
            ErrorKind::UnknownArgument => {
                format!("{} is one argument too many", shown(self.one(ContextKind::InvalidArg)))
            }
            ErrorKind::ValueValidation => {
                let why = self.error.source().map(ToString::to_string).unwrap_or_default();
                format!("{name} {}: {why}", self.value())
            }
            _ => self.error.to_string(),
        }
    }

    fn conflict(&self, name: &str) -> String {
        match self.prior().as_slice() {
            [same] if same == name => format!("{name} is given twice"),
            prior => format!("{name} cannot be used with {}", listed(prior, "or")),
        }
    }

    /// Says what is to be left out.
    fn without_conflict(&self) -> String {
        let name = self.argument();
        match self.prior().as_slice() {
            [same] if *same == name => format!("give {name} once"),
            [prior] => format!("leave out {name} or {prior}"),
            prior => format!("leave out {name}, or {}", listed(prior, "and")),
        }
    }

    /// The arguments that another one cannot be used with.
    fn prior(&self) -> Vec<String> {
        let prior = self.many(ContextKind::PriorArg);
        let mut prior: Vec<_> =
            prior.iter().map(|text| argument_name(self.command, text)).collect();
        prior.dedup();
        prior
    }

    /// Of an option that takes one of some values, or got none.
    fn invalid_value(&self, name: &str) -> String {
        match self.one(ContextKind::InvalidValue) {
            "" => format!("{name} needs a value"),
            found => format!("{name} cannot be {}", shown(found)),
        }
    }

    fn hint(&self) -> Option<String> {
        match self.error.kind() {
            ErrorKind::ArgumentConflict => Some(self.without_conflict()),
            ErrorKind::InvalidSubcommand if self.is_help_of_two() => Some(self.helps()),
            ErrorKind::InvalidSubcommand => Some(self.meant_verb()),
            ErrorKind::InvalidValue => Some(self.possible_values()),
            ErrorKind::UnknownArgument if self.is_option() => Some(self.meant_option()),
            ErrorKind::MissingRequiredArgument => Some(self.usage_or_name()),
            ErrorKind::TooFewValues
            | ErrorKind::TooManyValues
            | ErrorKind::UnknownArgument
            | ErrorKind::WrongNumberOfValues => Some(format!("usage: {}", usage(self.command))),
            ErrorKind::ValueValidation => {
                Some(self.help(&format!("describes {}", self.argument())))
            }
            _ => Some(self.help("shows what there is")),
        }
    }

    fn possible_values(&self) -> String {
        let values = self.many(ContextKind::ValidValue);
        let similar = closest(self.one(ContextKind::InvalidValue), values.iter().copied());
        match (similar, values.as_slice()) {
            (Some(similar), _) => format!("did you mean {similar:?}?"),
            (None, []) => self.help(&format!("describes {}", self.argument())),
            (None, values) => format!("it takes {}", listed(values, "or")),
        }
    }

    /// Names the help of the verb.
    fn help(&self, what: &str) -> String {
        format!("\"{} --help\" {what}", path_of(self.command))
    }

    /// The argument that is wrong, as it is typed: `--now` or `FILE`.
    fn argument(&self) -> String {
        argument_name(self.command, self.one(ContextKind::InvalidArg))
    }

    fn value(&self) -> String {
        shown(self.one(ContextKind::InvalidValue))
    }

    fn is_option(&self) -> bool {
        let typed = self.one(ContextKind::InvalidArg);
        typed.starts_with('-') && typed != "-"
    }

    fn one(&self, kind: ContextKind) -> &str {
        self.many(kind).into_iter().next().unwrap_or_default()
    }

    fn many(&self, kind: ContextKind) -> Vec<&str> {
        match self.error.get(kind) {
            Some(ContextValue::String(text)) => vec![text],
            Some(ContextValue::Strings(texts)) => texts.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

/// Quotes what was typed, but for what can be a password in a URL: the user, and what comes before a later "@"; and
/// parameters that are none.
fn shown(typed: &str) -> String {
    let Some((scheme, rest)) = typed.split_once("://") else { return quoted(typed).to_string() };
    let (user, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("…@", rest));
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let parameter = |part: &str| match part.split_once('=') {
        Some((name, _)) if SHOWN_PARAMETERS.contains(&name) => part.to_owned(),
        Some((name, _)) => format!("{name}=…"),
        None if part.is_empty() => String::new(),
        None => "…".to_owned(),
    };
    let parameters: Vec<_> = parameters.split('&').map(parameter).collect();
    let mark = if rest.contains('?') { "?" } else { "" };
    quoted(&format!("{scheme}://{user}{place}{mark}{}", parameters.join("&"))).to_string()
}

/// The parameters of a URL that hold no secret.
const SHOWN_PARAMETERS: [&str; 5] =
    ["ca", "credentials", "once-per-host", "password-file", "queue"];

/// Writes a list as people do.
fn listed<T: AsRef<str>>(items: &[T], conjunction: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(AsRef::as_ref).collect();
            format!("{} {conjunction} {}", first.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests;
