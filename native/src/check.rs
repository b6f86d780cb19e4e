//! What has to hold for any bytes of a client, however they are cut. A fuzzer makes the bytes
//! (`tests/fuzz`), and what it kept of them is played again by the test below.

mod answers;
mod heads;

use std::{io::IoSlice, mem, sync::LazyLock};

use gocache_core::{Asker, Error, Found, Get, GroupId, Instant, Status, Value, Waiter};

use crate::{
    answer::Answer,
    asks::{Ask, Lent, Said},
    batch::{Batch, Wish},
    clock::Epoch,
    config::{Config, ConfigError},
    conn::Conn,
    http1::{Body, BodyError, Decoder, Method, Request},
    output::MAX_SLICES,
    phase::Next,
    plane::{Intake, Plane, Reply},
    turn::{Local, Turn},
    writes::{Permits, Write},
};

pub use answers::response;
pub use heads::request_head;

/// Longer inputs find nothing new, and each is cut at every place.
const LONGEST: usize = 600;

/// Sizes of pieces, drawn from a seed.
struct Cuts(u32);

impl Cuts {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 16) as usize % below
    }

    /// A piece from the front.
    fn piece<'a>(&mut self, bytes: &mut &'a [u8]) -> &'a [u8] {
        let longest = [1, 2, 7, 40, LONGEST][self.below(5)];
        let (piece, rest) = bytes.split_at(bytes.len().min(1 + self.below(longest)));
        *bytes = rest;
        piece
    }
}

/// The content of a body, the bytes that it took, and how it ended, do not depend on the cuts.
pub fn chunked_body(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    let whole = decode(&mut [bytes].into_iter());
    assert_eq!(decode(&mut bytes.chunks(1)), whole, "byte by byte");
    for at in 0..bytes.len() {
        let (start, rest) = bytes.split_at(at);
        assert_eq!(decode(&mut [start, rest].into_iter()), whole, "cut at {at}");
    }
}

type Decoded = (Vec<u8>, Result<(usize, bool), BodyError>);

fn decode(pieces: &mut dyn Iterator<Item = &[u8]>) -> Decoded {
    let mut decoder = Decoder::new(Body::Chunked, 100);
    let (mut content, mut used) = (Vec::new(), 0);
    for mut piece in pieces {
        while !piece.is_empty() && !decoder.is_done() {
            match decoder.step(piece) {
                Ok(step) => {
                    content.extend_from_slice(step.content);
                    used += step.used;
                    piece = &piece[step.used..];
                }
                Err(error) => return (content, Err(error)),
            }
        }
    }
    (content, Ok((used, decoder.is_done())))
}

/// Any cut of any bytes gives the same answers and the same end, whether or not requests are asked together
/// with those of others.
pub fn connection(input: &[u8]) {
    let Some((seed, bytes)) = input.split_first() else { return };
    let bytes = &bytes[..bytes.len().min(4 * LONGEST)];
    let local = Local::new(Epoch::begin());
    let turn = local.turn(&CONFIG);
    let whole = Client::<false>::new(&turn).play([bytes].into_iter(), Cuts(1));
    let bytewise = Client::<false>::new(&turn).play(bytes.chunks(1), Cuts(2));
    assert_eq!(bytewise, whole, "byte by byte");
    let together = Client::<true>::new(&turn).play([bytes].into_iter(), Cuts(4));
    assert_eq!(together, whole, "asked together with others");
    let (mut cuts, mut rest) = (Cuts(u32::from(*seed)), bytes);
    let pieces = std::iter::from_fn(|| (!rest.is_empty()).then(|| cuts.piece(&mut rest)));
    let pieces: Vec<_> = pieces.collect();
    let play = pieces.iter().copied();
    assert_eq!(Client::<false>::new(&turn).play(play.clone(), Cuts(3)), whole, "in pieces");
    assert_eq!(Client::<true>::new(&turn).play(play, Cuts(5)), whole, "in pieces, together");
}

