//! What people have said of regions, kept over a restart: `DIR/overrides.json`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use halcyon_core::health::Forced;
use halcyon_core::placement::RegionStatus;
use halcyon_core::region::RegionName;
use halcyon_core::text::{Seen, json, printable};
use halcyon_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{group, replace};

const NAME: &str = "overrides.json";

/// No such file is longer: 1,024 regions with a reason each.
const BYTES_MAX: u64 = 16 << 20;

/// What a region is taken for, whatever probes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OverrideState {
    /// It gets no new tenants, and serves if nothing else does.
    Drain,
    /// It serves nobody.
    Forbid,
}

impl OverrideState {
    /// What it is to health.
    pub fn forced(self) -> Forced {
        match self {
            OverrideState::Drain => Forced::Draining,
            OverrideState::Forbid => Forced::Forbidden,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            OverrideState::Drain => "drain",
            OverrideState::Forbid => "forbid",
        }
    }
}

/// A person's word on a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// What the region is taken for.
    pub state: OverrideState,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub user: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Until when; for ever without.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires: Option<Timestamp>,
}

/// A person's word that nothing is to change by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// Why.
    pub reason: String,
    /// Who said so.
    pub user: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// The regions that were out then, and stay so.
    pub out: Vec<String>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    /// By region.
    pub(super) overrides: BTreeMap<String, Override>,
    pub(super) freeze: Option<Freeze>,
}

/// The file in which it is kept.
pub(super) struct Kept {
    path: PathBuf,
    /// As it was when it was read or written last.
    seen: Mutex<Option<Mark>>,
}

/// By which a changed file is known: inode, length, and when it was changed.
type Mark = (u64, u64, i64, i64);

impl Kept {
    pub(super) fn of(dir: &Path) -> Self {
        Self {
            path: dir.join(NAME),
            seen: Mutex::default(),
        }
    }

    /// Whether somebody else has written it since.
    pub(super) fn changed(&self) -> bool {
        *self.seen() != self.mark()
    }

    /// Changes what is said, as it is on disk now, durably. Answers what is said then, or nothing where `change`
    /// says that it is the same.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub(super) fn change(
        &self,
        change: impl FnOnce(&mut Said) -> bool,
    ) -> Result<Option<Said>, String> {
        let io = |why: io::Error| why.to_string();
        let dir = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(dir).map_err(io)?;
        let _lock = lock(dir).map_err(io)?;
        let mut said = self.read()?;
        if !change(&mut said) {
            return Ok(None);
        }
        replace::replace(&self.path, format!("{}\n", json(&said)).as_bytes()).map_err(io)?;
        *self.seen() = self.mark();
        Ok(Some(said))
    }

    fn mark(&self) -> Option<Mark> {
        let found = fs::symlink_metadata(&self.path).ok()?;
        Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
    }

    fn seen(&self) -> MutexGuard<'_, Option<Mark>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was said before this process began.
    ///
    /// # Errors
    /// When the file cannot be read or is another: to go on without it would send tenants to a region that
    /// somebody has forbidden.
    pub(super) fn read(&self) -> Result<Said, String> {
        let wrong = |why: &str| {
            let path = self.path.to_string_lossy();
            let seen = Seen(&path);
            format!(
                "{seen} {}; allowed: what the control API has written there, or no file",
                printable(why)
            )
        };
        // Before it is read: what changes meanwhile is seen at the next look.
        *self.seen() = self.mark();
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let file = File::options()
            .read(true)
            .custom_flags(flags.bits() as i32)
            .open(&self.path);
        let file = match file {
            Ok(file) => file,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Said::default()),
            Err(why) => return Err(wrong(&format!("cannot be read: {why}"))),
        };
        let mut text = String::new();
        let regular = file.metadata().map(|found| found.is_file());
        let read = regular.and_then(|regular| match regular {
            true => file.take(BYTES_MAX).read_to_string(&mut text),
            false => Err(io::Error::other("it is no regular file")),
        });
        read.map_err(|why| wrong(&format!("cannot be read: {why}")))?;
        serde_json::from_str(&text).map_err(|why| wrong(&format!("is another file: {why}")))
    }
}

/// Held while the file is read and written anew: another server of the store may want to.
fn lock(dir: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = group::open_or_make(dir, |create| {
        let mut options = File::options();
        options.read(true).write(true).create_new(create);
        options.mode(group::MODE).custom_flags(flags.bits() as i32);
        options.open(dir.join("overrides.lock"))
    })?;
    file.lock()?;
    Ok(file)
}

/// What a store's people have said of a region, if it still holds.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn forced(
    dir: &Path,
    regions: &[RegionName],
    now: Timestamp,
) -> Result<Vec<RegionStatus>, String> {
    let said = Kept::of(dir).read()?;
    let status = |region: &RegionName| {
        let word = said.overrides.get(region.as_str())?;
        // While all is frozen, nothing ends by itself.
        let over = word.expires.is_some_and(|end| end <= now) && said.freeze.is_none();
        (!over).then_some(match word.state {
            OverrideState::Drain => RegionStatus::Draining,
            OverrideState::Forbid => RegionStatus::Forbidden,
        })
    };
    Ok(regions
        .iter()
        .map(|region| status(region).unwrap_or(RegionStatus::Up))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn what_is_kept_is_read_back_and_what_is_no_such_file_is_refused() {
        let dir = TempDir::new().unwrap();
        let kept = Kept::of(&dir.path().join("logs"));
        assert_eq!(kept.read(), Ok(Said::default()));
        let word = Override {
            state: OverrideState::Forbid,
            reason: "fire \u{1f525}\n".into(),
            user: "ann".into(),
            since: Timestamp(1_000),
            expires: Some(Timestamp(2_000)),
        };
        let said = Said {
            overrides: BTreeMap::from([("us-east".into(), word)]),
            freeze: Some(Freeze {
                reason: "night".into(),
                user: "bob".into(),
                since: Timestamp(3_000),
                out: vec!["eu-west".into()],
            }),
        };
        let wanted = said.clone();
        let kept_now = kept.change(|now| {
            *now = wanted;
            true
        });
        assert_eq!(kept_now, Ok(Some(said.clone())));
        assert!(!kept.changed() && Kept::of(&dir.path().join("logs")).changed());
        assert_eq!(kept.change(|_| false), Ok(None));
        assert_eq!(kept.read(), Ok(said));
        for other in [
            "",
            "{",
            "[]",
            r#"{"overrides":{"a":{}}}"#,
            r#"{"freezes":null}"#,
        ] {
            fs::write(&kept.path, other).unwrap();
            let why = kept.read().unwrap_err();
            assert!(
                why.contains("overrides.json") && why.contains("allowed:"),
                "{why}"
            );
        }
        fs::remove_file(&kept.path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &kept.path).unwrap();
        assert!(kept.read().is_err());
    }
}
