//! Who may release, and what is recorded of who may not.

use super::*;

fn context<'a>(actor: &'a Actor, kill_switch: bool) -> Context<'a> {
    Context {
        actor,
        kill_switch,
        new_release_id: "r1",
    }
}

#[test]
fn deployer_and_admin_may_release() {
    for role in ["Deployer", "Admin"] {
        let mut bench = bench();
        bench.actor = actor(role);
        bench.all([
            provision("app:v2"),
            start(10),
            increase(50),
            Command::PromoteGreen,
            rollback("back"),
        ]);
    }
}

#[test]
fn any_other_role_is_refused_before_the_kill_switch_and_the_state_are_looked_at() {
    let commands = [
        provision(""),
        start(150),
        increase(-1),
        Command::PromoteGreen,
        Command::FinishPlan,
        rollback("x"),
        pause("x"),
        Command::Resume,
        confirm("mars", Action::StartCanary),
        pass(10),
        fail(10, Check::Bake),
        Command::CompleteRollback,
        Command::AttachDriver,
        Command::DetachDriver { reason: "x".into() },
    ];
    for role in [
        "",
        "Viewer",
        "Edge",
        "deployer",
        "ADMIN",
        "Admin ",
        "Deployer\n",
    ] {
        for command in &commands {
            for kill_switch in [false, true] {
                let refusal = Release::default()
                    .decide(command, &context(&actor(role), kill_switch))
                    .unwrap_err();
                assert!(matches!(refusal, Rejection::Role { .. }), "{refusal}");
                let text = refusal.to_string();
                let begins =
                    alloc::format!("{} refused: Invalid DEPLOY_RBAC_ROLE: ", command.words());
                assert!(
                    text.starts_with(&begins) && text.ends_with("allowed: Deployer, Admin"),
                    "{text}"
                );
            }
        }
    }
}

#[test]
fn a_refusal_is_recorded_with_the_command_and_the_reason() {
    let viewer = actor("Viewer");
    let event =
        Release::default().denial(&provision("app:v2"), &context(&viewer, false), Timestamp(5));
    let expected = Event::PermissionDenied {
        attempted: "provision_green".into(),
        reason: "Invalid DEPLOY_RBAC_ROLE: \"Viewer\"; allowed: Deployer, Admin".into(),
    };
    assert_eq!(event, Some(expected));
}

#[test]
fn nothing_is_denied_to_whoever_may_release() {
    for role in ["Deployer", "Admin"] {
        assert_eq!(
            Release::default().denial(&start(150), &context(&actor(role), true), Timestamp(5)),
            None
        );
    }
}

#[test]
fn a_recorded_refusal_changes_nothing_else() {
    let mut bench = bench().all([provision("app:v2"), start(10)]);
    let before = bench.release.clone();
    let event = Event::PermissionDenied {
        attempted: "promote_green".into(),
        reason: "x".into(),
    };
    bench.release.evolve(&Fact {
        at: Timestamp(9),
        release_id: None,
        event,
    });
    assert_eq!(bench.release, before);
}

#[test]
fn a_user_is_recorded_at_most_once_a_second() {
    let viewer = actor("Viewer");
    let mut release = Release::default();
    let denial = |release: &Release, at| {
        release
            .denial(&start(1), &context(&viewer, false), Timestamp(at))
            .is_some()
    };
    assert!(denial(&release, 10_000));
    release.note_denial("ann", Timestamp(10_000));
    for at in [10_000, 10_001, 10_999] {
        assert!(!denial(&release, at), "{at}");
    }
    assert!(denial(&release, 11_000));
    assert!(
        denial(&release, 9_999),
        "a clock that went back silences nobody"
    );
}

#[test]
fn each_user_has_a_second_of_their_own() {
    let (ann, bob) = (
        actor("Viewer"),
        Actor {
            user: "bob".into(),
            role: String::new(),
        },
    );
    let mut release = Release::default();
    let mut recorded = Vec::new();
    for (at, who) in [
        (0, &ann),
        (1, &bob),
        (2, &ann),
        (3, &bob),
        (999, &ann),
        (1000, &ann),
        (1000, &bob),
        (1001, &bob),
    ] {
        if release
            .denial(&start(1), &context(who, false), Timestamp(at))
            .is_some()
        {
            release.note_denial(&who.user, Timestamp(at));
            recorded.push((at, who.user.as_str()));
        }
    }
    assert_eq!(
        recorded,
        [(0, "ann"), (1, "bob"), (1000, "ann"), (1001, "bob")]
    );
}