/// How many requests a connection is understood to hold, that ends with these bytes.
pub fn requests(input: &[u8]) -> usize {
    let Some((_, bytes)) = input.split_first() else { return 0 };
    let local = Local::new(Epoch::begin());
    let turn = local.turn(&CONFIG);
    let mut client = Client::<false>::new(&turn);
    client.conn.receive(&mut bytes.to_vec(), &mut client.script, &turn);
    client.settle(&mut Cuts(1));
    client.script.asked
}

/// A text is a configuration, or there is one line about what is wrong with it.
pub fn config(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let said = Config::from_toml(&text).map_err(|error: ConfigError| error.to_string());
    if let Err(said) = said {
        assert!(said.starts_with("(text):") && !said.contains(char::is_control), "{said:?}");
    }
}

/// Limits that an input of a fuzzer passes.
static CONFIG: LazyLock<Config> = LazyLock::new(small_limits);

fn small_limits() -> Config {
    let text = "[origins.o]\nkind = \"http\"\nurl = \"http://127.0.0.1:1/\"\n\
                [groups.g]\norigin = \"o\"\nbudget = 1000\n[limits]\nhead_bytes = 300\n\
                head_fields = 6\ntarget_bytes = 100\nkey_bytes = 50\nbody_bytes = 100\npipeline = 3\n";
    Config::from_toml(text).expect("a sound configuration")
}

/// Answers that tell what was asked, some of them late.
#[derive(Default)]
struct Script<const TOGETHER: bool> {
    serial: u32,
    /// What is asked together with requests of others, and what is said of it.
    batch: Batch,
    said: Vec<Get>,
    pending: Vec<Owing>,
    /// Requests that were whole.
    asked: usize,
}

/// What was promised under a number.
enum Owing {
    Load(u32),
    Write(u32),
}

impl<const TOGETHER: bool> Plane for Script<TOGETHER> {
    const BATCHES: bool = TOGETHER;

    fn ask(&mut self, request: &Request<'_>, turn: &Turn<'_>) -> Reply {
        self.asked += 1;
        self.serial += 1;
        let (serial, is_late) = (self.serial, !request.target.len().is_multiple_of(3));
        if request.method.is_write() && is_late {
            self.pending.push(Owing::Write(serial));
            return Reply::Written(serial);
        }
        if request.method.is_write() {
            return Reply::Now(Answer::line(Status::NotFound, format!("{request:?}")));
        }
        let got = if is_late {
            self.pending.push(Owing::Load(serial));
            Get::Wait
        } else {
            let value = Value::new(format!("{request:?}").as_bytes()).expect("memory for a line");
            Get::Hit(Found { value, age: None })
        };
        let (group, key, asker) = (GroupId(0), request.target, Asker::Client);
        let (tags, wanted) = (request.if_none_match.as_deref(), request.wanted());
        let wish = Wish { serial, group, key, tags, wanted: wanted.as_ref() };
        if TOGETHER {
            let ask = Ask { group, key, asker, waiter: Waiter(serial.into()) };
            self.batch.push(0, wish, ask).expect("memory for a key");
            self.said.push(got);
            return Reply::Together;
        }
        wish.reply(Ok(got), &mut Vec::new(), turn)
    }

    fn intake(&mut self, request: &Request<'_>, turn: &Turn<'_>) -> Intake {
        if request.method != Method::Put {
            return Intake::Skip;
        }
        let key = (GroupId(0), request.target);
        // Of every two one asks with a token, and there is none.
        let asker = if key.1.len().is_multiple_of(2) { Asker::Client } else { Asker::Peer };
        match Write::grant(request, key, asker, &Permits::default(), turn) {
            Ok(write) => Intake::Keep(write),
            Err(answer) => Intake::Refuse(answer),
        }
    }

    fn write(&mut self, write: Write, _: &Turn<'_>) -> Reply {
        self.asked += 1;
        Reply::Now(Answer::line(Status::NotFound, format!("{:?}", write.content)))
    }
}

/// A connection without a socket, and all that it has sent.
struct Client<'a, const TOGETHER: bool> {
    conn: Conn,
    turn: &'a Turn<'a>,
    script: Script<TOGETHER>,
    sent: Vec<u8>,
    was_shut: bool,
}

