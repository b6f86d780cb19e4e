//! The file as it is written. A key that is not here is an error with its line and column.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use bytesize::ByteSize;
use serde::Deserialize;
use toml::Spanned;

use super::writes::RawWrites;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) listen: Option<Spanned<SocketAddr>>,
    pub(super) ops_listen: Option<Spanned<SocketAddr>>,
    #[serde(default = "default_data_dir")]
    pub(super) data_dir: PathBuf,
    pub(super) loops: Option<Spanned<usize>>,
    pub(super) log: Option<Spanned<String>>,
    pub(super) base: Option<Spanned<String>>,
    pub(super) origins: BTreeMap<Spanned<String>, Origin>,
    pub(super) groups: BTreeMap<Spanned<String>, Group>,
    pub(super) cluster: Option<Cluster>,
    pub(super) tls: Option<Tls>,
    pub(super) writes: Option<Spanned<RawWrites>>,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) deadlines: Deadlines,
}

fn default_data_dir() -> PathBuf {
    PathBuf::from("gocache-data")
}

/// Bytes, written as a number or as a text with a unit.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "SizeText")]
pub(super) struct Size(pub(super) usize);

#[derive(Deserialize)]
#[serde(untagged, expecting = "a size is a number of bytes or a text such as \"64 MiB\"")]
enum SizeText {
    Bytes(u64),
    Text(String),
}

impl TryFrom<SizeText> for Size {
    type Error = &'static str;

    fn try_from(text: SizeText) -> Result<Self, Self::Error> {
        let bytes = match text {
            SizeText::Bytes(bytes) => Some(bytes),
            SizeText::Text(text) => text.parse().ok().map(|size: ByteSize| size.as_u64()),
        };
        let bytes = bytes.ok_or("a size is a number of bytes or a text such as \"64 MiB\"")?;
        usize::try_from(bytes).map(Size).map_err(|_| "this size is beyond the address space")
    }
}

/// A span of time, longer than zero, written as `"250ms"` or `"1h 30m"`.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Period(pub(super) Duration);

impl TryFrom<String> for Period {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let duration = humantime::parse_duration(&text);
        let duration = duration.map_err(|_| "a duration is written as \"250ms\" or \"1h 30m\"")?;
        if duration.is_zero() {
            Err("this duration is longer than zero")
        } else {
            Ok(Self(duration))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) origin: Spanned<String>,
    pub(super) budget: Size,
    pub(super) lifetime: Option<Period>,
    pub(super) jitter: Option<Spanned<u64>>,
    pub(super) policy: Option<Spanned<String>>,
    pub(super) content_type: Option<Spanned<String>>,
}

/// An origin of any kind: which of the keys belong to it is checked afterwards, for serde's tagged
/// enums forget where in the file they stood.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Origin {
    pub(super) kind: Spanned<String>,
    pub(super) database: Option<Spanned<PathBuf>>,
    pub(super) query: Option<Spanned<String>>,
    pub(super) workers: Option<Spanned<usize>>,
    pub(super) url: Option<Spanned<String>>,
    pub(super) ca: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cluster {
    #[serde(rename = "self")]
    pub(super) own: Spanned<String>,
    pub(super) peers: Vec<Spanned<String>>,
    pub(super) secret: Option<Spanned<String>>,
    pub(super) ca: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) certificate: Spanned<PathBuf>,
    pub(super) key: Spanned<PathBuf>,
    /// Further ones, for other names.
    #[serde(default)]
    pub(super) certificates: Vec<Identity>,
    pub(super) client_ca: Option<Spanned<PathBuf>>,
    pub(super) client_certificate: Option<Spanned<String>>,
    pub(super) client_crl: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {
    pub(super) certificate: Spanned<PathBuf>,
    pub(super) key: Spanned<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) connections: Option<Spanned<usize>>,
    pub(super) head_bytes: Option<Spanned<Size>>,
    pub(super) head_fields: Option<Spanned<usize>>,
    pub(super) target_bytes: Option<Spanned<Size>>,
    pub(super) key_bytes: Option<Spanned<Size>>,
    pub(super) body_bytes: Option<Spanned<Size>>,
    pub(super) value_bytes: Option<Spanned<Size>>,
    pub(super) flights: Option<Spanned<usize>>,
    pub(super) waiters: Option<Spanned<usize>>,
    pub(super) pipeline: Option<Spanned<usize>>,
    pub(super) writes: Option<Spanned<usize>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deadlines {
    pub(super) head: Option<Spanned<Period>>,
    pub(super) body: Option<Spanned<Period>>,
    pub(super) idle: Option<Spanned<Period>>,
    pub(super) write: Option<Spanned<Period>>,
    pub(super) drain: Option<Spanned<Period>>,
    pub(super) load: Option<Spanned<Period>>,
    pub(super) connect: Option<Spanned<Period>>,
    pub(super) peer: Option<Spanned<Period>>,
}
