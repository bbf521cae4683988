//! What a driver says it has done, read from the machine's next step as the production driver reads it.

use halcyon_core::release::{Check, Command, Phase, Plan, RegionFailure, Release, Step};

/// What the machine asks its driver for, as the command that says it is done; `well` or not.
pub(crate) fn asked_for(release: &Release, plan: &Plan, well: bool) -> Option<Command> {
    let failed = |region: &str, weight, check| match plan.abort_on_err {
        true => Command::RollbackToBlue {
            reason: "it failed".into(),
        },
        false => Command::FailStep {
            weight,
            check,
            failures: vec![RegionFailure {
                region: region.into(),
                why: "status 503".into(),
            }],
        },
    };
    Some(match release.next_step() {
        Step::Rest if release.id().is_none() => Command::ProvisionGreen {
            image: "v2".into(),
            blue_image: Some("v1".into()),
            plan: Some(plan.clone()),
        },
        Step::Rest | Step::Hold => return None,
        Step::Apply(apply) if !well && release.phase() != Phase::RollbackInProgress => {
            failed(&apply.regions[0].name, apply.weight, Check::Hook)
        }
        Step::Apply(apply) => Command::ConfirmRegion {
            region: apply.regions[0].name.clone(),
            change: apply.action,
        },
        Step::Enter { weight } => match release.phase() {
            Phase::GreenProvisioned => Command::StartCanary {
                weight: weight.percent().into(),
            },
            _ => Command::IncreaseWeight {
                weight: weight.percent().into(),
            },
        },
        Step::Bake { weight, .. } if !well => failed("us-east", weight, Check::Bake),
        Step::Bake { weight, .. } => Command::PassStep {
            weight,
            baked_ms: plan.bake_ms,
            rounds: 1,
            traffic: None,
        },
        Step::Finish => Command::FinishPlan,
        Step::CompleteRollback => Command::CompleteRollback,
    })
}

/// A driver drops what it did when the state asks for something else by now.
pub(crate) fn still_asked_for(release: &Release, command: &Command, plan: &Plan) -> bool {
    [true, false]
        .into_iter()
        .any(|well| asked_for(release, plan, well).as_ref() == Some(command))
}
