//! Origins: from their tables as they are written to what can be asked.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::{
    ConfigError, Deadlines, Limits, OriginConfig, OriginKind, SqliteConfig, Target, error::Source,
    raw, tls,
};

/// Which keys a table may have depends on its kind.
pub(super) fn check(
    source: &Source<'_>,
    name: Spanned<String>,
    raw: raw::Origin,
    data_dir: &Path,
    (limits, deadlines): (&Limits, &Deadlines),
) -> Result<OriginConfig, ConfigError> {
    let raw::Origin { kind, database, query, workers, url, ca } = raw;
    let missing = |key: &str| source.at(&kind, format!("this kind of origin needs the key {key}"));
    let foreign = |place: std::ops::Range<usize>| {
        source.error(place, format!("an origin of kind {:?} has no such key", kind.get_ref()))
    };
    let kind = match kind.get_ref().as_str() {
        "sqlite" if cfg!(not(feature = "sqlite")) => {
            let text = "this program was built without SQLite: build it with the feature `sqlite`";
            return Err(source.at(&kind, text));
        }
        "sqlite" => {
            if let Some(span) = url.map(|it| it.span()).or(ca.map(|it| it.span())) {
                return Err(foreign(span));
            }
            OriginKind::Sqlite(SqliteConfig {
                database: data_dir.join(database.ok_or_else(|| missing("database"))?.into_inner()),
                query: query.ok_or_else(|| missing("query"))?.into_inner(),
                workers: workers_of(source, workers)?,
                // Whoever waits for a lock gives up before the load does, so that the log tells
                // why the load failed.
                busy_timeout: deadlines.load / 2,
                value_bytes: limits.value_bytes,
            })
        }
        "http" => {
            let spans = [database.map(|it| it.span()), query.map(|it| it.span())];
            let span = spans.into_iter().chain([workers.map(|it| it.span())]).flatten().next();
            if let Some(span) = span {
                return Err(foreign(span));
            }
            OriginKind::Http(target(source, &url.ok_or_else(|| missing("url"))?, ca.as_ref())?)
        }
        _ => return Err(source.at(&kind, "kind is \"sqlite\" or \"http\"")),
    };
    Ok(OriginConfig { name: name.into_inner(), kind })
}

fn workers_of(source: &Source<'_>, raw: Option<Spanned<usize>>) -> Result<usize, ConfigError> {
    match raw {
        None => Ok(4),
        Some(workers) if (1..=256).contains(workers.get_ref()) => Ok(workers.into_inner()),
        Some(workers) => Err(source.at(&workers, "workers is a number from 1 to 256")),
    }
}

fn target(
    source: &Source<'_>,
    url: &Spanned<String>,
    ca: Option<&Spanned<PathBuf>>,
) -> Result<Target, ConfigError> {
    let wrong = || {
        let text =
            "url is http://HOST:PORT/PATH or https://HOST:PORT/PATH; the key is appended to it";
        source.at(url, text)
    };
    let uri: http::Uri = url.get_ref().parse().map_err(|_| wrong())?;
    let authority = uri.authority().filter(|it| !it.as_str().contains('@')).ok_or_else(wrong)?;
    let tls = match (uri.scheme_str(), ca) {
        (Some("http"), None) => None,
        (Some("http"), Some(ca)) => {
            return Err(source.at(ca, "ca is for a url that begins with https://"));
        }
        (Some("https"), ca) => Some(tls::connector(source, url, authority, ca)?),
        _ => return Err(wrong()),
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Ok(Target { authority: authority.to_string(), path: path.to_owned(), tls })
}
