//! An escrow on the chain as its events told it, laid beside the escrow as the chain shows it.
//!
//! Invariant: pure. What the chain shows and was not told becomes the effects that were missed, in the order
//! in which they must have happened; nothing is guessed that the entry does not say.

use amana_adapters::stellar::{Effect, EscrowOnChain, EscrowState};
use serde::{Deserialize, Serialize};

/// What the events told of an escrow. Amounts are minor units.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Where it is; `None` before it was created.
    pub state: Option<EscrowState>,
    /// Minted into it.
    pub funded: i64,
    /// By these deposits.
    pub deposits: Vec<[u8; 32]>,
    /// Whether a payee was named.
    pub assigned: bool,
    /// The payee's part.
    pub to_payee: i64,
    /// The platform's part.
    pub fee: i64,
    /// What is to be burned of it yet.
    pub vault: i64,
}

impl Known {
    /// What a row of events tells, in their order.
    pub fn of<'a>(effects: impl IntoIterator<Item = &'a Effect>) -> Self {
        effects.into_iter().fold(Self::default(), Self::after)
    }

    fn after(mut self, effect: &Effect) -> Self {
        match effect {
            Effect::Created { .. } => self.state = Some(EscrowState::Open),
            Effect::Funded { deposit_id, amount, remaining, .. } => {
                self.funded += amount;
                self.deposits.push(*deposit_id);
                if *remaining == 0 {
                    self.state = Some(EscrowState::Funded);
                }
            }
            Effect::Assigned { .. } => self.assigned = true,
            Effect::Released { to_payee, fee, to, .. } => {
                self.state = Some(EscrowState::Released);
                self.to_payee += to_payee;
                self.fee += fee;
                self.vault += if to.is_none() { *to_payee } else { 0 };
            }
            Effect::MilestoneReleased { to_payee, fee, to, .. } => {
                self.to_payee += to_payee;
                self.fee += fee;
                self.vault += if to.is_none() { *to_payee } else { 0 };
            }
            Effect::Refunded { amount, .. } => {
                self.state = Some(EscrowState::Refunded);
                self.vault += amount;
            }
            Effect::Disputed { .. } => self.state = Some(EscrowState::Disputed),
            Effect::Resolved { to_payee, to_payer, to, .. } => {
                self.state = Some(EscrowState::Resolved);
                self.to_payee += to_payee;
                self.vault += to_payer + if to.is_none() { *to_payee } else { 0 };
            }
            Effect::Cancelled { .. } => self.state = Some(EscrowState::Cancelled),
            Effect::Burned { vault, .. } => self.vault = *vault,
            Effect::TokenMint { .. }
            | Effect::TokenBurn { .. }
            | Effect::TokenTransfer { .. }
            | Effect::Anchored { .. }
            | Effect::PaidIn { .. }
            | Effect::Claimed { .. }
            | Effect::House { .. }
            | Effect::Other { .. } => {}
        }
        self
    }

    /// Whether the chain shows what was told.
    pub fn agrees(&self, shown: Option<&EscrowOnChain>) -> bool {
        match shown {
            None => self.state.is_none(),
            Some(shown) => {
                self.state == Some(shown.state)
                    && (self.funded, self.to_payee, self.fee, self.vault)
                        == (shown.funded, shown.to_payee, shown.fee, shown.vault)
            }
        }
    }

    /// What it holds for its parties: minted, and neither released, refunded nor burned.
    pub fn held(&self) -> i64 {
        match self.state {
            Some(EscrowState::Open | EscrowState::Funded | EscrowState::Disputed) => {
                self.funded - self.to_payee - self.fee
            }
            None
            | Some(
                EscrowState::Released
                | EscrowState::Refunded
                | EscrowState::Cancelled
                | EscrowState::Resolved,
            ) => 0,
        }
    }

    /// What happened to the escrow `key` that was not told. `minted` are the deposits that the contract says
    /// were minted into it, and were not told either.
    pub fn missed(&self, key: [u8; 32], shown: &EscrowOnChain, minted: &[([u8; 32], i64)]) -> Vec<Effect> {
        let mut missed = Vec::new();
        if self.state.is_none() {
            missed.push(Effect::Created { key, amount: shown.amount });
        }
        let mut funded = self.funded;
        for (deposit_id, amount) in minted {
            funded += amount;
            let (deposit_id, amount, remaining) = (*deposit_id, *amount, shown.amount - funded);
            missed.push(Effect::Funded { key, deposit_id, amount, remaining });
        }
        if let Some(payee) = shown.payee.filter(|_| !self.assigned) {
            missed.push(Effect::Assigned { key, payee, to: shown.to.clone() });
        }
        if self.state != Some(shown.state) {
            match shown.state {
                EscrowState::Open | EscrowState::Funded => {}
                EscrowState::Released => missed.push(Effect::Released {
                    key,
                    to_payee: shown.to_payee - self.to_payee,
                    fee: shown.fee - self.fee,
                    to: shown.to.clone(),
                }),
                EscrowState::Refunded => {
                    let amount = shown.funded - shown.to_payee - shown.fee;
                    missed.push(Effect::Refunded { key, amount });
                }
                EscrowState::Disputed => missed.push(self.disputed(key, shown)),
                // Who decided is not in the entry: `None` stands for a deadline as well.
                EscrowState::Resolved => {
                    if self.state != Some(EscrowState::Disputed) {
                        missed.push(self.disputed(key, shown));
                    }
                    let (by, to) = (None, shown.to.clone());
                    let to_payee = shown.to_payee - self.to_payee;
                    let to_payer = shown.funded - shown.to_payee - shown.fee;
                    missed.push(Effect::Resolved { key, by, to_payee, to_payer, to });
                }
                EscrowState::Cancelled => missed.push(Effect::Cancelled { key, burned: shown.funded }),
            }
        }
        let vault = missed.iter().fold(self.clone(), Self::after).vault;
        if vault > shown.vault {
            missed.push(Effect::Burned { key, amount: vault - shown.vault, vault: shown.vault });
        }
        missed
    }

    /// A dispute that was not told; who asked for it is not in the entry.
    fn disputed(&self, key: [u8; 32], shown: &EscrowOnChain) -> Effect {
        Effect::Disputed { key, by: String::new(), until: shown.dispute_until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [1; 32];

    fn shown(state: EscrowState, vault: i64) -> EscrowOnChain {
        let released = state == EscrowState::Released;
        EscrowOnChain {
            state,
            payer: "G".into(),
            payee: Some([5; 32]),
            to: None,
            amount: 1_000,
            funded: 1_000,
            to_payee: if released { 900 } else { 0 },
            fee: if released { 100 } else { 0 },
            vault,
            expiry: 9,
            milestones: u32::from(released),
            due_payee: 0,
            release_at: 0,
            dispute_until: 0,
        }
    }

    fn story() -> Vec<Effect> {
        vec![
            Effect::Created { key: KEY, amount: 1_000 },
            Effect::Funded { key: KEY, deposit_id: [7; 32], amount: 400, remaining: 600 },
            Effect::Funded { key: KEY, deposit_id: [8; 32], amount: 600, remaining: 0 },
            Effect::Assigned { key: KEY, payee: [5; 32], to: None },
            Effect::Released { key: KEY, to_payee: 900, fee: 100, to: None },
            Effect::Burned { key: KEY, amount: 850, vault: 50 },
        ]
    }

    #[test]
    fn wherever_the_telling_stopped_the_rest_is_what_was_missed() {
        let story = story();
        let end = shown(EscrowState::Released, 50);
        for heard in 0..=story.len() {
            let (told, rest) = story.split_at(heard);
            let known = Known::of(told);
            let unheard = [([7; 32], 400), ([8; 32], 600)];
            let minted: Vec<_> = unheard.into_iter().filter(|(id, _)| !known.deposits.contains(id)).collect();
            assert_eq!(known.missed(KEY, &end, &minted), rest, "after {heard}");
            assert_eq!(known.agrees(Some(&end)), rest.is_empty());
        }
    }

    #[test]
    fn a_refund_that_was_burned_meanwhile_is_both() {
        let known = Known::of(&story()[..4]);
        let missed = known.missed(KEY, &shown(EscrowState::Refunded, 0), &[]);
        let wanted = [
            Effect::Refunded { key: KEY, amount: 1_000 },
            Effect::Burned { key: KEY, amount: 1_000, vault: 0 },
        ];
        assert_eq!(missed, wanted);
    }
}
