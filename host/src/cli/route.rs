//! `halcyon route`: where tenants go and why.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use halcyon_core::config::RegionConfig;
use halcyon_core::hash::TENANT_ID_MAX;
use halcyon_core::placement::{Answer, BUCKETS, RegionStatus, Router, Slot, SlotRule};
use halcyon_core::region::RegionName;
use halcyon_core::text::{Seen, for_screen, json};

use super::{Exit, Failure, Invocation, Output, style};
use crate::clock;
use crate::journal::Journal;
use crate::monitor::forced;

/// Arguments of `route`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Tenant ids, 1 to 16384 bytes each; `-` reads them from stdin, a line each. Ids that begin with `-`
    /// go behind `--` or through stdin
    #[arg(required = true, value_name = "TENANT")]
    tenants: Vec<String>,
    /// Show the decision step by step
    #[arg(long)]
    explain: bool,
    /// Decide as if this region were down, whatever people have said of it; may be repeated
    #[arg(long, value_name = "REGION")]
    down: Vec<String>,
    /// The journal that says which release is under way, for the slot, and which regions are drained or forbidden [env: HALCYON_STORE] [default: file:logs]
    #[arg(long, value_name = "file:DIR")]
    store: Option<String>,
}

/// Everything a decision needs, prepared once.
struct Table {
    router: Router,
    health: Vec<RegionStatus>,
    slots: SlotRule,
    explain: bool,
    asked: u32,
}

/// Answers for every tenant asked about.
pub(super) fn run(args: &Args, invocation: &Invocation) -> Result<Exit, Failure> {
    let invocation = &invocation.with(&[("HALCYON_STORE", args.store.clone())]);
    let mut table = prepare(args, invocation)?;
    let mut writer = Writer::new(invocation.output);
    let mut all_placed = true;
    for tenant in &args.tenants {
        if tenant != "-" {
            all_placed &= writer.write(&table.answer(tenant))?;
            continue;
        }
        let mut lines = BufReader::with_capacity(1 << 16, std::io::stdin().lock());
        let mut line = Vec::new();
        while read_line(&mut lines, &mut line)? {
            let text = String::from_utf8_lossy(&line);
            if text.is_empty() {
                continue;
            }
            table.count();
            let answer = match &text {
                std::borrow::Cow::Borrowed(tenant) => table.answer(tenant),
                std::borrow::Cow::Owned(lossy) => Answer::none(
                    lossy,
                    format!(
                        "tenant id {} is no UTF-8; allowed: 1 to 16384 bytes of UTF-8",
                        Seen(lossy)
                    ),
                ),
            };
            all_placed &= writer.write(&answer)?;
            if lines.buffer().is_empty() {
                // Whoever types or pipes line by line sees each answer at once.
                writer.flush()?;
            }
        }
    }
    writer.finish()?;
    Ok(if all_placed { Exit::Done } else { Exit::Failed })
}

