//! What JavaScript calls. Text goes in and out as strings, everything else as numbers and bytes; the rest
//! is in `js/`. Comments of what is exported are `//`: `///` would be part of the package.
#![allow(missing_docs, unreachable_pub)]

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use halcyon_core::config::Environment;
use halcyon_core::document::Document;
use halcyon_core::regions;
use halcyon_core::time::Timestamp;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::router::{Failure, Routing};

/// Ids up to this many bytes go through a router's own buffer.
const BUFFER: usize = 1024;

#[wasm_bindgen]
extern "C" {
    /// `{ variable(name) }`: the variables.
    pub type Variables;

    #[wasm_bindgen(method, structural)]
    fn variable(this: &Variables, name: &str) -> Option<String>;
}

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<String> {
        Variables::variable(self, name)
    }
}

/// A moment as `Date.now()` has it.
// From a float on, `as` is what saturates; no number is 0.
#[allow(clippy::as_conversions)]
pub(crate) fn moment(now: f64) -> Timestamp {
    Timestamp(now as u64)
}

pub(crate) fn document(value: &[u8]) -> Result<Document, Failure> {
    let found = crate::value::read(value);
    found.ok_or_else(|| {
        Failure::new(
            "bad_table",
            "the table is no value of JSON; allowed: an object, at most 127 deep",
        )
    })
}

// A router, and a buffer through which ids come to it.
#[wasm_bindgen]
pub struct Core {
    pub(crate) routing: Routing,
    buffer: Box<[u8]>,
    answers: Vec<u32>,
}

impl Core {
    fn of(routing: Routing) -> Self {
        Self {
            routing,
            buffer: alloc::vec![0; BUFFER].into_boxed_slice(),
            answers: Vec::new(),
        }
    }
}

#[wasm_bindgen]
impl Core {
    // Over a table, as bytes of a value.
    #[wasm_bindgen(js_name = ofTable)]
    pub fn of_table(value: &[u8], now: f64) -> Result<Core, String> {
        let routing =
            document(value).and_then(|document| Routing::of_table(&document, moment(now)));
        routing.map(Self::of).map_err(|why| why.lines())
    }

    // Over variables.
    #[wasm_bindgen(js_name = ofVariables)]
    pub fn of_variables(variables: &Variables) -> Result<Core, String> {
        let routing = Routing::of_variables(variables);
        routing.map(Self::of).map_err(|why| why.lines())
    }

    // Takes another table; answers why not.
    pub fn update(&mut self, value: &[u8], now: f64) -> Option<String> {
        let document = document(value);
        let taken = document.and_then(|document| self.routing.update(&document, moment(now)));
        taken.err().map(|why| why.lines())
    }

    // The same with another status of a region.
    #[wasm_bindgen(js_name = withHealth)]
    pub fn with_health(&self, region: &str, status: &str) -> Result<Core, String> {
        let routing = self.routing.with_health(region, status);
        routing.map(Self::of).map_err(|why| why.lines())
    }

    // Its regions, a line each.
    pub fn regions(&self) -> String {
        self.routing.regions()
    }

    // Until when answers hold.
    #[wasm_bindgen(js_name = validUntil)]
    pub fn valid_until(&self) -> f64 {
        match self.routing.valid_until() {
            // Exact: a table has no later moment.
            Some(until) => f64_of(until.0),
            None => f64::INFINITY,
        }
    }

    // How many bits of an answer a region's place takes.
    pub fn bits(&self) -> u32 {
        self.routing.bits()
    }

    // Where the buffer is.
    pub fn buffer(&self) -> *const u8 {
        self.buffer.as_ptr()
    }

    // Where the tenant in the first `length` bytes of the buffer goes.
    pub fn route(&self, length: usize, now: f64) -> u32 {
        let tenant = self.buffer.get(..length).unwrap_or_default();
        self.routing.packed(tenant, moment(now))
    }

