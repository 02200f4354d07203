//! Grants as people type them: `NAME=VALUE`.

use std::str::FromStr;

use super::{Grant, judge_argument};
use crate::format::OutputFormat;
use crate::limits::Limit;
use crate::names::{InterpreterAlias, LogicalPath, PowerName, ReplyQueue, VariableName};

/// A text is not a grant. The message says what to type instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GrantSyntaxError(String);

impl FromStr for Grant {
    type Err = GrantSyntaxError;

    /// Reads what [`Grant`]'s `Display` writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |text: String| Err(GrantSyntaxError(text));
        let Some((name, value)) = text.split_once('=') else {
            return error(format!("expected NAME=VALUE, where NAME is {NAMES}"));
        };
        let read = match name {
            "arg" => {
                judge_argument(value).map_err(|error| GrantSyntaxError(error.to_string()))?;
                Ok(Self::Argument(value.to_owned()))
            }
            "env" => VariableName::parse(value).map(Self::Environment),
            "format" => match OutputFormat::from_name(value) {
                Some(format) => Ok(Self::Format(format)),
                None => return error(format!("expected {}", OutputFormat::NAMES)),
            },
            "power" => PowerName::parse(value).map(Self::Power),
            "read" => LogicalPath::parse(value).map(Self::Read),
            "reply" => ReplyQueue::parse(value).map(Self::Reply),
            "run" => InterpreterAlias::parse(value).map(Self::Run),
            "tcp" => match value.parse() {
                Ok(port @ 1_u16..) => Ok(Self::Tcp(port)),
                _ => return error("expected a port from 1 to 65535, as in tcp=443".to_owned()),
            },
            "write" => LogicalPath::parse(value).map(Self::Write),
            _ => return limit(name, value, Limit::is_granted).map(|(l, n)| Self::Limit(l, n)),
        };
        read.map_err(|what| GrantSyntaxError(what.to_string()))
    }
}

impl Limit {
    /// Reads a limit and its value: `wall=5s`.
    ///
    /// # Errors
    ///
    /// [`GrantSyntaxError`].
    pub fn parse_pair(text: &str) -> Result<(Self, u64), GrantSyntaxError> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        limit(name, value, |_| true)
    }
}

fn limit(
    name: &str,
    value: &str,
    taken: impl Fn(Limit) -> bool,
) -> Result<(Limit, u64), GrantSyntaxError> {
    let known = |limit: &Limit| taken(*limit);
    let Some(limit) = Limit::from_name(name).filter(known) else {
        let names: Vec<_> = Limit::ALL.into_iter().filter(known).map(Limit::name).collect();
        let others = if taken(Limit::Errors) { String::new() } else { format!("{OTHERS}, ") };
        let text = format!("there is no {name:?}; NAME is {others}{}", names.join(", "));
        return Err(GrantSyntaxError(text));
    };
    let value = limit.parse_value(value);
    let value = value.map_err(|expected| {
        GrantSyntaxError(format!("expected {expected}, as in {name}={}", example(limit)))
    })?;
    Ok((limit, value))
}

fn example(limit: Limit) -> String {
    limit.show(limit.default_value())
}

const OTHERS: &str = "run, arg, read, write, env, tcp, power, reply, format";

const NAMES: &str = "run, arg, read, write, env, tcp, power, reply, format, wall, cpu, memory, address-space, \
                     output, file-size, processes, files or scratch";
