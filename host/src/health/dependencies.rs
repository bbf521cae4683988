//! Checks what this instance cannot do without.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use halcyon_core::config::Dependency;
use halcyon_core::readiness::DependencyCheck;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::net::Client;

type Found = BTreeMap<String, DependencyCheck>;

/// Rounds of checks, one at a time: a flood of `/ready` must not become a flood on a database.
#[derive(Default)]
pub(super) struct Rounds(Mutex<Option<watch::Receiver<Option<Found>>>>);

impl Rounds {
    /// The result of the round that is under way, or of a new one.
    ///
    /// A round is a task of its own, as the client that began it may leave while others wait.
    pub(super) async fn join(
        &self,
        client: &Client,
        dependencies: Vec<Dependency>,
        within: Duration,
    ) -> Found {
        if dependencies.is_empty() {
            return Found::new();
        }
        let mut round = {
            let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match current
                .as_ref()
                .filter(|round| round.borrow().is_none() && round.has_changed().is_ok())
            {
                Some(round) => round.clone(),
                None => {
                    let (finish, round) = watch::channel(None);
                    let client = client.clone();
                    tokio::spawn(async move {
                        let found = check_all(&client, dependencies, within).await;
                        let _ = finish.send(Some(found));
                    });
                    *current = Some(round.clone());
                    round
                }
            }
        };
        // Without a result every dependency counts as not answering.
        let found = round.wait_for(Option::is_some).await;
        found
            .ok()
            .and_then(|found| found.clone())
            .unwrap_or_default()
    }
}

/// Checks all of them at once, with one deadline over them together.
async fn check_all(client: &Client, dependencies: Vec<Dependency>, within: Duration) -> Found {
    let begin = Instant::now();
    let mut checks = JoinSet::new();
    for Dependency { name, endpoint } in dependencies {
        let client = client.clone();
        checks.spawn(async move {
            let outcome = timeout_at(begin + within, client.check(&endpoint)).await;
            let error = outcome.unwrap_or_else(|_| Err("timeout".into())).err();
            let latency_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
            (
                name,
                DependencyCheck {
                    ok: error.is_none(),
                    latency_ms,
                    error,
                },
            )
        });
    }
    checks.join_all().await.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use halcyon_core::endpoint::Endpoint;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn slow_service(delay: Duration, requests: Arc<AtomicUsize>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                requests.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    let _ = stream.read(&mut [0; 1024]).await;
                    tokio::time::sleep(delay).await;
                    let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
                });
            }
        });
        address
    }

    fn at(address: SocketAddr) -> Vec<Dependency> {
        vec![Dependency {
            name: "db".into(),
            endpoint: Endpoint::parse(&format!("http://{address}/")).unwrap(),
        }]
    }

    #[tokio::test]
    async fn whoever_asks_during_a_round_shares_it() {
        let requests = Arc::new(AtomicUsize::new(0));
        let address = slow_service(Duration::from_millis(100), requests.clone()).await;
        let client = Client::new(None).unwrap();
        let rounds = Arc::new(Rounds::default());
        let mut askers = JoinSet::new();
        for _ in 0..200 {
            let (rounds, client) = (rounds.clone(), client.clone());
            askers.spawn(async move {
                rounds
                    .join(&client, at(address), Duration::from_secs(2))
                    .await
            });
        }
        for found in askers.join_all().await {
            assert!(found["db"].ok, "{found:?}");
        }
        assert_eq!(requests.load(Ordering::Relaxed), 1);
        assert!(
            rounds
                .join(&client, at(address), Duration::from_secs(2))
                .await["db"]
                .ok
        );
        assert_eq!(
            requests.load(Ordering::Relaxed),
            2,
            "a finished round is not used again"
        );
    }

    #[tokio::test]
    async fn a_round_goes_on_when_the_one_who_began_it_leaves() {
        let address = slow_service(Duration::from_millis(100), Arc::default()).await;
        let client = Client::new(None).unwrap();
        let rounds = Rounds::default();
        let first = rounds.join(&client, at(address), Duration::from_secs(2));
        assert!(
            tokio::time::timeout(Duration::from_millis(20), first)
                .await
                .is_err()
        );
        assert!(
            rounds
                .join(&client, at(address), Duration::from_secs(2))
                .await["db"]
                .ok
        );
    }

    #[tokio::test]
    async fn one_deadline_is_over_all_checks_together() {
        let address = slow_service(Duration::from_secs(60), Arc::default()).await;
        let begin = Instant::now();
        let many = (0..20).flat_map(|n| {
            at(address).into_iter().map(move |d| Dependency {
                name: format!("d{n}"),
                ..d
            })
        });
        let found = check_all(
            &Client::new(None).unwrap(),
            many.collect(),
            Duration::from_millis(200),
        )
        .await;
        assert!(
            begin.elapsed() < Duration::from_millis(600),
            "{:?}",
            begin.elapsed()
        );
        assert_eq!(found.len(), 20);
        assert!(
            found
                .values()
                .all(|check| !check.ok && check.error.as_deref() == Some("timeout")),
            "{found:?}"
        );
    }
}
