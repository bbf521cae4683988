//! The real program, started as a user would: its own environment, its own working directory.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub use rustix::process::Signal;

/// The program, built once for each test process.
///
/// # Panics
/// When it does not build.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| built(&["-p", "halcyon", "--bin", "halcyon"]).join("halcyon"))
}

/// A port of this machine that nobody has: for a server that is to come back where it was, or that others have to
/// find. Not one of those that the system gives to whoever connects or asks for any (32,768 and above by default),
/// or it could be taken before it is used.
///
/// # Panics
/// When there is none.
pub fn unused_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(97);
    (0..10_000)
        .map(|_| first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000)
        .filter_map(|offset| u16::try_from(10_000 + offset).ok())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a port is unused")
}

/// An example of one of the crates, built once for each test process together with all others.
///
/// # Panics
/// When they do not build.
pub fn example(name: &str) -> PathBuf {
    static EXAMPLES: OnceLock<PathBuf> = OnceLock::new();
    // As `cargo test --workspace` builds them, so that nothing is left to do behind that.
    let profile = EXAMPLES.get_or_init(|| built(&["--workspace", "--examples"]));
    profile.join("examples").join(name)
}

/// Builds something the way this test was built; answers with the folder it lies in.
fn built(what: &[&str]) -> PathBuf {
    // A test lies in target/PROFILE/deps.
    let test = std::env::current_exe().expect("a test knows where it is");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("a test lies in target/PROFILE/deps")
        .to_path_buf();
    let target = profile.parent().expect("a profile lies in target");
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--quiet"])
        .args(what)
        .arg("--target-dir")
        .arg(target);
    if profile.ends_with("release") {
        build.arg("--release");
    }
    // What cargo tells a test about its package would make build scripts, and all that needs them,
    // run again at every change between this build and that of the tests.
    for (name, _) in std::env::vars_os() {
        let package = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
        ];
        let named = name.to_string_lossy();
        if package.iter().any(|prefix| named.starts_with(prefix)) {
            build.env_remove(&name);
        }
    }
    // Where cargo runs the test now: a target folder may have been copied from another tree.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let package = package.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    build.current_dir(package.join(".."));
    assert!(
        build.status().expect("cargo runs").success(),
        "{what:?} does not build"
    );
    profile
}

/// A command of the program with these variables and no others; a server's dashboard is on any free port
/// unless they say one.
pub fn command<A: AsRef<OsStr>>(arguments: &[A], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).env_clear().stdin(Stdio::null());
    if arguments
        .first()
        .is_some_and(|first| first.as_ref() == "serve")
    {
        // Tests run beside each other, and there is one port 8080.
        command.env("DASHBOARD_PORT", "0");
    }
    command.envs(environment.iter().copied());
    command
}

/// Runs a command to its end.
///
/// # Panics
/// When it cannot be started.
pub fn run<A: AsRef<OsStr>>(arguments: &[A], environment: &[(&str, &str)]) -> Output {
    command(arguments, environment)
        .output()
        .expect("the program starts")
}

/// A running `halcyon serve`, killed when dropped.
pub struct Serving {
    child: Child,
    stderr: Arc<Mutex<String>>,
    address: SocketAddr,
}

impl Serving {
    /// Starts a server with these variables on any free port, and waits until it listens.
    ///
    /// # Panics
    /// When it does not within ten seconds.
    pub fn start(environment: &[(&str, &str)]) -> Self {
        Self::start_with(&[], environment)
    }

    /// The same with more arguments.
    ///
    /// # Panics
    /// When it does not listen within ten seconds.
    pub fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let arguments = [&["serve"], arguments].concat();
        let mut command = command(&arguments, environment);
        if !environment.iter().any(|(name, _)| *name == "HEALTH_PORT") {
            command.env("HEALTH_PORT", "0");
        }
        Self::spawn(&mut command)
    }

    /// Starts a command that becomes a server, and waits until it listens.
    ///
    /// # Panics
    /// When it does not listen within ten seconds.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = capture(child.stderr.take().expect("stderr is a pipe"));
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let said = stderr
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            if let Some(port) = listening_port(&said, "health server on ") {
                return Self {
                    child,
                    stderr,
                    address: (Ipv4Addr::LOCALHOST, port).into(),
                };
            }
            if Instant::now() > deadline
                || child
                    .try_wait()
                    .expect("the child can be waited for")
                    .is_some()
            {
                // Killed here, as nothing that is dropped would do it.
                let _ = child.kill();
                let _ = child.wait();
                panic!("the server does not listen: {said}");
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its dashboard listens.
    ///
    /// # Panics
    /// When it has not said so.
    pub fn dashboard(&self) -> SocketAddr {
        // It says so behind where its health server is.
        let begin = Instant::now();
        let port = loop {
            match listening_port(&self.stderr(), "dashboard on http://") {
                None if begin.elapsed() < Duration::from_secs(10) => {
                    thread::sleep(Duration::from_millis(5));
                }
                port => break port,
            }
        };
        (Ipv4Addr::LOCALHOST, port.expect("it says where")).into()
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal)
            .expect("the process is there");
    }

    /// Waits for its end; None if it does not end in time.
    ///
    /// # Panics
    /// When the process cannot be waited for.
    pub fn wait(&mut self, at_most: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + at_most;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                return Some(status);
            }
            if Instant::now() > deadline {
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listening_port(said: &str, what: &str) -> Option<u16> {
    let address = said.lines().find_map(|line| line.split_once(what))?.1;
    let address = address.split([',', '"', '/']).next()?;
    address.trim().rsplit(':').next()?.parse().ok()
}

fn capture(stderr: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let said = Arc::new(Mutex::new(String::new()));
    let heard = said.clone();
    thread::spawn(move || {
        let mut lines = BufReader::new(stderr);
        let mut line = Vec::new();
        while matches!(lines.read_until(b'\n', &mut line), Ok(1..)) {
            heard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
    said
}
