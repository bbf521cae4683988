//! A server that takes what edges have counted, or does not; and has a table beside it.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use halcyon_core::document::Document;
use halcyon_core::telemetry::{Batch, Report};
use serde_json::Value;

use crate::http::Head;
use crate::server::{Answering, Server, hang, lock};

/// What it answers to a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// 204.
    Take,
    Status(u16),
    /// Takes it and says nothing.
    Hang,
    /// Takes it and closes without a word.
    Close,
}

pub(super) struct Reports {
    shared: Arc<Shared>,
    server: Server,
}

struct Shared {
    mode: Mutex<Mode>,
    table: Value,
    /// Every report: its head, its body, and how it was answered.
    seen: Mutex<Vec<(Head, String, Mode)>>,
    now: AtomicUsize,
    most: AtomicUsize,
}

/// Requests and errors by region, slot and cohort.
pub(super) type Cells = BTreeMap<(String, &'static str, Option<u8>), (u64, u64)>;

impl Reports {
    pub(super) fn start(mode: Mode, table: Value) -> Self {
        let shared = Arc::new(Shared {
            mode: Mutex::new(mode),
            table,
            seen: Mutex::default(),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        let server = Server::start(answering(&shared));
        Self { shared, server }
    }

    /// What takes reports, for another server.
    pub(super) fn answering(&self) -> Arc<Answering> {
        answering(&self.shared)
    }

    pub(super) fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    /// Answers otherwise from now on.
    pub(super) fn mode(&self, mode: Mode) {
        *lock(&self.shared.mode) = mode;
    }

    /// Every report so far, whatever was answered.
    pub(super) fn seen(&self) -> Vec<(Head, String, Mode)> {
        lock(&self.shared.seen).clone()
    }

    /// How many reports were open at once, at most.
    pub(super) fn most_at_once(&self) -> usize {
        self.shared.most.load(Ordering::SeqCst)
    }

    /// The batches of the reports that were answered like that, as a control plane reads them.
    pub(super) fn batches(&self, answered: Mode) -> Vec<(String, Batch)> {
        let seen = self.seen().into_iter();
        let reports = seen.filter(|(_, _, mode)| *mode == answered);
        let reports = reports.map(|(_, body, _)| {
            let report = Report::from_document(&Document::from_json(&body).unwrap());
            report.unwrap_or_else(|why| panic!("{why:?}: {body}"))
        });
        let batches = reports.flat_map(|report| {
            let edge = report.edge;
            let batches = report.batches.into_iter();
            batches.map(move |batch| (edge.clone(), batch))
        });
        batches.collect()
    }

    /// What was taken, all together.
    pub(super) fn taken(&self) -> Cells {
        let mut all = Cells::new();
        for (_, batch) in self.batches(Mode::Take) {
            // Some say only that something waits.
            let counted = batch.cells.into_iter();
            for cell in counted.filter(|cell| cell.tally.requests > 0) {
                let name = (cell.region, cell.slot.name(), cell.cohort);
                let (requests, errors) = all.entry(name).or_default();
                *requests += cell.tally.requests;
                *errors += cell.tally.errors;
            }
        }
        all
    }

    /// Of how many requests it was told that their clients had left soon.
    pub(super) fn left(&self) -> u64 {
        let batches = self.batches(Mode::Take).into_iter();
        let cells = batches.flat_map(|(_, batch)| batch.cells);
        cells.map(|cell| cell.tally.left).sum()
    }
}

fn answering(shared: &Arc<Shared>) -> Arc<Answering> {
    let shared = Arc::clone(shared);
    Arc::new(move |head, stream| answer(&shared, head, stream).unwrap_or(false))
}

fn answer(
    shared: &Shared,
    head: &Head,
    stream: &mut BufReader<TcpStream>,
) -> std::io::Result<bool> {
    if head.start.starts_with("GET ") {
        let body = shared.table.to_string();
        let length = body.len();
        let to = stream.get_mut();
        write!(
            to,
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}"
        )?;
        return Ok(true);
    }
    let now = shared.now.fetch_add(1, Ordering::SeqCst) + 1;
    shared.most.fetch_max(now, Ordering::SeqCst);
    let mut body = Vec::new();
    head.request_body(stream, |part| body.extend_from_slice(part))?;
    let mode = *lock(&shared.mode);
    let body = String::from_utf8_lossy(&body).into_owned();
    lock(&shared.seen).push((head.clone(), body, mode));
    let goes_on = match mode {
        Mode::Take => write!(stream.get_mut(), "HTTP/1.1 204 No Content\r\n\r\n").is_ok(),
        Mode::Status(status) => {
            let line = format!("HTTP/1.1 {status} Said\r\ncontent-length: 2\r\n\r\n{{}}");
            stream.get_mut().write_all(line.as_bytes()).is_ok()
        }
        Mode::Hang => {
            hang(stream);
            false
        }
        Mode::Close => false,
    };
    shared.now.fetch_sub(1, Ordering::SeqCst);
    Ok(goes_on)
}
