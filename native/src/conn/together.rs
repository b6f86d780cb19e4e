//! Requests that are asked together with those of other connections.

use gocache_core::{Error, Fetch, Get, Value};

use super::Conn;
use crate::{
    answer::write_lent,
    asks::{Lent, Said},
    batch::Wish,
    plane::Plane,
    turn::Turn,
};

/// Lent values from this length on are offered to the socket from where they lie. For shorter ones a
/// call of the system costs more than the copy.
const SENT_AS_LENT: usize = 32 << 10;

impl Conn {
    /// Whether a request of it is being asked together with those of others.
    pub(crate) fn is_together(&self) -> bool {
        self.together.is_some()
    }

    /// Whether the socket could be given the answer to that with the value from where it lies.
    pub(crate) fn could_lend(&self, lent: &Lent<'_>) -> bool {
        lent.bytes.len() >= SENT_AS_LENT && self.owed.is_empty() && self.front().1
    }

    /// Brings what the engine says of that request. What it returns of a lent value is to be sent behind
    /// the output, or kept with [`Conn::append`]: it is too long to be copied behind its head.
    pub(crate) fn told<'a>(
        &mut self,
        wish: Wish<'_>,
        said: Result<Said<'a>, Error>,
        fetches: &mut Vec<Fetch>,
        turn: &Turn<'_>,
    ) -> Option<&'a [u8]> {
        let Some(form) = self.together.take() else {
            // TLS has broken off meanwhile. Others may wait for what was asked.
            drop(wish.reply(said.and_then(Said::kept), fetches, turn));
            return None;
        };
        let got = match said {
            Ok(Said::Lent(lent)) if self.owed.is_empty() => {
                turn.tally.hit(wish.group);
                let form = self.begin_answer(form, turn);
                let (lent, asked) = ((lent, wish.group), (wish.tags, wish.wanted));
                return write_lent(&mut self.output, lent, asked, turn, form);
            }
            other => other.and_then(Said::kept),
        };
        // Whatever is not lent any more has been copied for this request alone.
        let copied = if let Ok(Get::Hit(found)) = &got { found.value.len() } else { 0 };
        let reply = wish.reply(got, fetches, turn);
        self.reply(form, reply, turn);
        self.owed.count_copy(copied);
        None
    }

    /// Appends a part of a value to what there is to send.
    pub(crate) fn append(&mut self, value: Value) {
        self.output.push(value);
    }

    /// Takes up what has come behind a request that has been told of.
    pub(crate) fn go_on(&mut self, plane: &mut impl Plane, turn: &Turn<'_>) {
        if !self.input.is_empty() && !self.paused {
            self.take_up(plane, turn);
        }
    }

    /// Takes up no more in this turn.
    pub(crate) fn put_off(&mut self) {
        self.paused = !self.input.is_empty();
    }
}

#[cfg(test)]
mod tests {
    use gocache_core::{Asker, Found, Group, GroupId, Instant, Node, Seed, Settings, Waiter};

    use super::*;
    use crate::{
        answer::Form, clock::Epoch, config::Config, http1::Persist, owed::Due, turn::Local,
    };

    const WISH: Wish<'_> =
        Wish { serial: 1, group: GroupId(0), key: b"Tom", tags: None, wanted: None };

    fn config() -> Config {
        let text = "[origins.o]\nkind = \"http\"\nurl = \"http://127.0.0.1:1/\"\n\
                    [groups.scores]\norigin = \"o\"\nbudget = \"1 MiB\"\n";
        Config::from_toml(text).expect("it is valid")
    }

    /// Else a client could have many of a hot value kept, behind one that is long in coming.
    #[test]
    fn a_copy_that_waits_behind_others_counts() {
        const LEN: usize = 100_000;
        let (config, local) = (config(), Local::new(Epoch::begin()));
        let turn = local.turn(&config);
        let mut conn = Conn::new(Instant::ZERO, 0);
        let form = Form { head_only: false, persist: Persist::Keep };
        conn.owed.push(form, Due::Writing(7));
        let before = conn.owed.weight();
        let bytes = vec![0; LEN];
        let kept = Found { value: Value::new(&bytes).expect("memory"), age: None };
        let lent = Lent { bytes: &bytes, digest: 1, age: None };
        for (count, said) in [(1, Said::Got(Get::Hit(kept))), (2, Said::Lent(lent))] {
            conn.together = Some(form);
            assert!(conn.told(WISH, Ok(said), &mut Vec::new(), &turn).is_none());
            assert!(conn.owed.weight() >= before + count * LEN);
        }
    }

    /// As when a record of TLS behind the request is broken: the connection begins anew.
    #[test]
    fn a_load_is_begun_though_its_connection_has_forgotten_it() {
        let mut node = Node::new();
        let group = Group::new("scores", Settings::default(), Seed::new(1)).expect("memory");
        let group = node.add(group).expect("it is the first");
        let fetch = match node.get(group, b"Tom", Asker::Client, Waiter(1), Instant::ZERO) {
            Ok(Get::Fetch(fetch)) => fetch,
            other => panic!("{other:?}"),
        };
        let (config, local) = (config(), Local::new(Epoch::begin()));
        let (mut conn, mut fetches) = (Conn::new(Instant::ZERO, 0), Vec::new());
        let said = Ok(Said::Got(Get::Fetch(fetch)));
        assert!(conn.told(WISH, said, &mut fetches, &local.turn(&config)).is_none());
        assert_eq!((fetches.len(), conn.has_output()), (1, false));
    }
}
