//! What JavaScript calls: numbers alone. Values go in as bytes through a buffer, text comes back where
//! [`said`] is; the rest is in `js/`. Comments of what is exported are `//`: `///` would be part of the
//! package.
#![allow(missing_docs, unreachable_pub)]

use alloc::string::String;
use alloc::vec::Vec;

use halcyon_core::config::{Environment, OfFiles, REGION_VARIABLES};
use halcyon_core::document::Document;
use halcyon_core::region::RegionName;
use halcyon_core::regions::{self, FailoverError, single_region};
use halcyon_core::text;
use halcyon_core::time::Timestamp;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::held::{Numbered, Single};
use crate::router::{Failure, Routing};

/// What goes in and is not longer goes through a buffer that stays where it is.
const SHORT: usize = 1024;

/// A moment as `Date.now()` has it.
// From a float on, `as` is what saturates; no number is 0.
#[allow(clippy::as_conversions)]
pub(crate) fn moment(now: f64) -> Timestamp {
    Timestamp(now as u64)
}

/// What the instance holds: one, as one thread at a time calls it.
static HELD: Single<Held> = Single::new(Held {
    cores: Numbered::new(),
    short: [0; SHORT],
    long: Vec::new(),
    said: String::new(),
    answers: Vec::new(),
});

pub(crate) struct Held {
    /// By number: a router, or what is to become one.
    cores: Numbered<Option<Routing>>,
    short: [u8; SHORT],
    long: Vec<u8>,
    said: String,
    answers: Vec<u32>,
}

impl Held {
    /// What went in.
    #[inline]
    fn input(&self, length: usize) -> &[u8] {
        let buffer = match length > SHORT {
            true => &self.long,
            false => &self.short[..],
        };
        buffer.get(..length).unwrap_or_default()
    }

    /// The tenant's id that went in; JavaScript has encoded it.
    #[inline]
    fn tenant(&self, length: usize) -> &str {
        core::str::from_utf8(self.input(length)).unwrap_or_default()
    }

    #[inline]
    fn routing(&self, core: usize) -> Option<&Routing> {
        self.cores.get(core)?.as_ref()
    }
}

/// The router of this number, if it is one.
#[cfg(feature = "page")]
pub(crate) fn routing(core: usize) -> Option<Routing> {
    HELD.with(|held| held.routing(core).cloned())
}

// A number for a router, without a table and without variables.
#[wasm_bindgen]
pub fn hold() -> usize {
    HELD.with(|held| held.cores.hold(None))
}

// Another one of the same.
#[wasm_bindgen]
pub fn copy(core: usize) -> usize {
    HELD.with(|held| {
        let routing = held.routing(core).cloned();
        held.cores.hold(routing)
    })
}

// Nobody has the number any longer.
#[wasm_bindgen]
pub fn drop(core: usize) {
    HELD.with(|held| held.cores.drop(core));
}

// Where `length` bytes go in.
#[wasm_bindgen]
pub fn buffer(length: usize) -> *const u8 {
    HELD.with(|held| {
        if length <= SHORT {
            return held.short.as_ptr();
        }
        held.long = alloc::vec![0; length];
        held.long.as_ptr()
    })
}

// Where the tenant goes whose id went in. Called for every request, and past the binding generator: what it puts
// around a call takes a tenth of this one.
// SAFETY: the name is this library's own.
#[unsafe(no_mangle)]
pub extern "C" fn route(core: usize, length: usize, now: f64) -> u32 {
    HELD.with(|held| match held.routing(core) {
        Some(routing) => routing.packed(held.tenant(length), moment(now)),
        None => u32::MAX,
    })
}

// Its cohort, or 0 for none.
#[wasm_bindgen]
pub fn cohort(core: usize, length: usize, now: f64) -> u8 {
    HELD.with(|held| match held.routing(core) {
        Some(routing) => routing.cohort(held.tenant(length), moment(now)),
        None => 0,
    })
}

