//! The settings, as they stand in variables of the environment: those of the native server that
//! make sense here, under the same names, and `GOCACHE_GROUPS`, which says what groups there are.

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};
use core::{fmt, time::Duration};

use gocache_core::{DEFAULT_BASE, Eviction, Limits, http::list};

use super::units;

/// More than all budgets together can be where an address has 32 bits and others need memory too.
const MOST_BUDGET: usize = 3 << 30;

/// All settings, which have been checked.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) base: String,
    pub(crate) groups: Vec<Group>,
    /// The nodes that are asked in place of the origins.
    pub(crate) peers: Vec<String>,
    /// They are reached over TLS.
    pub(crate) peers_tls: bool,
    pub(crate) value_bytes: usize,
    pub(crate) load: Duration,
}

/// A group, and where its values come from.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) settings: gocache_core::Settings,
    pub(crate) content_type: String,
    pub(crate) origin: Target,
}

/// What an origin is: the key is appended to the path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) is_https: bool,
    pub(crate) authority: String,
    pub(crate) path: String,
}

/// A variable that is wrong, and what it should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    name: String,
    text: &'static str,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the setting {}: {}", self.name, self.text)
    }
}

impl Settings {
    pub(crate) fn read(variables: &[(String, String)]) -> Result<Self, Wrong> {
        let variables = Variables(variables);
        let load = variables.period("GOCACHE_DEADLINES_LOAD")?;
        let load = load.unwrap_or(Limits::default().load_deadline);
        let settings = Self {
            base: base(&variables)?,
            groups: variables.groups(load)?,
            peers: variables.items("GOCACHE_CLUSTER_PEERS"),
            peers_tls: match variables.get("GOCACHE_CLUSTER_TLS") {
                None | Some("false") => false,
                Some("true") => true,
                Some(_) => return Err(wrong("GOCACHE_CLUSTER_TLS", "is true or false")),
            },
            value_bytes: variables.number("GOCACHE_LIMITS_VALUE_BYTES", 64 << 20, u32::MAX)?,
            load,
        };
        let budgets = settings.groups.iter().map(|group| group.settings.budget);
        if budgets.fold(0, usize::saturating_add) > MOST_BUDGET {
            return Err(wrong("GOCACHE_GROUPS", "their budgets come to more than 3 GiB"));
        }
        if settings.groups.is_empty() && settings.peers.is_empty() {
            let text = "names the groups, as in scores,prices; or set GOCACHE_CLUSTER_PEERS";
            return Err(wrong("GOCACHE_GROUPS", text));
        }
        Ok(settings)
    }
}

fn wrong(name: &str, text: &'static str) -> Wrong {
    Wrong { name: name.to_owned(), text }
}

struct Variables<'a>(&'a [(String, String)]);

