//! One plugin of Envoy's configuration, in one of its threads.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use halcyon_core::config::FilterSettings;
use halcyon_core::time::Timestamp;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{ContextType, LogLevel};

use crate::attempt::Attempt;
use crate::request::Request;
use crate::tables::Tables;
use crate::telemetry::Telemetry;

/// The `root_id` of a filter in front of a cluster; any other one stands before the router.
const OF_A_CLUSTER: &str = "cluster";

/// What it is, once it is configured.
#[derive(Default)]
pub(crate) enum Plugin {
    /// Nothing yet.
    #[default]
    New,
    /// In front of a cluster.
    OfACluster,
    /// Before the router.
    Edge {
        tables: Rc<RefCell<Tables>>,
        refused: Rc<Refused>,
        /// `None` where nothing is told, and nothing counted.
        telemetry: Option<Rc<RefCell<Telemetry>>>,
    },
}

/// How many requests the filter has answered itself, as metrics of Envoy.
pub(crate) struct Refused(Option<u32>);

impl Refused {
    pub(crate) fn count(&self) {
        if let Some(metric) = self.0 {
            let _ = hostcalls::increment_metric(metric, 1);
        }
    }
}

impl Context for Plugin {
    fn on_http_call_response(&mut self, token: u32, headers: usize, length: usize, _: usize) {
        let Plugin::Edge {
            tables, telemetry, ..
        } = &*self
        else {
            return;
        };
        // Without a single header the call has failed.
        let head = match headers {
            0 => Vec::new(),
            _ => self.get_http_call_response_headers_bytes(),
        };
        tables.borrow_mut().answered(token, &head, length, now());
        if let Some(telemetry) = telemetry {
            telemetry.borrow_mut().answered(token, &head, length);
        }
    }
}

impl RootContext for Plugin {
    fn on_configure(&mut self, _: usize) -> bool {
        if property(&["plugin_root_id"]).as_deref() == Some(OF_A_CLUSTER.as_bytes()) {
            *self = Plugin::OfACluster;
            return true;
        }
        let given = self.get_plugin_configuration().unwrap_or_default();
        let problems = match configured(&given) {
            Ok((plugin, tick)) => {
                *self = plugin;
                self.set_tick_period(tick);
                return true;
            }
            Err(problems) => problems,
        };
        for problem in problems {
            log(LogLevel::Critical, &problem);
        }
        false
    }

    fn on_tick(&mut self) {
        let Plugin::Edge {
            tables, telemetry, ..
        } = self
        else {
            return;
        };
        tables.borrow_mut().look(now());
        if let Some(telemetry) = telemetry {
            telemetry.borrow_mut().tell(tables.borrow().held());
        }
    }

    fn create_http_context(&self, number: u32) -> Option<Box<dyn HttpContext>> {
        match self {
            Plugin::New => None,
            Plugin::OfACluster => Some(Box::new(Attempt::default())),
            Plugin::Edge {
                tables,
                refused,
                telemetry,
            } => {
                let (tables, refused) = (tables.clone(), refused.clone());
                let request = Request::new(number, tables, refused, telemetry.clone());
                Some(Box::new(request))
            }
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// The plugin before the router, and how often it looks for a table.
fn configured(given: &[u8]) -> Result<(Plugin, Duration), Vec<String>> {
    let text = std::str::from_utf8(given);
    let text = text.map_err(|_| vec!["the configuration is no UTF-8".to_owned()])?;
    let settings = FilterSettings::from_json(text)?;
    let (telemetry, telemetry_ms) = (Telemetry::new(&settings), settings.telemetry_ms);
    let tables = Tables::new(settings, now())?;
    let tick = match telemetry {
        Some(_) => tables.tick().min(tick_of(telemetry_ms)),
        None => tables.tick(),
    };
    let refused = hostcalls::define_metric(
        proxy_wasm::types::MetricType::Counter,
        "halcyon_edge_refused_total",
    );
    let plugin = Plugin::Edge {
        tables: Rc::new(RefCell::new(tables)),
        refused: Rc::new(Refused(refused.ok())),
        telemetry: telemetry.map(|telemetry| Rc::new(RefCell::new(telemetry))),
    };
    Ok((plugin, tick))
}

/// How often to look whether what is due so often is due.
pub(crate) fn tick_of(interval_ms: u64) -> Duration {
    Duration::from_millis(interval_ms.div_euclid(4).max(25))
}

/// A line in Envoy's log, which is printable ASCII already.
pub(crate) fn log(level: LogLevel, line: &str) {
    // Nobody to say it to.
    let _ = hostcalls::log(level, &format!("halcyon: {line}"));
}

/// What Envoy calls an attribute.
pub(crate) fn property(path: &[&str]) -> Option<Vec<u8>> {
    hostcalls::get_property(path.to_vec()).ok().flatten()
}

/// Envoy's clock.
pub(crate) fn now() -> Timestamp {
    let now = hostcalls::get_current_time().unwrap_or(SystemTime::UNIX_EPOCH);
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
