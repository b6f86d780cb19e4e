//! A server with an origin behind it: what every test begins with.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustls::ClientConfig;

use super::answer::Answer;
use super::client::{Client, get};
use super::frontend::{Frontend, Running};
use super::origin::Origin;
use super::script::Reply;
use super::tls::TlsFiles;

/// What a client shows who may write.
pub(crate) const TOKEN: &str = "a-token-of-those-who-write";

/// The configuration of a server: one group, `scores`, and what a test changes about the rest.
pub(crate) struct Setup {
    loops: usize,
    url: Option<String>,
    budget: String,
    group: String,
    writes: String,
    limits: String,
    deadlines: BTreeMap<&'static str, &'static str>,
    tls: Option<TlsFiles>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self {
            loops: 2,
            url: None,
            budget: "1 MiB".into(),
            group: String::new(),
            writes: String::new(),
            limits: String::new(),
            // The end of a test waits for the drain: a test that leaves a load hanging should not
            // take longer.
            deadlines: BTreeMap::from([("drain", "200ms")]),
            tls: None,
        }
    }

    /// One loop, for promises about connections that share one.
    pub(crate) fn loops(mut self, loops: usize) -> Self {
        self.loops = loops;
        self
    }

    /// An origin other than the one that comes with the site.
    pub(crate) fn url(mut self, url: &str) -> Self {
        self.url = Some(url.into());
        self
    }

    pub(crate) fn budget(mut self, budget: &str) -> Self {
        self.budget = budget.into();
        self
    }

    pub(crate) fn group(mut self, name: &str, value: &str) -> Self {
        writeln!(self.group, "{name} = \"{value}\"").expect("a string takes all text");
        self
    }

    /// Allows writes, to all groups unless the rest of the table says otherwise.
    pub(crate) fn writes(mut self, rest: &str) -> Self {
        self.writes = format!("[writes]\ntoken = \"{TOKEN}\"\n{rest}");
        self
    }

    pub(crate) fn limit(mut self, name: &str, value: usize) -> Self {
        writeln!(self.limits, "{name} = {value}").expect("a string takes all text");
        self
    }

    pub(crate) fn deadline(mut self, name: &'static str, value: &'static str) -> Self {
        self.deadlines.insert(name, value);
        self
    }

    /// TLS, other than that of a frontend that has it anyway.
    pub(crate) fn tls(mut self, files: TlsFiles) -> Self {
        self.tls = Some(files);
        self
    }

    pub(crate) fn start<F: Frontend>(mut self) -> Site {
        let origin = Origin::start();
        origin.set("hot", Reply::value("hot value"));
        self.tls = self.tls.or_else(|| F::IS_SECURE.then(TlsFiles::new));
        let server = F::start(&self.text(&origin));
        let client = self.tls.as_ref().map(TlsFiles::client);
        Site { origin, server, tls: self.tls, client }
    }

    /// The file, for a server over this origin.
    pub(crate) fn text(&self, origin: &Origin) -> String {
        let Self { loops, url, budget, group, writes, limits, deadlines, tls } = self;
        let url = url.clone().unwrap_or_else(|| origin.url());
        let tls = tls.as_ref().map(TlsFiles::table).unwrap_or_default();
        let deadlines: String =
            deadlines.iter().map(|(name, value)| format!("{name} = \"{value}\"\n")).collect();
        format!(
            "listen = \"127.0.0.1:0\"\nops_listen = \"127.0.0.1:0\"\nloops = {loops}\n\
             [origins.api]\nkind = \"http\"\nurl = \"{url}\"\n\
             [groups.scores]\norigin = \"api\"\nbudget = \"{budget}\"\n{group}\
             {writes}[limits]\n{limits}[deadlines]\n{deadlines}{tls}"
        )
    }
}

/// The origin goes first at the end: it lets go of what hangs, and the server has nothing to wait
/// for.
pub(crate) struct Site {
    pub(crate) origin: Origin,
    server: Running,
    pub(crate) tls: Option<TlsFiles>,
    client: Option<Arc<ClientConfig>>,
}

impl Site {
    /// A site as most tests need it.
    pub(crate) fn new<F: Frontend>() -> Self {
        Setup::new().start::<F>()
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    pub(crate) fn ops_addr(&self) -> SocketAddr {
        self.server.ops_addr()
    }

    #[track_caller]
    pub(crate) fn connect(&self) -> Client {
        match &self.client {
            None => Client::connect(self.addr()),
            Some(config) => Client::connect_tls(self.addr(), config),
        }
    }

    #[track_caller]
    pub(crate) fn connect_ops(&self) -> Client {
        Client::connect(self.ops_addr())
    }

    /// Takes up another configuration; says which keys wait for a restart, or why it does not. TLS
    /// stays as it is unless the text says otherwise.
    pub(crate) fn reload(&self, text: &str) -> Result<Vec<&'static str>, String> {
        let tls = self.tls.as_ref().filter(|_| !text.contains("[tls]"));
        self.server.reload(&(text.to_owned() + &tls.map(TlsFiles::table).unwrap_or_default()))
    }

    /// Begins to stop the server; the thread ends when it has stopped.
    pub(crate) fn drain(self) -> (Origin, JoinHandle<()>) {
        let Self { origin, mut server, .. } = self;
        (origin, thread::spawn(move || server.drain()))
    }

    /// One GET on a connection of its own.
    #[track_caller]
    pub(crate) fn get(&self, key: &str) -> Answer {
        self.connect().get(key)
    }

    /// One request on a connection of its own, with a good `Host` and these further field lines.
    #[track_caller]
    pub(crate) fn ask(&self, line: &str, fields: &str) -> Answer {
        let request = format!("{line} HTTP/1.1\r\nHost: gocache\r\n{fields}\r\n");
        self.connect().send(request).answer()
    }

    /// A client whose request for `key` has reached the server, its answer still to come.
    ///
    /// The request stands right behind one for `hot` in the same segment, so once that is answered
    /// this one was read.
    #[track_caller]
    pub(crate) fn waiting(&self, key: &str) -> Client {
        let mut client = self.connect();
        client.send(get("hot") + &get(key)).answer().status(200).body("hot value");
        client
    }
}