impl<'a, const TOGETHER: bool> Client<'a, TOGETHER> {
    fn new(turn: &'a Turn<'a>) -> Self {
        let conn = Conn::new(Instant::ZERO, 0);
        Self { conn, turn, script: Script::default(), sent: Vec::new(), was_shut: false }
    }

    /// What was sent, and whether the server was the one to end it.
    fn play<'b>(
        mut self,
        pieces: impl Iterator<Item = &'b [u8]>,
        mut cuts: Cuts,
    ) -> (String, bool) {
        for piece in pieces {
            let mut piece = piece.to_vec();
            self.conn.receive(&mut piece, &mut self.script, self.turn);
            self.tell();
            if cuts.below(3) == 0 {
                self.land(&mut cuts);
            }
            self.settle(&mut cuts);
        }
        self.land(&mut cuts);
        self.settle(&mut cuts);
        let was_shut = self.was_shut;
        self.conn.end();
        self.settle(&mut cuts);
        assert_eq!(self.conn.next(self.turn), Next::Drop, "the client has ended, and all is sent");
        (self.sent.escape_ascii().to_string(), was_shut)
    }

    /// Sends, loads and takes up until there is nothing to do but read.
    fn settle(&mut self, cuts: &mut Cuts) {
        loop {
            self.send();
            self.conn.resume(&mut self.script, self.turn);
            self.tell();
            match self.conn.next(self.turn) {
                Next::Pause => self.land(cuts),
                Next::Shut => {
                    self.conn.shut(Instant::ZERO);
                    self.was_shut = true;
                }
                Next::Read | Next::Drop if !self.conn.has_output() => return,
                Next::Read | Next::Drop => {}
            }
        }
    }

    /// Says what there is to say of what is asked together, for as long as there is something.
    fn tell(&mut self) {
        while self.conn.is_together() {
            let batch = mem::take(&mut self.script.batch);
            for (at, got) in mem::take(&mut self.script.said).into_iter().enumerate() {
                let said = match &got {
                    Get::Hit(Found { value, age }) => {
                        Said::Lent(Lent { bytes: value, digest: value.digest(), age: *age })
                    }
                    _ => Said::Got(Get::Wait),
                };
                let (_, wish) = batch.at(at);
                if let Some(rest) = self.conn.told(wish, Ok(said), &mut Vec::new(), self.turn) {
                    self.conn.append(Value::new(rest).expect("memory for a line"));
                }
            }
            self.conn.go_on(&mut self.script, self.turn);
        }
    }

    /// Ends all loads that are in the air, in any order.
    fn land(&mut self, cuts: &mut Cuts) {
        let mut pending = mem::take(&mut self.script.pending);
        while !pending.is_empty() {
            let serial = match pending.swap_remove(cuts.below(pending.len())) {
                Owing::Load(serial) => serial,
                Owing::Write(serial) => {
                    self.conn.written(serial, Answer::Done, self.turn);
                    continue;
                }
            };
            let value = || Value::new(&serial.to_be_bytes()).expect("memory for four bytes");
            let result = match serial % 4 {
                0 => Err(Error::NotFound),
                _ => Ok(Found { value: value(), age: None }),
            };
            self.conn.land(serial, result, self.turn);
        }
    }

    fn send(&mut self) {
        while self.conn.has_output() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = self.conn.slices(&mut slices);
            let bytes = slices[..count].iter().flat_map(|slice| slice.iter().copied());
            let before = self.sent.len();
            self.sent.extend(bytes);
            let count = self.sent.len() - before;
            self.conn.sent(count, Instant::ZERO);
        }
    }
}

