//! What the edge package's `Router` does, without JavaScript: values in, numbers and lines of text out.

use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use halcyon_core::config::Environment;
use halcyon_core::document::Document;
use halcyon_core::hash::TenantId;
use halcyon_core::placement::{Decision, RegionStatus, ResidencyUnavailable, Router, SlotRule};
use halcyon_core::region::RegionName;
use halcyon_core::regions::ConfigError;
use halcyon_core::table::{Refusal, Table};
use halcyon_core::time::Timestamp;

use crate::edge::{reason_code, slot_code};

/// Why something is refused: a word for programs, and everything that is wrong, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable.
    pub code: &'static str,
    /// At least one.
    pub problems: Vec<String>,
}

impl Failure {
    /// With one problem.
    pub fn new(code: &'static str, problem: String) -> Self {
        let problems = Vec::from([problem]);
        Self { code, problems }
    }

    /// The code and the problems, a line each.
    pub fn lines(&self) -> String {
        let mut lines = String::from(self.code);
        for problem in &self.problems {
            lines.push('\n');
            lines.push_str(problem);
        }
        lines
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let code = "bad_config";
        Self {
            code,
            problems: error.0,
        }
    }
}

impl From<ResidencyUnavailable> for Failure {
    fn from(why: ResidencyUnavailable) -> Self {
        Self::new("residency_unavailable", String::from(why.text()))
    }
}

impl From<Refusal> for Failure {
    fn from(why: Refusal) -> Self {
        Self::new("refused_table", why.text())
    }
}

/// A router over a table, or over variables until it gets one.
#[derive(Debug, Clone)]
pub struct Routing {
    source: Rc<Source>,
    /// What this edge knows of its regions: the table's word, unless somebody here knew better.
    health: Vec<RegionStatus>,
    /// Whose tables are taken; `None`: the first one's.
    deployment: Option<String>,
    /// How many bits a region's place takes.
    bits: u32,
}

#[derive(Debug, Clone)]
enum Source {
    Table(Table),
    /// Without a release: all blue.
    Variables(halcyon_core::placement::Router, SlotRule),
}

impl Routing {
    /// Over a table.
    ///
    /// # Errors
    /// `bad_table`, with everything that is wrong with it; `refused_table`, where it is far ahead of the
    /// clock.
    pub fn of_table(document: &Document, now: Timestamp) -> Result<Self, Failure> {
        Self::following(None, document, now)
    }

    /// Over the variables of section 1 of the contract.
    ///
    /// # Errors
    /// `bad_config`, with everything that is wrong.
    pub fn of_variables(variables: &dyn Environment) -> Result<Self, Failure> {
        let (router, deployment) = Router::with_deployment(variables)?;
        let slots = router.slot_rule(None);
        Ok(Self {
            bits: bits(router.len()),
            health: alloc::vec![RegionStatus::Up; router.len()],
            source: Rc::new(Source::Variables(router, slots)),
            deployment,
        })
    }

    /// Takes another table, or says why not and keeps what it has.
    ///
    /// # Errors
    /// As [`Routing::of_table`]; `refused_table` also where it may not follow the one that is held.
    pub fn update(&mut self, document: &Document, now: Timestamp) -> Result<(), Failure> {
        *self = Self::following(Some(self), document, now)?;
        Ok(())
    }

    fn following(
        held: Option<&Self>,
        document: &Document,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let table = Table::from_document(document).map_err(|why| Failure {
            code: "bad_table",
            problems: why.problems,
        })?;
        let deployment = held.and_then(|held| held.deployment.clone());
        table.is_for(deployment.as_deref())?;
        table.may_follow(held.and_then(Self::table), now)?;
        if let Some(held) = held
            && held.epoch() == Some(table.epoch().number())
        {
            // The very table that is held: no next one, so what is known of regions stays known.
            return Ok(held.clone());
        }
        Ok(Self {
            bits: bits(table.health().len()),
            health: table.health().to_vec(),
            source: Rc::new(Source::Table(table)),
            deployment,
        })
    }

    /// Another status of a region, for what an edge sees by itself; the next table's word holds again.
    ///
    /// # Errors
    /// `bad_region` and `bad_status`.
    pub fn set_health(&mut self, region: &str, status: &str) -> Result<(), Failure> {
        let place = RegionName::place_of(region, self.router().regions());
        let place = place.map_err(|why| Failure::new("bad_region", why))?;
        let status = RegionStatus::parse(status).map_err(|why| Failure::new("bad_status", why))?;
        if let Some(known) = self.health.get_mut(place) {
            *known = status;
        }
        Ok(())
    }

