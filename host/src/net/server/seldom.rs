//! What happens often is said seldom.

use std::time::Duration;

use tokio::time::Instant;

/// At most one line in this time.
const BETWEEN: Duration = Duration::from_secs(10);

/// Limits how often one thing is said.
#[derive(Default)]
pub(crate) struct Seldom {
    said: Option<Instant>,
    unsaid: u64,
}

impl Seldom {
    /// How many times it has happened since it was last said, if it may be said again now.
    pub(crate) fn say(&mut self, now: Instant) -> Option<u64> {
        self.unsaid += 1;
        if self
            .said
            .is_some_and(|said| now.saturating_duration_since(said) < BETWEEN)
        {
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_counted() {
        let mut seldom = Seldom::default();
        let now = Instant::now();
        let said = [now, now, now, now + BETWEEN, now + BETWEEN].map(|now| seldom.say(now));
        assert_eq!(said, [Some(1), None, None, Some(3), None]);
    }
}
