//! An origin that answers when it is told to, or not at all; and who asks for its keys.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::cores::Cores;
use crate::fault::{Plan, Told};
use crate::peer::{Peer, request, request_of};
use crate::site::Site;

/// A group whose keys it has. `{held}` stands for its address.
pub(crate) const TABLE: &str = "[origins.held]\nkind = \"http\"\nurl = \"http://{held}/\"\n\
    [groups.held]\norigin = \"held\"\nbudget = \"1 MiB\"\n[deadlines]\nload = \"3s\"\n";
const DEADLINE: Duration = Duration::from_secs(3);
/// No load is given up earlier before its deadline, or later after it.
const EARLY: Duration = Duration::from_millis(50);
const LATE: Duration = Duration::from_millis(500);
/// All who wait for one load have its value so soon after it has come.
const TOLD_WITHIN: Duration = Duration::from_secs(1);
/// The same where few connections wait for much: of those that wait, and not of their sockets.
const WAITERS_TOLD_WITHIN: Duration = Duration::from_millis(20);
/// Requests that wait on each of these.
const AT_ONCE: usize = 125;
const PATIENCE: Duration = Duration::from_secs(10);

/// The connections that the server has opened to it.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<TcpStream>>>,
}

impl Held {
    pub(crate) fn start(cores: &Cores) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let held = Self { address: listener.local_addr()?, asked: Arc::default() };
        let (asked, cores) = (held.clone(), cores.clone());
        // It ends with the bench.
        thread::spawn(move || {
            let _pinned = cores.pin_client();
            listener.incoming().flatten().for_each(|stream| asked.lock().push(stream));
        });
        Ok(held)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<TcpStream>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the requests that there are; says how many.
    fn answer(&self) -> io::Result<usize> {
        let asked = std::mem::take(&mut *self.lock());
        for mut stream in &asked {
            stream.set_read_timeout(Some(PATIENCE))?;
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte)?;
                head.push(byte[0]);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n630")?;
        }
        Ok(asked.len())
    }
}

/// So many ask for a key that is loaded just then.
pub(crate) fn herd(site: &Site, plan: &Plan) -> io::Result<Told> {
    let mut told = Told::default();
    site.set_prelude(true);
    let mut peers = Vec::with_capacity(plan.herd);
    for _ in 0..plan.herd {
        let mut peer = site.connect()?;
        if plan.is_secure {
            // The handshake, as long as it may wait.
            peer.get("hot")?;
        }
        peers.push(peer);
    }
    site.set_prelude(false);
    // Each round asks for another key.
    let key = format!("cold-{}", site.next());
    let request = request_of("held", &key);
    peers.iter_mut().try_for_each(|peer| peer.send(&request))?;
    thread::sleep(DEADLINE / 6);
    let begin = Instant::now();
    let loads = site.held.answer()?;
    for peer in &mut peers {
        let answer = peer.answer()?;
        if (answer.status, &*answer.body) != (200, b"630") {
            return Err(io::Error::other(format!("{} for one of the herd", answer.status)));
        }
    }
    let took = begin.elapsed();
    told.judge(loads == 1, format!("{loads} load for {}", peers.len()), "one");
    let what = format!("all of them had the value {} ms after it came", took.as_millis());
    told.judge(took <= TOLD_WITHIN, what, format!("within {TOLD_WITHIN:?}"));
    // That ten thousand go at once is another fault too.
    site.set_prelude(true);
    Ok(told)
}

/// As many requests for a key that is loaded just then, on few connections.
pub(crate) fn waiters(site: &Site, plan: &Plan) -> io::Result<Told> {
    let mut told = Told::default();
    let key = format!("cold-{}", site.next());
    let requests = [request("hot"), request_of("held", &key).repeat(AT_ONCE)].concat();
    let mut peers = Vec::new();
    for _ in 0..plan.herd / AT_ONCE {
        let mut peer = site.connect()?;
        peer.send(&requests)?;
        // What stands behind it was read with it.
        peer.answer()?;
        peers.push(peer);
    }
    thread::sleep(DEADLINE / 6);
    let begin = Instant::now();
    let loads = site.held.answer()?;
    peers.iter_mut().try_for_each(take_values)?;
    let took = begin.elapsed();
    let waiters = peers.len() * AT_ONCE;
    told.judge(loads == 1, format!("{loads} load for {waiters}"), "one");
    let took_ms = took.as_secs_f64() * 1e3;
    let what = format!("all of them had the value {took_ms:.1} ms after it came");
    told.judge(took <= WAITERS_TOLD_WITHIN, what, format!("within {WAITERS_TOLD_WITHIN:?}"));
    Ok(told)
}

/// Reads as many answers as were asked for at once.
fn take_values(peer: &mut Peer) -> io::Result<()> {
    const END: &[u8] = b"\r\n\r\n630";
    let (mut came, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        match peer.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => came.extend_from_slice(&buffer[..count]),
        }
        let ends = |bytes: &[u8]| bytes.windows(END.len()).filter(|it| *it == END).count();
        if came.ends_with(END) && ends(&came) == AT_ONCE {
            return Ok(());
        }
    }
}

/// Each asks for another key, and the origin never answers.
pub(crate) fn hung(site: &Site, plan: &Plan) -> io::Result<Told> {
    let mut told = Told::default();
    let mut peers = Vec::with_capacity(plan.hung);
    for _ in 0..plan.hung {
        let mut peer = site.connect()?;
        let since = Instant::now();
        peer.send(&request_of("held", &format!("hung-{}", site.next())))?;
        peers.push((peer, since));
    }
    let (mut first, mut last, mut late) = (Duration::MAX, Duration::ZERO, 0);
    for (peer, since) in &mut peers {
        late += usize::from(peer.answer()?.status == 504);
        first = first.min(since.elapsed());
        last = last.max(since.elapsed());
    }
    site.held.lock().clear();
    let in_time = late == plan.hung && first + EARLY >= DEADLINE && last <= DEADLINE + LATE;
    let (first, last) = (first.as_secs_f64(), last.as_secs_f64());
    let what = format!("{late} of {} got 504, after {first:.2} to {last:.2} s", plan.hung);
    told.judge(in_time, what, format!("all, after {DEADLINE:?} to {:?}", DEADLINE + LATE));
    Ok(told)
}