    // The same for an id of any length.
    #[wasm_bindgen(js_name = routeText)]
    pub fn route_text(&self, tenant: &str, now: f64) -> u32 {
        self.routing.packed(tenant.as_bytes(), moment(now))
    }

    // The same for `count` ids with a line feed between them: where the answers are, or 0 where one of them
    // has a line feed itself.
    #[wasm_bindgen(js_name = routeMany)]
    pub fn route_many(&mut self, tenants: &str, count: usize, now: f64) -> *const u32 {
        self.answers.clear();
        let now = moment(now);
        for tenant in tenants.as_bytes().split(|byte| *byte == b'\n') {
            self.answers.push(self.routing.packed(tenant, now));
        }
        match self.answers.len() == count {
            true => self.answers.as_ptr(),
            false => core::ptr::null(),
        }
    }

    // The region a tenant belongs to, whatever the regions' health.
    pub fn preferred(&self, tenant: &str) -> Result<String, String> {
        let region = self.routing.preferred(tenant);
        region.map_err(|why| why.lines())
    }

    // The epoch of its table; 0 without one.
    pub fn epoch(&self) -> f64 {
        self.routing.epoch().map_or(0.0, f64_of)
    }

    // What is wrong where an answer says so.
    pub fn failure(&self, tenant: &str, now: f64) -> String {
        self.routing.failure(tenant, moment(now)).lines()
    }
}

// Below 2^53 for every moment of a table.
#[allow(clippy::as_conversions)]
fn f64_of(number: u64) -> f64 {
    number as f64
}

// The active regions, a line each.
#[wasm_bindgen(js_name = activeRegions)]
pub fn active_regions(variables: &Variables) -> Result<String, String> {
    let regions = regions::active_regions(variables).map_err(|why| Failure::from(why).lines())?;
    let names: Vec<&str> = regions.iter().map(|name| name.as_str()).collect();
    Ok(names.join("\n"))
}

// The region a tenant belongs to.
#[wasm_bindgen(js_name = preferredRegion)]
pub fn preferred_region(variables: &Variables, tenant: &str) -> Result<String, String> {
    let region = regions::preferred_region(variables, tenant);
    let region = region.map_err(|why| Failure::from(why).lines())?;
    Ok(region.as_str().to_string())
}

// The region after one.
#[wasm_bindgen(js_name = nextFailover)]
pub fn next_failover(variables: &Variables, current: &str) -> Result<String, String> {
    match regions::next_failover(variables, current) {
        Ok(region) => Ok(region.as_str().to_string()),
        Err(regions::FailoverError::Config(why)) => Err(Failure::from(why).lines()),
        Err(why) => Err(Failure::new("no_failover", why).lines()),
    }
}

// The report on the variables: a line each, its first letter says of what: `r`egion, `p`rimary, `f`ailover
// policy, `e`rror, `w`arning.
#[wasm_bindgen(js_name = validateRegionConfig)]
pub fn validate_region_config(variables: &Variables) -> String {
    let report = regions::validate_region_config(variables);
    let mut lines = Vec::from([format!("f{}", report.policy.name())]);
    lines.extend(report.regions.iter().map(|name| format!("r{name}")));
    lines.extend(report.primary.iter().map(|name| format!("p{name}")));
    lines.extend(report.errors.iter().map(|error| format!("e{error}")));
    lines.extend(report.warnings.iter().map(|warning| format!("w{warning}")));
    lines.join("\n")
}

// What to say of a value that should be text and is of another kind.
#[wasm_bindgen(js_name = noText)]
pub fn no_text(kind: &str) -> String {
    Failure::new(
        "bad_tenant",
        format!("this is no text but {kind}; allowed: text"),
    )
    .lines()
}

// What to say of a table that could not be parsed.
#[wasm_bindgen(js_name = noJson)]
pub fn no_json(why: &str) -> String {
    let why: String = halcyon_core::text::printable(why)
        .chars()
        .take(200)
        .collect();
    Failure::new("bad_table", format!("the table is no JSON: {why}")).lines()
}
