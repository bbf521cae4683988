//! Which of the tables that are offered an edge takes: those of whom it trusts, and of them the newer ones.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};

use super::Table;
use crate::text::Seen;
use crate::time::Timestamp;

/// The longest table that is read, in bytes: 16 MiB.
pub const LONGEST: usize = 16 * 1024 * 1024;

/// How many problems of a table a line has.
const SHOWN: usize = 8;

/// The keys of whom tables are taken from: Ed25519 (RFC 8032).
#[derive(Debug, Clone, Default)]
pub struct TableKeys(Vec<VerifyingKey>);

impl TableKeys {
    /// From public keys in base64.
    ///
    /// # Errors
    /// What is wrong with each that is none.
    pub fn parse(keys: &[String]) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut found = Vec::new();
        for text in keys {
            match public_key(text) {
                Some(key) => found.push(key),
                None => problems.push(format!(
                    "TABLE_KEYS: {} is no public key; allowed: 44 characters of base64, as `halcyon keygen` prints them",
                    Seen(text)
                )),
            }
        }
        match problems.is_empty() {
            true => Ok(Self(found)),
            false => Err(problems),
        }
    }

    /// Whether anybody's tables are taken.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the signature of `table`, in base64 and over its bytes as they are, is one of these keys'.
    /// Without keys every table is good.
    ///
    /// # Errors
    /// Why it is not.
    pub fn verify(&self, table: &[u8], signature: Option<&str>) -> Result<(), String> {
        if self.is_empty() {
            return Ok(());
        }
        let Some(text) = signature.map(str::trim_ascii) else {
            return Err("it is not signed; allowed: a signature of one of TABLE_KEYS".into());
        };
        let bytes = STANDARD.decode(text).unwrap_or_default();
        let signature = Signature::from_slice(&bytes).map_err(|_| {
            let seen = Seen(text);
            format!("its signature {seen} is none; allowed: 88 characters of base64")
        })?;
        // Strict: no key and no point that makes a signature good for more than one table.
        let good = |key: &VerifyingKey| key.verify_strict(table, &signature).is_ok();
        match self.0.iter().any(good) {
            true => Ok(()),
            false => Err("its signature is not one of TABLE_KEYS over these bytes".into()),
        }
    }
}

fn public_key(text: &str) -> Option<VerifyingKey> {
    let bytes: [u8; 32] = STANDARD.decode(text).ok()?.try_into().ok()?;
    let key = VerifyingKey::from_bytes(&bytes).ok()?;
    (!key.is_weak()).then_some(key)
}

/// What an edge demands of a table.
///
/// ```
/// use halcyon_core::table::Gate;
/// use halcyon_core::time::Timestamp;
///
/// let json = br#"{"format":1,"epoch":7,"issued_at":"2026-01-01T00:00:00.000Z","deployment":"shop",
///     "regions":[{"name":"us-east","weight":1,"status":"up"}],
///     "primary":"us-east","sticky":"hash","failover":"ordered"}"#;
/// let gate = Gate { deployment: Some("shop".into()), ..Gate::default() };
/// let held = gate.judge(json, None, None, Timestamp(0)).unwrap().unwrap();
/// // The very one that is held.
/// assert!(gate.judge(json, None, Some(&held), Timestamp(0)).unwrap().is_none());
/// let gate = Gate { deployment: Some("bank".into()), ..gate };
/// assert!(gate.judge(json, None, None, Timestamp(0)).unwrap_err().contains("HALCYON_DEPLOYMENT"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Gate {
    /// `TABLE_KEYS`.
    pub keys: TableKeys,
    /// `HALCYON_DEPLOYMENT`: whose tables are taken; `None` where the first one's are.
    pub deployment: Option<String>,
}

impl Gate {
    /// The table of these bytes, if it is to be taken instead of `held`; `None` where it is the one that is
    /// held. Nothing of it is parsed before its signature is verified.
    ///
    /// # Errors
    /// Why it is not taken, as one line.
    pub fn judge(
        &self,
        bytes: &[u8],
        signature: Option<&str>,
        held: Option<&Table>,
        now: Timestamp,
    ) -> Result<Option<Table>, String> {
        if bytes.len() > LONGEST {
            let length = bytes.len();
            return Err(format!("it has {length} bytes; allowed: at most {LONGEST}"));
        }
        self.keys.verify(bytes, signature)?;
        let text = core::str::from_utf8(bytes).map_err(|_| String::from("it is no UTF-8"))?;
        let table = Table::from_json(text).map_err(|why| summary(&why.problems))?;
        table
            .is_for(self.deployment.as_deref())
            .and_then(|()| table.may_follow(held, now))
            .map_err(|why| why.to_string())?;
        let same = held.is_some_and(|held| held.epoch() == table.epoch());
        Ok((!same).then_some(table))
    }
}

/// The first problems of many, as one line.
fn summary(problems: &[String]) -> String {
    let shown: Vec<&str> = problems.iter().take(SHOWN).map(String::as_str).collect();
    let shown = shown.join("; ");
    match problems.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}