// The same as `route` of `count` ids: their lengths, 4 bytes each, then the ids, one behind the other. Where the
// answers are.
#[wasm_bindgen(js_name = routeMany)]
pub fn route_many(core: usize, length: usize, count: usize, now: f64) -> *const u32 {
    HELD.with(|held| {
        let mut answers = alloc::vec![u32::MAX; count];
        let input = held.input(length);
        if let Some(routing) = held.routing(core)
            && let Some((lengths, ids)) = input.split_at_checked(count.saturating_mul(4))
            && let Ok(mut ids) = core::str::from_utf8(ids)
        {
            let (lengths, _) = lengths.as_chunks();
            for (answer, length) in answers.iter_mut().zip(lengths) {
                let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
                let Some((tenant, rest)) = ids.split_at_checked(length) else {
                    break;
                };
                *answer = routing.packed(tenant, moment(now));
                ids = rest;
            }
        }
        held.answers = answers;
        held.answers.as_ptr()
    })
}

// Answers a question about the value that went in, in text: how long it is. It begins with `=`, or it is a
// failure's code and problems, a line each.
#[wasm_bindgen]
pub fn ask(core: usize, question: usize, length: usize, now: f64) -> usize {
    HELD.with(|held| {
        let value = crate::value::read(held.input(length));
        held.long = Vec::new();
        let mut said = String::from("=");
        let answered = match (QUESTIONS.get(question), value, held.cores.get_mut(core)) {
            (Some(question), Some(value), Some(routing)) => {
                answer(routing, *question, &Asked(value), moment(now), &mut said)
            }
            _ => Err(no_value()),
        };
        if let Err(failure) = answered {
            said = failure.lines();
        }
        held.said = said;
        held.said.len()
    })
}

// Where the text is.
#[wasm_bindgen]
pub fn said() -> *const u8 {
    HELD.with(|held| held.said.as_ptr())
}

fn no_value() -> Failure {
    let why = "the table is no value of JSON; allowed: an object, at most 127 deep";
    Failure::new("bad_table", String::from(why))
}

/// A table as bytes of a value.
#[cfg(feature = "page")]
pub(crate) fn document(value: &[u8]) -> Result<Document, Failure> {
    crate::value::read(value).ok_or_else(no_value)
}

/// What can be asked, by number.
const QUESTIONS: [Question; 13] = [
    Question::Variables,
    Question::ActiveRegions,
    Question::PreferredRegion,
    Question::NextFailover,
    Question::ValidateRegionConfig,
    Question::NoText,
    Question::NoJson,
    Question::OfVariables,
    Question::OfTable,
    Question::WithHealth,
    Question::Names,
    Question::Preferred,
    Question::Failure,
];

/// Behind each, the value it is about.
#[derive(Clone, Copy)]
enum Question {
    /// The names of the variables that are read, a line each: of nothing.
    Variables,
    /// The active regions, a line each: of variables.
    ActiveRegions,
    /// The region a tenant belongs to: of variables and the tenant.
    PreferredRegion,
    /// The region after another: of variables and the other.
    NextFailover,
    /// The report: of variables. A line each, its first letter says of what: `r`egion, `p`rimary, `f`ailover
    /// policy, `e`rror, `w`arning.
    ValidateRegionConfig,
    /// What to say of a value that should be text: of the kind it has. The code is that of a tenant.
    NoText,
    /// What to say of a table that could not be parsed: of what the parser said.
    NoJson,
    /// Becomes a router: of variables.
    OfVariables,
    /// Becomes a router, or takes another table: of a table.
    OfTable,
    /// Takes another status: of a region and its status.
    WithHealth,
    /// The epoch, until when answers hold, how many bits of an answer a region's place takes, and the regions, a
    /// line each: of nothing.
    Names,
    /// The region that a tenant belongs to, whatever the regions' health: of the tenant.
    Preferred,
    /// What is wrong where a packed answer says so: of the tenant.
    Failure,
}

