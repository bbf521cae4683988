//! `halcyon release --dry-run`: everything but doing it.

use std::time::Duration;

use halcyon_core::config::Settings;
use halcyon_core::release::{Command, Context};
use serde::Serialize;

use super::args::Wish;
use super::{GO_ON, blue_image, under_way};
use crate::cli::style::{ERROR, GOOD, NAME};
use crate::cli::{Exit, Failure, Invocation, prose};
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
    journal
        .release()
        .decide(&command, &context)
        .map_err(|refused| under_way(JournalError::Refused(refused), GO_ON))?;
    blue_image(wish, &journal, invocation)?;
    let timeout = Duration::from_millis(settings.probe_timeout_ms);
    let probes = wish.plan.regions.iter().map(|region| async {
        let expected = region.named.then_some(region.name.as_str());
        let error = client
            .probe_ready(&region.url, expected, timeout)
            .await
            .err();
        RegionAnswer {
            name: region.name.clone(),
            url: region.url.to_string(),
            ready: error.is_none(),
            error,
        }
    });
    let regions = join_all(probes).await;
    let answer = Answer {
        ok: regions.iter().all(|region| region.ready),
        regions,
        would: steps(wish, &journal),
    };
    invocation.answer(|| human(&answer), &answer)?;
    Ok(if answer.ok { Exit::Done } else { Exit::Failed })
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
    let mut steps = vec![format!(
        "provision green {} beside blue {}",
        prose::short(&wish.image_green),
        prose::short(blue)
    )];
    for weight in &plan.weights {
        steps.push(format!(
            "smoke-test every region, give green {weight} %, bake {bake}, {on_failure}"
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
    let mut lines = Vec::new();
    for region in &answer.regions {
        let state = match &region.error {
            None => format!("{GOOD}ready{GOOD:#}"),
            Some(why) => format!("{ERROR}{why}{ERROR:#}"),
        };
        lines.push(format!(
            "{NAME}{}{NAME:#}  {}  {state}",
            prose::short(&region.name),
            region.url
        ));
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