impl Variables<'_> {
    /// The value of a variable, without the quotes that a text may have.
    fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(other, _)| other == name)?;
        Some(unquoted(value))
    }

    /// The elements of a list, with or without brackets and quotes.
    fn items(&self, name: &str) -> Vec<String> {
        let value = self.get(name).unwrap_or_default();
        let value = value.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(value);
        let texts = list(value.as_bytes()).filter_map(|item| core::str::from_utf8(item).ok());
        texts.map(|item| unquoted(item).to_owned()).collect()
    }

    /// A number or a size, from 1 on.
    fn number(&self, name: &str, default: usize, most: u32) -> Result<usize, Wrong> {
        let Some(text) = self.get(name) else { return Ok(default) };
        let number = units::size(text).and_then(|size| usize::try_from(size).ok());
        let is_fit = |number: &usize| (1..=most as usize).contains(number);
        number.filter(is_fit).ok_or_else(|| wrong(name, "is a number or a size such as 64 MiB"))
    }

    fn period(&self, name: &str) -> Result<Option<Duration>, Wrong> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let period = units::period(text).filter(|period| !period.is_zero());
        period.map(Some).ok_or_else(|| wrong(name, "is a duration such as 250ms or 1h 30m"))
    }

    fn groups(&self, load_deadline: Duration) -> Result<Vec<Group>, Wrong> {
        let Limits { key_bytes, flights, waiters, .. } = Limits::default();
        let limits = Limits {
            key_bytes: self.number("GOCACHE_LIMITS_KEY_BYTES", key_bytes, u16::MAX.into())?,
            flights: self.number("GOCACHE_LIMITS_FLIGHTS", flights, 1 << 20)?,
            waiters: self.number("GOCACHE_LIMITS_WAITERS", waiters, 1 << 24)?,
            load_deadline,
        };
        let names = self.items("GOCACHE_GROUPS").into_iter();
        names.map(|name| self.group(name, limits.clone())).collect()
    }

    fn group(&self, name: String, limits: Limits) -> Result<Group, Wrong> {
        let variable = |key: &str| format!("GOCACHE_GROUPS_{}_{key}", capitals(&name));
        let [budget, lifetime, jitter, policy, origin, content_type] =
            ["BUDGET", "LIFETIME", "JITTER", "POLICY", "ORIGIN", "CONTENT_TYPE"].map(variable);
        let needed = |name: &str, text| self.get(name).ok_or_else(|| wrong(name, text));
        needed(&budget, "must be set, to a size such as 64 MiB")?;
        let settings = gocache_core::Settings {
            budget: self.number(&budget, 0, u32::MAX)?,
            eviction: match self.get(&policy) {
                None | Some("lru") => Eviction::Lru,
                Some("s3-fifo") => Eviction::S3Fifo,
                Some("size-aware") => Eviction::SizeAware,
                Some(_) => return Err(wrong(&policy, "is lru, s3-fifo or size-aware")),
            },
            lifetime: self.period(&lifetime)?,
            jitter: match self.get(&jitter).map_or(Ok(0), str::parse::<u16>) {
                Ok(percent @ ..=50) => (percent * 256 / 100) as u8,
                _ => return Err(wrong(&jitter, "is a number of percent from 0 to 50")),
            },
            // An instance has one thread.
            shards: 1,
            digests: true,
            estimates: false,
            limits,
        };
        let named = needed(&origin, "must be set, to the name of an origin")?;
        let url = format!("GOCACHE_ORIGINS_{}_URL", capitals(named));
        let text = "is http://HOST:PORT/PATH or https://HOST:PORT/PATH; the key is appended to it";
        let origin = needed(&url, text)?;
        let origin = Target::parse(origin).ok_or_else(|| wrong(&url, text))?;
        let plain = self.get(&content_type).unwrap_or("application/octet-stream");
        if !plain.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(wrong(&content_type, "holds characters that a field cannot"));
        }
        Ok(Group { settings, content_type: plain.to_owned(), origin, name })
    }
}

impl Target {
    fn parse(url: &str) -> Option<Self> {
        let (is_https, rest) = match url.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, url.strip_prefix("http://")?),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if authority.is_empty() || authority.contains(['@', '#']) || !is_plain(rest) {
            return None;
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Some(Self { is_https, authority: authority.to_owned(), path })
    }
}

fn base(variables: &Variables<'_>) -> Result<String, Wrong> {
    let base = variables.get("GOCACHE_BASE").unwrap_or(DEFAULT_BASE);
    let is_path = base.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%".contains(&byte));
    if is_path && base.starts_with('/') && base.ends_with('/') {
        return Ok(base.to_owned());
    }
    Err(wrong("GOCACHE_BASE", "is a path that begins and ends with a slash, as /_gocache/"))
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text)
}

