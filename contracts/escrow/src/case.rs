//! An escrow during a call: loaded, changed by one transition, then settled and told.
//!
//! Invariant: the escrow and the sums are written before a token is called. What the event says was given is
//! what the transition gave, never a caller's word.

use soroban_sdk::{Address, BytesN, Env, Symbol, Vec};

use crate::escrow::{Due, Escrow, Payee};
use crate::event::Changed;
use crate::record::{EscrowView, NUMBERS, Record, phase};
use crate::storage;
use crate::token::Asset;

pub(crate) struct Case {
    env: Env,
    pub(crate) reference: BytesN<32>,
    pub(crate) now: u64,
    pub(crate) payer: Address,
    /// The payee's pseudonym, once there is a payee.
    pub(crate) person: BytesN<32>,
    pub(crate) amounts: Vec<i64>,
    pub(crate) escrow: Escrow<Address>,
    pub(crate) asset: Asset,
    /// By this call.
    burned: i64,
}

impl Case {
    /// Fails the call with `NotFound` if there is no such escrow.
    #[inline(never)]
    pub(crate) fn load(env: &Env, reference: BytesN<32>) -> Self {
        let record = storage::record(env, &reference);
        let asset = Asset::of(env, record.listing());
        let Record(payer, person, to, numbers, amounts) = record;
        Self {
            env: env.clone(),
            reference,
            now: env.ledger().timestamp(),
            payer,
            person,
            amounts,
            escrow: Record::unpack(to, &numbers),
            asset,
            burned: 0,
        }
    }

    #[inline(never)]
    pub(crate) fn store(&self) {
        let last_clock = self.escrow.terms.expiry.max(self.escrow.dispute_until());
        let alive_to = Some(last_clock).filter(|_| !self.escrow.is_over());
        storage::set_record(&self.env, &self.reference, &self.record(), alive_to);
    }

    fn record(&self) -> Record {
        let Escrow { terms, given, payee, state, .. } = &self.escrow;
        let (route, to) = match payee {
            Payee::Nobody => (0, &self.payer),
            Payee::Mobile => (1, &self.payer),
            Payee::Account(address) => (2, address),
        };
        let listing = i64::from(self.asset.listing) << 32;
        let numbers: [i64; NUMBERS] = [
            (phase(state) as i64) << 56 | route << 48 | listing | i64::from(given.milestones),
            terms.amount,
            self.escrow.funded(),
            given.to_payee,
            given.fee,
            given.vault,
            given.due.payee,
            given.due.payer,
            terms.fee_cap,
            terms.default_to_payee,
            terms.expiry.cast_signed(),
            terms.release_at.cast_signed(),
            self.escrow.dispute_until().cast_signed(),
            terms.dispute_s.into(),
        ];
        let numbers = Vec::from_array(self.payer.env(), numbers);
        Record(self.payer.clone(), self.person.clone(), to.clone(), numbers, self.amounts.clone())
    }

    /// The payee's own address.
    pub(crate) fn to(&self) -> Option<Address> {
        match &self.escrow.payee {
            Payee::Account(address) => Some(address.clone()),
            Payee::Nobody | Payee::Mobile => None,
        }
    }

    /// As others read it.
    pub(crate) fn view(&self) -> EscrowView {
        let Escrow { terms, given, payee, .. } = &self.escrow;
        let mut amounts = Vec::new(self.payer.env());
        for worth in &self.amounts {
            amounts.push_back(worth.into());
        }
        EscrowView {
            state: phase(&self.escrow.state),
            payer: self.payer.clone(),
            payee: if matches!(payee, Payee::Nobody) { None } else { Some(self.person.clone()) },
            to: self.to(),
            listing: self.asset.listing,
            amounts,
            milestones: given.milestones,
            amount: terms.amount.into(),
            funded: self.escrow.funded().into(),
            to_payee: given.to_payee.into(),
            fee: given.fee.into(),
            vault: given.vault.into(),
            due_payee: given.due.payee.into(),
            due_payer: given.due.payer.into(),
            fee_cap: terms.fee_cap.into(),
            default_to_payee: terms.default_to_payee.into(),
            expiry: terms.expiry,
            release_at: terms.release_at,
            dispute_s: terms.dispute_s,
            dispute_until: self.escrow.dispute_until(),
        }
    }

    /// Settles and tells.
    #[inline(never)]
    pub(crate) fn finish(&mut self, verb: Symbol, by: Option<Address>, burn: i64, must: bool) {
        self.settle(burn, must);
        self.tell(verb, by);
    }

    #[inline(never)]
    pub(crate) fn tell(&self, verb: Symbol, by: Option<Address>) {
        let Escrow { given, moved, .. } = &self.escrow;
        let changed = Changed {
            verb,
            reference: self.reference.clone(),
            by,
            to: self.to(),
            milestones: given.milestones,
            to_payee: moved.to_payee.into(),
            to_payer: moved.to_payer.into(),
            fee: moved.fee.into(),
            burned: self.burned.into(),
            vault: given.vault.into(),
            due_payee: given.due.payee.into(),
            due_payer: given.due.payer.into(),
            remaining: self.escrow.left().into(),
            until: self.escrow.dispute_until(),
        };
        changed.publish(&self.env);
    }

    /// Writes the escrow and moves what the change moves out. It burns `burn`, and the fee if deposits funded
    /// the escrow; else it keeps the fee for its recipient. It pays what is due to accounts; what an account
    /// refuses stays due, so that nobody's account can hold up somebody else; or, if all `must` move, it
    /// undoes the whole call.
    #[inline(never)]
    pub(crate) fn settle(&mut self, burn: i64, must: bool) {
        let fee = self.escrow.moved.fee;
        let kept = if self.asset.listing == 0 { 0 } else { fee };
        let burned = burn + fee - kept;
        let due = self.escrow.take_due();
        self.burned = burned;
        self.store();
        if burned + kept + due.payee + due.payer == 0 {
            return;
        }
        let Self { env, asset, .. } = &*self;
        asset.count(env, [0, burned, due.payee + due.payer, kept]);
        asset.burn(env, burned);
        let refused = Due {
            payee: asset.pay(env, self.to(), due.payee, must),
            payer: asset.pay(env, Some(self.payer.clone()), due.payer, must),
        };
        if refused != Due::default() {
            asset.count(env, [0, 0, -refused.payee - refused.payer, 0]);
            self.escrow.given.due = refused;
            self.store();
        }
    }
}
