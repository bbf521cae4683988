//! Halcyon in other people's programs: the examples, started as their users would.

mod axum_app;
mod deployer;
mod proxy;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// An example that serves, killed when dropped.
struct Program {
    child: Child,
    address: SocketAddr,
}

impl Program {
    /// Starts it and waits until it says where it listens.
    fn start(example: &str, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(halcyon_tests::process::example(example))
            .env_clear()
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut said).unwrap();
        let address = said
            .trim_end()
            .strip_prefix("listening on ")
            .and_then(|said| said.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            panic!("{example} does not listen: {said:?}, {:?}", child.wait());
        };
        Self { child, address }
    }

    /// The status and the body of an answer.
    fn ask(&self, method: &str, path: &str, fields: &str) -> (u16, String) {
        let (status, _, body) = ask(self.address, method, path, fields);
        (status, body)
    }

    fn terminate(&self) {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    }

    /// Waits for its end.
    fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status, head and body of an answer.
fn ask(address: SocketAddr, method: &str, path: &str, fields: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: shop\r\n{fields}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    (
        status.unwrap_or_else(|| panic!("{answer:?}")),
        head.to_owned(),
        body.to_owned(),
    )
}
