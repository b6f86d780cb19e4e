//! Errors of a configuration, and the places in the file that they point at.

use std::{
    fmt::{self, Write},
    ops::Range,
    path::{Path, PathBuf},
};

use toml::Spanned;

use super::Overrides;

/// What is wrong with a configuration, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    file: PathBuf,
    /// Line and column, both from 1; `None` where it is the file as a whole.
    place: Option<(usize, usize)>,
    message: String,
}

impl ConfigError {
    pub(crate) fn whole_file(file: &Path, message: String) -> Self {
        Self { file: file.to_owned(), place: None, message }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        f.write_str(" ")?;
        // The parser's messages may have several lines, and the names that it quotes any character;
        // ours is one line.
        self.message.chars().try_for_each(|char| match char {
            '\n' => f.write_str("; "),
            char if char.is_control() => write!(f, "{}", char.escape_default()),
            char => f.write_char(char),
        })
    }
}

impl std::error::Error for ConfigError {}

/// The text under check.
pub(super) struct Source<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
    /// What goes over it. Each has a place of its own after the end of the text.
    pub(super) overrides: &'a Overrides,
}

impl Source<'_> {
    /// Where one of the overrides stands.
    pub(super) const fn span_of(&self, at: usize) -> Range<usize> {
        let place = self.text.len() + 1 + at;
        place..place
    }

    pub(super) fn error(&self, span: Range<usize>, message: String) -> ConfigError {
        let beyond = span.start.checked_sub(self.text.len() + 1);
        if let Some(by) = beyond.and_then(|at| self.overrides.0.get(at)) {
            return ConfigError { file: (&by.name).into(), place: None, message };
        }
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        ConfigError { file: self.file.to_owned(), place: Some((line, column)), message }
    }

    pub(super) fn at<T>(&self, what: &Spanned<T>, message: impl Into<String>) -> ConfigError {
        self.error(what.span(), message.into())
    }

    /// Where a file is: its path counts from the folder of the configuration.
    pub(super) fn path(&self, path: &Spanned<PathBuf>) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path.get_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_quoted_an_error_is_one_line() {
        let message = "unknown field `a\nb\r\u{1b}[1m`".to_owned();
        let error = ConfigError::whole_file(Path::new("gocache.toml"), message);
        assert_eq!(error.to_string(), "gocache.toml: unknown field `a; b\\r\\u{1b}[1m`");
    }
}
