//! Ports: one that a server has to itself, and one that two share while the one takes over from the other.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Connections that the system keeps for a server until it accepts them.
pub(super) const BACKLOG: u32 = 4096;

/// Bytes of answers that the system holds for a client, which it doubles for its own needs. It says that a
/// client has taken something when about a third of that is free.
const SEND_BUFFER: u32 = 64 * 1024;

/// Binds a listener; port 0 takes any free one.
///
/// # Errors
/// When the address is in use or not this machine's. Must be called within a tokio runtime.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A port that other processes of the same user may listen on too, where they ask for that as well. The
/// system spreads new connections over all who listen; this one does not yet.
pub struct SharedPort {
    socket: TcpSocket,
    taken: bool,
}

impl SharedPort {
    /// Binds it; port 0 takes any free one.
    ///
    /// # Errors
    /// When somebody has it to himself, or another user shares it, or the address is not this machine's. Must
    /// be called within a tokio runtime.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        // Whoever asks for it alone hears whether it is taken.
        let alone = socket(address)?.bind(address);
        let taken = alone.is_err_and(|why| why.kind() == io::ErrorKind::AddrInUse);
        let socket = socket(address)?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        Ok(Self { socket, taken })
    }

    /// Whether somebody listened there already.
    pub fn taken(&self) -> bool {
        self.taken
    }

    /// Its address.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Begins to listen.
    ///
    /// # Errors
    /// When somebody has taken it alone meanwhile.
    pub fn listen(self) -> io::Result<TcpListener> {
        self.socket.listen(BACKLOG)
    }
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A restart must not wait for the connections of the process before to be forgotten.
    socket.set_reuseaddr(true)?;
    // Connections have it from the listener. With the system's megabytes, a client that takes its answers
    // slowly would look like one that takes nothing, and many that take nothing would fill the memory.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    Ok(socket)
}
