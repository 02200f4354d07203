//! The programs as people and scripts use them.

mod detached;
mod inspect;
mod keys;
mod large;
mod output;
mod records;
mod refusals;
mod replay;
mod scan;
mod session;
mod streams;
mod terminal;
mod trust;