    fn table(&self) -> Option<&Table> {
        match &*self.source {
            Source::Table(table) => Some(table),
            Source::Variables(..) => None,
        }
    }

    /// Its placement rules.
    pub fn router(&self) -> &halcyon_core::placement::Router {
        match &*self.source {
            Source::Table(table) => table.router(),
            Source::Variables(router, _) => router,
        }
    }

    /// The health it knows of its regions, in their order.
    pub fn health(&self) -> &[RegionStatus] {
        &self.health
    }

    /// The rule of slots that holds at `now`.
    pub fn slots(&self, now: Timestamp) -> &SlotRule {
        match &*self.source {
            Source::Table(table) => table.slots(now),
            Source::Variables(_, slots) => slots,
        }
    }

    /// Until when answers hold, if no table comes: the end of a canary's share.
    pub fn valid_until(&self) -> Option<Timestamp> {
        self.table()?.valid_until()
    }

    /// The epoch of its table, if it has one.
    pub fn epoch(&self) -> Option<u64> {
        Some(self.table()?.epoch().number())
    }

    /// The region a tenant belongs to, health aside.
    ///
    /// # Errors
    /// `bad_tenant` and `residency_unavailable`.
    pub fn preferred(&self, tenant: &str) -> Result<String, Failure> {
        let region = self.router().preferred(checked(tenant)?)?;
        Ok(region.as_str().to_owned())
    }

    /// How many bits a region's place takes in [`packed`](Self::packed), 1 to 10.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Where a tenant goes, packed: few regions give small numbers, so that answers can be kept in a list.
    ///
    /// ```text
    /// bit  0     1 for green
    /// bits 1..4  the reason, as in the C ABI
    /// bits 4..   the region's place, then that of the first choice, in bits() bits each
    /// bits 24..  what is wrong, with nothing else: 1 the id, 2 no region is allowed, 3 all that are, are forbidden
    /// ```
    // One of them for one tenant and for many.
    #[inline(never)]
    pub fn packed(&self, tenant: &str, now: Timestamp) -> u32 {
        let Some(tenant) = TenantId::of(tenant) else {
            return BAD_TENANT << 24;
        };
        match self.decide(tenant, now) {
            Ok(found) => {
                let place = |place: usize| u32::try_from(place).unwrap_or(0);
                (place(found.preferred) << self.bits | place(found.region)) << 4
                    | u32::from(reason_code(found.reason)) << 1
                    | u32::from(slot_code(found.slot))
            }
            Err(ResidencyUnavailable::NoneAllowed) => NONE_ALLOWED << 24,
            Err(ResidencyUnavailable::AllForbidden) => ALL_FORBIDDEN << 24,
        }
    }

    #[inline(always)]
    fn decide(
        &self,
        tenant: TenantId<'_>,
        now: Timestamp,
    ) -> Result<Decision, ResidencyUnavailable> {
        let (router, slots) = match &*self.source {
            Source::Table(table) => (table.router(), table.slots(now)),
            Source::Variables(router, slots) => (router, slots),
        };
        router.decide(tenant, &self.health, slots)
    }

    /// The tenant's cohort at `now`, 1 to 100; 0 where no release draws one, as for what is no id.
    pub fn cohort(&self, tenant: &str, now: Timestamp) -> u8 {
        let tenant = TenantId::of(tenant);
        let cohort = self.table().zip(tenant);
        let cohort = cohort.and_then(|(table, tenant)| table.cohort(tenant, now));
        cohort.unwrap_or(0)
    }

    /// What is wrong where [`packed`](Self::packed) said so.
    pub fn failure(&self, tenant: &str, now: Timestamp) -> Failure {
        if let Err(failure) = checked(tenant) {
            return failure;
        }
        match self.packed(tenant, now) >> 24 {
            NONE_ALLOWED => ResidencyUnavailable::NoneAllowed.into(),
            _ => ResidencyUnavailable::AllForbidden.into(),
        }
    }
}

fn bits(regions: usize) -> u32 {
    let last = regions.saturating_sub(1);
    usize::BITS.saturating_sub(last.leading_zeros()).max(1)
}

const BAD_TENANT: u32 = 1;
const NONE_ALLOWED: u32 = 2;
const ALL_FORBIDDEN: u32 = 3;

fn checked(tenant: &str) -> Result<TenantId<'_>, Failure> {
    TenantId::new(tenant).map_err(|why| Failure::new("bad_tenant", why))
}
