//! Several requests in one call: each is answered as if it were asked for itself.

use gocache::{Asks, Engine, Said};
use gocache_core::{Asker, Error, Get, GroupId, Instant, Waiter};
use gocache_wasi::{Settings, WasiEngine};

use crate::{
    COMPONENT, FRESH, SCORES, ZERO, ask, change, client, engine, fetch, land, settings, value,
};

#[test]
fn each_is_answered_in_its_place() {
    let engine = engine();
    land(&engine, fetch(&engine, b"Tom", 1), value(b"630"));
    land(&engine, fetch(&engine, b"empty", 1), value(b""));
    land(&engine, fetch(&engine, b"large", 1), value(&[7; 100_000]));
    let asks: Asks = [
        client(SCORES, b"large", 10),
        client(SCORES, b"new", 11),
        client(SCORES, b"Tom", 12),
        client(SCORES, &[0; 65], 13),
        client(SCORES, b"new", 14),
        client(GroupId(2), b"Tom", 15),
        client(FRESH, b"Tom", 16),
        client(SCORES, b"", 17),
        client(SCORES, b"empty", 18),
    ]
    .into_iter()
    .collect();
    let mut said = ask(&engine, &asks, ZERO);
    let hit = |said: &Result<Get, Error>| match said {
        Ok(Get::Hit(hit)) => hit.value.to_vec(),
        other => panic!("a hit, not {other:?}"),
    };
    assert_eq!(
        (hit(&said[0]), hit(&said[2]), hit(&said[8])),
        (vec![7; 100_000], b"630".into(), vec![])
    );
    assert_eq!(said[3].as_ref().unwrap_err(), &Error::KeyTooLong { limit: 64 });
    assert!(matches!(said[4], Ok(Get::Wait)), "behind the one that loads it");
    assert_eq!(said[5].as_ref().unwrap_err(), &Error::NoSuchGroup);
    let (Ok(Get::Fetch(fresh)), Ok(Get::Fetch(nameless))) = (said.remove(6), said.remove(6)) else {
        panic!("two loads")
    };
    assert_eq!((fresh.group(), fresh.key(), nameless.key()), (FRESH, &b"Tom"[..], &b""[..]));
    let Ok(Get::Fetch(new)) = said.remove(1) else { panic!("a load") };
    assert_eq!(land(&engine, new, value(b"1")).waiters, [Waiter(11), Waiter(14)]);
    assert_eq!(land(&engine, nameless, value(b"2")).waiters, [Waiter(17)]);
    let stats = engine.stats();
    assert_eq!((stats[0].1.gets, stats[0].1.hits, stats[0].1.waits, stats[1].1.gets), (9, 3, 1, 1));
}

#[test]
fn lent_bytes_are_those_of_the_value_with_its_digest_and_age() {
    let engine = engine();
    let Ok(Get::Fetch(load)) = engine.get(FRESH, b"Tom", Asker::Client, Waiter(1), ZERO) else {
        panic!("a load")
    };
    land(&engine, load, value(b"630"));
    let later = Instant::from_millis(2_000);
    for count in [1, 2, 40] {
        let asks: Asks = (0..count).map(|waiter| client(FRESH, b"Tom", waiter)).collect();
        let mut told = 0;
        engine.get_batch(&asks, later, &mut |at, said| {
            let Ok(Said::Lent(lent)) = said else { panic!("a hit is lent, at {at}") };
            let digest = gocache_core::Value::new(b"630").unwrap().digest();
            assert_eq!((lent.bytes, lent.digest), (&b"630"[..], digest));
            assert_eq!(lent.age.unwrap().as_secs(), 2);
            told += 1;
        });
        assert_eq!(told, count);
    }
}

#[test]
fn those_of_several_instances_are_told_at_their_places() {
    let mut settings = Settings { instances: 3, ..settings() };
    change(&mut settings, 0, |group| group.limits.flights = 300);
    let engine = WasiEngine::new(&COMPONENT, settings).unwrap();
    let keys: Vec<[u8; 1]> = (0..90).map(|key| [key]).collect();
    let asks = || keys.iter().zip(0..).map(|(key, waiter)| client(SCORES, key, waiter));
    for (got, key) in ask(&engine, &asks().collect(), ZERO).into_iter().zip(&keys) {
        let Ok(Get::Fetch(load)) = got else { panic!("a load") };
        assert_eq!(load.key(), key);
        assert_eq!(land(&engine, load, value(key)).waiters, [Waiter(key[0].into())]);
    }
    for (got, key) in ask(&engine, &asks().collect(), ZERO).into_iter().zip(&keys) {
        let Ok(Get::Hit(hit)) = got else { panic!("a hit") };
        assert_eq!(&*hit.value, key);
    }
}

#[test]
fn nothing_is_asked_with_nothing() {
    let engine = engine();
    engine.get_batch(&Asks::default(), ZERO, &mut |_, _| panic!("nobody has asked"));
}
