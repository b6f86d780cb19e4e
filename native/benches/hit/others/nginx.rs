//! nginx: the small value out of its configuration, the others out of files that it holds open.

use std::fs;
use std::io;

use super::Stand;
use crate::cases::PAYLOADS;
use crate::server::Server;
use crate::speech::Speech;

pub(super) fn start(stand: Stand<'_>) -> io::Result<Server> {
    let (files, address) = (stand.files.path(), stand.address);
    let folder = files.display().to_string();
    fs::create_dir(files.join("values"))?;
    for payload in &PAYLOADS {
        fs::write(files.join("values").join(payload.key), payload.value())?;
    }
    let [small, ..] = &PAYLOADS;
    let value = String::from_utf8_lossy(&small.value()).into_owned();
    // One process, so that it ends with us. Connections live as long as the bench wants.
    let text = format!(
        r#"daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    default_type application/octet-stream;
    sendfile on;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    open_file_cache max=16 inactive=600s;
    open_file_cache_valid 600s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address};
        location = /{key} {{ return 200 "{value}"; }}
        location / {{ root {folder}/values; }}
    }}
}}
"#,
        key = small.key
    );
    let configuration = files.join("nginx.conf");
    fs::write(&configuration, text)?;
    let arguments = ["-p", &folder, "-e", &format!("{folder}/error"), "-c"].map(str::to_owned);
    let arguments = [arguments.as_slice(), &[configuration.display().to_string()]].concat();
    stand.run("nginx", &arguments, Speech::Http { base: "/" })
}
