//! What is measured, as it is written down: one JSON object a line.
//!
//! Absent: floats. Rates are whole transfers a second, times micro- and nanoseconds, ratios per cent.

use serde::{Deserialize, Serialize};

/// Who posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Contestant {
    /// The ledger, everything on, through the door for traffic.
    Amana,
    /// The same through the door that takes the caller's transaction.
    Door,
    /// One `INSERT` of one row, one commit, into a bare table with the columns and indexes of the journal's.
    Insert,
    /// Binary `COPY` of rows into such a table.
    Copy,
    /// A SQL function of our own that locks rows of balances.
    Rows,
    /// cala-ledger.
    Cala,
}

impl Contestant {
    /// All, in the order in which they take turns.
    pub(crate) const ALL: [Self; 6] =
        [Self::Amana, Self::Door, Self::Insert, Self::Copy, Self::Rows, Self::Cala];

    /// Its name in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Amana => "amana",
            Self::Door => "amana, own tx",
            Self::Insert => "one-row INSERT",
            Self::Copy => "binary COPY",
            Self::Rows => "row locks",
            Self::Cala => "cala-ledger",
        }
    }
}

/// What is asked of whoever posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Scene {
    /// Postings in the journal beforehand, about.
    pub(crate) prior: u64,
    /// Accounts.
    pub(crate) accounts: u64,
    /// Whether one account is part of every transfer; else both are drawn.
    pub(crate) hot: bool,
    /// Clients at once, each waiting for its answer before it asks again.
    pub(crate) clients: u64,
    /// Transfers a call.
    pub(crate) batch: u64,
}

/// What was used.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Spent {
    pub(crate) wal_bytes: u64,
    pub(crate) server_ns: u64,
    pub(crate) client_ns: u64,
}

/// One contestant in one scene. `spent` is per transfer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    #[serde(flatten)]
    pub(crate) scene: Scene,
    pub(crate) contestant: Contestant,
    /// Transfers a second, the median of the rounds.
    pub(crate) rate: u64,
    /// The lowest and the highest round.
    pub(crate) range: [u64; 2],
    /// Microseconds from call to answer, of half of the calls and of 99 in 100.
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    #[serde(flatten)]
    pub(crate) spent: Spent,
    pub(crate) deadlocks: u64,
}

/// One million postings of a sustained run, and as many rows of the plain COPY right after them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Million {
    pub(crate) accounts: u64,
    /// Postings in the journal at its end.
    pub(crate) postings: u64,
    pub(crate) rate: u64,
    pub(crate) copy_rate: u64,
    pub(crate) p99_us: u64,
    #[serde(flatten)]
    pub(crate) spent: Spent,
}

/// How long a question takes at the end of a sustained run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Read {
    pub(crate) accounts: u64,
    pub(crate) postings: u64,
    pub(crate) what: String,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    /// What the median has to stay under, milliseconds; 0 for a baseline.
    #[serde(default)]
    pub(crate) under_ms: u64,
}

/// Where and how it was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: u64,
    pub(crate) memory_mib: u64,
    pub(crate) postgres: String,
    pub(crate) settings: String,
    pub(crate) arguments: String,
}

/// One line of results.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub(crate) enum Record {
    Machine(Machine),
    Figure(Figure),
    Million(Million),
    Read(Read),
}

/// All of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Results(pub(crate) Vec<Record>);

impl Results {
    pub(crate) fn machine(&self) -> Option<&Machine> {
        self.0.iter().find_map(|record| match record {
            Record::Machine(machine) => Some(machine),
            _ => None,
        })
    }

    pub(crate) fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.0.iter().filter_map(|record| match record {
            Record::Figure(figure) => Some(figure),
            _ => None,
        })
    }

    pub(crate) fn millions(&self, accounts: u64) -> Vec<&Million> {
        let millions = self.0.iter().filter_map(|record| match record {
            Record::Million(million) => Some(million),
            _ => None,
        });
        millions.filter(|million| million.accounts == accounts).collect()
    }

    pub(crate) fn reads(&self) -> impl Iterator<Item = &Read> {
        self.0.iter().filter_map(|record| match record {
            Record::Read(read) => Some(read),
            _ => None,
        })
    }

    /// What `contestant` did in `scene`.
    pub(crate) fn of(&self, contestant: Contestant, scene: Scene) -> Option<&Figure> {
        self.figures().find(|figure| figure.contestant == contestant && figure.scene == scene)
    }

    /// Scenes in the order in which they were measured, each once.
    pub(crate) fn scenes(&self) -> Vec<Scene> {
        let mut scenes = Vec::new();
        for figure in self.figures() {
            if !scenes.contains(&figure.scene) {
                scenes.push(figure.scene);
            }
        }
        scenes
    }
}

/// The values at 50 and 99 of 100, of what was sorted.
pub(crate) fn percentiles(sorted: &[u64]) -> [u64; 2] {
    [50, 99].map(|per_cent| sorted.get(sorted.len() * per_cent / 100).copied().unwrap_or(0))
}

/// One per cent of another; more than any threshold where there is nothing to divide by.
pub(crate) fn per_cent(part: u64, whole: u64) -> u64 {
    (part * 100).checked_div(whole).unwrap_or(u64::MAX)
}
