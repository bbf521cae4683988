//! A thousand edges that ask one control plane, with the code by which real ones ask.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use halcyon::edge::Edge;
use halcyon_core::access::secret_digest;
use halcyon_core::config::EdgeSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::Control;

const EDGES: usize = 1_000;
/// Those of them that begin while nobody answers.
const WITHOUT_A_TABLE: usize = 100;
const REFRESH: Duration = Duration::from_secs(1);

/// What becomes of those who ask.
#[derive(Debug, Default)]
enum State {
    #[default]
    Served,
    /// They hear nothing.
    Waiting(Vec<TcpStream>),
    Refused,
}

/// The way to the control plane, which can be cut, and what has gone over it.
struct Line {
    to: SocketAddr,
    state: Mutex<State>,
    asked: Mutex<Vec<Asked>>,
}

/// One request of an edge, and its answer.
#[derive(Debug, Clone)]
struct Asked {
    /// Which edge, by its token: each is a client of its own, as it is at an address of its own.
    by: String,
    at: Instant,
    status: String,
    /// The table that the edge had, and the one in force: their tags.
    had: Option<String>,
    told: Option<String>,
}

impl Line {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut asking = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let at = Instant::now();
            while asking.try_join_next().is_some() {}
            match &mut *self.state() {
                State::Served => {}
                State::Waiting(all) => {
                    all.push(stream);
                    continue;
                }
                State::Refused => continue,
            }
            let line = self.clone();
            asking.spawn(async move {
                if let Ok(asked) = pass(stream, line.to, at).await {
                    line.asked().push(asked);
                }
            });
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait.
    fn waiting(&self) -> usize {
        match &*self.state() {
            State::Waiting(all) => all.len(),
            State::Served | State::Refused => 0,
        }
    }

