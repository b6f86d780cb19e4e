//! Varnish, with gocache behind it for what it does not have yet.

use std::fs;
use std::io;

use super::Stand;
use crate::gocache::BASE;
use crate::server::Server;
use crate::speech::Speech;

pub(super) fn start(stand: Stand<'_>) -> io::Result<Server> {
    // Fields whose length changes from answer to answer go: the client counts answers by bytes.
    let text = format!(
        r#"vcl 4.1;
backend default {{ .host = "{}"; .port = "{}"; }}
sub vcl_backend_response {{ set beresp.ttl = 1h; }}
sub vcl_deliver {{
    unset resp.http.X-Varnish;
    unset resp.http.Age;
    unset resp.http.Via;
}}
"#,
        stand.backend.ip(),
        stand.backend.port()
    );
    let vcl = stand.files.path().join("bench.vcl");
    fs::write(&vcl, text)?;
    let (vcl, folder) = (vcl.display().to_string(), stand.files.path().join("work"));
    let (folder, listen) = (folder.display().to_string(), stand.address.to_string());
    let arguments = ["-F", "-j", "none", "-n", &folder, "-f", &vcl, "-a", &listen];
    let rest = ["-s", "malloc,256m", "-p", "thread_pools=1", "-p", "timeout_idle=600"];
    let arguments: Vec<String> =
        arguments.iter().chain(&rest).map(|argument| (*argument).to_owned()).collect();
    stand.run("varnish", &arguments, Speech::Http { base: BASE })
}
