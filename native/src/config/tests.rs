//! Each thing that can be wrong with a file, and where the error points.

use super::*;

const ORIGIN: &str = "[origins.api]\nkind = \"http\"\nurl = \"http://localhost:1/v/\"\n";
const GROUP: &str = "[groups.scores]\norigin = \"api\"\nbudget = \"1 MiB\"\n";

fn error(text: &str) -> String {
    Config::from_toml(text).expect_err("an error").to_string()
}

#[test]
fn the_demonstration_is_sound() {
    let config = Config::demonstration(Overrides::default()).expect("it ships with the program");
    assert_eq!(config.listen.to_string(), "127.0.0.1:9999");
    assert_eq!((config.groups[0].name.as_str(), config.groups[0].budget), ("scores", 2 << 10));
}

#[test]
fn what_is_written_is_what_is_read() {
    let text = format!(
        "loops = 3\nbase = \"/x/\"\n{ORIGIN}{GROUP}lifetime = \"1m 30s\"\njitter = 10\n\
         policy = \"s3-fifo\"\n\
         [limits]\nbody_bytes = 7\n[deadlines]\nload = \"20ms\"\n\
         [cluster]\nself = \"a:2\"\npeers = [\"a:1\", \"a:2\"]\nsecret = \"0123456789abcdef\"\n"
    );
    let config = Config::from_toml(&text).expect("sound");
    assert_eq!((config.loops, config.base.as_str(), config.limits.body_bytes), (3, "/x/", 7));
    let group = &config.groups[0];
    assert_eq!(group.lifetime, Some(Duration::from_secs(90)));
    assert_eq!((group.jitter, group.policy), (10, Eviction::S3Fifo));
    assert_eq!((group.budget, group.origin), (1 << 20, 0));
    assert_eq!(config.deadlines.load, Duration::from_millis(20));
    let OriginKind::Http(target) = &config.origins[0].kind else { panic!("an HTTP origin") };
    assert_eq!((target.authority.as_str(), target.path.as_str()), ("localhost:1", "/v/"));
    let cluster = config.cluster.expect("a cluster");
    assert_eq!((cluster.own, cluster.nodes.len()), (PeerId(1), 2));
}

#[test]
fn the_core_is_told_what_is_written() {
    let settings = |keys: &str| {
        let config = Config::from_toml(&format!("loops = 3\n{ORIGIN}{GROUP}{keys}"));
        let config = config.expect("sound");
        config.settings(&config.groups[0])
    };
    let plain = settings("");
    assert_eq!((plain.eviction, plain.jitter, plain.shards), (Eviction::Lru, 0, 1));
    let set = settings("policy = \"s3-fifo\"\njitter = 50\n[limits]\nflights = 7\n");
    assert_eq!((set.eviction, set.jitter, set.limits.flights), (Eviction::S3Fifo, 128, 7));
}

#[test]
fn a_large_group_has_a_few_shards_for_each_loop() {
    for (budget, loops, expected) in
        [(0, 8, 1), ((8 << 20) - 1, 8, 1), (8 << 20, 1, 4), (1 << 30, 8, 32), (1 << 30, 128, 64)]
    {
        assert_eq!(shards(budget, loops), expected, "{budget} bytes, {loops} loops");
    }
}

#[test]
fn overrides_go_over_the_file() {
    let listen = SocketAddr::from(([127, 0, 0, 1], 7));
    let data_dir = PathBuf::from("/elsewhere");
    let overrides = Overrides { listen: Some(listen), data_dir: Some(data_dir), ops_listen: None };
    let config = Config::demonstration(overrides).expect("sound");
    assert_eq!(config.listen, listen);
    let OriginKind::Sqlite(sqlite) = &config.origins[0].kind else { panic!("a database") };
    assert_eq!(sqlite.database, Path::new("/elsewhere/scores.db"));
}