fn answer(
    routing: &mut Option<Routing>,
    question: Question,
    asked: &Asked,
    now: Timestamp,
    said: &mut String,
) -> Result<(), Failure> {
    match question {
        Question::Variables => {
            for name in REGION_VARIABLES {
                line("", name, said);
            }
        }
        Question::ActiveRegions => {
            lines(&regions::active_regions(asked)?, said);
        }
        Question::PreferredRegion => {
            said.push_str(regions::preferred_region(asked, asked.text(1))?.as_str());
        }
        Question::NextFailover => match regions::next_failover(asked, asked.text(1)) {
            Ok(region) => said.push_str(region.as_str()),
            Err(FailoverError::Config(why)) => return Err(why.into()),
            Err(FailoverError::SingleRegion(only)) => {
                return Err(Failure::new("no_failover", single_region(&only)));
            }
        },
        Question::ValidateRegionConfig => report(asked, said),
        Question::NoText => {
            let why = together(["this is no text but ", asked.text(0), "; allowed: text"]);
            return Err(Failure::new("bad_tenant", why));
        }
        Question::NoJson => {
            let why = together(["the table ", &Document::no_json(asked.text(0)), ""]);
            return Err(Failure::new("bad_table", why));
        }
        Question::OfVariables => *routing = Some(Routing::of_variables(asked)?),
        Question::OfTable => match routing {
            Some(routing) => routing.update(&asked.0, now)?,
            None => *routing = Some(Routing::of_table(&asked.0, now)?),
        },
        Question::WithHealth => {
            if let Some(routing) = routing {
                routing.set_health(asked.text(0), asked.text(1))?;
            }
        }
        Question::Names => {
            if let Some(routing) = routing {
                said.push_str(&digits(routing.epoch()));
                said.push('\n');
                let until = routing.valid_until();
                said.push_str(&digits(until.map(|until| until.0)));
                said.push('\n');
                said.push_str(&text::number(routing.bits().into()));
                lines(routing.router().regions(), said);
            }
        }
        Question::Preferred => {
            if let Some(routing) = routing {
                said.push_str(&routing.preferred(asked.text(0))?);
            }
        }
        Question::Failure => {
            if let Some(routing) = routing {
                return Err(routing.failure(asked.text(0), now));
            }
        }
    }
    Ok(())
}

/// A value: one, or a list of some.
struct Asked(Document);

impl Asked {
    fn item(&self, place: usize) -> Option<&Document> {
        match &self.0 {
            Document::List(items) => items.get(place),
            alone => Some(alone),
        }
    }

    fn text(&self, place: usize) -> &str {
        match self.item(place) {
            Some(Document::Text(text)) => text,
            _ => "",
        }
    }
}

/// The first value are the variables.
impl Environment for Asked {
    fn variable(&self, name: &str) -> Option<String> {
        let Some(Document::Object(variables)) = self.item(0) else {
            return None;
        };
        for (known, value) in variables {
            if known == name
                && let Document::Text(value) = value
            {
                return Some(value.clone());
            }
        }
        None
    }

    /// No file is read here.
    fn lint(&self, _: &mut OfFiles<'_>) {}
}

fn report(asked: &Asked, said: &mut String) {
    let report = regions::validate_region_config(asked);
    line("f", report.policy.name(), said);
    for region in &report.regions {
        line("r", region.as_str(), said);
    }
    if let Some(primary) = &report.primary {
        line("p", primary.as_str(), said);
    }
    for error in &report.errors {
        line("e", error, said);
    }
    for warning in &report.warnings {
        line("w", warning, said);
    }
}

/// A line for each name.
fn lines(names: &[RegionName], said: &mut String) {
    for name in names {
        line("", name.as_str(), said);
    }
}

fn line(of: &str, text: &str, said: &mut String) {
    said.push('\n');
    said.push_str(of);
    said.push_str(text);
}

fn together(parts: [&str; 3]) -> String {
    let mut text = String::new();
    for part in parts {
        text.push_str(part);
    }
    text
}

/// The number of an epoch or a moment, which JavaScript reads exactly; nothing for none.
fn digits(number: Option<u64>) -> String {
    number.map(text::number).unwrap_or_default()
}
