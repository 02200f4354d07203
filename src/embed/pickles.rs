//! Lists of what pickles may import, and why a pickle is refused.

use brine_pickle::{AllowList, PickleRule, ScanReport};

use super::Refused;
use super::stating::wrong;
use crate::report::Failure;
use crate::verbs::scan::failure;

/// Puts a list together: each text is `std`, `numpy`, or lines of a list such as `collections:OrderedDict`.
///
/// # Errors
///
/// `usage` for a line that is none.
pub fn allow_list(texts: &[String]) -> Result<AllowList, Refused> {
    let mut list = AllowList::new();
    for text in texts {
        list.extend(match text.as_str() {
            "std" => AllowList::std(),
            "numpy" => AllowList::numpy(),
            lines => AllowList::parse(lines).map_err(|error| wrong("allow", &error.to_string()))?,
        });
    }
    Ok(list)
}

/// Says why a pickle is refused, if it is. `name` is what it is called.
#[must_use]
pub fn refusal_of_pickle(name: &str, report: &ScanReport) -> Option<Refused> {
    failure(name, report).map(refused)
}

/// Says why bytes are refused that a loader of pickles is to read: it does not unpack containers, whatever is in them.
#[must_use]
pub fn refusal_of_bare_pickle(name: &str, report: &ScanReport) -> Option<Refused> {
    let container = report.form.map(|form| {
        let rule = PickleRule::NotAPickle;
        let message = format!("{rule}: it is {}", form.name());
        let (name, allow) = (name.to_owned(), Vec::new());
        refused(Failure::Pickle { name, message, rule, form: Some(form), allow })
    });
    refusal_of_pickle(name, report).or(container)
}

/// Gives the failure the hint of a call, where the programs name their options.
fn refused(failure: Failure) -> Refused {
    let rule = match &failure {
        Failure::Pickle { rule, .. } => Some(*rule),
        _ => None,
    };
    let mut refused = Refused::from(failure);
    match rule {
        Some(PickleRule::RawArrayForm | PickleRule::StateNotAllowed)
            if refused.allow.is_empty() => {}
        Some(rule) => refused.hint = hint(rule, &refused.allow),
        None => {}
    }
    refused
}

fn hint(rule: PickleRule, lines: &[String]) -> Option<String> {
    let is_import = rule == PickleRule::ImportNotAllowed;
    if lines.is_empty() {
        return is_import.then(|| REACHES_ANYTHING.to_owned());
    }
    let numpy = AllowList::numpy();
    let is_of_numpy = |line: &String| {
        line.split_once(':').is_some_and(|(module, name)| numpy.allows(module, name))
    };
    if is_import && lines.iter().all(is_of_numpy) {
        return Some("allow=[\"std\", \"numpy\"] allows it".to_owned());
    }
    let lines: String = lines.iter().map(|line| format!(", {line:?}")).collect();
    let with = format!("allow=[\"std\"{lines}]");
    Some(if is_import {
        format!("{with} allows it; what is on a list runs")
    } else {
        format!(
            "{with} lifts the rule; the pickle may then give it anything, which can run any code"
        )
    })
}

const REACHES_ANYTHING: &str =
    "no line is proposed for it, because a pickle could run any code through it";
