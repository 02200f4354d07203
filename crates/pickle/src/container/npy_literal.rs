//! The part of Python's literals that NumPy writes into the headers of arrays.

/// A literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NpyLiteral<'a> {
    Bool(bool),
    /// Pairs, with no key twice.
    Dict(Vec<(Self, Self)>),
    List(Vec<Self>),
    Number(u64),
    Text(&'a str),
    Tuple(Vec<Self>),
}

/// Reads a literal, which is the whole text. Texts have no escapes, numbers no sign, and no key stands twice.
pub(super) fn parse(text: &str) -> Option<NpyLiteral<'_>> {
    let mut rest = NpyLiteralText { text };
    let literal = rest.literal(MAX_NESTING)?;
    rest.text.is_empty().then_some(literal)
}

struct NpyLiteralText<'a> {
    text: &'a str,
}

impl<'a> NpyLiteralText<'a> {
    fn literal(&mut self, levels: u8) -> Option<NpyLiteral<'a>> {
        let levels = levels.checked_sub(1)?;
        let first = self.text.chars().next()?;
        match first {
            '{' => self.dict(levels).map(NpyLiteral::Dict),
            '[' => self.items(']', levels).map(|(items, _)| NpyLiteral::List(items)),
            // One item in parentheses is no tuple without a comma.
            '(' => match self.items(')', levels)? {
                (items, comma) if items.len() != 1 || comma => Some(NpyLiteral::Tuple(items)),
                _ => None,
            },
            '\'' | '"' => self.quoted(first).map(NpyLiteral::Text),
            '0'..='9' => self.number().map(NpyLiteral::Number),
            _ if self.skip("True") => Some(NpyLiteral::Bool(true)),
            _ if self.skip("False") => Some(NpyLiteral::Bool(false)),
            _ => None,
        }
    }

    /// Reads items up to a bracket, and returns whether a comma follows the last one.
    fn items(&mut self, end: char, levels: u8) -> Option<(Vec<NpyLiteral<'a>>, bool)> {
        self.take_char()?;
        let (mut items, mut comma) = (Vec::new(), false);
        loop {
            self.blanks();
            if self.text.starts_with(end) {
                self.take_char()?;
                return Some((items, comma));
            }
            if !items.is_empty() && !comma {
                return None;
            }
            items.push(self.literal(levels)?);
            self.blanks();
            comma = self.skip(",");
        }
    }

    fn dict(&mut self, levels: u8) -> Option<Vec<(NpyLiteral<'a>, NpyLiteral<'a>)>> {
        self.take_char()?;
        let (mut items, mut comma) = (Vec::new(), true);
        loop {
            self.blanks();
            if self.skip("}") {
                return Some(items);
            }
            let key = self.literal(levels)?;
            let again = items.iter().any(|(other, _)| *other == key);
            self.blanks();
            if again || !comma || items.len() >= MAX_KEYS || !self.skip(":") {
                return None;
            }
            self.blanks();
            items.push((key, self.literal(levels)?));
            self.blanks();
            comma = self.skip(",");
        }
    }

    fn quoted(&mut self, quote: char) -> Option<&'a str> {
        self.take_char()?;
        let (inside, rest) = self.text.split_once(quote)?;
        self.text = rest;
        // Triple quotes begin as an empty text, after which no further one may stand.
        let plain = !inside.contains(['\\', '\n', '\r', '\0']) && !rest.starts_with(['\'', '"']);
        plain.then_some(inside)
    }

    /// Reads a number, with the L that Python 2 wrote after large ones.
    fn number(&mut self) -> Option<u64> {
        let end = self.text.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.text.len());
        let (digits, rest) = self.text.split_at_checked(end)?;
        self.text = rest.strip_prefix('L').unwrap_or(rest);
        let written = digits == "0" || !digits.starts_with('0');
        written.then(|| digits.parse().ok())?
    }

    fn skip(&mut self, word: &str) -> bool {
        let rest = self.text.strip_prefix(word);
        self.text = rest.unwrap_or(self.text);
        rest.is_some()
    }

    fn take_char(&mut self) -> Option<char> {
        let mut chars = self.text.chars();
        let taken = chars.next();
        self.text = chars.as_str();
        taken
    }

    fn blanks(&mut self) {
        self.text = self.text.trim_start_matches(' ');
    }
}

/// The header of an array with fields nests a few levels.
const MAX_NESTING: u8 = 32;

/// A header has three.
const MAX_KEYS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read_as_python_reads_them() {
        let text = "{'a': (1, 2,), \"b\": [True, (), (7L,)], 'c': ''}";
        let tuple = |items: &[u64]| {
            NpyLiteral::Tuple(items.iter().map(|n| NpyLiteral::Number(*n)).collect())
        };
        let expected = NpyLiteral::Dict(vec![
            (NpyLiteral::Text("a"), tuple(&[1, 2])),
            (
                NpyLiteral::Text("b"),
                NpyLiteral::List(vec![NpyLiteral::Bool(true), tuple(&[]), tuple(&[7])]),
            ),
            (NpyLiteral::Text("c"), NpyLiteral::Text("")),
        ]);
        assert_eq!(parse(text), Some(expected));
    }

    #[test]
    fn what_is_written_in_another_form_is_refused() {
        for bad in [
            "",
            "{",
            "(1)",
            "(1",
            "[1 2]",
            "[,]",
            "(,)",
            "{1}",
            "{1:2 3:4}",
            "{1:2,1:3}",
            "'a''b'",
            "'a' 'b'",
            "'''a'''",
            "'a\\x41'",
            "01",
            "1_0",
            "-1",
            "+1",
            "1.0",
            "0x1",
            "None",
            "1 ",
            " 1",
            "Trueish",
            "b'a'",
            "u'a'",
            "1#",
            "'a",
            "[1]]",
            "{1:2,,}",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(parse(&deep(32)).is_some() && parse(&deep(33)).is_none());
    }
}
