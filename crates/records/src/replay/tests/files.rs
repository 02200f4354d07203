//! Files that are something else, broken, or taken away.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn a_new_database_is_private_and_alone() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    database.handle(&numbered(1, 0, BIRTH), BIRTH);
    let names = ["replay", "replay-shm", "replay-wal"].map(str::to_owned);
    assert_eq!(place.files(), BTreeSet::from(names.clone()));
    for name in names {
        let mode = fs::metadata(place.directory.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    drop(database);
    assert_eq!(place.files(), BTreeSet::from(["replay".to_owned()]));
}

#[test]
fn a_file_that_is_something_else_is_left_alone() {
    let foreign = TempDir::new().unwrap();
    let foreign = foreign.path().join("foreign");
    let connection = Connection::open(&foreign).unwrap();
    connection.execute_batch("CREATE TABLE t (x); PRAGMA user_version = 1;").unwrap();
    drop(connection);
    let foreign = fs::read(foreign).unwrap();
    for content in [&b""[..], b"text\n", &[0; 8192], b"SQLite format 3\0", &foreign] {
        let place = Place::new();
        fs::write(place.path(), content).unwrap();
        let modified = fs::metadata(place.path()).unwrap().modified().unwrap();
        for birth in
            [DatabaseBirth::Existing, DatabaseBirth::RefuseOlder, DatabaseBirth::AcceptOlder]
        {
            let error = place.try_open(birth, DAY, BIRTH).unwrap_err();
            assert_eq!(
                error.reason(),
                "replay-not-a-database",
                "{error} ({} bytes)",
                content.len()
            );
        }
        assert_eq!(ReplayView::open(&place.path()).unwrap_err().reason(), "replay-not-a-database");
        assert_eq!(fs::read(place.path()).unwrap(), content);
        assert_eq!(fs::metadata(place.path()).unwrap().modified().unwrap(), modified);
        assert_eq!(place.files().len(), 1, "{:?}", place.files());
    }
    let place = Place::new();
    fs::create_dir(place.path()).unwrap();
    let error = place.try_open(DatabaseBirth::RefuseOlder, DAY, BIRTH).unwrap_err();
    assert_eq!(error.reason(), "replay-not-a-database");
}

#[test]
fn a_database_that_was_tampered_with_is_refused() {
    let cases = [
        ("PRAGMA user_version = 3", "replay-version"),
        ("PRAGMA application_id = 1", "replay-not-a-database"),
        ("DROP TABLE lease", "replay-damaged"),
        ("CREATE TRIGGER t AFTER INSERT ON done BEGIN DELETE FROM done; END", "replay-damaged"),
        ("CREATE VIEW v AS SELECT 1", "replay-damaged"),
        ("ALTER TABLE done ADD COLUMN more INTEGER", "replay-damaged"),
        ("DELETE FROM state", "replay-damaged"),
        ("UPDATE state SET floor = -1", "replay-damaged"),
        ("UPDATE state SET latest = 253402300800", "replay-damaged"),
    ];
    for (change, reason) in cases {
        let place = Place::new();
        drop(place.open(DatabaseBirth::AcceptOlder, BIRTH));
        Connection::open(place.path()).unwrap().execute_batch(change).unwrap();
        let error = place.try_open(DatabaseBirth::AcceptOlder, DAY, BIRTH).unwrap_err();
        assert_eq!(error.reason(), reason, "{change}: {error}");
    }
}

/// Every page is overwritten in turn, and the file cut after each: what was handled is never fresh.
#[test]
fn a_damaged_database_is_never_taken_for_an_empty_one() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    let mut subjects: Vec<_> = (0..300).map(|seq| numbered(1, 2 * seq, BIRTH)).collect();
    subjects.push(named(1, BIRTH, BIRTH + DAY));
    let leases = database.reserve_many(&subjects, at(BIRTH)).unwrap();
    let leases: Vec<_> = leases.into_iter().map(|found| found.into_lease().unwrap()).collect();
    let settled = database.commit_many(&leases, at(BIRTH)).unwrap();
    assert!(settled.iter().all(|settled| *settled == Settled::Done));
    drop(database);
    let whole = fs::read(place.path()).unwrap();
    let pages = whole.len() / 4096;
    assert!(pages > 6, "{pages} pages");
    let answer = |content: &[u8]| {
        fs::write(place.path(), content).unwrap();
        let mut database = match place.try_open(DatabaseBirth::AcceptOlder, DAY, BIRTH) {
            Ok(database) => database,
            Err(error) => return error.reason().to_owned(),
        };
        let reason = |found: Reservation<ReplayLease>| match found.into_lease() {
            Ok(_) => "fresh",
            Err(error) => error.reason(),
        };
        match database.reserve_many(&subjects, at(BIRTH)) {
            Ok(found) => {
                let reasons: BTreeSet<_> = found.into_iter().map(reason).collect();
                reasons.into_iter().collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.reason().to_owned(),
        }
    };
    let untouched = answer(&whole);
    assert_eq!(untouched, "replayed");
    for page in 0..pages {
        for filling in [0x00, 0xff] {
            let mut broken = whole.clone();
            broken[page * 4096..][..4096].fill(filling);
            let found = answer(&broken);
            assert!(!found.contains("fresh"), "page {page} of {filling:02x}: {found}");
            assert_ne!(found, "replayed", "page {page} of {filling:02x} is not read");
        }
        let found = answer(&whole[..page * 4096]);
        assert!(!found.contains("fresh") && found != "replayed", "cut at page {page}: {found}");
    }
}

#[test]
fn a_file_that_is_taken_away_is_missed() {
    let taken = |act: fn(&Place)| {
        let place = Place::new();
        let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
        let lease = database.fresh(&numbered(1, 0, BIRTH), BIRTH);
        act(&place);
        for _ in 0..2 {
            let error = database.commit(&lease, at(BIRTH)).unwrap_err();
            assert_eq!(error.reason(), "replay-gone");
            let error = database.reserve(&numbered(1, 1, BIRTH), at(BIRTH)).unwrap_err();
            assert_eq!(error.reason(), "replay-gone");
            let error = database.view().status(at(BIRTH)).unwrap_err();
            assert_eq!(error.reason(), "replay-gone");
        }
    };
    taken(|place| fs::remove_file(place.path()).unwrap());
    taken(|place| fs::rename(place.path(), place.directory.path().join("other")).unwrap());
    taken(|place| fs::remove_file(place.directory.path().join("replay-wal")).unwrap());
    taken(|place| fs::remove_file(place.directory.path().join("replay-shm")).unwrap());
    taken(|place| {
        fs::remove_file(place.path()).unwrap();
        fs::write(place.path(), "").unwrap();
    });
}

/// A process has the database open, and its file is deleted. What is left beside the name is not for another one.
#[test]
fn a_new_database_takes_nothing_from_a_deleted_one() {
    let place = Place::new();
    let mut old = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    old.handle(&numbered(1, 0, BIRTH), BIRTH);
    fs::remove_file(place.path()).unwrap();
    let create = || place.try_open(DatabaseBirth::RefuseOlder, DAY, BIRTH);
    for left in [["replay-shm", "replay-wal"], ["replay-shm", "replay-shm"]] {
        let error = create().unwrap_err();
        assert_eq!((error.reason(), error.class()), ("replay-leftover", Class::System));
        assert_eq!(place.files(), left.map(str::to_owned).into());
        let _ = fs::remove_file(place.directory.path().join("replay-wal"));
    }
    fs::remove_file(place.directory.path().join("replay-shm")).unwrap();
    for link in ["replay-journal", "replay-wal"] {
        let link = place.directory.path().join(link);
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert_eq!(create().unwrap_err().reason(), "replay-leftover", "{}", link.display());
        fs::remove_file(link).unwrap();
    }
    let mut new = create().unwrap();
    assert_eq!(new.answer(&numbered(1, 0, BIRTH), BIRTH), "replay-unknown");
    // Neither closes the other's log.
    drop(old);
    new.handle(&numbered(1, 0, BIRTH + 61), BIRTH + 61);
    drop(new);
    assert_eq!(place.files(), BTreeSet::from(["replay".to_owned()]));
    let mut new = place.open(DatabaseBirth::Existing, BIRTH + 61);
    assert_eq!(new.answer(&numbered(1, 0, BIRTH + 61), BIRTH + 61), "replayed");
}

/// Others find the database that the first has made, with its log beside it, and make none.
#[test]
fn a_database_that_was_made_meanwhile_is_no_leftover() {
    let place = Place::new();
    let start = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let (place, start) = (&place, &start);
            scope.spawn(move || {
                start.wait();
                let mut own = place.open(DatabaseBirth::AcceptOlder, BIRTH);
                own.handle(&numbered(worker, 0, BIRTH), BIRTH);
            });
        }
    });
    let view = ReplayView::open(&place.path()).unwrap();
    assert_eq!(view.status(at(BIRTH)).unwrap().channels, 8);
}