#[cfg(test)]
#[path = "../../tests/fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::{replay::replay, *};
    use crate::http1::PARSES;

    #[test]
    fn a_head_is_what_its_lines_say() {
        replay("head", request_head);
    }

    #[test]
    fn a_body_is_the_same_however_it_is_cut() {
        replay("chunked", chunked_body);
    }

    #[test]
    fn answers_are_the_same_however_a_request_is_cut() {
        replay("connection", connection);
    }

    #[test]
    fn an_answer_means_the_same_however_it_is_cut() {
        replay("response", response);
    }

    #[test]
    fn a_configuration_is_sound_or_there_is_a_line_about_it() {
        replay("config", config);
    }

    /// As when another configuration is read while a body comes.
    #[test]
    fn a_request_whose_body_comes_is_answered_whatever_the_limits_are_then() {
        let mut less = small_limits();
        less.limits.head = crate::http1::HeadLimits { bytes: 20, fields: 1, target: 2 };
        let local = Local::new(Epoch::begin());
        let (before, after) = (local.turn(&CONFIG), local.turn(&less));
        let mut client = Client::<false>::new(&before);
        let mut head = b"POST /long HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n".to_vec();
        client.conn.receive(&mut head, &mut client.script, &before);
        client.turn = &after;
        let (sent, _) = client.play([b"abc".as_slice()].into_iter(), Cuts(1));
        assert!(sent.starts_with("HTTP/1.1 "), "{sent:?}");
    }

    /// Would it be with each byte, a head would cost its square.
    #[test]
    fn a_head_that_comes_byte_by_byte_is_parsed_once_a_line() {
        let local = Local::new(Epoch::begin());
        let turn = local.turn(&CONFIG);
        let fields = format!("Host: h\r\nA: {}\r\n", "x".repeat(40)) + "B:\r\n".repeat(4).as_str();
        let long = format!("A: {}", "x".repeat(250));
        for (rest, most) in [(fields + "\r\n", 9), (long, 3)] {
            let head = format!("GET /a HTTP/1.1\r\n{rest}");
            let before = PARSES.get();
            let (sent, _) = Client::<false>::new(&turn).play(head.as_bytes().chunks(1), Cuts(1));
            assert_eq!(sent.is_empty(), most == 3, "{sent}");
            let parses = PARSES.get() - before;
            assert!((1..=most).contains(&parses), "{parses} times for {} bytes", head.len());
        }
    }

    /// Whatever stands before and behind a write, it is taken up alone.
    #[test]
    fn writes_do_not_depend_on_cuts() {
        let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
        let delete = "DELETE /ab HTTP/1.1\r\nHost: h\r\n\r\n";
        let put = |target: &str, body: &str| format!("PUT {target} HTTP/1.1\r\nHost: h\r\n{body}");
        let sized = put("/ab", "Content-Length: 3\r\n\r\n630");
        let chunked =
            put("/ab", "Transfer-Encoding: chunked\r\n\r\n1\r\n6\r\n2\r\n30\r\n0\r\n\r\n");
        for request in [
            format!("{get}{delete}{get}"),
            format!("{delete}{delete}{sized}{delete}{get}"),
            format!("{get}{get}{sized}{get}{chunked}{get}"),
            format!("{get}{}{get}", put("/a", "Content-Length: 3\r\n\r\n630")),
            format!("{get}{}", put("/a", "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n630")),
            format!("{}{get}", put("/ab", "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n630")),
            format!("{get}{}{get}", put("/ab", "Content-Length: 101\r\n\r\n")),
            format!("{get}{}{get}", put("/ab", "Transfer-Encoding: chunked\r\n\r\n99\r\n")),
            format!("{get}{}", put("/ab", "\r\n")),
        ] {
            connection(format!("s{request}").as_bytes());
        }
    }

    /// Found by reading, before any fuzzer: what was told apart by how it came.
    #[test]
    fn limits_and_refusals_do_not_depend_on_cuts() {
        let long = "x".repeat(400);
        for request in [
            format!("GET /{long} HTTP/1.1\r\nHost h\r\n\r\n"),
            format!("GET / HTTP/1.1\r\nHost: h\r\nA: {long}\r\nB c\r\n\r\n"),
            format!("\r\nGET / HTTP/1.1\r\nA: {}", &long[..281]),
            "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n".into(),
            "G(T /\x01 HTTP/1.1\r\n\r\n".into(),
            "G(".into(),
            "\nHEAD / HTTP/1.1\r\n\r\n".into(),
        ] {
            connection(format!("s{request}").as_bytes());
            request_head(request.as_bytes());
        }
    }
}
