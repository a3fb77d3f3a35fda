//! What is measured, and for how long: the full table in twenty minutes, the short one in three.
//!
//! Arithmetic of the full one: 52 contestants in the scenes of the empty journal, 15 with a million accounts,
//! 15 on the full journal, 5.7 s each, are 8 minutes; 20 M postings and as many plain rows 2 to 5; preparing
//! half a million funded accounts, half. The run with a million accounts takes what is left.

use std::time::Duration;

use crate::figure::{Contestant, Scene};

/// The usual number of accounts.
pub(crate) const FEW: u64 = 1_000;
/// Those of the book that is read as a whole, and its postings.
pub(crate) const SOME: u64 = 100_000;
pub(crate) const SOME_POSTINGS: u64 = 10_000_000;
/// The other one.
pub(crate) const MANY: u64 = 1_000_000;
/// Transfers a call in a sustained run.
pub(crate) const LONG_BATCH: u64 = 8_192;

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Rounds of each scene; odd, so that the median is one of them.
    pub(crate) rounds: usize,
    /// How long a contestant runs in a round.
    pub(crate) turn: Duration,
    /// How long it runs before anything counts.
    pub(crate) warm: Duration,
    /// Postings of the sustained run.
    pub(crate) postings: u64,
    /// Postings after which the sustained run says how it goes.
    pub(crate) step: u64,
    /// When the run with a million accounts has to be done, from the start of all.
    pub(crate) budget: Duration,
    /// Questions of each kind.
    pub(crate) questions: usize,
    /// Scenes of the empty journal by their names; all if none is named.
    pub(crate) only: Vec<String>,
    short: bool,
}

impl Plan {
    pub(crate) fn full() -> Self {
        Self {
            rounds: 5,
            turn: Duration::from_secs(1),
            warm: Duration::from_millis(400),
            postings: 20_000_000,
            step: 1_000_000,
            budget: Duration::from_secs(19 * 60),
            questions: 1_000,
            only: Vec::new(),
            short: false,
        }
    }

    pub(crate) fn short() -> Self {
        Self {
            rounds: 3,
            turn: Duration::from_millis(400),
            warm: Duration::from_millis(200),
            postings: 1_000_000,
            step: 100_000,
            budget: Duration::ZERO,
            questions: 300,
            only: Vec::new(),
            short: true,
        }
    }

    /// Whether there is a part with a million accounts.
    pub(crate) fn many(&self) -> bool {
        !self.short
    }

    /// Whether contestants keep their databases from scene to scene, instead of beginning in a fresh one.
    pub(crate) fn in_a_hurry(&self) -> bool {
        self.short
    }

    /// The scenes of an empty journal.
    pub(crate) fn empty(&self) -> Vec<Scene> {
        let scene = |hot, clients, batch| Scene { prior: 0, accounts: FEW, hot, clients, batch };
        let mut scenes: Vec<Scene> = [1, 16, 64, 1_024].map(|clients| scene(false, clients, 1)).into();
        let hot: &[u64] = if self.short { &[64] } else { &[1, 16, 64, 1_024] };
        scenes.extend(hot.iter().map(|clients| scene(true, *clients, 1)));
        let batches: &[u64] = if self.short { &[1_024, 8_192] } else { &[64, 1_024, 8_192] };
        scenes.extend(batches.iter().map(|batch| scene(false, 1, *batch)));
        scenes.push(scene(true, 1, 8_192));
        if !self.short {
            scenes.push(scene(false, 4, 8_192));
        }
        let name = |scene: &Scene| {
            let hot = if scene.hot { "hot" } else { "" };
            format!("{}x{}{hot}", scene.clients, scene.batch)
        };
        scenes.retain(|scene| self.only.is_empty() || self.only.contains(&name(scene)));
        scenes
    }

    /// The scenes with a million accounts.
    pub(crate) fn wide(&self) -> Vec<Scene> {
        let scene = |clients, batch| Scene { prior: 0, accounts: MANY, hot: false, clients, batch };
        vec![scene(1, 1), scene(64, 1), scene(1_024, 1), scene(1, 1_024), scene(1, 8_192)]
    }

    /// The scenes on a journal that has `prior` postings.
    pub(crate) fn on_top(&self, prior: u64) -> Vec<Scene> {
        let scene = |clients, batch| Scene { prior, accounts: FEW, hot: false, clients, batch };
        let scenes = [(1, 1), (16, 1), (64, 1), (1_024, 1), (1, 64), (1, 1_024), (1, 8_192)];
        let wanted = scenes.into_iter().filter(|(clients, batch)| {
            !self.short || [(1, 1), (64, 1), (1, 8_192)].contains(&(*clients, *batch))
        });
        wanted.map(|(clients, batch)| scene(clients, batch)).collect()
    }
}

/// Whether a contestant takes part in a scene: single rows have no batch, COPY no crowd, and peers run on
/// the empty journal and few accounts only. A batch of 8,192 would keep cala-ledger for seconds, and one on a
/// hot account whoever updates its row 8,192 times; so they have none.
pub(crate) fn takes_part(contestant: Contestant, scene: &Scene) -> bool {
    match contestant {
        Contestant::Amana => true,
        Contestant::Insert => scene.batch == 1,
        Contestant::Copy => scene.clients == 1 || scene.batch > 1,
        Contestant::Rows => {
            let crowd = scene.clients > 1 || scene.hot;
            scene.prior == 0 && (scene.batch == 1 || !crowd)
        }
        Contestant::Door => scene.prior == 0 && scene.accounts == FEW && !scene.hot && scene.clients <= 64,
        Contestant::Cala => {
            scene.prior == 0
                && scene.accounts == FEW
                && scene.clients <= 64
                && scene.batch <= 1_024
                && (scene.batch == 1 || scene.clients == 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_fits_into_its_time() {
        let plan = Plan::full();
        let scenes = [plan.empty(), plan.wide(), plan.on_top(1)].concat();
        let all = scenes.iter().flat_map(|scene| Contestant::ALL.map(|who| takes_part(who, scene)));
        let turns = u32::try_from(all.filter(|takes| *takes).count()).unwrap();
        let seconds = (plan.turn * u32::try_from(plan.rounds).unwrap() + plan.warm) * turns;
        assert!(seconds < Duration::from_secs(8 * 60), "{turns} turns take {seconds:?}");
    }
}