/// Under a second name, SQLite would keep a second log, and everything would be released twice.
#[test]
fn a_database_with_two_names_is_refused_at_once_and_while_it_is_in_use() {
    for sibling in ["replay", "replay-wal", "replay-shm"] {
        let place = Place::new();
        let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
        let lease = database.fresh(&numbered(1, 0, BIRTH), BIRTH);
        let second = place.directory.path().join("second");
        fs::hard_link(place.directory.path().join(sibling), &second).unwrap();
        let reason = |error: ReplayError| error.reason();
        let birth = DatabaseBirth::Existing;
        assert_eq!(reason(database.commit(&lease, at(BIRTH)).unwrap_err()), "replay-linked");
        let reserved = database.reserve(&numbered(1, 1, BIRTH), at(BIRTH));
        assert_eq!(reason(reserved.unwrap_err()), "replay-linked");
        assert_eq!(reason(database.view().status(at(BIRTH)).unwrap_err()), "replay-linked");
        assert_eq!(reason(place.try_open(birth, DAY, BIRTH).unwrap_err()), "replay-linked");
        assert_eq!(reason(ReplayView::open(&place.path()).unwrap_err()), "replay-linked");
        if sibling == "replay" {
            assert_eq!(reason(ReplayView::open(&second).unwrap_err()), "replay-linked");
        }
        fs::remove_file(second).unwrap();
        database.handle(&numbered(1, 2, BIRTH), BIRTH);
    }
}

