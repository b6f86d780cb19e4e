//! Errors of a configuration, and the places in the file that they point at.

use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

use toml::Spanned;

/// What is wrong with a configuration, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    file: PathBuf,
    /// Line and column, both from 1; `None` where it is the file as a whole.
    place: Option<(usize, usize)>,
    message: String,
}

/// A place in a configuration, for errors that show only when what is set there is used.
#[derive(Clone, Debug)]
pub(super) struct Place {
    file: PathBuf,
    at: (usize, usize),
}

/// A file that a configuration names.
#[derive(Clone, Debug)]
pub(super) struct NamedFile {
    pub(super) path: PathBuf,
    place: Place,
}

impl Place {
    pub(super) fn error(&self, message: String) -> ConfigError {
        ConfigError { file: self.file.clone(), place: Some(self.at), message }
    }
}

impl NamedFile {
    /// The message goes on from the path.
    pub(super) fn error(&self, message: &str) -> ConfigError {
        self.place.error(format!("{} {message}", self.path.display()))
    }
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
        // The parser's messages may have several lines; ours is one.
        write!(f, " {}", self.message.replace('\n', "; "))
    }
}

impl std::error::Error for ConfigError {}

/// The text under check.
pub(super) struct Source<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
}

impl Source<'_> {
    pub(super) fn error(&self, span: Range<usize>, message: String) -> ConfigError {
        self.place(span).error(message)
    }

    pub(super) fn at<T>(&self, what: &Spanned<T>, message: impl Into<String>) -> ConfigError {
        self.error(what.span(), message.into())
    }

    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        Place { file: self.file.to_owned(), at: (line, column) }
    }

    /// A file, whose path counts from the folder of the configuration.
    pub(super) fn named(&self, path: &Spanned<PathBuf>) -> NamedFile {
        let folder = self.file.parent().unwrap_or(Path::new(""));
        NamedFile { path: folder.join(path.get_ref()), place: self.place(path.span()) }
    }
}
