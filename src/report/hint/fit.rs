//! Hints fit the verb that failed: what they name can be typed there.
//!
//! A hint is made of parts with `; ` between them. An option in a part is one of the verb that failed, unless it
//! stands inside of quotes that begin with a program, as in `"brine sign -a"`. A part whose options the verb does not
//! have is left out.

use clap::Command;

/// Returns what of a hint can be typed to `verb`.
pub(in crate::report) fn fit(hint: &str, verb: &Command) -> Option<String> {
    let parts: Vec<_> = parts(hint)
        .into_iter()
        .filter(|part| options(part).iter().all(|option| has(verb, option)))
        .collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Splits a hint, but not inside of quotes: commands of shells have semicolons, too.
pub(super) fn parts(hint: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for (place, piece) in hint.split('"').enumerate() {
        let is_quoted = place % 2 == 1;
        let mut pieces =
            if is_quoted { vec![piece] } else { piece.split("; ").collect() }.into_iter();
        let first = pieces.next().unwrap_or_default();
        if let Some(last) = parts.last_mut() {
            if place > 0 {
                last.push('"');
            }
            last.push_str(first);
        }
        parts.extend(pieces.map(str::to_owned));
    }
    parts
}

/// Returns the options of the verb that failed which a part names.
pub(super) fn options(part: &str) -> Vec<&str> {
    part.split('"')
        .enumerate()
        .filter(|(place, text)| place % 2 == 0 || text.starts_with('-'))
        .flat_map(|(_, text)| text.split_ascii_whitespace().take_while(|word| !is_program(word)))
        .filter_map(option_in)
        .collect()
}

/// Returns whether a command begins with a word. It goes on to the end of the part, where it is not in quotes.
pub(super) fn is_program(word: &str) -> bool {
    matches!(word, "brine" | "brinekey" | "chmod" | "rm")
}

/// Returns the option that a word is, without what stands around it.
pub(super) fn option_in(word: &str) -> Option<&str> {
    let word = word.trim_matches(|c: char| matches!(c, ',' | ';' | ':' | '(' | ')' | '.'));
    let option = word.split('=').next().unwrap_or_default();
    let name = option.strip_prefix("--").or_else(|| option.strip_prefix('-'))?;
    name.starts_with(|c: char| c.is_ascii_alphabetic()).then_some(option)
}

/// Returns whether a verb has an option.
pub(super) fn has(verb: &Command, option: &str) -> bool {
    verb.get_arguments().any(|argument| match option.strip_prefix("--") {
        Some(long) => {
            argument.get_long() == Some(long)
                || argument.get_all_aliases().is_some_and(|names| names.contains(&long))
        }
        None => {
            let short = option.chars().nth(1);
            short.is_some() && argument.get_short() == short
        }
    })
}

#[cfg(test)]
mod tests;
