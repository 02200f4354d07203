//! What a confined reader reports.

/// What a confined reader reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReaderReport {
    /// It has read all of the output, which is what it should be.
    Believed,
    /// The reader could not confine itself.
    NotConfined(String),
    /// It could not get memory. The standard library says that, in words of its own, and ends the process.
    OutOfMemory,
    /// It panicked.
    Panicked(String),
    /// The output is something else.
    Refused(String),
}

impl ReaderReport {
    pub(super) fn encode(&self) -> Vec<u8> {
        let (kind, text) = match self {
            Self::Believed => (BELIEVED, ""),
            Self::NotConfined(text) => (NOT_CONFINED, &**text),
            Self::OutOfMemory => (OUT_OF_MEMORY, ""),
            Self::Panicked(text) => (PANICKED, &**text),
            Self::Refused(text) => (REFUSED, &**text),
        };
        let text: String = text.chars().take(MAX_TEXT_CHARACTERS).collect();
        [kind, &text].concat().into_bytes()
    }

    /// Reads a report; `None` if it is malformed, cut, or followed by anything.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let report = str::from_utf8(bytes).ok()?;
        let text = |kind| report.strip_prefix(kind).map(str::to_owned);
        if report == BELIEVED {
            return Some(Self::Believed);
        }
        let memory = report.strip_prefix(OUT_OF_MEMORY).map(|_| Self::OutOfMemory);
        memory
            .or_else(|| text(NOT_CONFINED).map(Self::NotConfined))
            .or_else(|| text(PANICKED).map(Self::Panicked))
            .or_else(|| text(REFUSED).map(Self::Refused))
    }
}

const BELIEVED: &str = "believed";

const NOT_CONFINED: &str = "not confined: ";

/// How the standard library begins (`std::alloc::handle_alloc_error`).
const OUT_OF_MEMORY: &str = "memory allocation of ";

const PANICKED: &str = "panicked: ";

const REFUSED: &str = "refused: ";

/// More than anybody reads. A character has up to four bytes.
const MAX_TEXT_CHARACTERS: usize = 500;

pub(super) const MAX_REPORT_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_report_arrives_as_it_was_sent() {
        let text = || "line\nline".to_owned();
        for report in [
            ReaderReport::Believed,
            ReaderReport::NotConfined(text()),
            ReaderReport::OutOfMemory,
            ReaderReport::Panicked(text()),
            ReaderReport::Refused(text()),
            ReaderReport::Refused(String::new()),
        ] {
            assert_eq!(ReaderReport::decode(&report.encode()), Some(report));
        }
        let long = ReaderReport::Refused("\u{1f9c2}".repeat(MAX_REPORT_BYTES));
        assert!(long.encode().len() <= MAX_REPORT_BYTES);
        assert!(ReaderReport::decode(&long.encode()).is_some());
    }

    #[test]
    fn success_is_one_word_and_nothing_else() {
        for bytes in [&b"believe"[..], b"believed ", b"believed\n", b" believed", b"", b"\xff"] {
            assert_eq!(ReaderReport::decode(bytes), None, "{bytes:?}");
        }
        let two = [ReaderReport::Refused("x".into()).encode(), b"believed".to_vec()].concat();
        assert!(matches!(ReaderReport::decode(&two), Some(ReaderReport::Refused(_))));
    }
}
