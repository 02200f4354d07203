//! The programs as people and scripts use them.

mod completions;
mod detached;
mod doctor;
mod inspect;
mod job;
mod keys;
mod large;
mod mistaken_input;
mod mistyped;
mod moments;
mod one_meaning;
mod output;
mod places;
mod policy;
mod records;
mod refusals;
mod replay;
mod run;
mod scan;
mod session;
mod slow_outputs;
mod standard_streams;
mod streams;
mod terminal;
mod trust;
mod untyped;
