//! Writes: the table as it is written, and the token that stands in it or in a file.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::Spanned;

use super::{ConfigError, GroupConfig, error::Source};
use crate::token::Token;

/// Who may write.
#[derive(Debug)]
pub struct WritesConfig {
    /// Who shows this token.
    pub token: Token,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWrites {
    token: Option<Spanned<RawToken>>,
    token_file: Option<Spanned<PathBuf>>,
    groups: Option<Vec<Spanned<String>>>,
}

/// A text of which no error says what it is.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a token is a text")]
enum RawToken {
    Text(String),
}

/// Bytes of a file in which a token is looked for.
const MAX_FILE: u64 = 1 << 10;

/// Checks the table, and marks the groups that may be written to.
pub(super) fn check(
    source: &Source<'_>,
    raw: Option<Spanned<RawWrites>>,
    groups: &mut [GroupConfig],
) -> Result<Option<WritesConfig>, ConfigError> {
    let Some(raw) = raw else { return Ok(None) };
    let token = token(source, &raw)?;
    let Some(names) = raw.into_inner().groups else {
        groups.iter_mut().for_each(|group| group.writable = true);
        return Ok(Some(WritesConfig { token }));
    };
    for name in names {
        let group = groups.iter_mut().find(|group| group.name == *name.get_ref());
        let group = group
            .ok_or_else(|| source.at(&name, format!("no group is named {:?}", name.get_ref())))?;
        group.writable = true;
    }
    Ok(Some(WritesConfig { token }))
}

fn token(source: &Source<'_>, raw: &Spanned<RawWrites>) -> Result<Token, ConfigError> {
    let RawWrites { token, token_file, .. } = raw.get_ref();
    match (token, token_file) {
        (Some(token), None) => {
            let RawToken::Text(text) = token.get_ref();
            Token::new(text).map_err(|error| source.at(token, error.to_string()))
        }
        (None, Some(path)) => {
            let file = source.path(path);
            let text = read(&file).map_err(|error| {
                source.at(path, format!("{} cannot be read: {error}", file.display()))
            })?;
            Token::new(text.trim_end()).map_err(|error| {
                source.at(path, format!("{} holds no token: {error}", file.display()))
            })
        }
        (Some(_), Some(path)) => Err(source.at(path, "token or token_file, and not both")),
        (None, None) => {
            let text = "writes need a token, a token_file or GOCACHE_WRITE_TOKEN";
            Err(source.at(raw, text))
        }
    }
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(text)
}
