//! Armor: PEM of any kind, and armored envelopes that something has happened to.

use super::{ArmorDamage, BYTE_ORDER_MARK, Lookalike, find, text_of};

/// Recognises text in UTF-16, with an armored envelope in it or without.
pub(super) fn recognise_utf16(start: &[u8]) -> Option<Lookalike> {
    let is_marked = matches!(start, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    if !is_marked && !matches!(start, [1..=0x7f, 0, ..] | [0, 1..=0x7f, ..]) {
        return None;
    }
    // One byte of each ASCII character is 0, and nothing else is looked for.
    let text: Vec<u8> = start.iter().copied().filter(|&byte| byte != 0).collect();
    match find(&text, BEGIN) {
        Some(_) => Some(Lookalike::Armor(ArmorDamage::Utf16)),
        None => is_marked.then_some(Lookalike::Utf16),
    }
}

/// Recognises armor by its label.
pub(super) fn recognise(start: &[u8]) -> Option<Lookalike> {
    if let Some(before) = find(start, BEGIN).and_then(|at| start.get(..at)) {
        return Some(Lookalike::Armor(ArmorDamage::of(before)));
    }
    let label = text_of(start).strip_prefix(b"-----BEGIN ")?;
    Some(Lookalike::of_label(label.get(..find(label, b"-----")?)?))
}

impl ArmorDamage {
    /// Says what happened to armor by what stands before it.
    fn of(before: &[u8]) -> Self {
        let line = before.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
        if before == BYTE_ORDER_MARK {
            Self::ByteOrderMark
        } else if line.trim_ascii_start().starts_with(b">") {
            Self::Quoted
        } else if !line.is_empty() && line.trim_ascii().is_empty() {
            Self::Indented
        } else {
            Self::TextBefore
        }
    }
}

const BEGIN: &[u8] = b"-----BEGIN BRINE ENVELOPE-----";
