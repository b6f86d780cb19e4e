//! An SQLite database as an origin: one query, one parameter, one column.

use std::{fs, path::Path};

use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Row, TransactionBehavior,
    types::{Type, ValueRef},
};

use super::{Failure, Origin};
use crate::config::SqliteConfig;

/// One connection to the database, opened at the first load and again after a failure: a database
/// that is missing, locked or corrupt now may be back for the next key.
pub(crate) struct Sqlite {
    config: SqliteConfig,
    connection: Option<Connection>,
}

impl Sqlite {
    pub(crate) fn new(config: SqliteConfig) -> Self {
        Self { config, connection: None }
    }

    fn open(config: &SqliteConfig) -> rusqlite::Result<Connection> {
        // Read only, so that a missing database is an error and not a new, empty one.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&config.database, flags)?;
        connection.busy_timeout(config.busy_timeout)?;
        Ok(connection)
    }

    fn query(&mut self, key: &[u8]) -> rusqlite::Result<Option<Vec<u8>>> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(Self::open(&self.config)?),
        };
        let mut statement = connection.prepare_cached(&self.config.query)?;
        let most = self.config.value_bytes;
        let read = |row: &Row<'_>| match row.get_ref(0)? {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) if bytes.len() > most => {
                let error = "the value is longer than value_bytes allows".into();
                Err(rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, error))
            }
            column => Ok(bytes(column)),
        };
        // A column of text compares with text only; a key that is no text can only be a blob.
        let row = match std::str::from_utf8(key) {
            Ok(text) => statement.query_row([text], read),
            Err(_) => statement.query_row([key], read),
        };
        row.optional().map(Option::flatten)
    }
}

/// The bytes of a column as the `sqlite3` program prints them; NULL is no value.
fn bytes(column: ValueRef<'_>) -> Option<Vec<u8>> {
    match column {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string().into_bytes()),
        // `{:?}` keeps the point of a whole number, as SQLite does.
        ValueRef::Real(number) => Some(format!("{number:?}").into_bytes()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.to_vec()),
    }
}

impl Origin for Sqlite {
    fn load(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        self.query(key).map_err(|error| {
            self.connection = None;
            Failure(format!("{}: {error}", self.config.database.display()))
        })
    }
}

/// Creates the demonstration's table with its scores, if the database has none yet.
pub(crate) fn create_demonstration(database: &Path) -> Result<(), Failure> {
    let fail = |error: &dyn std::fmt::Display| Failure(format!("{}: {error}", database.display()));
    if let Some(directory) = database.parent() {
        fs::create_dir_all(directory).map_err(|error| fail(&error))?;
    }
    create_scores(database).map_err(|error| fail(&error))
}

fn create_scores(database: &Path) -> rusqlite::Result<()> {
    let mut connection = Connection::open(database)?;
    // One transaction: the table never stands there without its scores, and a score that the user
    // deleted does not come back.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !transaction.table_exists(None, "scores")? {
        transaction.execute_batch(
            "CREATE TABLE scores (name TEXT PRIMARY KEY, score INTEGER NOT NULL);
             INSERT INTO scores VALUES ('Tom', 630), ('Jack', 589), ('Sam', 567);",
        )?;
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn source(directory: &Path, query: &str) -> Sqlite {
        Sqlite::new(SqliteConfig {
            database: directory.join("scores.db"),
            query: query.to_owned(),
            workers: 1,
            busy_timeout: Duration::from_millis(20),
            value_bytes: 100,
        })
    }

    fn demonstration() -> (tempfile::TempDir, Sqlite) {
        let directory = tempfile::tempdir().expect("a directory");
        create_demonstration(&directory.path().join("scores.db")).expect("a database");
        let source = source(directory.path(), "SELECT score FROM scores WHERE name = ?1");
        (directory, source)
    }

    #[test]
    fn the_demonstration_is_created_once_and_kept() {
        let (directory, mut source) = demonstration();
        assert_eq!(source.load(b"Tom").expect("sound"), Some(b"630".to_vec()));
        assert_eq!(source.load(b"Ann").expect("sound"), None);
        let database = directory.path().join("scores.db");
        let other = Connection::open(&database).expect("anyone can open it");
        other.execute("UPDATE scores SET score = 1 WHERE name = 'Tom'", ()).expect("written");
        create_demonstration(&database).expect("nothing to do");
        assert_eq!(source.load(b"Tom").expect("sound"), Some(b"1".to_vec()));
    }

    #[test]
    fn each_type_of_column_has_its_bytes() {
        for (expression, expected) in [
            ("'text'", Some(b"text".as_slice())),
            ("x'00ff'", Some(b"\x00\xff")),
            ("-7", Some(b"-7")),
            ("1.5", Some(b"1.5")),
            ("2.0", Some(b"2.0")),
            ("''", Some(b"")),
            ("NULL", None),
            ("?1", Some(b"\xff")),
        ] {
            let (directory, _) = demonstration();
            let mut source =
                source(directory.path(), &format!("SELECT {expression} WHERE ?1 IS NOT 0"));
            let found = source.load(b"\xff").expect("sound");
            assert_eq!(found.as_deref(), expected, "{expression}");
        }
    }

    #[test]
    fn a_value_over_its_limit_is_a_failure() {
        let (directory, _) = demonstration();
        for (length, found) in [(100, true), (101, false)] {
            let mut source =
                source(directory.path(), &format!("SELECT zeroblob({length}) WHERE ?1 > 0"));
            assert_eq!(source.load(b"Tom").is_ok(), found, "{length} bytes");
        }
    }

    #[test]
    fn a_missing_locked_or_corrupt_database_is_a_failure_and_then_back() {
        let (directory, mut source) = demonstration();
        let database = directory.path().join("scores.db");

        let lock = Connection::open(&database).expect("anyone can open it");
        lock.execute_batch("BEGIN EXCLUSIVE").expect("locked");
        assert!(source.load(b"Tom").expect_err("locked").0.contains("locked"));
        lock.execute_batch("ROLLBACK").expect("unlocked");
        assert!(source.load(b"Tom").expect("sound again").is_some());
        drop(lock);

        let aside = directory.path().join("aside");
        fs::rename(&database, &aside).expect("moved");
        let mut late = Sqlite::new(source.config.clone());
        assert!(late.load(b"Tom").expect_err("missing").0.contains("unable to open"));
        assert!(!database.exists(), "reading created none");
        fs::write(&database, [7; 4096]).expect("written");
        assert!(late.load(b"Tom").expect_err("corrupt").0.contains("not a database"));
        fs::rename(&aside, &database).expect("moved back");
        assert!(late.load(b"Tom").expect("sound again").is_some());
    }
}
