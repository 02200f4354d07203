//! UTF-8 that arrives in pieces.

use brine_core::text::is_harmless;

use super::{FormatCheck, FormatError, at};

/// A reader of UTF-8 whose characters may be cut by the end of a piece.
#[derive(Debug, Default)]
pub(super) struct Utf8Pieces {
    /// The beginning of a character: up to three bytes.
    rest: Vec<u8>,
}

impl Utf8Pieces {
    /// Takes a piece, and shows each complete character with its offset to `see`.
    pub(super) fn piece(
        &mut self,
        piece: &[u8],
        offset: u64,
        mut see: impl FnMut(char, u64) -> Result<(), FormatError>,
    ) -> Result<(), FormatError> {
        let mut piece = piece;
        let mut offset = offset;
        // The rest of a character that was cut, byte by byte: four at most.
        while let (false, Some((first, after))) = (self.rest.is_empty(), piece.split_first()) {
            self.rest.push(*first);
            (piece, offset) = (after, offset.saturating_add(1));
            let start = offset.saturating_sub(u64::try_from(self.rest.len()).unwrap_or(0));
            match std::str::from_utf8(&self.rest) {
                Ok(text) => {
                    text.chars().try_for_each(|character| see(character, start))?;
                    self.rest.clear();
                }
                Err(error) if error.error_len().is_some() => {
                    return Err(FormatError::Utf8 { offset: start });
                }
                Err(_) => {}
            }
        }
        let text = match std::str::from_utf8(piece) {
            Ok(text) => text,
            Err(error) => {
                let (whole, rest) = piece.split_at(error.valid_up_to());
                let whole = std::str::from_utf8(whole).unwrap_or_default();
                if error.error_len().is_some() {
                    // The characters before may break another rule first.
                    whole.char_indices().try_for_each(|(i, c)| see(c, at(offset, i)))?;
                    return Err(FormatError::Utf8 { offset: at(offset, whole.len()) });
                }
                self.rest.extend_from_slice(rest);
                whole
            }
        };
        text.char_indices().try_for_each(|(index, character)| see(character, at(offset, index)))
    }

    /// Refuses an end inside a character.
    pub(super) fn end(&self, offset: u64) -> Result<(), FormatError> {
        let start = offset.saturating_sub(u64::try_from(self.rest.len()).unwrap_or(0));
        if self.rest.is_empty() { Ok(()) } else { Err(FormatError::Utf8 { offset: start }) }
    }
}

/// Checks for text that shows what it is: without control, bidirectional and invisible characters.
#[derive(Debug, Default)]
pub(super) struct TextCheck {
    pieces: Utf8Pieces,
    before: Option<char>,
}

impl FormatCheck for TextCheck {
    fn piece(&mut self, piece: &[u8], offset: u64) -> Result<(), FormatError> {
        let Self { pieces, before } = self;
        pieces.piece(piece, offset, |character, offset| {
            match character {
                '\t' | '\n' | '\r' => {}
                _ if character.is_control() => {
                    return Err(FormatError::ControlCharacter { offset });
                }
                _ if is_harmless(character) || shapes(*before, character) => {}
                _ => return Err(FormatError::HiddenCharacter { offset, character }),
            }
            *before = Some(character);
            Ok(())
        })
    }

    fn end(&mut self, offset: u64) -> Result<(), FormatError> {
        self.pieces.end(offset)
    }
}

/// Returns whether a character that cannot be seen changes how the one before it looks: a joiner, as Persian and
/// Hindi need it, or a variation selector, as emoji have it. Elsewhere these hide, as any other.
fn shapes(before: Option<char>, character: char) -> bool {
    let takes_shape =
        |c: char| is_harmless(c) && (!c.is_ascii() || matches!(c, '0'..='9' | '#' | '*'));
    match character {
        '\u{200c}' | '\u{200d}' => before.is_some_and(|c| takes_shape(c) || c == '\u{fe0f}'),
        '\u{fe0e}' | '\u{fe0f}' => before.is_some_and(takes_shape),
        _ => false,
    }
}
