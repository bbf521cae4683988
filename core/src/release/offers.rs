//! What a person may ask of the machine now, found by asking it.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;

use super::{Command, Context, Event, Rejection, Release, Status};
use crate::text::{digits, listed, message, number};
use crate::time::Timestamp;

/// The commands that people give, by their names.
pub const PERSONS_COMMANDS: [&str; 7] = [
    "provision_green",
    "start_canary",
    "increase_weight",
    "promote_green",
    "rollback_to_blue",
    "pause",
    "resume",
];

/// Whether a command would be taken now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// The command.
    pub command: &'static str,
    /// Whether the machine takes it, with some argument.
    pub allowed: bool,
    /// The weights it takes, for a command that has one, ascending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<Vec<i64>>,
    /// Why it is refused, where it is: the words of every surface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

/// What a command would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// Whether the machine takes it.
    pub allowed: bool,
    /// Why not, where it does not: the words of every surface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// What would happen; nothing where what was asked is so already.
    pub events: Vec<Event>,
    /// The state after it.
    pub after: Status,
}

impl Command {
    /// A command that a person gives, by its name and its argument as text: an image, a weight in
    /// percent, a reason, or nothing.
    ///
    /// ```
    /// use halcyon_core::release::Command;
    /// assert_eq!(Command::of_person("start_canary", "25"), Ok(Command::StartCanary { weight: 25 }));
    /// assert!(Command::of_person("start", "").unwrap_err().contains("allowed: provision_green, "));
    /// ```
    ///
    /// # Errors
    /// For a name that is none, with those that are, and for a weight that is no whole number.
    pub fn of_person(name: &str, argument: &str) -> Result<Self, String> {
        let weight = || {
            let number = whole(argument);
            number.ok_or_else(|| message!("{?} is no whole number of percent", argument).text())
        };
        let text = || argument.to_string();
        Ok(match name {
            "provision_green" => Command::ProvisionGreen {
                image: text(),
                blue_image: None,
                plan: None,
            },
            "start_canary" => Command::StartCanary { weight: weight()? },
            "increase_weight" => Command::IncreaseWeight { weight: weight()? },
            "promote_green" => Command::PromoteGreen,
            "rollback_to_blue" => Command::RollbackToBlue { reason: text() },
            "pause" => Command::Pause { reason: text() },
            "resume" => Command::Resume,
            other => {
                let known = listed(&PERSONS_COMMANDS);
                return Err(message!("{?} is no command; allowed: {}", other, &known).text());
            }
        })
    }
}

/// A whole number, with a sign or without.
fn whole(text: &str) -> Option<i64> {
    match text.as_bytes() {
        [b'-', ..] => 0_i64.checked_sub_unsigned(digits(text.get(1..)?)?),
        [b'+', ..] => 0_i64.checked_add_unsigned(digits(text.get(1..)?)?),
        _ => 0_i64.checked_add_unsigned(digits(text)?),
    }
}

impl Release {
    /// Whether each command of [`PERSONS_COMMANDS`] would be taken now, and with which weights: every
    /// answer is [`decide`](Self::decide)'s.
    ///
    /// ```
    /// use halcyon_core::release::{Context, Release};
    /// use halcyon_core::role::Actor;
    ///
    /// let actor = Actor { user: "ann".into(), role: "Deployer".into() };
    /// let context = Context { actor: &actor, kill_switch: false, new_release_id: "r1" };
    /// let offers = Release::default().offers(&context);
    /// assert!(offers[0].allowed && offers[0].command == "provision_green");
    /// let refusal = offers[3].refusal.as_deref().unwrap();
    /// assert!(refusal.starts_with("Cannot promote green from state idle"));
    /// ```
    pub fn offers(&self, context: &Context<'_>) -> Vec<Offer> {
        let offer = |command: &'static str| {
            let (arguments, weighted) = match command {
                "start_canary" | "increase_weight" => ((0_i64, 100), true),
                _ => ((1, 1), false),
            };
            let mut weights = Vec::new();
            let mut refusal = None;
            for weight in arguments.0..=arguments.1 {
                // What stands for an image or a reason is as good as any.
                let Ok(wish) = Command::of_person(command, &number(weight.unsigned_abs())) else {
                    continue;
                };
                match self.decide(&wish, context) {
                    Ok(_) => weights.push(weight),
                    // That the plan is not that far says more than that its next step is another.
                    Err(why) if !matches!(refusal, Some(Rejection::NotYet { .. })) => {
                        refusal = Some(why);
                    }
                    Err(_) => {}
                }
            }
            let allowed = !weights.is_empty();
            Offer {
                command,
                allowed,
                weights: (allowed && weighted).then_some(weights),
                refusal: refusal.filter(|_| !allowed).map(|why| why.text()),
            }
        };
        PERSONS_COMMANDS.into_iter().map(offer).collect()
    }

    /// What a command would do now, without doing it.
    pub fn forecast(&self, command: &Command, context: &Context<'_>, now: Timestamp) -> Forecast {
        let mut after = self.clone();
        let taken: Result<Vec<Event>, Rejection> = after.handle(command, context, now);
        let after = after.status();
        match taken {
            Ok(events) => Forecast {
                allowed: true,
                refusal: None,
                events,
                after,
            },
            Err(why) => Forecast {
                allowed: false,
                refusal: Some(why.text()),
                events: Vec::new(),
                after,
            },
        }
    }
}