fn prepare(args: &Args, invocation: &Invocation) -> Result<Table, Failure> {
    let (config, found) = RegionConfig::read(invocation);
    let (down, unknown) = down(&config, &args.down);
    let (router, settings) = match (Router::from_lookup(invocation), invocation.settings()) {
        (Ok(router), Ok(settings)) if unknown.is_empty() => (router, settings),
        (router, settings) => {
            let of_settings = settings.err().map(|failure| failure.problems);
            let mut problems = of_settings.unwrap_or_default();
            let of_router = router.err().map(|error| error.0).unwrap_or_default();
            for problem in of_router.into_iter().chain(unknown) {
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
            return Err(Failure::usage(problems));
        }
    };
    found
        .warnings
        .iter()
        .for_each(|warning| invocation.warn(warning));
    let journal = Journal::open(&settings.store_dir)?;
    let slots = router.slot_rule(journal.release().view());
    // What people have said of regions holds for everybody who decides by this store.
    let dir = Path::new(&settings.store_dir);
    let said = forced(dir, &config.regions, clock::now());
    let mut health = said.map_err(|why| Failure::new(Exit::Failed, why))?;
    for place in down {
        health[place] = RegionStatus::Down;
    }
    Ok(Table {
        router,
        health,
        slots,
        explain: args.explain,
        asked: 0,
    })
}

/// The places of the regions of `--down`, and what is wrong with these.
fn down(config: &RegionConfig, down: &[String]) -> (Vec<usize>, Vec<String>) {
    let mut places = Vec::new();
    let mut unknown = Vec::new();
    // Where no region could be read, that is the error.
    for down in down.iter().filter(|_| !config.regions.is_empty()) {
        let mut regions = config.regions.iter();
        match regions.position(|region| region.as_str() == down) {
            Some(place) => places.push(place),
            None => unknown.push(format!(
                "--down: {} is not in REGIONS; allowed: {}",
                Seen(down),
                names(&config.regions)
            )),
        }
    }
    (places, unknown)
}

/// The regions for a message: all of a few, the first eight of many.
fn names(regions: &[RegionName]) -> String {
    let names: Vec<&str> = regions.iter().take(8).map(RegionName::as_str).collect();
    match regions.len().saturating_sub(names.len()) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

impl Table {
    /// Counts a question. Preparing the router costs as much as deciding once for every bucket: when that
    /// much has been spent there are many tenants, and it pays for those to come.
    fn count(&mut self) {
        self.asked = self.asked.saturating_add(1);
        if self.asked == BUCKETS {
            self.router = self.router.clone().prepare();
        }
    }

    fn answer<'a>(&'a self, tenant: &'a str) -> Answer<'a> {
        self.router
            .answer(tenant, &self.health, &self.slots, self.explain)
    }
}

/// Reads a line without its newline and one CR before it. A line longer than any tenant id is cut to one
/// byte more than allowed, so that it is refused and memory stays bounded. `false` at the end.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> Result<bool, Failure> {
    const KEEP: usize = TENANT_ID_MAX + 2;
    line.clear();
    let mut any = false;
    loop {
        let block = input
            .fill_buf()
            .map_err(|why| Failure::new(Exit::Failed, format!("cannot read stdin: {why}")))?;
        if block.is_empty() {
            break;
        }
        any = true;
        let end = block.iter().position(|byte| *byte == b'\n');
        let part = &block[..end.unwrap_or(block.len())];
        line.extend_from_slice(&part[..part.len().min(KEEP - line.len())]);
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            break;
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(any)
}

/// Answers as they come, in constant memory in every format.
struct Writer {
    stdout: BufWriter<anstream::AutoStream<std::io::Stdout>>,
    output: Output,
    first: bool,
}

impl Writer {
    fn new(output: Output) -> Self {
        Self {
            stdout: BufWriter::with_capacity(1 << 16, anstream::stdout()),
            output,
            first: true,
        }
    }

    /// Writes an answer and says whether there was a region.
    fn write(&mut self, answer: &Answer<'_>) -> Result<bool, Failure> {
        match self.output {
            Output::Human => self.write_human(answer)?,
            Output::Jsonl => writeln!(self.stdout, "{}", json(answer))?,
            Output::Json => {
                self.stdout
                    .write_all(if self.first { b"[" } else { b",\n" })?;
                self.stdout.write_all(json(answer).as_bytes())?;
            }
        }
        self.first = false;
        Ok(answer.region.is_some())
    }

    fn write_human(&mut self, answer: &Answer<'_>) -> Result<(), Failure> {
        let tenant = for_screen(&answer.tenant.chars().take(200).collect::<String>());
        match (answer.region, answer.slot, answer.reason) {
            (Some(region), Some(slot), Some(reason)) => {
                let from = match answer.preferred {
                    Some(preferred) if preferred != region => format!(" from {preferred}"),
                    _ => String::new(),
                };
                let colour = if slot == Slot::Green {
                    style::GREEN
                } else {
                    style::BLUE
                };
                writeln!(
                    self.stdout,
                    "{NAME}{region:<12}{NAME:#} {colour}{slot:<5}{colour:#} {tenant}  {DIM}({reason}{from}){DIM:#}",
                    slot = slot.name(),
                    NAME = style::NAME,
                    DIM = style::DIM
                )?;
            }
            _ => writeln!(
                self.stdout,
                "{:<12} {:<5} {tenant}  {}",
                "-",
                "-",
                answer.error.as_deref().unwrap_or_default()
            )?,
        }
        for step in &answer.steps {
            writeln!(self.stdout, "    {step}")?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.stdout.flush()?)
    }

    fn finish(&mut self) -> Result<(), Failure> {
        if self.output == Output::Json {
            self.stdout
                .write_all(if self.first { b"[]\n" } else { b"]\n" })?;
        }
        self.flush()
    }
}
