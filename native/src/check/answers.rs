//! What has to hold for any bytes of an origin or a peer.

use gocache_core::Instant;

use super::{Cuts, LONGEST};
use crate::upstream::{Exchange, Kind, Outcome, Purpose};

/// Content that is taken. Some inputs have more.
const MAX_CONTENT: usize = 100;

/// Any cut of any bytes means the same, to those who wait for a load and to those who wait for a write.
pub fn response(input: &[u8]) {
    let Some((seed, bytes)) = input.split_first() else { return };
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    let whole = play(&mut [bytes].into_iter());
    assert_eq!(play(&mut bytes.chunks(1)).said, whole.said, "byte by byte");
    for at in 0..bytes.len() {
        let (start, rest) = bytes.split_at(at);
        assert_eq!(play(&mut [start, rest].into_iter()).said, whole.said, "cut at {at}");
    }
    let (mut cuts, mut rest) = (Cuts(u32::from(*seed)), bytes);
    let mut pieces = std::iter::from_fn(|| (!rest.is_empty()).then(|| cuts.piece(&mut rest)));
    assert_eq!(play(&mut pieces).said, whole.said, "in pieces");
    if whole.is_reusable {
        assert_eq!(whole.used, bytes.len(), "nobody knows what the rest of them is");
    }
}

struct Played {
    said: String,
    is_reusable: bool,
    used: usize,
}

/// What comes of an exchange in which these pieces come, and then the end.
fn play(pieces: &mut dyn Iterator<Item = &[u8]>) -> Played {
    let mut exchange =
        Exchange::new(Purpose::Write(0), b"GET".to_vec(), MAX_CONTENT, Instant::ZERO);
    exchange.sent(exchange.unsent().len());
    let mut used = 0;
    let mut ended = None;
    for piece in pieces {
        used += piece.len();
        ended = exchange.receive(piece);
        if ended.is_some() {
            break;
        }
    }
    let outcome = ended.unwrap_or_else(|| exchange.end());
    let Outcome { reusable, alive, .. } = outcome;
    let loads = [Kind::Origin, Kind::Peer].map(|kind| {
        let (load, cause) = outcome.load(kind);
        (load.map(|load| (load.value.escape_ascii().to_string(), load.age)), cause)
    });
    let said = format!("{loads:?} {:?} {alive}", outcome.write());
    Played { said, is_reusable: reusable, used }
}
