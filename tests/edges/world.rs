//! Three regions of two pools, a server of tables, and an edge before them.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use halcyon_core::hash::TenantId;
use halcyon_core::table::Table;
use halcyon_core::time::Timestamp;
use serde_json::{Value, json};

use crate::edge::{Edge, Runtime};
use crate::http::Answer;
use crate::tables::{Mode, Tables};
use crate::upstream::Upstream;

pub(crate) const REGIONS: [&str; 3] = ["us-east", "us-west", "eu-west"];

/// No request may take as long where nothing it needs is slow: half of what one takes that waits for a table
/// which never comes, where [`PATIENT`] is set.
pub(crate) const FAST: Duration = Duration::from_millis(2000);

/// A table is waited for twice as long as any request may take.
pub(crate) const PATIENT: (&str, &str) = ("TABLE_TIMEOUT_MS", "4000");

/// The epoch that the world begins with.
pub(crate) const EPOCH: u64 = 1_000;

pub(crate) struct World {
    pub(crate) upstreams: BTreeMap<(String, String), Upstream>,
    pub(crate) tables: Tables,
    /// The table it begins with.
    pub(crate) table: Value,
    pub(crate) edge: Edge,
}

/// Region, slot and reason, as an answer's headers have them.
pub(crate) type Place = (String, String, String);

impl World {
    /// With the usual table, fetched and taken.
    pub(crate) fn start(runtime: Runtime) -> Option<Self> {
        Self::with(runtime, &[], |_| ())
    }

    /// With other variables and another table, fetched and taken.
    pub(crate) fn with(
        runtime: Runtime,
        variables: &[(&str, &str)],
        change: impl Fn(&mut Value),
    ) -> Option<Self> {
        let world = Self::beginning(runtime, variables, change, Mode::Table)?;
        world.wait_for_a_table();
        Some(world)
    }

    /// The same while the server of tables says nothing.
    pub(crate) fn before(
        runtime: Runtime,
        variables: &[(&str, &str)],
        change: impl Fn(&mut Value),
    ) -> Option<Self> {
        Self::beginning(runtime, variables, change, |_| Mode::Hang)
    }

    fn beginning(
        runtime: Runtime,
        variables: &[(&str, &str)],
        change: impl Fn(&mut Value),
        mode: impl Fn(Value) -> Mode,
    ) -> Option<Self> {
        let upstreams = REGIONS.iter().flat_map(|region| {
            ["blue", "green"].map(|slot| {
                let name = (String::from(*region), String::from(slot));
                (name, Upstream::start(region, slot))
            })
        });
        let upstreams: BTreeMap<_, _> = upstreams.collect();
        let mut table = usual(&upstreams);
        change(&mut table);
        let tables = Tables::start(mode(table.clone()));
        let url = tables.url();
        let mut all = BTreeMap::from([
            ("TABLE_URL", url.as_str()),
            ("TABLE_REFRESH_MS", "100"),
            ("TABLE_TIMEOUT_MS", "300"),
            ("UPSTREAM_TIMEOUT_MS", "1000"),
        ]);
        all.extend(variables.iter().copied());
        let mut all: Vec<(&str, Value)> = all
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect();
        if runtime == Runtime::Envoy {
            // Its configuration says where the pools are.
            all.push(("POOLS", usual(&upstreams)));
        }
        let edge = Edge::start(runtime, &all)?;
        Some(Self {
            upstreams,
            tables,
            table,
            edge,
        })
    }

    pub(crate) fn upstream(&self, region: &str, slot: &str) -> &Upstream {
        &self.upstreams[&(region.into(), slot.into())]
    }

    /// Both pools of a region refuse connections from now on.
    pub(crate) fn kill(&mut self, region: &str) {
        for slot in ["blue", "green"] {
            let name = (region.into(), slot.into());
            self.upstreams.get_mut(&name).unwrap().die();
        }
    }

    /// How many requests have come to a region.
    pub(crate) fn asked(&self, region: &str) -> usize {
        let of = |slot| self.upstream(region, slot).asked().len();
        of("blue") + of("green")
    }

    /// How many requests have come to any upstream.
    pub(crate) fn asked_in_all(&self) -> usize {
        let upstreams = self.upstreams.values();
        upstreams.map(|upstream| upstream.asked().len()).sum()
    }

    #[track_caller]
    pub(crate) fn wait_for_a_table(&self) {
        self.wait_until("a table", || self.edge.get("acme").status() != 503);
    }

