//! Which worlds count as one.

use std::hash::{DefaultHasher, Hash, Hasher};

use halcyon_core::release::{Command, Pool, Release, Step};

use crate::world::{Asked, World, whole};

/// A state without its moments, as a number.
pub(crate) fn timeless(release: &Release) -> u64 {
    let mut hasher = DefaultHasher::new();
    let pool = matches!(release.blue_pool(), Pool::Blue);
    (release.phase().name(), release.weight().percent(), pool).hash(&mut hasher);
    (
        release.blue_image(),
        release.green_image(),
        release.paused(),
    )
        .hash(&mut hasher);
    for step in release.plan().into_iter().flat_map(|plan| &plan.weights) {
        release.passed(*step).hash(&mut hasher);
    }
    for region in release.unconfirmed() {
        region.name.hash(&mut hasher);
    }
    let step = match release.next_step() {
        Step::Bake { .. } => 1_u8,
        Step::Rest => 2,
        Step::Hold => 3,
        Step::Apply(_) => 4,
        Step::Enter { .. } => 5,
        Step::Finish => 6,
        Step::CompleteRollback => 7,
    };
    step.hash(&mut hasher);
    hasher.finish()
}

/// Two worlds are one when nothing that may still happen tells them apart: moments, names of keys and which
/// controller is which do not.
impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        let hash = |world: &World| {
            let mut hasher = DefaultHasher::new();
            world.hash(&mut hasher);
            hasher.finish()
        };
        hash(self) == hash(other)
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.head(), timeless(self.release()), self.clock, self.left).hash(state);
        self.reader.seen.hash(state);
        let lengths = |bytes: &[u8]| (whole(bytes) > 0, bytes.len() - whole(bytes));
        (
            lengths(&self.disk.seen),
            self.disk.seen == self.disk.durable,
        )
            .hash(state);
        self.broken.is_some().hash(state);
        self.asked_hash(&self.unanswered, "ann").hash(state);
        self.late_hash(&self.unanswered, "ann").hash(state);
        // Which of the two is which makes no difference.
        let mut controllers = self.controllers.each_ref().map(|controller| {
            let mut hasher = DefaultHasher::new();
            if let Some(journal) = &controller.journal {
                (journal.head().seq, timeless(journal.release())).hash(&mut hasher);
            }
            controller.journal.is_some().hash(&mut hasher);
            hash_of(controller.doing.as_ref()).hash(&mut hasher);
            self.asked_hash(&controller.unanswered, controller.user)
                .hash(&mut hasher);
            self.late_hash(&controller.unanswered, controller.user)
                .hash(&mut hasher);
            hasher.finish()
        });
        controllers.sort_unstable();
        controllers.hash(state);
    }
}

impl World {
    /// A command that is asked again counts by what it is and by whether it is on record.
    fn asked_hash(&self, asked: &Option<Asked>, user: &str) -> (u64, bool) {
        let Some(asked) = asked else {
            return (0, false);
        };
        let known = self.reader.seen.knows(user, asked.key.as_str());
        (hash_of(Some(&asked.command)), known)
    }

    /// What somebody's commands on their way may still do, and which of them will be asked again.
    fn late_hash(&self, asked: &Option<Asked>, user: &str) -> Vec<(Vec<u8>, bool)> {
        let own = self.disk.late.iter().map(|late| &late.record);
        let own = own.filter(|record| record.user == user);
        let key = asked.as_ref().map(|asked| &asked.key);
        let mut own: Vec<_> = own
            .map(|record| {
                let event = serde_json::to_vec(&record.event).unwrap_or_default();
                (event, record.idempotency_key.as_ref() == key)
            })
            .collect();
        own.sort_unstable();
        own
    }
}

fn hash_of(command: Option<&Command>) -> u64 {
    let mut hasher = DefaultHasher::new();
    let json = command.map(|command| serde_json::to_vec(command).unwrap_or_default());
    json.hash(&mut hasher);
    hasher.finish()
}