/// A name as it stands within that of a variable.
fn capitals(name: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    name.chars().map(|letter| plain(letter).to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(changes: &[(&str, &str)]) -> Result<Settings, Wrong> {
        let given = [
            ("GOCACHE_GROUPS", "scores"),
            ("GOCACHE_GROUPS_SCORES_BUDGET", "1 MiB"),
            ("GOCACHE_GROUPS_SCORES_ORIGIN", "api"),
            ("GOCACHE_ORIGINS_API_URL", "http://127.0.0.1:8080/values/"),
        ];
        let all = changes.iter().chain(&given).filter(|(_, value)| !value.is_empty());
        let owned: Vec<_> = all.map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Settings::read(&owned)
    }

    #[test]
    fn what_is_not_set_is_as_in_the_native_server() {
        let settings = read(&[]).expect("it is all that is needed");
        assert_eq!((&*settings.base, settings.value_bytes), (DEFAULT_BASE, 64 << 20));
        let [group] = &*settings.groups else { panic!("one group") };
        assert_eq!((&*group.name, group.settings.budget), ("scores", 1 << 20));
        assert_eq!(group.settings.limits, Limits::default());
        assert_eq!(group.content_type, "application/octet-stream");
        let target =
            Target { is_https: false, authority: "127.0.0.1:8080".into(), path: "/values/".into() };
        assert_eq!(group.origin, target);
    }

    #[test]
    fn values_may_be_written_as_in_the_file() {
        let settings = read(&[
            ("GOCACHE_GROUPS_SCORES_BUDGET", "\"2 MiB\""),
            ("GOCACHE_GROUPS_SCORES_LIFETIME", "\"1h 30m\""),
            ("GOCACHE_GROUPS_SCORES_JITTER", "50"),
            ("GOCACHE_GROUPS_SCORES_POLICY", "s3-fifo"),
            ("GOCACHE_CLUSTER_PEERS", "[\"10.0.0.1:9999\", \"10.0.0.2:9999\"]"),
        ]);
        let settings = settings.expect("they are sound");
        let group = &settings.groups[0].settings;
        assert_eq!((group.budget, group.jitter, group.eviction), (2 << 20, 128, Eviction::S3Fifo));
        assert_eq!(group.lifetime, Some(Duration::from_secs(5400)));
        assert_eq!(settings.peers, ["10.0.0.1:9999", "10.0.0.2:9999"]);
    }

    #[test]
    fn nodes_need_no_groups() {
        let owned = [("GOCACHE_CLUSTER_PEERS".to_owned(), "a:1,b:1".to_owned())];
        assert_eq!(Settings::read(&owned).expect("sound").peers, ["a:1", "b:1"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_the_name_of_the_variable() {
        for (name, value) in [
            ("GOCACHE_BASE", "/x"),
            ("GOCACHE_BASE", "/a?b/"),
            ("GOCACHE_GROUPS", "scores,prices"),
            ("GOCACHE_GROUPS_SCORES_BUDGET", "0"),
            ("GOCACHE_GROUPS_SCORES_BUDGET", "1 XB"),
            ("GOCACHE_GROUPS_SCORES_BUDGET", "5 GiB"),
            ("GOCACHE_GROUPS_SCORES_LIFETIME", "0s"),
            ("GOCACHE_GROUPS_SCORES_LIFETIME", "soon"),
            ("GOCACHE_GROUPS_SCORES_JITTER", "51"),
            ("GOCACHE_GROUPS_SCORES_POLICY", "random"),
            ("GOCACHE_GROUPS_SCORES_CONTENT_TYPE", "text\r\nX: y"),
            ("GOCACHE_GROUPS_SCORES_ORIGIN", "nowhere"),
            ("GOCACHE_ORIGINS_API_URL", "ftp://host/"),
            ("GOCACHE_ORIGINS_API_URL", "http:///path"),
            ("GOCACHE_ORIGINS_API_URL", "http://user@host/"),
            ("GOCACHE_ORIGINS_API_URL", "http://host/a b"),
            ("GOCACHE_CLUSTER_TLS", "yes"),
            ("GOCACHE_LIMITS_KEY_BYTES", "70000"),
            ("GOCACHE_LIMITS_FLIGHTS", "0"),
            ("GOCACHE_DEADLINES_LOAD", "5"),
        ] {
            let wrong = read(&[(name, value)]).expect_err(value);
            let told = match name {
                "GOCACHE_GROUPS" => "GOCACHE_GROUPS_PRICES_BUDGET",
                "GOCACHE_GROUPS_SCORES_ORIGIN" => "GOCACHE_ORIGINS_NOWHERE_URL",
                other => other,
            };
            assert_eq!(wrong.name, told, "{name}={value}: {wrong}");
        }
        assert_eq!(Settings::read(&[]).expect_err("nothing is set").name, "GOCACHE_GROUPS");
    }

    #[test]
    fn budgets_fit_an_address_of_32_bits() {
        let two = [
            ("GOCACHE_GROUPS", "scores,prices"),
            ("GOCACHE_GROUPS_SCORES_BUDGET", "2 GiB"),
            ("GOCACHE_GROUPS_PRICES_BUDGET", "2 GiB"),
            ("GOCACHE_GROUPS_PRICES_ORIGIN", "api"),
        ];
        assert_eq!(read(&two).expect_err("too much").name, "GOCACHE_GROUPS");
    }
}
