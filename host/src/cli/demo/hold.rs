//! `--hold`: everything runs on after the story, for whoever wants to look at it.

use serde_json::json;

use super::super::style::{DIM, GOOD, NAME, WARN};
use super::control::{USER, region_flags};
use super::crowd::Crowd;
use super::edge::Edge;
use super::sandbox::Sandbox;
use super::stage::Stage;
use super::stop::Stop;

/// Says where to look and what to try, and waits for Ctrl-C. Answers with what came of it.
pub(super) async fn hold(
    stage: &mut Stage<'_>,
    sandbox: &Sandbox,
    edge: &Edge,
    crowd: &Crowd<'_>,
    stop: &Stop,
) -> String {
    let (control, edge) = (crowd.control, edge.address);
    let tenant = crowd.tenants().first().map_or("acme", String::as_str);
    stage.scene("All of it keeps running, the tenants too, until Ctrl-C");
    stage.line(&format!("   {NAME}dashboard{NAME:#}  {}/", control.url()));
    stage.line(&format!("   {NAME}edge{NAME:#}       http://{edge}/"));
    stage.line(&format!("   {DIM}to try from another terminal:{DIM:#}"));
    stage.typed(&format!("cd {}", sandbox.path().display()));
    stage.typed(&format!("curl -i -H 'x-tenant: {tenant}' http://{edge}/"));
    stage.typed(&format!(
        "export HALCYON_SERVER={} HALCYON_TOKEN_FILE={USER}.token",
        control.url()
    ));
    stage.typed("halcyon release --image-green app:v4 --canary-seq 10,50,100 \\");
    stage.typed_on(&format!("{} \\", region_flags()));
    stage.typed_on("--timeout-s 10 --abort-on-err");
    stage.fact(
        "hold",
        json!({
            "dashboard": format!("{}/", control.url()), "edge": format!("http://{edge}/"),
            "admin_token_file": control.admin_token_file,
        }),
    );
    stop.asked().await;
    let seen = crowd.traffic.seen();
    stage.fact(
        "requests",
        json!({ "served": seen.served(), "failed": seen.failed }),
    );
    let (served, failed) = (seen.served(), seen.failed);
    let verdict = if failed == 0 { GOOD } else { WARN };
    format!("{served} requests in all, {verdict}{failed} failed{verdict:#}.")
}
