//! How large and how precise a JSON number is.

use super::NumberPart;

/// What is kept of a number while it arrives, however long it is.
#[derive(Debug, Default)]
pub(super) struct JsonNumber {
    /// The digits from the first that is not zero to the last, as far as they are [`MAX_DIGITS`].
    mantissa: u64,
    digits: u32,
    /// Zeros that follow them.
    zeros: u32,
    /// How many digits follow the point.
    fraction: i64,
    exponent: i64,
    exponent_sign: ExponentSign,
    kind: NumberKind,
}

#[derive(Clone, Copy, Debug, Default)]
enum ExponentSign {
    Minus,
    #[default]
    Plus,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum NumberKind {
    Float,
    #[default]
    Integer,
}

impl JsonNumber {
    /// Takes the next character, which is in this part of the number.
    pub(super) fn take(&mut self, part: NumberPart, character: char) {
        let digit = character.to_digit(10);
        match (part, digit) {
            (NumberPart::Integer | NumberPart::Zero, Some(digit)) => self.digit(digit),
            (NumberPart::Fraction, Some(digit)) => {
                self.fraction = self.fraction.saturating_add(1);
                self.digit(digit);
            }
            (NumberPart::Exponent, Some(digit)) => {
                self.exponent = self.exponent.saturating_mul(10).saturating_add(digit.into());
            }
            (NumberPart::ExponentSign, _) if character == '-' => {
                self.exponent_sign = ExponentSign::Minus;
            }
            (NumberPart::IntegerFirst, _) => {}
            _ => self.kind = NumberKind::Float,
        }
    }

    /// Holds the number to what readers agree on (RFC 8259, Section 6): whole numbers below 2^53, and others
    /// that a double has the range and the precision for.
    pub(super) fn end(&self) -> Result<(), &'static str> {
        match self.kind {
            NumberKind::Integer => self.end_integer(),
            NumberKind::Float => self.end_float(),
        }
    }

    fn digit(&mut self, digit: u32) {
        if digit == 0 {
            // Zeros before the first digit mean nothing.
            self.zeros = self.zeros.saturating_add(u32::from(self.digits > 0));
            return;
        }
        self.digits = self.digits.saturating_add(self.zeros).saturating_add(1);
        if self.digits <= MAX_DIGITS {
            let shift = 10_u64.saturating_pow(self.zeros.saturating_add(1));
            self.mantissa = self.mantissa.saturating_mul(shift).saturating_add(digit.into());
        }
        self.zeros = 0;
    }

    fn end_integer(&self) -> Result<(), &'static str> {
        let value = 10_u64.checked_pow(self.zeros).and_then(|ten| self.mantissa.checked_mul(ten));
        let exact = self.digits <= MAX_DIGITS && value.is_some_and(|value| value <= MAX_INTEGER);
        // Zero has no digits, and zeros that follow it are not counted.
        if exact { Ok(()) } else { Err("a whole number is beyond 2^53, where readers disagree") }
    }

    fn end_float(&self) -> Result<(), &'static str> {
        if self.digits > MAX_DIGITS {
            return Err("a number has more digits than all readers keep");
        }
        let exponent = match self.exponent_sign {
            ExponentSign::Minus => self.exponent.saturating_neg(),
            ExponentSign::Plus => self.exponent,
        };
        let scale = exponent.saturating_add(self.zeros.into()).saturating_sub(self.fraction);
        let value: f64 = format!("{}e{scale}", self.mantissa).parse().unwrap_or(f64::INFINITY);
        let is_zero = value == 0.0 && self.mantissa != 0;
        if value.is_finite() && !is_zero {
            Ok(())
        } else {
            Err("a number is out of range for readers")
        }
    }
}

/// The most digits that the shortest text of a double has.
const MAX_DIGITS: u32 = 17;

/// 2^53 − 1: no larger whole number is known to be the same for all readers.
const MAX_INTEGER: u64 = (1 << 53) - 1;
