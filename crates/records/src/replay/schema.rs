//! The tables.

use brine_sqlite::FileSchema;

/// What a replay database holds.
pub(super) const SCHEMA: FileSchema = FileSchema {
    // "brnR"
    application_id: 0x6272_6e52,
    version: 2,
    parts: &[&TABLES],
    gives_back_pages: false,
};

/// `done` holds the numbers that were handled, `lease` those that are being handled. The spans of a channel
/// never overlap, within a table or between the two. A `named` record is under a lease while it has a token.
/// `signer` counts the rows of each key.
pub(super) const TABLES: [&str; 6] = [
    "CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), born INTEGER NOT NULL, \
     floor INTEGER NOT NULL, latest INTEGER NOT NULL, pruned INTEGER NOT NULL, \
     max_age INTEGER NOT NULL, token INTEGER NOT NULL, entries INTEGER NOT NULL) STRICT",
    "CREATE TABLE channel (id INTEGER PRIMARY KEY, key BLOB NOT NULL CHECK (length(key) = 32), \
     name BLOB NOT NULL CHECK (length(name) = 16), issued INTEGER NOT NULL, used INTEGER NOT NULL, \
     highest INTEGER, seen INTEGER NOT NULL, ranges INTEGER NOT NULL, known_from INTEGER NOT NULL, \
     UNIQUE (key, name)) STRICT",
    "CREATE TABLE done (channel INTEGER NOT NULL, first INTEGER NOT NULL CHECK (first >= 0), \
     last INTEGER NOT NULL CHECK (last >= first), issued INTEGER NOT NULL, \
     PRIMARY KEY (channel, first)) STRICT, WITHOUT ROWID",
    "CREATE TABLE lease (channel INTEGER NOT NULL, first INTEGER NOT NULL CHECK (first >= 0), \
     last INTEGER NOT NULL CHECK (last >= first), issued INTEGER NOT NULL, taken INTEGER NOT NULL, \
     until INTEGER NOT NULL, token INTEGER NOT NULL, PRIMARY KEY (channel, first)) STRICT, WITHOUT ROWID",
    "CREATE TABLE signer (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE CHECK (length(key) = 32), \
     entries INTEGER NOT NULL CHECK (entries >= 0)) STRICT",
    "CREATE TABLE named (name BLOB PRIMARY KEY CHECK (length(name) = 32), signer INTEGER NOT NULL, \
     issued INTEGER NOT NULL, expires INTEGER NOT NULL, taken INTEGER, until INTEGER, token INTEGER) STRICT, WITHOUT ROWID",
];