    fn asked(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until so many edges have asked, and it went so.
    async fn until(&self, edges: usize, so: impl Fn(&Asked) -> bool) {
        let begin = Instant::now();
        let known = || {
            let asked = self.asked();
            let such = asked.iter().filter(|one| so(one));
            such.map(|one| one.by.clone())
                .collect::<BTreeSet<_>>()
                .len()
        };
        while known() < edges {
            let late = begin.elapsed() > Duration::from_secs(30);
            let others = || {
                let asked = self.asked();
                let others = asked.iter().rev().filter(|one| !so(one));
                others.take(3).cloned().collect::<Vec<_>>()
            };
            assert!(
                !late,
                "{} of {edges} edges; lately: {:?}",
                known(),
                others()
            );
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Passes a request on, and the answer back. Either side closes after one.
async fn pass(mut edge: TcpStream, to: SocketAddr, at: Instant) -> std::io::Result<Asked> {
    let (mut request, mut answer) = (Vec::new(), Vec::new());
    while !request.ends_with(b"\r\n\r\n") {
        if edge.read_buf(&mut request).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let mut control = TcpStream::connect(to).await?;
    control.write_all(&request).await?;
    control.read_to_end(&mut answer).await?;
    edge.write_all(&answer).await?;
    let header = |bytes: &[u8], name: &str| {
        let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
        let value = text.split(&format!("\r\n{name}: ")).nth(1)?.lines().next();
        value.map(str::to_owned)
    };
    Ok(Asked {
        by: header(&request, "authorization").unwrap_or_default(),
        at,
        status: String::from_utf8_lossy(answer.get(9..12).unwrap_or_default()).into_owned(),
        had: header(&request, "if-none-match"),
        told: header(&answer, "etag"),
    })
}

fn secret(number: usize) -> String {
    format!("hlc_edge{number}")
}

/// A control plane with a token for each edge.
fn control() -> Control {
    let control = Control::start();
    let path = control.store.dir().join("tokens.toml");
    let mut tokens = std::fs::read_to_string(&path).unwrap();
    for number in 0..EDGES {
        let digest = secret_digest(&secret(number));
        tokens += &format!(
            "\n[[token]]\nuser = \"edge{number}\"\nrole = \"Edge\"\nsha256 = \"{digest}\"\n"
        );
    }
    // At once: half a file would be another one.
    let new = path.with_extension("new");
    std::fs::write(&new, tokens).unwrap();
    std::fs::rename(new, path).unwrap();
    control
}

/// These edges begin, at once.
fn begin(edges: &mut JoinSet<()>, numbers: std::ops::Range<usize>, table: SocketAddr) {
    for number in numbers {
        let variables = |name: &str| match name {
            "EDGE_TABLE" => Some(format!("http://{table}/api/v1/table")),
            "TABLE_TOKEN" => Some(secret(number)),
            "TABLE_REFRESH_MS" => Some(REFRESH.as_millis().to_string()),
            // Longer than they are kept waiting.
            "TABLE_TIMEOUT_MS" => Some("20000".to_owned()),
            "EDGE_TELEMETRY" => Some("off".to_owned()),
            _ => None,
        };
        let (settings, problems) = EdgeSettings::read(&variables);
        assert!(problems.errors.is_empty(), "{problems:?}");
        let (_, bringer) = Edge::new(settings, None).unwrap();
        edges.spawn(bringer.run(std::future::pending()));
    }
}

/// Edges that have a table, and some that have none, find the control plane again; what they ask from then on.
async fn comes_back(line: &Arc<Line>) -> (Instant, Vec<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(line.clone().serve(listener));
    begin(&mut tasks, 0..EDGES - WITHOUT_A_TABLE, at);
    let all_but_those = EDGES - WITHOUT_A_TABLE;
    // What has been sent to an edge is not what it has: it comes again with that.
    line.until(all_but_those, |one| one.had.is_some()).await;
    // It hangs until all of them wait for it, and ends: nothing but jitter keeps them from asking in step now.
    *line.state() = State::Waiting(Vec::new());
    begin(&mut tasks, EDGES - WITHOUT_A_TABLE..EDGES, at);
    let hung = Instant::now();
    while line.waiting() < EDGES {
        let late = hung.elapsed() > REFRESH * 15;
        assert!(!late, "{} of {EDGES} edges wait", line.waiting());
        sleep(Duration::from_millis(10)).await;
    }
    *line.state() = State::Refused;
    // They drift apart by a ninth of the interval in one, and by nearly three times that in eight.
    sleep(REFRESH * 7).await;
    // What was under way when it was cut has come to its end.
    line.asked().clear();
    *line.state() = State::Served;
    let back = Instant::now();
    line.until(EDGES, |one| one.had.is_some()).await;
    sleep((REFRESH * 2).saturating_sub(back.elapsed())).await;
    let asked = line.asked().clone();
    (back, asked)
}

#[test]
fn a_thousand_edges_that_come_back_are_spread_by_jitter_and_only_those_without_the_table_get_it() {
    halcyon::net::server::raise_file_limit();
    let control = control();
    let line = Arc::new(Line {
        to: control.address(),
        state: Mutex::default(),
        asked: Mutex::default(),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (back, asked) = runtime.block_on(comes_back(&line));
    // A machine that stands still for a moment bunches what comes meanwhile: one of two intervals is enough.
    let mut intervals = [[0; 10]; 2];
    for one in &asked {
        let tenth = (one.at - back).as_millis() / (REFRESH.as_millis() / 10);
        if let Some(count) = intervals.as_flattened_mut().get_mut(tenth as usize) {
            *count += 1;
        }
    }
    let busiest = intervals.iter().filter_map(|tenths| tenths.iter().max());
    let (mean, most) = (EDGES / 10, *busiest.min().unwrap());
    assert!(most <= 2 * mean, "requests in tenths: {intervals:?}");
    let got = asked.iter().filter(|one| one.status == "200");
    let got: BTreeSet<_> = got.map(|one| one.by.as_str()).collect();
    assert_eq!(got.len(), WITHOUT_A_TABLE, "edges that got the table");
    let in_force = asked[0].told.clone();
    let mut last = BTreeMap::new();
    for one in &asked {
        let wanted = match &one.had {
            None => "200",
            Some(_) => "304",
        };
        assert_eq!(one.status, wanted, "{one:?}");
        last.insert(one.by.as_str(), &one.had);
    }
    assert_eq!(last.len(), EDGES);
    let stale = last.into_iter().find(|(_, had)| **had != in_force);
    assert_eq!(stale, None, "all hold {in_force:?}");
}
