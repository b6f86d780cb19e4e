//! Each thing that can be wrong with a file, and where the error points.

use super::*;

const ORIGIN: &str = "[origins.api]\nkind = \"http\"\nurl = \"http://localhost:1/v/\"\n";
const TOKEN: &str = "s3cr3t-t0k3n-of-writers";
const GROUP: &str = "[groups.scores]\norigin = \"api\"\nbudget = \"1 MiB\"\n";

fn error(text: &str) -> String {
    Config::from_toml(text).expect_err("an error").to_string()
}

#[test]
fn the_demonstration_is_sound() {
    let config = Config::demonstration(&Overrides::default()).expect("it ships with the program");
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
    assert_eq!(settings("policy = \"size-aware\"\n").eviction, Eviction::SizeAware);
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

fn variables(variables: &[(&str, &str)]) -> Overrides {
    Overrides::of_variables(variables.iter().map(|(name, value)| (name.into(), value.into())))
}

fn with(text: &str, overrides: &Overrides) -> Result<Config, ConfigError> {
    Config::check(&Source { file: Path::new("(text)"), text, overrides })
}

#[test]
fn every_key_is_a_variable_too() {
    let text = format!("{ORIGIN}{}", GROUP.replace("scores", "\"High Scores\""));
    let overrides = variables(&[
        ("GOCACHE_LISTEN", "127.0.0.1:7"),
        ("GOCACHE_DATA_DIR", "/elsewhere"),
        ("GOCACHE_LOOPS", "3"),
        ("GOCACHE_LOG", "warn"),
        ("GOCACHE_LIMITS_HEAD_BYTES", "300"),
        ("GOCACHE_LIMITS_KEY_BYTES", "7 KiB"),
        ("GOCACHE_DEADLINES_LOAD", "20ms"),
        ("GOCACHE_GROUPS_HIGH_SCORES_BUDGET", "2 MiB"),
        ("GOCACHE_GROUPS_HIGH_SCORES_CONTENT_TYPE", "text/html"),
        ("GOCACHE_ORIGINS_API_URL", "http://elsewhere:2/"),
        ("GOCACHE_CLUSTER_SELF", "a:2"),
        ("GOCACHE_CLUSTER_PEERS", "[\"a:1\", \"a:2\"]"),
        ("GOCACHE_CLUSTER_SECRET", "\"0123456789012345\""),
        // Not ours, and not for us to judge.
        ("GOCACHE_CONFIG", "file"),
        ("GOCACHE_PORT", "tcp://10.0.0.1:9999"),
        ("GOCACHE_GROUPS_OTHER_BUDGET", "1"),
        ("GOCACHE_LIMITS", "1"),
        ("HOME", "/"),
    ]);
    let config = with(&text, &overrides).expect("sound");
    assert_eq!((config.listen.port(), config.loops, &*config.log), (7, 3, "warn"));
    assert_eq!((config.limits.head.bytes, config.limits.key_bytes), (300, 7 << 10));
    assert_eq!(config.deadlines.load, Duration::from_millis(20));
    let group = &config.groups[0];
    assert_eq!((group.budget, &*group.content_type), (2 << 20, "text/html"));
    let OriginKind::Http(target) = &config.origins[0].kind else { panic!("an HTTP origin") };
    assert_eq!(target.authority, "elsewhere:2");
    assert_eq!(config.cluster.map(|cluster| cluster.own), Some(PeerId(1)));
    let strangers = ["GOCACHE_GROUPS_OTHER_BUDGET", "GOCACHE_LIMITS", "GOCACHE_PORT"];
    assert_eq!(config.strangers, strangers);
}

#[test]
fn flags_go_over_variables_and_these_over_the_file() {
    let text = format!("loops = 1\n{ORIGIN}{GROUP}");
    let mut overrides = variables(&[("GOCACHE_LOOPS", "2"), ("GOCACHE_LOG", "warn")]);
    overrides.set("--set loops", "loops", "3");
    overrides.set("--set groups.scores.budget", "groups.scores.budget", "3 MiB");
    overrides.set("--set limits.flights", "limits.flights", "9");
    let config = with(&text, &overrides).expect("sound");
    assert_eq!((config.loops, &*config.log, config.groups[0].budget), (3, "warn", 3 << 20));
    assert_eq!(config.limits.flights, 9);
}

#[test]
fn a_mistake_in_an_override_is_told_by_its_name() {
    let text = format!("{ORIGIN}{GROUP}[groups.\"SCORES\"]\norigin = \"api\"\nbudget = 1\n");
    let cases = [
        (("GOCACHE_LISTEN", "here"), "GOCACHE_LISTEN: invalid socket address syntax"),
        (("GOCACHE_LOOPS", "0"), "GOCACHE_LOOPS: loops is a number from 1 to"),
        (("GOCACHE_LOOPS", "many"), "GOCACHE_LOOPS: invalid type: string \"many\""),
        (("GOCACHE_LIMITS_FLIGHTS", "0"), "GOCACHE_LIMITS_FLIGHTS: this is a number from"),
        (("GOCACHE_DEADLINES_IDLE", "soon"), "GOCACHE_DEADLINES_IDLE: a duration is"),
        (("GOCACHE_DEADLINES_PEER", "9s"), "GOCACHE_DEADLINES_PEER: peer is less than load"),
        (("GOCACHE_ORIGINS_API_KIND", "ftp"), "GOCACHE_ORIGINS_API_KIND: kind is"),
        (("GOCACHE_GROUPS_SCORES_BUDGET", "1"), "GOCACHE_GROUPS_SCORES_BUDGET: stands for keys of"),
        (("GOCACHE_TLS_CERTIFICATES", "[{ key = 7 }]"), "GOCACHE_TLS_CERTIFICATES: invalid type"),
    ];
    for ((name, value), expected) in cases {
        let error = with(&text, &variables(&[(name, value)])).expect_err(name).to_string();
        assert!(
            error.starts_with(expected),
            "{name}={value}\nexpected {expected}\ngot      {error}"
        );
    }
    for (key, expected) in [
        ("limits.flight", "--set limits.flight: unknown field `flight`"),
        ("color", "--set color: unknown field `color`"),
        ("groups.nobody.budget", "--set groups.nobody.budget: "),
        ("groups.scores.budget.x", "--set groups.scores.budget.x: "),
        ("", "--set : "),
    ] {
        let mut overrides = Overrides::default();
        overrides.set(&format!("--set {key}"), key, "1");
        let error = with(&text, &overrides).expect_err(key).to_string();
        assert!(error.starts_with(expected), "{key}\nexpected {expected}\ngot      {error}");
    }
}

#[test]
fn the_token_may_come_from_the_environment() {
    let text = format!("{ORIGIN}{GROUP}");
    let file = format!("{text}[writes]\ntoken_file = \"nowhere\"\ngroups = []\n");
    // Digits alone are a text too.
    for token in [TOKEN, "12345678901234567"] {
        let overrides = variables(&[("GOCACHE_WRITE_TOKEN", token)]);
        assert!(!format!("{overrides:?}").contains(token));
        for (text, writable) in [(&text, true), (&file, false)] {
            let config = with(text, &overrides).expect("sound");
            assert!(config.writes.expect("the token allows them").token.is(token.as_bytes()));
            assert_eq!(config.groups[0].writable, writable);
        }
    }
    // The key of the file is written as there, with or without quotes.
    for (value, token) in [
        ("\"0123456789abcdef\"", "0123456789abcdef"),
        ("0123456789abcdef", "0123456789abcdef"),
        ("1234567890123456", "1234567890123456"),
    ] {
        let config = with(&text, &variables(&[("GOCACHE_WRITES_TOKEN", value)])).expect(value);
        assert!(config.writes.expect(value).token.is(token.as_bytes()), "{value}");
    }
    let error = with(&text, &variables(&[("GOCACHE_WRITE_TOKEN", "secret")])).expect_err("short");
    assert!(error.to_string().starts_with("GOCACHE_WRITE_TOKEN: "), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[test]
fn writes_are_off_and_then_for_all_groups_or_those_that_are_named() {
    let writable = |writes: &str| {
        let other = GROUP.replace("scores", "other");
        let config = Config::from_toml(&format!("{ORIGIN}{GROUP}{other}{writes}")).expect("sound");
        let groups = config.groups.iter().filter(|group| group.writable);
        (config.writes.is_some(), groups.map(|group| group.name.clone()).collect::<Vec<_>>())
    };
    let token = format!("[writes]\ntoken = \"{TOKEN}\"\n");
    assert_eq!(writable(""), (false, vec![]));
    assert_eq!(writable(&token), (true, vec!["other".into(), "scores".into()]));
    assert_eq!(writable(&format!("{token}groups = [\"other\"]\n")), (true, vec!["other".into()]));
    assert_eq!(writable(&format!("{token}groups = []\n")), (true, vec![]));
}

#[test]
fn a_token_may_stand_in_a_file_beside_the_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gocache.toml");
    let text = format!("{ORIGIN}{GROUP}[writes]\ntoken_file = \"token\"\n");
    std::fs::write(&file, text).expect("writable");
    let read = || Config::from_file(&file, &Overrides::default());
    let missing = read().expect_err("no such file").to_string();
    assert!(missing.contains("gocache.toml:8:14: ") && missing.contains("token cannot be read"));
    std::fs::write(folder.path().join("token"), "too short\n").expect("writable");
    let short = read().expect_err("no token").to_string();
    assert!(short.contains("holds no token") && !short.contains("too short"), "{short}");
    std::fs::write(folder.path().join("token"), format!("{TOKEN}\r\n")).expect("writable");
    assert!(read().expect("sound").writes.expect("writes").token.is(TOKEN.as_bytes()));
}

/// However wrong the file is, its error goes to logs and screens.
#[test]
fn no_error_and_no_debug_output_shows_a_token() {
    let text = format!("{ORIGIN}{GROUP}[writes]\ntoken = \"{TOKEN}\"\n");
    let config = Config::from_toml(&text).expect("sound");
    assert!(!format!("{config:?}").contains(&TOKEN[2..]));
    let numeric = text.replace(&format!("\"{TOKEN}\""), "77777777777777777");
    assert!(!error(&numeric).contains("7777"), "{}", error(&numeric));
    let start = text.find("[writes]").expect("it is there");
    for at in start..text.len() {
        for byte in [0, b'"', b'\n', b'[', b'=', b'9', b' ', 0x7f] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = byte;
            let mutant = String::from_utf8(bytes).expect("still ASCII");
            if let Err(error) = Config::from_toml(&mutant) {
                let error = error.to_string();
                let shows = (0..TOKEN.len() - 8).any(|at| error.contains(&TOKEN[at..at + 8]));
                assert!(!shows, "{mutant}\n{error}");
            }
        }
    }
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
        (format!("{ORIGIN}{GROUP}policy = \"LRU\"\n"), "(text):7:10: policy is \"lru\","),
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
        (format!("{ORIGIN}{GROUP}[writes]\n"), "(text):7:1: writes need a token, a token_file"),
        (format!("{ORIGIN}{GROUP}[writes]\ntoken = 1\n"), "(text):8:9: a token is a text"),
        (format!("{ORIGIN}{GROUP}[writes]\ntoken = \"short\"\n"), "(text):8:9: a token is 16"),
        (
            format!("{ORIGIN}{GROUP}[writes]\ntoken = \"{TOKEN}\"\ntoken_file = \"x\"\n"),
            "(text):9:14: token or token_file",
        ),
        (
            format!("{ORIGIN}{GROUP}[writes]\ntoken = \"{TOKEN}\"\ngroups = [\"prices\"]\n"),
            "(text):9:11: no group is named \"prices\"",
        ),
        (
            format!("listen = \"127.0.0.1:5\"\nops_listen = \"127.0.0.1:5\"\n{ORIGIN}{GROUP}"),
            "(text): listen and ops_listen are both 127.0.0.1:5",
        ),
    ];
    for (text, expected) in cases {
        let error = error(&text);
        assert!(error.starts_with(expected), "{text}\nexpected {expected}\ngot      {error}");
        assert!(!error.contains(char::is_control), "{error:?} is one line");
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
