//! `halcyon release --dry-run`: everything but doing it.

use std::time::Duration;

use halcyon_core::config::Settings;
use halcyon_core::release::{Command, Context, Fact, Pool, RegionTarget};
use serde::Serialize;

use super::args::Wish;
use super::{GO_ON, blue_image, promotion_is_everywhere, under_way};
use crate::cli::style::{ERROR, GOOD, NAME};
use crate::cli::{Exit, Failure, Invocation, prose};
use crate::clock;
use crate::driver::join_all;
use crate::journal::{Journal, JournalError};
use crate::net::Client;

/// What would be done, and whether the regions would let it.
#[derive(Serialize)]
struct Answer {
    ok: bool,
    regions: Vec<RegionAnswer>,
    would: Vec<String>,
}

#[derive(Serialize)]
struct RegionAnswer {
    name: String,
    url: String,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The pool that would get tenants, where a topology knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    green: Option<PoolAnswer>,
}

#[derive(Serialize)]
struct PoolAnswer {
    url: String,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl RegionAnswer {
    /// The region, and its green pool if there is one.
    fn is_ready(&self) -> bool {
        self.ready && self.green.as_ref().is_none_or(|pool| pool.ready)
    }
}

pub(super) async fn run(
    wish: &Wish,
    settings: &Settings,
    client: Client,
    invocation: &Invocation,
) -> Result<Exit, Failure> {
    let journal = Journal::open(&settings.store_dir)?;
    let context = Context {
        actor: &settings.actor,
        kill_switch: settings.features.kill_switch(),
        new_release_id: "dry-run",
    };
    let plan = Some(wish.plan.clone());
    let command = Command::ProvisionGreen {
        image: wish.image_green.clone(),
        blue_image: wish.image_blue.clone(),
        plan,
    };
    let decided = journal.release().decide(&command, &context);
    let events = decided.map_err(|refused| under_way(JournalError::Refused(refused), GO_ON))?;
    promotion_is_everywhere(&journal)?;
    blue_image(wish, &journal, invocation)?;
    // Beginning a release may swap the roles of the pools.
    let mut begun = journal.release().clone();
    for event in events {
        let release_id = begun.release_id_of(&event, &context);
        let at = clock::now();
        begun.evolve(&Fact {
            at,
            release_id,
            event,
        });
    }
    let green = begun.blue_pool().other();
    let timeout = Duration::from_millis(settings.probe_timeout_ms);
    let probes = wish
        .plan
        .regions
        .iter()
        .map(|region| probe(&client, region, green, timeout));
    let regions = join_all(probes).await;
    let answer = Answer {
        ok: regions.iter().all(RegionAnswer::is_ready),
        regions,
        would: steps(wish, &journal),
    };
    invocation.answer(|| human(&answer), &answer)?;
    Ok(if answer.ok { Exit::Done } else { Exit::Failed })
}

async fn probe(
    client: &Client,
    region: &RegionTarget,
    green: Pool,
    timeout: Duration,
) -> RegionAnswer {
    let expected = region.named.then_some(region.name.as_str());
    let pool = region.pools.of(green);
    let asked = std::iter::once(&region.url).chain(pool);
    let asked = asked.map(|url| client.probe_ready(url, expected, timeout));
    let mut errors = join_all(asked).await.into_iter().map(Result::err);
    let error = errors.next().flatten();
    RegionAnswer {
        name: region.name.clone(),
        url: region.url.to_string(),
        ready: error.is_none(),
        error,
        green: pool.map(|url| {
            let error = errors.next().flatten();
            PoolAnswer {
                url: url.to_string(),
                ready: error.is_none(),
                error,
            }
        }),
    }
}

fn steps(wish: &Wish, journal: &Journal) -> Vec<String> {
    let plan = &wish.plan;
    let blue = journal
        .release()
        .blue_image()
        .or(wish.image_blue.as_deref())
        .unwrap_or("");
    let bake = prose::seconds(plan.bake_ms);
    let on_failure = if plan.abort_on_err {
        "roll back on failure"
    } else {
        "warn and go on on failure"
    };
    let pools = plan.regions.iter().any(|region| !region.pools.is_empty());
    let and_pools = if pools { " and its green pool" } else { "" };
    let mut steps = vec![format!(
        "provision green {} beside blue {}",
        prose::short(&wish.image_green),
        prose::short(blue)
    )];
    for weight in &plan.weights {
        steps.push(format!(
            "smoke-test every region{and_pools}, give green {weight} %, bake {bake}, {on_failure}"
        ));
    }
    steps.push(format!(
        "promote green: {} serves everybody",
        prose::short(&wish.image_green)
    ));
    if let Some(command) = &plan.on_step {
        steps.push(format!(
            "for each of these and each region run: {}",
            prose::short(command)
        ));
    }
    steps
}

fn human(answer: &Answer) -> String {
    let mut rows: Vec<[String; 2]> = Vec::new();
    let mut states = Vec::new();
    for region in &answer.regions {
        rows.push([prose::short(&region.name), region.url.clone()]);
        states.push(&region.error);
        if let Some(pool) = &region.green {
            rows.push(["  green pool".to_owned(), pool.url.clone()]);
            states.push(&pool.error);
        }
    }
    let width = |column: usize| {
        let lengths = rows.iter().map(|row| row[column].chars().count());
        lengths.max().unwrap_or(0).min(48)
    };
    let (names, urls) = (width(0), width(1));
    let mut lines = Vec::new();
    for ([name, url], error) in rows.iter().zip(states) {
        let state = match error {
            None => format!("{GOOD}ready{GOOD:#}"),
            Some(why) => format!("{ERROR}{why}{ERROR:#}"),
        };
        lines.push(format!("{NAME}{name:names$}{NAME:#}  {url:urls$}  {state}"));
    }
    lines.push("would:".to_owned());
    lines.extend(
        answer
            .would
            .iter()
            .enumerate()
            .map(|(index, step)| format!("{:>3}. {step}", index + 1)),
    );
    lines.push("nothing was written".to_owned());
    lines.join("\n")
}
