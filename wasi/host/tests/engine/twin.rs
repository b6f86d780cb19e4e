//! The component answers as the core does: a random walk over both.

use std::iter;

use gocache::{Ask, Asks, Engine};
use gocache_core::{
    Asker, Fetch, Get, Group, GroupId, Instant, Landing, LoadError, Node, Ring, Seed, Stats, Waiter,
};
use gocache_wasi::{Settings, WasiEngine};

use crate::{COMPONENT, ask, ring, settings, value};

const STEPS: u32 = 20_000;

#[test]
fn the_same_calls_get_the_same_answers() {
    let settings = Settings { ring: Some(ring()), ..settings() };
    let mut core = Node::new();
    for group in settings.groups.iter().flatten() {
        let made = Group::new(&group.name, group.settings.clone(), Seed::new(settings.seed));
        core.add(made.unwrap()).unwrap();
    }
    let ring = settings.ring.as_ref().unwrap();
    let names: Vec<&str> = ring.names.iter().map(|name| &**name).collect();
    core.join(Ring::new(&names).unwrap(), ring.own);
    let wasi = WasiEngine::new(&COMPONENT, settings).unwrap();

    let mut walk = Walk { random: 0x90ca_c4e5, now: 0, air: Vec::new() };
    for step in 0..STEPS {
        walk.step(step, &core, &wasi);
    }
    let expired = core.stats().map(|(_, stats)| stats.expirations).sum::<u64>();
    // Bytes differ: the component's pointers are half as long. So do the slots that are swept, and with
    // them whether an entry is found expired before something else takes its place.
    let common = |stats: Stats| Stats { bytes: 0, flight_bytes: 0, expirations: 0, ..stats };
    let [ours, theirs] = [
        core.stats().map(|(_, stats)| stats).collect(),
        wasi.stats().into_iter().map(|(_, stats)| stats).collect(),
    ]
    .map(|stats: Vec<_>| stats.into_iter().map(common).collect::<Vec<_>>());
    assert_eq!(ours, theirs);
    let Stats { hits, waits, busy, peer_loads, peer_failures, .. } = ours[1];
    let walked = [hits, waits, busy, peer_loads, peer_failures, expired];
    assert!(!walked.contains(&0), "the walk is to come everywhere: {walked:?}");
}

struct Walk {
    random: u64,
    now: u64,
    /// The loads in the air, as each of the two calls them.
    air: Vec<(Fetch, Fetch)>,
}

/// One of so many bytes, no two of which are the same: short keys go in as words.
fn key(len: u64) -> Vec<u8> {
    (b'0'..).take(len as usize).collect()
}

impl Walk {
    /// A number below `end`, by xorshift.
    fn draw(&mut self, end: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % end
    }

    fn step(&mut self, step: u32, core: &Node, wasi: &WasiEngine) {
        self.now += self.draw(100);
        let now = Instant::from_millis(self.now);
        match self.draw(13) {
            0..6 => self.get(step, core, wasi, now),
            11.. => self.get_batch(step, core, wasi, now),
            6..9 if !self.air.is_empty() => self.land(step, core, wasi, now),
            9 => self.write(step, core, wasi, now),
            _ => {
                let mut both: [Vec<_>; 2] = [
                    iter::from_fn(|| core.overdue(now)).collect(),
                    iter::from_fn(|| wasi.overdue(now)).collect(),
                ];
                // Their order is the table's, and that depends on the width of the machine.
                for done in &mut both {
                    done.sort_unstable_by_key(|done| done.waiters.first().map(|waiter| waiter.0));
                }
                assert_eq!(format!("{:?}", both[0]), format!("{:?}", both[1]), "step {step}");
            }
        }
    }

    fn get(&mut self, step: u32, core: &Node, wasi: &WasiEngine, now: Instant) {
        let group = GroupId(u16::try_from(self.draw(2)).unwrap());
        let key = key(self.draw(67));
        let asker = if self.draw(4) == 0 { Asker::Peer } else { Asker::Client };
        let waiter = Waiter(u64::from(step));
        let ours = core.get(group, &key, asker, waiter, now);
        let theirs = wasi.get(group, &key, asker, waiter, now);
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "step {step}");
        if let (Ok(Get::Fetch(ours)), Ok(Get::Fetch(theirs))) = (ours, theirs) {
            self.air.push((ours, theirs));
        }
    }

    /// Several at once from the one, and from the other one after the other.
    fn get_batch(&mut self, step: u32, core: &Node, wasi: &WasiEngine, now: Instant) {
        let group = GroupId(u16::try_from(self.draw(2)).unwrap());
        let keys: Vec<_> = (0..self.draw(9)).map(|_| key(self.draw(67))).collect();
        // Numbers that nobody else has, so that those who are told can be put in an order.
        let (asker, first) = (Asker::Client, (u64::from(step) + 1) << 32);
        let numbered = || keys.iter().zip((first..).map(Waiter));
        let asks: Asks =
            numbered().map(|(key, waiter)| Ask { group, key, asker, waiter }).collect();
        let theirs = ask(wasi, &asks, now);
        let ours: Vec<_> =
            numbered().map(|(key, waiter)| core.get(group, key, asker, waiter, now)).collect();
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "step {step}");
        for both in ours.into_iter().zip(theirs) {
            if let (Ok(Get::Fetch(ours)), Ok(Get::Fetch(theirs))) = both {
                self.air.push((ours, theirs));
            }
        }
    }

    fn write(&mut self, step: u32, core: &Node, wasi: &WasiEngine, now: Instant) {
        let group = GroupId(u16::try_from(self.draw(2)).unwrap());
        let key = key(self.draw(67));
        if self.draw(2) == 0 {
            let ours = core.remove(group, &key, now);
            assert_eq!(ours, wasi.remove(group, &key, now), "step {step}");
        } else {
            let value = vec![step as u8; self.draw(99) as usize];
            let ours = core.put(group, &key, &value, now);
            assert_eq!(ours, wasi.put(group, &key, &value, now), "step {step}");
        }
    }

    fn land(&mut self, step: u32, core: &Node, wasi: &WasiEngine, now: Instant) {
        let at = self.draw(self.air.len() as u64);
        let (ours, theirs) = self.air.swap_remove(usize::try_from(at).unwrap());
        let drawn = self.draw(8);
        let result = || match drawn {
            0 => Err(LoadError::NotFound),
            1 => Err(LoadError::Failed),
            2..4 => Err(LoadError::PeerDown),
            size => value(&vec![step as u8; size as usize * 9]),
        };
        let ours = core.land(ours, result(), now);
        let theirs = wasi.land(theirs, result(), now);
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "step {step}");
        if let (Landing::Refetch(ours), Landing::Refetch(theirs)) = (ours, theirs) {
            self.air.push((ours, theirs));
        }
    }
}