/// A link that is turned leads the next process to another database.
#[test]
fn a_link_that_is_turned_while_it_is_in_use_is_missed() {
    let (place, other) = (Place::new(), Place::new());
    let links = Place::new();
    drop(place.open(DatabaseBirth::AcceptOlder, BIRTH));
    drop(other.open(DatabaseBirth::AcceptOlder, BIRTH));
    // A chain of links, whose end is turned.
    let end = links.directory.path().join("end");
    std::os::unix::fs::symlink("end", links.path()).unwrap();
    std::os::unix::fs::symlink(place.path(), &end).unwrap();
    let mut database = links.open(DatabaseBirth::Existing, BIRTH);
    let lease = database.fresh(&numbered(1, 0, BIRTH), BIRTH);
    fs::remove_file(&end).unwrap();
    assert_eq!(database.commit(&lease, at(BIRTH)).unwrap_err().reason(), "replay-gone");
    std::os::unix::fs::symlink(other.path(), &end).unwrap();
    assert_eq!(database.commit(&lease, at(BIRTH)).unwrap_err().reason(), "replay-gone");
    let error = database.reserve(&numbered(1, 1, BIRTH), at(BIRTH)).unwrap_err();
    assert_eq!(error.reason(), "replay-gone");
}

/// One that is opened by the name of a link is the same one, and its siblings lie beside the file.
#[test]
fn a_link_leads_to_the_database() {
    let place = Place::new();
    drop(place.open(DatabaseBirth::AcceptOlder, BIRTH));
    let other = Place::new();
    std::os::unix::fs::symlink(place.path(), other.path()).unwrap();
    other.open(DatabaseBirth::RefuseOlder, BIRTH).handle(&numbered(1, 0, BIRTH), BIRTH);
    assert_eq!(
        place.open(DatabaseBirth::Existing, BIRTH).answer(&numbered(1, 0, BIRTH), BIRTH),
        "replayed"
    );
    assert_eq!(other.files().len(), 1);
}

#[test]
fn a_database_that_is_held_is_waited_for_and_then_reported() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    let other = Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    database.view.opened.lock().connection.busy_timeout(Duration::from_millis(20)).unwrap();
    let error = database.reserve(&numbered(1, 0, BIRTH), at(BIRTH)).unwrap_err();
    assert_eq!((error.reason(), error.class()), ("replay-locked", Class::System));
    other.execute_batch("ROLLBACK").unwrap();
    database.handle(&numbered(1, 0, BIRTH), BIRTH);
}

/// With a version before this one, what was committed can be lost:
/// <https://sqlite.org/wal.html#walresetbug>.
#[test]
fn sqlite_is_new_enough() {
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
}
