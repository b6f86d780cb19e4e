//! In place of SQLite, in a program that was built without it. No configuration gets this far.

use std::path::Path;

use super::{Failure, Origin};
use crate::config::SqliteConfig;

const MISSING: &str = "this program was built without SQLite";

pub(crate) struct Sqlite;

impl Sqlite {
    pub(crate) fn new(_: SqliteConfig) -> Self {
        Self
    }
}

impl Origin for Sqlite {
    fn load(&mut self, _: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        Err(Failure(MISSING.to_owned()))
    }
}

pub(crate) fn create_demonstration(_: &Path) -> Result<(), Failure> {
    Err(Failure(MISSING.to_owned()))
}
