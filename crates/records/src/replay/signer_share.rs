//! How many rows each signer takes, so that no signer takes all.

use std::collections::BTreeMap;

use brine_core::KeyId;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::bookkeeping::Bookkeeping;
use crate::ledger::ReplayError;

/// The rows of signers, as one transaction changes them.
#[derive(Debug, Default)]
pub(super) struct SignerShares {
    signers: BTreeMap<KeyId, SignerShare>,
}

/// The rows of one signer: channels, ranges, leases and names.
#[derive(Clone, Copy, Debug)]
struct SignerShare {
    id: i64,
    entries: u64,
    is_changed: bool,
}

impl SignerShares {
    /// Returns the number of the signer in the table of names.
    pub(super) fn id(&mut self, connection: &Connection, key: KeyId) -> Result<i64, ReplayError> {
        Ok(self.load(connection, key)?.id)
    }

    /// Returns how many rows the signer takes.
    pub(super) fn entries(
        &mut self,
        connection: &Connection,
        key: KeyId,
    ) -> Result<u64, ReplayError> {
        Ok(self.load(connection, key)?.entries)
    }

    /// Counts rows that were added, or removed if `growth` is negative.
    pub(super) fn grow(
        &mut self,
        connection: &Connection,
        state: &mut Bookkeeping,
        key: KeyId,
        growth: i64,
    ) -> Result<(), ReplayError> {
        state.grow(growth);
        let share = self.load(connection, key)?;
        share.entries = share.entries.saturating_add_signed(growth);
        share.is_changed = true;
        Ok(())
    }

    /// Writes what was counted, and forgets it here.
    pub(super) fn save(&mut self, connection: &Connection) -> Result<(), ReplayError> {
        let sql = "UPDATE signer SET entries = ?2 WHERE id = ?1";
        let mut statement = connection.prepare_cached(sql)?;
        for share in std::mem::take(&mut self.signers).into_values().filter(|one| one.is_changed) {
            statement.execute(params![share.id, share.entries])?;
        }
        Ok(())
    }

    fn load(
        &mut self,
        connection: &Connection,
        key: KeyId,
    ) -> Result<&mut SignerShare, ReplayError> {
        match self.signers.entry(key) {
            std::collections::btree_map::Entry::Occupied(found) => Ok(found.into_mut()),
            std::collections::btree_map::Entry::Vacant(place) => {
                Ok(place.insert(SignerShare::find_or_insert(connection, key)?))
            }
        }
    }
}

impl SignerShare {
    fn find_or_insert(connection: &Connection, key: KeyId) -> Result<Self, ReplayError> {
        let sql = "SELECT id, entries FROM signer WHERE key = ?1";
        let mut statement = connection.prepare_cached(sql)?;
        let found = statement.query_row([key.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)));
        if let Some((id, entries)) = found.optional()? {
            return Ok(Self { id, entries, is_changed: false });
        }
        let sql = "INSERT INTO signer VALUES (NULL, ?1, 0)";
        connection.prepare_cached(sql)?.execute([key.as_bytes()])?;
        Ok(Self { id: connection.last_insert_rowid(), entries: 0, is_changed: false })
    }
}

/// Counts a name less for the signer with this number.
pub(super) fn forget_name(connection: &Connection, signer: i64) -> Result<(), ReplayError> {
    let sql = "UPDATE signer SET entries = max(entries, 1) - 1 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute([signer])?;
    Ok(())
}

/// Counts the rows of all signers anew, and forgets signers without any. Returns how many rows there are.
pub(super) fn recount(connection: &Connection) -> Result<u64, ReplayError> {
    connection.prepare_cached("UPDATE signer SET entries = 0")?.execute([])?;
    for sql in [
        "UPDATE signer SET entries = entries + found.count FROM \
         (SELECT signer, count(*) AS count FROM named GROUP BY signer) AS found \
         WHERE signer.id = found.signer",
        "UPDATE signer SET entries = entries + found.count FROM \
         (SELECT key, count(*) AS count FROM channel GROUP BY key) AS found \
         WHERE signer.key = found.key",
        "UPDATE signer SET entries = entries + found.count FROM \
         (SELECT channel.key AS key, count(*) AS count FROM done \
         JOIN channel ON channel.id = done.channel GROUP BY channel.key) AS found \
         WHERE signer.key = found.key",
        "UPDATE signer SET entries = entries + found.count FROM \
         (SELECT channel.key AS key, count(*) AS count FROM lease \
         JOIN channel ON channel.id = lease.channel GROUP BY channel.key) AS found \
         WHERE signer.key = found.key",
    ] {
        connection.prepare_cached(sql)?.execute([])?;
    }
    connection.prepare_cached("DELETE FROM signer WHERE entries = 0")?.execute([])?;
    let sql = "SELECT ifnull(sum(entries), 0) FROM signer";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}
