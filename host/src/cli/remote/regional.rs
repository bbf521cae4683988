//! What a person says of regions, over the API of the control plane that watches them.

use axum::http::Method;
use halcyon_core::region::RegionName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::prose::short;
use super::super::{Exit, Failure, Invocation};
use super::{failed, give_by, server};
use crate::net::api::Api;

const FREEZE: &str = "/api/v1/freeze";

/// The control plane; without one nobody knows which regions are healthy.
///
/// # Errors
/// As [`server`], and where none is named.
pub(in crate::cli) fn watcher(invocation: &Invocation) -> Result<Api, Failure> {
    let found = server(invocation, None)?;
    found.ok_or_else(|| {
        let why = "HALCYON_SERVER is not set; allowed: the address of the control plane that watches the regions, such as http://127.0.0.1:8080";
        Failure::new(Exit::Usage, why)
    })
}

/// Takes a region for what `wish` says.
pub(in crate::cli) async fn say(
    api: &Api,
    region: &RegionName,
    wish: Value,
    invocation: &Invocation,
) -> Result<Exit, Failure> {
    let said = give_by(api, Method::PUT, &path(region), Some(wish)).await;
    let mut said = said.map_err(of_a_region)?;
    let word = Word::deserialize(&said).map_err(|why| failed(api, &why.to_string()))?;
    if let Some(members) = said.as_object_mut() {
        members.insert("region".to_owned(), json!(region.as_str()));
    }
    let human = || format!("{region} is {}", word.human());
    invocation.answer(human, &said)?;
    Ok(Exit::Done)
}

/// Takes back what has been said of a region.
pub(in crate::cli) async fn unsay(
    api: &Api,
    region: &RegionName,
    invocation: &Invocation,
) -> Result<Exit, Failure> {
    let unsaid = give_by(api, Method::DELETE, &path(region), None).await;
    unsaid.map_err(of_a_region)?;
    let human = || format!("{region} goes by its probes");
    invocation.answer(
        human,
        &json!({ "region": region.as_str(), "override": null }),
    )?;
    Ok(Exit::Done)
}

/// Stops all automatic change.
pub(in crate::cli) async fn freeze(
    api: &Api,
    why: &str,
    invocation: &Invocation,
) -> Result<Exit, Failure> {
    let said = give_by(api, Method::PUT, FREEZE, Some(super::reason(why))).await?;
    let text = |name: &str| said[name].as_str().map(short).unwrap_or_default();
    let human = || {
        let (reason, user) = (text("reason"), text("user"));
        format!("nothing changes by itself: {reason} (by {user})")
    };
    invocation.answer(human, &json!({ "freeze": said }))?;
    Ok(Exit::Done)
}

/// Lets it go on.
pub(in crate::cli) async fn unfreeze(api: &Api, invocation: &Invocation) -> Result<Exit, Failure> {
    give_by(api, Method::DELETE, FREEZE, None).await?;
    let human = || "automatic change goes on".to_owned();
    invocation.answer(human, &json!({ "freeze": null }))?;
    Ok(Exit::Done)
}

fn path(region: &RegionName) -> String {
    // A name needs no escaping in a path.
    format!("/api/v1/regions/{region}/override")
}

/// That there is no such region says nothing against the address.
fn of_a_region(failure: Failure) -> Failure {
    let of_it = |problem: &String| problem.contains(" is no region; ");
    match failure.problems.iter().any(of_it) {
        true => Failure {
            hint: None,
            ..failure
        },
        false => failure,
    }
}

/// What a person has said of a region.
#[derive(Deserialize)]
pub(in crate::cli) struct Word {
    state: String,
    reason: String,
    user: String,
    #[serde(default)]
    expires: Option<String>,
}

impl Word {
    /// What, why, who, and until when.
    pub(in crate::cli) fn human(&self) -> String {
        let state = match self.state.as_str() {
            "drain" => "draining",
            "forbid" => "forbidden",
            other => &short(other),
        };
        let (reason, user) = (short(&self.reason), short(&self.user));
        let end = self.expires.as_deref();
        let end = end.map_or(String::new(), |end| format!(", until {}", short(end)));
        format!("{state}: {reason} (by {user}{end})")
    }
}
