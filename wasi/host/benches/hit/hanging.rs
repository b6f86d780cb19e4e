//! Hits while every origin hangs: the slowest hundredth of them, with loads in the air that never end
//! and without.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::cases::{Bar, Plan};
use crate::server::Target;

/// Loads in the air: half of what a group may have.
const LOADS: usize = 512;

/// An origin that accepts and never answers. It ends with the bench.
pub(crate) fn origin() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || listener.incoming().flatten().collect::<Vec<_>>());
    Ok(address)
}

/// Prints both, of one connection.
pub(crate) fn measure(ours: &Target, base: &str, plan: &Plan) -> io::Result<()> {
    let rounds = || (0..plan.rounds).map(|_| slowest(ours, plan.sample)).collect();
    let without: io::Result<Vec<f64>> = rounds();
    // They hang for longer than all rounds.
    let _hanging = hang(ours.address, base)?;
    let with: io::Result<Vec<f64>> = rounds();
    let (without, with) = (crate::median(&without?), crate::median(&with?));
    let verdict = Bar::at_most(1.5).of(with / without);
    println!("Hits while {LOADS} loads hang, 1x1/3B: p99 {with:.0} us, without {without:.0} us");
    println!("How many times as long: {:.2} ({verdict})", with / without);
    Ok(())
}

/// Clients that wait for loads.
fn hang(address: SocketAddr, base: &str) -> io::Result<Vec<TcpStream>> {
    let ask = |number| {
        let mut stream = TcpStream::connect(address)?;
        let request = format!("GET {base}{number} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        Ok(stream)
    };
    (0..LOADS).map(ask).collect()
}

/// In microseconds, what one in a hundred hits takes at least.
fn slowest(target: &Target, length: Duration) -> io::Result<f64> {
    let mut stream = TcpStream::connect(target.address)?;
    stream.set_nodelay(true)?;
    let mut answer = vec![0; target.answer.len()];
    let (begin, mut took) = (Instant::now(), Vec::new());
    while begin.elapsed() < length {
        let asked = Instant::now();
        stream.write_all(&target.request)?;
        stream.read_exact(&mut answer)?;
        took.push(asked.elapsed().as_secs_f64() * 1e6);
    }
    if !answer.starts_with(target.prefix) {
        return Err(io::Error::other("a hit is no hit"));
    }
    took.sort_by(f64::total_cmp);
    Ok(took[took.len() * 99 / 100])
}