#[test]
fn each_mistake_is_pointed_at() {
    let cluster = "[cluster]\nself = \"a:1\"\npeers = [\"a:2\"]\nsecret = \"0123456789abcdef\"\n";
    let cases = [
        ("listen = 1".to_owned(), "(text):1:10:"),
        ("listen = \n".to_owned(), "(text):1:10:"),
        (format!("{ORIGIN}{GROUP}color = 1\n"), "(text):7:1: unknown field `color`"),
        (format!("{ORIGIN}{GROUP}{GROUP}"), "(text):7:9: duplicate key"),
        (GROUP.replace("api", "db") + ORIGIN, "(text):2:10: no origin is named \"db\""),
        (ORIGIN.replace("http\"", "ftp\"") + GROUP, "(text):2:8: kind is"),
        (ORIGIN.replace("http:", "ftp:") + GROUP, "(text):3:7: url is http://"),
        (format!("{ORIGIN}ca = \"ca.pem\"\n{GROUP}"), "(text):4:6: ca is for a url that begins"),
        (
            ORIGIN.replace("http:", "https:") + "ca = \"no.pem\"\n" + GROUP,
            "(text):4:6: no.pem cannot be read",
        ),
        (ORIGIN.replace("url", "query") + GROUP, "(text):3:9: an origin of kind \"http\" has no"),
        (ORIGIN.replace("http\"", "sqlite\"") + GROUP, "(text):3:7: an origin of kind \"sqlite\""),
        (ORIGIN.to_owned() + &GROUP.replace("1 MiB", "much"), "(text):6:10: a size is"),
        (format!("{ORIGIN}{GROUP}lifetime = \"soon\"\n"), "(text):7:12: a duration is"),
        (format!("{ORIGIN}{GROUP}lifetime = \"0s\"\n"), "(text):7:12: this duration is"),
        (format!("{ORIGIN}{GROUP}content_type = \"a\\nb\"\n"), "(text):7:16: content_type"),
        (format!("{ORIGIN}{GROUP}jitter = 51\n"), "(text):7:10: jitter is a number of percent"),
        (format!("{ORIGIN}{GROUP}jitter = 306\n"), "(text):7:10: jitter is a number of percent"),
        (format!("{ORIGIN}{GROUP}policy = \"LRU\"\n"), "(text):7:10: policy is \"lru\" or"),
        (format!("loops = 0\n{ORIGIN}{GROUP}"), "(text):1:9: loops is"),
        (format!("base = \"x\"\n{ORIGIN}{GROUP}"), "(text):1:8: base is"),
        (format!("{ORIGIN}{GROUP}[limits]\npipeline = 0\n"), "(text):8:12: this is a number"),
        (
            format!("{ORIGIN}{GROUP}[limits]\nkey_bytes = 65536\n"),
            "(text):8:13: this is a size from 1 to 65535 bytes",
        ),
        (format!("{ORIGIN}{GROUP}{}", cluster.replace("a:2", "a")), "(text):9:10: a node is named"),
        (
            format!("{ORIGIN}{GROUP}{}", cluster.replace("\"a:2\"", "\"a:2\", \"a:2\"")),
            "(text):9:17: this node stands there twice",
        ),
        (
            format!("{ORIGIN}{GROUP}{cluster}ca = \"ca.pem\"\n"),
            "(text):11:6: ca is for nodes that speak TLS",
        ),
        (
            format!("{ORIGIN}{GROUP}{}", cluster.replace("secret", "#")),
            "(text):8:8: a cluster needs a secret",
        ),
        (
            format!("{ORIGIN}{GROUP}{}", cluster.replace("0123456789", "")),
            "(text):10:10: secret is",
        ),
        (
            format!("listen = \"127.0.0.1:5\"\nops_listen = \"127.0.0.1:5\"\n{ORIGIN}{GROUP}"),
            "(text): listen and ops_listen are both 127.0.0.1:5",
        ),
    ];
    for (text, expected) in cases {
        let error = error(&text);
        assert!(error.starts_with(expected), "{text}\nexpected {expected}\ngot      {error}");
        assert!(!error.contains('\n'), "{error:?} is one line");
    }
}

#[test]
fn a_file_with_any_byte_changed_is_an_error_or_sound_but_never_a_panic() {
    let text = format!("{ORIGIN}{GROUP}[deadlines]\nload = \"2s\"\n");
    for at in 0..text.len() {
        for byte in [0, b'"', b'\n', b'[', b'=', b'9', 0x7f] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = byte;
            let mutant = String::from_utf8(bytes).expect("still ASCII");
            drop(Config::from_toml(&mutant));
        }
    }
}
