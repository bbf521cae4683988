//! Whether the client that a handler waits with is still there.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;

use crate::net::server::Gone;

/// When the client of a request leaves, for one handler that waits.
#[derive(Clone)]
pub(super) struct Leaving(Arc<Mutex<Option<Gone>>>);

impl Leaving {
    pub(super) fn of(gone: Gone) -> Self {
        Self(Arc::new(Mutex::new(Some(gone))))
    }

    /// Is ready when it leaves; of a request that came by itself never.
    pub(super) fn taken(this: Option<Extension<Self>>) -> impl Future<Output = ()> + Send {
        let gone = this.and_then(|Extension(Self(gone))| {
            gone.lock().unwrap_or_else(PoisonError::into_inner).take()
        });
        async move {
            match gone {
                Some(gone) => gone.await,
                None => std::future::pending().await,
            }
        }
    }
}
