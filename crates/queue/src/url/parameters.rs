//! What stands behind the question mark of a URL.

use super::{QueueUrlError, decoded};

/// The parameters of a URL that nobody has taken yet.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, Vec<u8>)>);

impl Parameters {
    pub(super) fn read(query: &str) -> Result<Self, QueueUrlError> {
        let parts = query.split('&').filter(|parameter| !parameter.is_empty());
        let read = parts.map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            decoded(value).map(|value| (name.to_owned(), value))
        });
        Ok(Self(read.collect::<Result<_, _>>()?))
    }

    /// Takes a parameter, if it is there.
    pub(super) fn take(&mut self, name: &'static str) -> Result<Option<Vec<u8>>, QueueUrlError> {
        let found = self.0.iter().position(|(found, _)| found == name);
        let value = found.map(|index| self.0.swap_remove(index).1);
        match self.0.iter().any(|(found, _)| found == name) {
            true => Err(QueueUrlError::Repeated { name }),
            false => Ok(value),
        }
    }

    /// Refuses those that nobody took.
    pub(super) fn refuse_others(self, of_server: bool) -> Result<(), QueueUrlError> {
        match (self.0.into_iter().next(), of_server) {
            (None, _) => Ok(()),
            (Some((name, _)), true) => Err(QueueUrlError::ServerParameterUnknown { name }),
            (Some((name, _)), false) => Err(QueueUrlError::ParameterUnknown { name }),
        }
    }
}
