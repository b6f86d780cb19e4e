//! A server as a child process, which dies with the bench.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::cores::Cores;

/// First argument of the bench when it becomes the server it was asked to start.
pub(crate) const LEASH: &str = "--leash";

/// A child that is killed when this drops, a panic of the bench included.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Starts `program` on the servers' core, on a leash: see [`leash`].
    pub(crate) fn spawn<A: AsRef<OsStr>>(
        program: impl AsRef<OsStr>,
        arguments: &[A],
        cores: &Cores,
        configure: impl FnOnce(&mut Command) -> &mut Command,
    ) -> io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(LEASH).arg(program).args(arguments);
        configure(&mut command);
        let _pinned = cores.pin_server()?;
        command.spawn().map(Self)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it is gone already, which is what they are for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Becomes the program of `arguments`, which the kernel kills when the bench dies: a killed
/// bench drops nothing, and would leave its servers behind.
pub(crate) fn leash(arguments: &[String]) -> io::Result<()> {
    let Some((program, rest)) = arguments.split_first() else {
        return Err(io::Error::other("no program to start"));
    };
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let error = Command::new(program).args(rest).exec();
    Err(io::Error::other(format!("cannot start {program}: {error}")))
}

/// Two addresses on loopback that were free a moment ago.
pub(crate) fn free_addresses() -> io::Result<[SocketAddr; 2]> {
    // Both are held until both are known: they differ.
    let one = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok([one.local_addr()?, other.local_addr()?])
}
