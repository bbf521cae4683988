//! A control plane's audit log, folded here.

use axum::http::Method;
use halcyon_core::ledger::{Ledger, StatusReport};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::regional::Word;
use super::{answered, failed, judged};
use crate::cli::{Exit, Failure};
use crate::journal::Entry;
use crate::net::api::{Api, Ask};

/// What has been read of it.
pub(in crate::cli) struct History {
    api: Api,
    ledger: Ledger,
    driver: bool,
    /// Why a rollback there does not come to an end.
    stuck: Option<String>,
    /// What the traffic of the step in force says of it, where it is not good.
    traffic: Option<String>,
    /// Who has stopped everything automatic, and why.
    freeze: Option<Freeze>,
    regions: Vec<Seen>,
    /// What has been read and not returned: an answer may have been missing after it.
    new: Vec<Entry>,
    /// It has not answered the last time.
    away: bool,
}

#[derive(Deserialize)]
struct Page {
    records: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Snapshot {
    release: Driven,
    stuck: Option<String>,
    /// Of an older control plane there is none.
    #[serde(default)]
    traffic: Option<Traffic>,
    #[serde(default)]
    freeze: Option<Freeze>,
    regions: Vec<Seen>,
}

#[derive(Deserialize)]
struct Freeze {
    user: String,
    reason: String,
}

#[derive(Deserialize)]
struct Traffic {
    why: Option<String>,
}

/// A region as the control plane sees it.
#[derive(Deserialize)]
pub(super) struct Seen {
    pub(super) name: String,
    pub(super) state: String,
    /// What a person has said of it.
    #[serde(default, rename = "override")]
    word: Option<Word>,
}

#[derive(Deserialize)]
struct Driven {
    driver: bool,
}

/// Why there is no more of it.
pub(in crate::cli) enum Missing {
    /// The control plane does not answer; it may, later.
    Unreachable(Failure),
    /// It will not be otherwise by waiting.
    Lost(Failure),
}

impl From<Missing> for Failure {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Unreachable(failure) | Missing::Lost(failure) => failure,
        }
    }
}

impl History {
    /// The whole of it.
    ///
    /// # Errors
    /// When it cannot be had, or does not verify.
    pub(in crate::cli) async fn read(api: Api) -> Result<Self, Failure> {
        let mut this = Self {
            api,
            ledger: Ledger::default(),
            driver: false,
            stuck: None,
            traffic: None,
            freeze: None,
            regions: Vec::new(),
            new: Vec::new(),
            away: false,
        };
        this.refresh().await?;
        Ok(this)
    }

    /// Where it is from.
    pub(super) fn api(&self) -> &Api {
        &self.api
    }

    /// Where it is from, for people.
    pub(in crate::cli) fn place(&self) -> String {
        self.api.at().to_string()
    }

    /// Why a rollback there does not come to an end, while it does not.
    pub(in crate::cli) fn stuck(&self) -> Option<&str> {
        self.stuck.as_deref()
    }

    /// What the traffic of the step in force says of it, where it is not good.
    pub(in crate::cli) fn traffic(&self) -> Option<&str> {
        self.traffic.as_deref()
    }

    /// Who has stopped everything automatic there and why, while it is.
    pub(in crate::cli) fn freeze(&self) -> Option<(&str, &str)> {
        let freeze = self.freeze.as_ref();
        freeze.map(|freeze| (freeze.user.as_str(), freeze.reason.as_str()))
    }

    /// Of which regions a person has said what.
    pub(in crate::cli) fn words(&self) -> impl Iterator<Item = (&str, &Word)> {
        let words = self.regions.iter();
        words.filter_map(|region| Some((region.name.as_str(), region.word.as_ref()?)))
    }

    /// How its regions are.
    pub(super) fn regions(&self) -> &[Seen] {
        &self.regions
    }

    /// It has answered.
    pub(in crate::cli) fn found(&mut self) {
        self.away = false;
    }

    /// It has not. Says whether that is news.
    pub(in crate::cli) fn missed(&mut self) -> bool {
        !std::mem::replace(&mut self.away, true)
    }

    /// The chain, and the state that it adds up to.
    pub(in crate::cli) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The state as every surface shows it.
    pub(in crate::cli) fn report(&self) -> StatusReport {
        self.ledger.status(self.driver)
    }

    /// Reads what is new, and returns it.
    ///
    /// # Errors
    /// When it cannot be had, or does not follow what was read before.
    pub(in crate::cli) async fn refresh(&mut self) -> Result<Vec<Entry>, Missing> {
        loop {
            let after = self.ledger.head().seq;
            let path = format!("/api/v1/audit?after={after}");
            let page: Page = self.get(&path).await?;
            if page.records.is_empty() {
                break;
            }
            for record in page.records {
                let line = record.get().to_owned();
                let accepted = self.ledger.accept(line.as_bytes());
                let record = accepted.map_err(|why| {
                    let why = format!("the audit log of {} does not verify: {why}", self.api.at());
                    Missing::Lost(Failure::new(Exit::AuditBroken, why))
                })?;
                self.new.push(Entry { record, line });
            }
        }
        let snapshot: Snapshot = self.get("/api/v1/state").await?;
        self.driver = snapshot.release.driver;
        self.stuck = snapshot.stuck;
        self.traffic = snapshot.traffic.and_then(|traffic| traffic.why);
        self.freeze = snapshot.freeze;
        self.regions = snapshot.regions;
        Ok(std::mem::take(&mut self.new))
    }

    async fn get<T: for<'a> Deserialize<'a>>(&self, path: &str) -> Result<T, Missing> {
        let ask = Ask {
            method: Method::GET,
            path,
            key: None,
            body: None,
        };
        let reply = self.api.ask(&ask).await;
        let reply = reply.map_err(|why| Missing::Unreachable(failed(&self.api, &why)))?;
        if reply.status != 200 {
            let failure = match answered(&self.api, reply) {
                Err(failure) => failure,
                Ok(_) => failed(&self.api, "another status than 200"),
            };
            let failure = match failure.exit {
                Exit::Failed => judged(&self.api, failure).await,
                _ => failure,
            };
            return Err(match failure.exit {
                Exit::Failed => Missing::Unreachable(failure),
                _ => Missing::Lost(failure),
            });
        }
        serde_json::from_slice(&reply.body).map_err(|why| {
            let why = halcyon_core::text::printable(&why.to_string());
            Missing::Lost(failed(
                &self.api,
                &format!("its answer is no control plane's: {why}"),
            ))
        })
    }
}
