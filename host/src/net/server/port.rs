//! Ports: one that a server has to itself, and one that two share while the one takes over from the other.

use std::io;
use std::net::SocketAddr;

use socket2::{SockFilter, SockRef};
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

/// Lets nobody begin to connect to `listener` any more, while whoever has begun still comes in; `false` where
/// the port is not shared, or the system cannot do that.
///
/// A SYN is then dropped rather than refused: its sender repeats it after a second (RFC 6298, section 2), and
/// by then the listener should be closed, so that it reaches another one of the same port. Linux would reset
/// every handshake that is under way when one of several listeners closes.
pub(super) fn turn_away(listener: &TcpListener) -> bool {
    let listener = SockRef::from(listener);
    listener.reuse_port().unwrap_or(false) && listener.attach_filter(&BEGUN_ONLY).is_ok()
}

/// Drops what has SYN without ACK among a TCP header's flags (RFC 9293, section 3.1). It is the classic BPF of
/// `SO_ATTACH_FILTER` in socket(7), which sees a segment from its TCP header on.
const BEGUN_ONLY: [SockFilter; 5] = {
    const LOAD_BYTE_AT: u16 = 0x30;
    const AND: u16 = 0x54;
    const IS_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    [
        SockFilter::new(LOAD_BYTE_AT, 0, 0, FLAGS),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(IS_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ]
};

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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::task::JoinSet;
    use tokio::time::{Duration, timeout};

    use super::*;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    #[tokio::test]
    async fn whoever_comes_while_a_shared_listener_leaves_waits_for_the_other_one() {
        let first = SharedPort::bind(ANY).unwrap();
        let at = first.local_addr().unwrap();
        let second = SharedPort::bind(at).unwrap().listen().unwrap();
        let first = first.listen().unwrap();
        assert!(turn_away(&first));
        let mut clients = JoinSet::new();
        for _ in 0..64 {
            clients.spawn(async move {
                let mut client = TcpStream::connect(at).await?;
                client.read_u8().await
            });
        }
        // Half of them are the first one's by the system's choice.
        let none = timeout(Duration::from_millis(100), first.accept()).await;
        assert!(none.is_err(), "it has let somebody in");
        drop(first);
        for _ in 0..64 {
            let waits = timeout(Duration::from_secs(10), second.accept()).await;
            let (mut client, _) = waits.expect("a client comes again").unwrap();
            client.write_u8(7).await.unwrap();
        }
        for told in clients.join_all().await {
            assert_eq!(told.unwrap(), 7);
        }
    }

    #[tokio::test]
    async fn a_listener_that_shares_nothing_turns_nobody_away() {
        let listener = listen(ANY).unwrap();
        assert!(!turn_away(&listener));
        let at = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(at), listener.accept());
        assert!(client.is_ok() && accepted.is_ok());
    }
}
