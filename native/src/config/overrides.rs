//! Settings from outside the file, by the names of its keys: variables of the environment, and flags.
//! They are put into the file's tables before anything is checked, so that the same checks hold for
//! them; what is wrong with one is told with its name.

use std::{ffi::OsString, fmt, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{ConfigError, error::Source, keys};

/// What all variables begin with.
const PREFIX: &str = "GOCACHE_";

/// Variables that say where to begin, and are in no file.
const OTHERS: [&str; 3] = ["GOCACHE_CONFIG", "GOCACHE_COMPONENT", "GOCACHE_INSTANCES"];

/// The token of who may write. It allows writes by itself, in place of any token of the file.
const WRITE_TOKEN: &str = "GOCACHE_WRITE_TOKEN";

/// Settings that go over the file, the later ones over the earlier.
#[derive(Clone, Debug, Default)]
pub struct Overrides(pub(super) Vec<Override>);

/// A value and what it was set by.
#[derive(Clone)]
pub(super) struct Override {
    /// How it is told of: `GOCACHE_LISTEN`, `--listen`.
    pub(super) name: String,
    place: Place,
    value: String,
}

#[derive(Clone)]
enum Place {
    /// The name of a variable, as far as it says which key: which that is, depends on the file.
    Variable(String),
    /// A key, with its tables before it.
    Key(Vec<String>),
}

impl fmt::Debug for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the value: it may be a secret.
        f.write_str(&self.name)
    }
}

impl Overrides {
    /// Those among the variables of an environment that can be settings.
    #[must_use]
    pub fn of_variables(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let setting = |(name, value): (OsString, OsString)| {
            let (name, value) = (name.into_string().ok()?, value.to_string_lossy().into_owned());
            let key = name.strip_prefix(PREFIX).filter(|_| !OTHERS.contains(&&*name))?;
            let place = match &*name {
                WRITE_TOKEN => Place::Key(vec!["writes".to_owned(), "token".to_owned()]),
                _ => Place::Variable(key.to_lowercase()),
            };
            Some(Override { place, name, value })
        };
        let mut all: Vec<_> = variables.into_iter().filter_map(setting).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Self(all)
    }

    /// Adds a flag for a key of the file, such as `limits.connections` or `groups.scores.budget`.
    pub fn set(&mut self, flag: &str, key: &str, value: &str) {
        let path = match (key.split_once('.'), key.rsplit_once('.')) {
            // A group's name may have dots in it.
            (Some((table, rest)), Some((_, key))) if rest != key => {
                let name = &rest[..rest.len() - key.len() - 1];
                vec![table.to_owned(), name.to_owned(), key.to_owned()]
            }
            (Some((table, key)), _) => vec![table.to_owned(), key.to_owned()],
            (None, _) => vec![key.to_owned()],
        };
        let (name, value) = (flag.to_owned(), value.to_owned());
        self.0.push(Override { name, place: Place::Key(path), value });
    }

    /// Puts them into the file. Says which variables are no settings: others may have given them
    /// their names, as Kubernetes does for a service that is called gocache.
    pub(super) fn apply<'i>(
        &'i self,
        source: &Source<'_>,
        file: &mut DeTable<'i>,
    ) -> Result<Vec<String>, ConfigError> {
        let mut strangers = Vec::new();
        for (at, each) in self.0.iter().enumerate() {
            let span = source.span_of(at);
            let path = match &each.place {
                Place::Key(path) => path.clone(),
                Place::Variable(name) => match &mut *keys::named(name, file) {
                    [] => {
                        strangers.push(each.name.clone());
                        continue;
                    }
                    [path] => std::mem::take(path),
                    _ => {
                        let text =
                            "stands for keys of several groups or origins; set it in the file";
                        return Err(source.error(span, text.to_owned()));
                    }
                },
            };
            let is_token = path == ["writes", "token"];
            if is_token
                && let Some(DeValue::Table(writes)) = file.get_mut("writes").map(Spanned::get_mut)
            {
                writes.remove("token_file");
            }
            let mut value = value(&each.value, &span);
            // The variable that is for nothing else has the token as it is. Elsewhere one of digits is
            // no number, and no error may show it.
            if each.name == WRITE_TOKEN || is_token && value.as_str().is_none() {
                value = DeValue::String(each.value.as_str().into());
            }
            let wrong = || source.error(span.clone(), "is no key of a table".to_owned());
            put(file, &path, value, &span).ok_or_else(wrong)?;
        }
        Ok(strangers)
    }
}

/// A value as TOML has it; what is none is a text, so that texts need no quotes.
fn value<'i>(text: &'i str, span: &Range<usize>) -> DeValue<'i> {
    match DeValue::parse(text).map(Spanned::into_inner) {
        Ok(array @ DeValue::Array(_)) => placed(array, span),
        Ok(plain @ (DeValue::String(_) | DeValue::Integer(_) | DeValue::Boolean(_))) => plain,
        _ => DeValue::String(text.into()),
    }
}

/// The same value, all of which stands in this place.
fn placed<'i>(value: DeValue<'i>, span: &Range<usize>) -> DeValue<'i> {
    let place =
        |value: Spanned<DeValue<'i>>| Spanned::new(span.clone(), placed(value.into_inner(), span));
    match value {
        DeValue::Array(array) => DeValue::Array(array.into_iter().map(place).collect()),
        DeValue::Table(table) => {
            let pairs = table.into_iter();
            let pairs = pairs
                .map(|(key, value)| (Spanned::new(span.clone(), key.into_inner()), place(value)));
            DeValue::Table(pairs.collect())
        }
        plain => plain,
    }
}

/// Sets a key, in tables that are made where there are none. `None` where one of them is no table.
fn put<'i>(
    table: &mut DeTable<'i>,
    path: &[String],
    value: DeValue<'i>,
    span: &Range<usize>,
) -> Option<()> {
    let (first, rest) = path.split_first()?;
    let key = Spanned::new(span.clone(), first.clone().into());
    if rest.is_empty() {
        // The old key goes too, for its place is that of the old value.
        table.remove(&key);
        table.insert(key, Spanned::new(span.clone(), value));
        return Some(());
    }
    let empty = || Spanned::new(span.clone(), DeValue::Table(DeTable::new()));
    match table.entry(key).or_insert_with(empty).get_mut() {
        DeValue::Table(inner) => put(inner, rest, value, span),
        _ => None,
    }
}
