//! What a difference between ledger and chain is called, and its two sides in words.
//!
//! Invariant: pure. Each kind of difference has a name of its own, and names both sides.

use amana_adapters::stellar::{EscrowOnChain, EscrowState};
use amana_ledger::money::{Asset, decimal};

use crate::flows::index::known::Known;

/// Something on which ledger and chain do not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is called.
    pub kind: &'static str,
    /// What it is about: an escrow, a transaction, an account.
    pub subject: String,
    /// What our books say.
    pub ledger: String,
    /// What the chain says.
    pub chain: String,
}

/// A mint or burn of the token's that no posting stands for, or a posting without one.
#[derive(Debug, Clone)]
pub(super) struct Lonely {
    pub(super) tx_hash: String,
    pub(super) minted: bool,
    pub(super) amount: i64,
    pub(super) whose: String,
}

/// Sums over what was heard and wished, minor units.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    /// What posted events did to the tokens there are.
    pub(super) posted: i64,
    /// Mints wished for and not posted.
    pub(super) minting: i64,
    /// Burns wished for and not posted.
    pub(super) burning: i64,
    /// What the contract minted less what it burned, by the token's events up to a ledger.
    pub(super) told: i64,
}

/// Amounts in words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words(pub(crate) Asset);

impl Words {
    fn money(self, minor: i64) -> String {
        format!("{} {}", self.0.code(), decimal(self.0, minor))
    }

    fn escrow(self, state: Option<EscrowState>, [funded, to_payee, fee, vault]: [i64; 4]) -> String {
        let amount = |minor| decimal(self.0, minor);
        match state {
            None => "absent".into(),
            Some(state) => format!(
                "{}, funded {}, to payee {}, fee {}, vault {}",
                state_word(state),
                amount(funded),
                amount(to_payee),
                amount(fee),
                amount(vault)
            ),
        }
    }

    /// An escrow as its events told it, and as the chain shows it.
    pub(crate) fn of_escrow(
        self,
        reference: &str,
        known: &Known,
        shown: Option<&EscrowOnChain>,
    ) -> Option<Difference> {
        if known.agrees(shown) {
            return None;
        }
        let kind = match shown.map_or(0, |shown| shown.funded) - known.funded {
            1.. => "mint_without_posting",
            0 => "escrow_state_differs",
            _ => "posting_without_mint",
        };
        let ours = self.escrow(known.state, [known.funded, known.to_payee, known.fee, known.vault]);
        let theirs = shown.map_or("absent".into(), |it| {
            self.escrow(Some(it.state), [it.funded, it.to_payee, it.fee, it.vault])
        });
        Some(Difference { kind, subject: reference.into(), ledger: ours, chain: theirs })
    }

    /// What the ledger holds in an escrow, and what the chain holds in it with what is wished into it.
    pub(super) fn of_balance(
        self,
        reference: &str,
        balance: i64,
        (held, minting): (i64, i64),
    ) -> Option<Difference> {
        (balance != held + minting).then(|| Difference {
            kind: "escrow_balance_differs",
            subject: reference.into(),
            ledger: self.money(balance),
            chain: format!("{} held, {} on its way", self.money(held), self.money(minting)),
        })
    }

    /// The token's word without a posting.
    pub(super) fn of_unposted(self, lonely: &Lonely, contract: &str) -> Difference {
        let kind = match (lonely.minted, lonely.whose == contract) {
            (true, true) => "mint_without_posting",
            (true, false) => "minted_outside",
            (false, true) => "burn_without_posting",
            (false, false) => "burned_outside",
        };
        let verb = if lonely.minted { "minted for" } else { "burned by" };
        Difference {
            kind,
            subject: lonely.tx_hash.clone(),
            ledger: "no posting".into(),
            chain: format!("{} {verb} {}", self.money(lonely.amount), lonely.whose),
        }
    }

    /// A posting without the token's word.
    pub(super) fn of_untold(self, lonely: &Lonely) -> Difference {
        let verb = if lonely.minted { "minted for" } else { "burned of" };
        Difference {
            kind: if lonely.minted { "posting_without_mint" } else { "posting_without_burn" },
            subject: lonely.tx_hash.clone(),
            ledger: format!("{} {verb} {}", self.money(lonely.amount), lonely.whose),
            chain: "the token says nothing of it".into(),
        }
    }

    /// The book's accounts of the chain, with what was heard and wished.
    pub(super) fn of_book(self, sums: &Sums, accounts: &Accounts, counted: i64) -> Vec<Difference> {
        let supply = match accounts.supply - sums.posted {
            1.. => "posting_without_mint",
            _ => "posting_without_burn",
        };
        let all = [
            (supply, "onchain:supply", accounts.supply, sums.posted, "by the events that were posted"),
            ("clearing_differs", "clearing:mint", accounts.minting, sums.minting, "wished for, not minted"),
            ("clearing_differs", "clearing:burn", accounts.burning, sums.burning, "wished for, not burned"),
            (
                "control_differs",
                "onchain:issued",
                accounts.issued,
                accounts.supply + accounts.minting - accounts.burning,
                "supply and what is on its way",
            ),
            ("float_differs", "float", accounts.owed, accounts.issued, "owed in tokens"),
            ("counters_differ", "supply", sums.told, counted, "by the contract's counters"),
        ];
        let differs = all.into_iter().filter(|(_, _, ours, theirs, _)| ours != theirs);
        differs
            .map(|(kind, subject, ours, theirs, what)| Difference {
                kind,
                subject: subject.into(),
                ledger: self.money(ours),
                chain: format!("{} {what}", self.money(theirs)),
            })
            .collect()
    }
}

/// What stands on the book's accounts of the chain, minor units.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Accounts {
    pub(super) owed: i64,
    pub(super) issued: i64,
    pub(super) minting: i64,
    pub(super) burning: i64,
    pub(super) supply: i64,
}

/// The chain's word for where an escrow stands.
pub(crate) fn state_word(state: EscrowState) -> &'static str {
    match state {
        EscrowState::Open => "open",
        EscrowState::Funded => "funded",
        EscrowState::Released => "released",
        EscrowState::Refunded => "refunded",
        EscrowState::Cancelled => "cancelled",
        EscrowState::Disputed => "disputed",
        EscrowState::Resolved => "resolved",
    }
}
