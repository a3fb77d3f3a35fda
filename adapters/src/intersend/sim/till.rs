//! What the simulated rail knows: its float, and every payout it was ever asked for, kept in a file if asked
//! to.
//!
//! Invariant: a reference is debited at most once at a time, and its order never changes.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use amana_ledger::money::{Asset, Money, decimal};
use serde::{Deserialize, Serialize};

use super::super::wire::{Order, Standing, word};
use super::Paid;
use crate::port::{Msisdn, PayoutState};

/// How a payout is going to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ending {
    Completed,
    Failed(String),
    Never,
}

/// The state of a payout, spelt as on the wire in the file.
#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    order: Order,
    number: u32,
    status: String,
    reason: Option<String>,
    asked: u32,
    debited: i64,
    ending: Ending,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Till {
    asset: Asset,
    float: i64,
    fee: i64,
    rows: BTreeMap<String, Row>,
}

/// What became of an order.
pub(super) enum Taken {
    New(Ending),
    Again,
    Conflict,
}

impl Till {
    pub(super) fn new(float: Money, fee: Option<Money>) -> Self {
        let fee = fee.map_or(0, Money::minor);
        Self { asset: float.asset, float: float.minor(), fee, rows: BTreeMap::new() }
    }

    pub(super) fn asset(&self) -> Asset {
        self.asset
    }

    pub(super) fn float(&self) -> i64 {
        self.float
    }

    pub(super) fn top_up(&mut self, minor: i64) {
        self.float += minor;
    }

    /// Takes an order for so much; the float decides whether it can end well.
    pub(super) fn take(&mut self, order: Order, minor: i64, wanted: Ending) -> Taken {
        if let Some(row) = self.rows.get_mut(&order.reference) {
            row.asked += 1;
            return if row.order == order { Taken::Again } else { Taken::Conflict };
        }
        let cost = minor.saturating_add(self.fee);
        let covered = cost <= self.float;
        let ending = if covered { wanted } else { Ending::Failed("insufficient_float".to_owned()) };
        let debited = if covered { cost } else { 0 };
        self.float -= debited;
        let number = self.rows.len() as u32 + 1;
        let status = word(PayoutState::Pending).to_owned();
        let reference = order.reference.clone();
        let row = Row { order, number, status, reason: None, asked: 1, debited, ending: ending.clone() };
        self.rows.insert(reference, row);
        Taken::New(ending)
    }

    /// Moves a payout on; a failed one gives the float back, one completed after all takes it again.
    pub(super) fn become_(&mut self, reference: &str, state: PayoutState) {
        let fee = self.fee;
        let asset = self.asset;
        let Some(row) = self.rows.get_mut(reference) else { return };
        row.status = word(state).to_owned();
        row.reason = match (&row.ending, state) {
            (Ending::Failed(reason), PayoutState::Failed) => Some(reason.clone()),
            (_, PayoutState::Failed) => Some("recipient_unreachable".to_owned()),
            _ => None,
        };
        let cost = Money::parse_decimal(asset, &row.order.amount).map_or(0, Money::minor) + fee;
        let owed = if state == PayoutState::Failed { 0 } else { cost };
        self.float += row.debited - owed;
        row.debited = owed;
    }

    /// The object on the wire, saying `state` whatever is true.
    pub(super) fn standing(&self, reference: &str, said: Option<PayoutState>) -> Option<Standing> {
        let row = self.rows.get(reference)?;
        Some(Standing {
            reference: reference.to_owned(),
            transaction_reference: Some(row.receipt()),
            status: said.map_or_else(|| row.status.clone(), |state| word(state).to_owned()),
            amount: Some(row.order.amount.clone().into()),
            currency: Some(row.order.currency.clone()),
            fee: Some(decimal(self.asset, self.fee).into()),
            reason: row.reason.clone(),
        })
    }

    /// What is neither over nor stalled, with its ending: to be taken up after a restart.
    pub(super) fn unfinished(&self) -> Vec<(String, Ending)> {
        let open = self.rows.iter().filter(|(_, row)| row.ending != Ending::Never && !row.state().is_final());
        open.map(|(reference, row)| (reference.clone(), row.ending.clone())).collect()
    }

    pub(super) fn paid(&self) -> Vec<Paid> {
        self.rows.values().filter_map(|row| row.view(self.asset)).collect()
    }

    pub(super) fn load(file: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(file) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Written beside and renamed, so that a crash leaves the old file or the new one; readable by its owner
    /// only, as it holds phone numbers.
    pub(super) fn save(&self, file: &Path) -> io::Result<()> {
        let beside = file.with_extension("new");
        let mut options = std::fs::OpenOptions::new();
        let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        out.write_all(&serde_json::to_vec(self)?)?;
        out.sync_all()?;
        std::fs::rename(beside, file)
    }
}

impl Row {
    fn receipt(&self) -> String {
        format!("ISP{:07}", self.number)
    }

    fn state(&self) -> PayoutState {
        super::super::wire::state(&self.status).unwrap_or(PayoutState::Pending)
    }

    fn view(&self, asset: Asset) -> Option<Paid> {
        Some(Paid {
            reference: self.order.reference.clone(),
            provider_id: self.receipt(),
            phone: Msisdn::parse(&self.order.phone_number).ok()?,
            money: Money::parse_decimal(asset, &self.order.amount).ok()?,
            state: self.state(),
            asked: self.asked,
        })
    }
}
