//! Hooks that outlived their driver.
//!
//! A killed driver's hook may still be at work on an older change; running the next one beside it could
//! end with the older one having the last word.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use super::Observer;
use crate::journal::HookLock;

/// How long a hook that outlived its driver is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The lock every hook has a share in, taken before the first hook of this driver.
#[derive(Clone)]
pub struct Hooks {
    dir: PathBuf,
    lock: Arc<OnceCell<Option<HookLock>>>,
}

impl Hooks {
    /// The hooks of the release in `dir`.
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            lock: Arc::default(),
        }
    }

    /// The lock, once no hook of an earlier driver runs; none if one never ends. May be dropped while it
    /// waits.
    pub(super) async fn lock(&self, observer: &dyn Observer) -> Option<&HookLock> {
        self.lock.get_or_init(|| self.wait(observer)).await.as_ref()
    }

    async fn wait(&self, observer: &dyn Observer) -> Option<HookLock> {
        let begin = Instant::now();
        let mut said = false;
        loop {
            match HookLock::try_acquire(&self.dir) {
                Ok(Some(lock)) => return Some(lock),
                Ok(None) => {}
                Err(why) => {
                    observer.warn(&why.to_string());
                    return None;
                }
            }
            if begin.elapsed() >= PATIENCE {
                observer.warn("a step hook of an earlier driver still runs; going on beside it");
                return None;
            }
            if !said {
                observer.warn("a step hook of an earlier driver still runs; waiting for it");
                said = true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
