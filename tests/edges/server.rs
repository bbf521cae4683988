//! A server on a free port of this machine.

use std::io::BufReader;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::http::Head;

/// What answers: false ends the connection.
pub(crate) type Answering = dyn Fn(&Head, &mut BufReader<TcpStream>) -> bool + Send + Sync;

/// Gone when dropped, with all its connections.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    gone: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    open: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn start(answering: Arc<Answering>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            gone: Arc::default(),
            connections: Arc::default(),
            open: Arc::default(),
        };
        let open = Arc::clone(&server.open);
        let (gone, connections) = (Arc::clone(&server.gone), Arc::clone(&server.connections));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if gone.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let Ok(other) = stream.try_clone() else {
                    continue;
                };
                lock(&connections).push(other);
                let answering = Arc::clone(&answering);
                let open = Arc::clone(&open);
                open.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    serve(stream, &*answering);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        server
    }
}

fn serve(stream: TcpStream, answering: &Answering) {
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    while let Some(head) = Head::read(&mut stream) {
        if !answering(&head, &mut stream) {
            break;
        }
    }
    // The list of connections holds it open.
    let _ = stream.get_ref().shutdown(Shutdown::Both);
}

impl Server {
    /// How many connections there are, or have been.
    pub(crate) fn connections(&self) -> usize {
        lock(&self.connections).len()
    }

    /// How many connections nobody has closed yet.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Closes them all, and goes on.
    pub(crate) fn close(&self) {
        for connection in lock(&self.connections).drain(..) {
            // Closed already is as good.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::SeqCst);
        self.close();
        // Wakes the accepting thread, which then lets the port go.
        let _ = TcpStream::connect(self.address);
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the connection and says nothing until the other side gives up.
pub(crate) fn hang(stream: &mut BufReader<TcpStream>) {
    while Head::read(stream).is_some() {}
}
