//! When it drives, when it rests, and what ends that.

use super::*;
use halcyon_core::config::Settings;
use tempfile::TempDir;

/// An engine over the journal in a directory, and what tells it of changes.
fn engine(dir: &TempDir) -> (Engine, watch::Sender<u64>, watch::Sender<Hold>) {
    let store = format!("file:{}", dir.path().display());
    let variable = |name: &str| (name == "HALCYON_STORE").then(|| store.clone());
    let (settings, _) = Settings::read(&variable);
    let ((tell, changes), (hold, held)) = (watch::channel(0), watch::channel(Hold::Never));
    let engine = Engine {
        records: Arc::new(Records::of(dir.path().to_owned())),
        settings,
        client: Client::new(None).unwrap(),
        changes,
        stuck: Arc::default(),
        traffic: Arc::new(Traffic::of(Vec::new())),
        hold: held,
    };
    (engine, tell, hold)
}

fn actor() -> Actor {
    Actor {
        user: "x".into(),
        role: "Deployer".into(),
    }
}

#[tokio::test]
async fn it_rests_until_somebody_says_something_and_not_for_what_it_knows() {
    let dir = TempDir::new().unwrap();
    let (mut engine, tell, _hold) = engine(&dir);
    let records = engine.records.clone();
    let (minute, moment) = (Duration::from_secs(60), Duration::from_millis(200));
    // It is told of what it has put on record itself, too.
    tell.send(1).unwrap();
    let rests = timeout(moment, engine.rest(minute, 0)).await;
    assert!(rests.is_err(), "nobody has said anything");
    let said = async {
        sleep(moment).await;
        let reason = String::from("now");
        let context = Context {
            actor: &actor(),
            kill_switch: false,
            new_release_id: "",
        };
        let command = Command::RollbackToBlue { reason };
        records
            .append(&command, &context, None, |_| Ok(()))
            .unwrap();
        tell.send(2).unwrap();
    };
    let rests = timeout(minute / 2, engine.rest(minute, 0));
    let (rested, ()) = tokio::join!(rests, said);
    assert!(rested.is_ok());
}

#[tokio::test]
async fn a_release_that_somebody_else_has_ended_meanwhile_is_none_to_drive_and_no_trouble() {
    let dir = TempDir::new().unwrap();
    let (mut engine, _tell, _hold) = engine(&dir);
    // What was to be driven when the journal was looked at.
    let wanted = Wanted {
        actor: actor(),
        fresh: false,
    };
    assert!(matches!(engine.drive(wanted).await, Drove::Nothing));
    assert!(!dir.path().join("deploy_audit.log").exists());
}
