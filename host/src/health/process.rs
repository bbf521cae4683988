//! The process's own metrics, under the names that dashboards know.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Reads the process's state at every scrape. What the system does not tell is left out.
#[derive(Debug)]
pub(super) struct ProcessMetrics;

impl Collector for ProcessMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let mut write = |name: &str, help: &str, metric: &dyn EncodeMetric| {
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let cpu = ConstCounter::new(cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9);
        write("process_cpu_seconds", "User and system time spent.", &cpu)?;
        if let Some(start) = start_time() {
            write(
                "process_start_time_seconds",
                "Start of the process, Unix time.",
                &ConstGauge::new(start),
            )?;
        }
        if let Some(bytes) = resident_bytes() {
            write(
                "process_resident_memory_bytes",
                "Memory in use.",
                &ConstGauge::new(bytes),
            )?;
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            // One of them is the directory being read.
            let open = i64::try_from(files.count()).unwrap_or(i64::MAX) - 1;
            write(
                "process_open_fds",
                "Open file descriptors.",
                &ConstGauge::new(open),
            )?;
        }
        if let Some(most) = getrlimit(Resource::Nofile).current {
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            write(
                "process_max_fds",
                "Most file descriptors that may be open.",
                &ConstGauge::new(most),
            )?;
        }
        Ok(())
    }
}

/// Now, less how long the process has been running.
fn start_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name, which may hold blanks and brackets; the 22nd is the start.
    let ticks: f64 = stat
        .rsplit(')')
        .next()?
        .split_ascii_whitespace()
        .nth(19)?
        .parse()
        .ok()?;
    let boot = clock_gettime(ClockId::Boottime);
    let running =
        boot.tv_sec as f64 + boot.tv_nsec as f64 / 1e9 - ticks / clock_ticks_per_second() as f64;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(now.as_secs_f64() - running)
}

fn resident_bytes() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}
