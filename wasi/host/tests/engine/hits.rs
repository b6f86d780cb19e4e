//! What is cached, by each of the verbs that find it. Our host asks for what one of them does not find
//! with the next: only a host that does not can tell.

use gocache_core::Value;
use wasmtime::component::Val;

use crate::bare::{Bare, answered, bytes, client, record};

/// With a group of which keys have up to 70 bytes, and values of the length of their keys.
fn filled(lens: &[usize]) -> Bare {
    let mut bare = Bare::new();
    let group = record([
        ("name", bytes(b"scores")),
        ("budget", Val::U64(1 << 20)),
        ("eviction", Val::Enum("lru".to_owned())),
        ("lifetime", Val::Option(Some(Box::new(Val::U64(5_000))))),
        ("jitter", Val::U8(0)),
        ("key-bytes", Val::U64(70)),
        ("flights", Val::U64(8)),
        ("waiters", Val::U64(8)),
        ("load-deadline", Val::U64(1_000)),
    ]);
    let groups = Val::List(vec![Val::Option(Some(Box::new(group)))]);
    assert_eq!(bare.misuse("configure", &[groups, Val::Option(None), Val::U64(1)]), None);
    for &len in lens {
        let put = [Val::U16(0), bytes(&key(len)), bytes(&key(len)), Val::U64(1_000)];
        assert_eq!(bare.call("put", &put), answered(Val::Result(Ok(None))));
    }
    bare
}

fn key(len: usize) -> Vec<u8> {
    (b'0'..).take(len).collect()
}

fn words(key: &[u8]) -> Val {
    let word = |at: usize| {
        let mut word = [0xee; 8];
        let part = key.get(at * 8..).unwrap_or_default();
        let len = part.len().min(8);
        word[..len].copy_from_slice(&part[..len]);
        Val::U64(u64::from_le_bytes(word))
    };
    Val::Tuple((0..8).map(word).collect())
}

/// What is found of the key of this length, two seconds after it was put.
fn found(len: usize) -> Val {
    let value = key(len);
    let digest = Value::new(&value).unwrap().digest();
    let age = Val::Option(Some(Box::new(Val::U64(2_000))));
    let found = record([("value", bytes(&value)), ("digest", Val::U64(digest)), ("age", age)]);
    Val::Option(Some(Box::new(found)))
}

/// Those of the one group: gets, hits, and loads in the air.
fn counted(bare: &mut Bare) -> [u64; 3] {
    let Val::Result(Ok(Some(stats))) = bare.call("stats", &[]) else { panic!("they are told") };
    let Val::List(groups) = *stats else { panic!("a list of groups") };
    let Val::Option(Some(group)) = &groups[0] else { panic!("there is one") };
    let Val::Record(counters) = &**group else { panic!("a record") };
    ["gets", "hits", "flights"].map(|name| {
        let counter = counters.iter().find(|(it, _)| it == name);
        let Some((_, Val::U64(counter))) = counter else { panic!("{name}: {counter:?}") };
        *counter
    })
}

#[test]
fn a_key_in_words_is_found() {
    const LENS: [usize; 10] = [0, 1, 7, 8, 9, 31, 32, 33, 63, 64];
    let mut bare = filled(&LENS);
    let mut hit = |len: usize| {
        let told = [Val::U16(0), words(&key(len)), Val::U8(len as u8), Val::U64(3_000)];
        bare.call("hit", &told)
    };
    for len in LENS {
        assert_eq!(hit(len), found(len), "{len} bytes");
    }
    for len in [2, 30, 62] {
        assert_eq!(hit(len), Val::Option(None), "{len} bytes");
    }
    let told = [Val::U16(0), words(&key(64)), Val::U8(200), Val::U64(3_000)];
    assert_eq!(bare.call("hit", &told), found(64), "it ends with the words");
    assert_eq!(counted(&mut bare), [11, 11, 0], "a miss leaves no trace");
}

#[test]
fn what_is_cached_is_a_hit_to_those_who_would_have_it_loaded() {
    let mut bare = filled(&[5, 70]);
    let hit = |len: usize| {
        let Val::Option(Some(found)) = found(len) else { panic!("it is") };
        Val::Result(Ok(Some(Box::new(Val::Variant("hit".to_owned(), Some(found))))))
    };
    let is_fetch = |answer: &Val| match answer {
        Val::Result(Ok(Some(answer))) => matches!(&**answer, Val::Variant(it, _) if it == "fetch"),
        _ => false,
    };
    for len in [5, 70] {
        let asker = Val::Enum("client".to_owned());
        let get = [Val::U16(0), bytes(&key(len)), asker, Val::U64(1), Val::U64(3_000)];
        assert_eq!(bare.call("get", &get), answered(hit(len)));
    }
    let lens = [70, 6, 5];
    let asks = lens.map(|len| client(len as u32));
    let told = [Val::List(asks.into()), bytes(&lens.map(key).concat()), Val::U64(3_000)];
    let Val::Result(Ok(Some(all))) = bare.call("get-batch", &told) else { panic!("answered") };
    let Val::List(all) = *all else { panic!("a list") };
    assert_eq!((&all[0], &all[2], all.len()), (&hit(70), &hit(5), 3));
    assert!(is_fetch(&all[1]), "{:?}", all[1]);
    assert_eq!(counted(&mut bare), [5, 4, 1]);
}

#[test]
fn those_of_a_list_are_found_in_their_places() {
    let mut bare = filled(&[0, 3, 70]);
    let lens = [70, 2, 0, 3, 71, 70];
    let groups = [0, 0, 0, 0, 0, 1].map(Val::U16);
    let keys = lens.map(key).concat();
    let told = [
        Val::List(groups.into()),
        Val::List(lens.map(|len| Val::U32(len as u32)).into()),
        bytes(&keys),
        Val::U64(3_000),
    ];
    let none = || Val::Option(None);
    let all = vec![found(70), none(), found(0), found(3), none(), none()];
    for _ in 0..2 {
        assert_eq!(bare.call("hits", &told), Val::List(all.clone()));
    }
    assert_eq!(counted(&mut bare), [6, 6, 0]);
    let beyond = [Val::U32(999), Val::U32(999)];
    let groups = Val::List(vec![Val::U16(0); 2]);
    let told = [groups, Val::List(beyond.into()), bytes(&key(3)), Val::U64(3_000)];
    let all = vec![found(3), found(0)];
    assert_eq!(
        bare.call("hits", &told),
        Val::List(all),
        "it ends with the keys, and so does the next"
    );
}