    /// Publishes a table and waits until it is taken: the edge asks with its ETag then.
    #[track_caller]
    pub(crate) fn publish(&self, table: &Value) {
        self.tables.mode(Mode::Table(table.clone()));
        let before = self.tables.not_modified();
        self.wait_until("the table to be taken", || {
            self.edge.get("acme");
            self.tables.not_modified() > before
        });
    }

    /// Waits until the server of tables has been asked so many times more.
    #[track_caller]
    pub(crate) fn wait_for_fetches(&self, more: usize) {
        let before = self.tables.asked().len();
        self.wait_until("the next fetches", || {
            self.edge.get("acme");
            self.tables.asked().len() >= before + more
        });
    }

    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, so: impl Fn() -> bool) {
        let begin = Instant::now();
        while !so() {
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "waited for {what}: {}",
                self.edge.said()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The same table of another epoch.
    pub(crate) fn table_of(&self, epoch: u64, change: impl Fn(&mut Value)) -> Value {
        let mut table = self.table.clone();
        table["epoch"] = epoch.into();
        change(&mut table);
        table
    }
}

fn usual(upstreams: &BTreeMap<(String, String), Upstream>) -> Value {
    let regions = REGIONS.iter().map(|region| {
        let at = |slot: &str| upstreams[&(String::from(*region), String::from(slot))].address();
        json!({"name": region, "weight": 1, "status": "up", "blue": at("blue"), "green": at("green")})
    });
    json!({
        "format": 1, "epoch": EPOCH, "issued_at": "2026-01-01T00:00:00Z", "deployment": "shop",
        "regions": regions.collect::<Vec<_>>(),
        "primary": "us-east", "sticky": "hash", "failover": "ordered",
        "rules": {
            "residency": [
                {"tenant": "bank-*", "regions": ["eu-west"]},
                {"tenant": "duo-*", "regions": ["us-west", "eu-west"]},
                {"tenant": "nobody", "regions": []},
            ],
            "pins": [{"tenant": "pinned", "region": "us-west"}],
            "slots": [{"tenant": "staff-*", "slot": "green"}],
        },
        "release": {"id": "r1", "state": "canary", "weight": 25},
    })
}

/// Tenants of every kind of rule.
pub(crate) fn tenants(each: usize) -> Vec<String> {
    let kinds = ["tenant", "bank-", "duo-", "staff-"];
    let mut tenants: Vec<String> = kinds
        .iter()
        .flat_map(|kind| (0..each).map(move |number| format!("{kind}{number}")))
        .collect();
    tenants.push("pinned".into());
    tenants
}

/// Where the core puts a tenant, with some regions down.
pub(crate) fn native(table: &Value, down: &[&str], tenant: &str) -> Place {
    let mut table = table.clone();
    for region in table["regions"].as_array_mut().unwrap() {
        if down.contains(&region["name"].as_str().unwrap()) {
            region["status"] = "down".into();
        }
    }
    let table = Table::from_json(&table.to_string()).unwrap();
    let found = table.route(TenantId::new(tenant).unwrap(), Timestamp(now()));
    let found = found.unwrap();
    let [slot, reason] = [found.slot.name(), found.reason.name()].map(String::from);
    (found.region.to_string(), slot, reason)
}

pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(now.unwrap().as_millis()).unwrap()
}

/// What an answer's headers say.
#[track_caller]
pub(crate) fn place(answer: &Answer) -> Place {
    let of = |name: &str| {
        let value = answer.header(name);
        value
            .unwrap_or_else(|| panic!("no {name}: {answer}"))
            .to_owned()
    };
    (
        of("x-halcyon-region"),
        of("x-halcyon-slot"),
        of("x-halcyon-reason"),
    )
}

/// An upstream's answer: who it is and what it was asked.
#[track_caller]
pub(crate) fn echo(answer: &Answer) -> Value {
    assert_eq!(answer.status(), 200, "{answer}");
    let echo = answer.json();
    let (region, slot, _) = place(answer);
    assert_eq!(
        (&echo["region"], &echo["slot"]),
        (&region.into(), &slot.into())
    );
    echo
}

/// The values of a header that an upstream got.
pub(crate) fn got(echo: &Value, name: &str) -> Vec<String> {
    let headers = echo["headers"].as_array().unwrap().iter();
    let of_name = headers.filter(|header| header[0] == name);
    of_name
        .map(|header| header[1].as_str().unwrap().to_owned())
        .collect()
}
