//! Flagger's session affinity, SIMULATED: no Flagger, no mesh and no socket is at work here, only the rule that
//! its page "Deployment Strategies" gives for `sessionAffinity.cookieName`.
//!
//! A client without the cookie is drawn at each request, with the canary's weight; if it is put on the canary it
//! gets the cookie, and with it stays there. When the run is over the route is gone and the cookie says nothing.
//! Left out is what only lowers how many stay: clients that keep no cookies, or whose cookie has expired. Also
//! left out is `primaryCookieName` of later versions, with which clients of the primary are not drawn again.

use super::ask::Seen;
use super::shares::System;

/// The seed of the draws; `SHARES_SEED` names another one.
const SEED: u64 = 20_261_129;

pub(super) struct Flagger {
    random: u64,
    weight: u8,
    /// Who has the cookie.
    cookies: Vec<bool>,
}

impl Flagger {
    pub(super) fn new() -> Self {
        let seed = std::env::var("SHARES_SEED").ok();
        let seed = seed.map_or(SEED, |text| text.parse().expect("SHARES_SEED is a number"));
        println!("Flagger is simulated with seed {seed}");
        Self {
            random: seed,
            weight: 0,
            cookies: Vec::new(),
        }
    }

    /// SplitMix64: as good as anything for a draw of 100.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn is_on_canary(&mut self, tenant: usize) -> bool {
        if self.weight == 0 {
            return false;
        }
        // The top 53 bits, as a share of one.
        let drawn = (self.draw() >> 11) as f64 / (1u64 << 53) as f64;
        self.cookies[tenant] |= drawn < f64::from(self.weight) / 100.0;
        self.cookies[tenant]
    }
}

impl System for Flagger {
    fn name(&self) -> &'static str {
        "Flagger's cookie (simulated)"
    }

    fn release(&mut self, _id: &str) {
        // The next run's cookie has another value.
        self.cookies.clear();
    }

    fn weigh(&mut self, weight: u8) {
        self.weight = weight;
    }

    fn ask(&mut self, tenants: &[String], times: usize) -> Vec<Seen> {
        self.cookies.resize(tenants.len(), false);
        let mut seen = vec![Seen::default(); tenants.len()];
        for _ in 0..times {
            for (tenant, seen) in seen.iter_mut().enumerate() {
                seen.note(self.is_on_canary(tenant));
            }
        }
        seen
    }
}
