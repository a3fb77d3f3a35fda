//! Random requests, each in both languages: the ledger's and the model's.

use amana_ledger::chart::{Account, BookId, Side};
use amana_ledger::id::{EscrowRef, ExternalRef, IdempotencyKey, Rng, TransferId};
use amana_ledger::limit::{self, Measure, Period};
use amana_ledger::money::{Amount, Asset, Money};
use amana_ledger::rules::{self, Intent, Paid};
use amana_ledger::transfer::Transfer;
use amana_tests::naive::{self, Asked, Leg, Op};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::ground::{NOON, Seeded, book, kes, party, paybill, rail};

/// A day in microseconds.
pub(crate) const DAY: i64 = 86_400_000_000;

/// A request in both languages.
#[derive(Clone)]
pub(crate) struct Both {
    pub(crate) model: naive::Request,
    pub(crate) transfer: Transfer,
}

/// Which request is meant. The same one always asks the same, unless it is twisted: a used name with another
/// request.
#[derive(Clone, Copy)]
pub(crate) struct Which {
    pub(crate) number: u64,
    /// Whether it is a hold, whatever its number would make of it.
    pub(crate) hold: bool,
    pub(crate) twisted: bool,
    /// The id it comes under, if not its own: a retry mints another.
    pub(crate) id: Option<u64>,
}

impl Which {
    pub(crate) fn of(number: u64) -> Self {
        Self { number, hold: false, twisted: false, id: None }
    }
}

pub(crate) fn id(number: u64) -> TransferId {
    TransferId(Uuid::from_u64_pair(0x0190_0000_0000_7000, 0x8000_0000_0000_0000 | number))
}

pub(crate) fn at(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap()
}

fn escrow(number: u64) -> EscrowRef {
    struct Fixed(u8);
    impl Rng for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }
    EscrowRef::mint(&Fixed(number as u8))
}

fn employer(number: u64) -> Account {
    Account::Employer(party(1 + u128::from(number)))
}

fn employee(number: u64) -> Account {
    Account::Employee(party(10 + u128::from(number)))
}

/// Every account that may be touched; the model calls them by their places.
pub(crate) fn accounts() -> Vec<Account> {
    let mut all = vec![
        Account::FloatMpesa(paybill()),
        Account::FloatRail(rail()),
        Account::ClearingFloat,
        Account::ClearingMint,
        Account::ClearingBurn,
        Account::OnchainControl,
        Account::OnchainSupply,
        Account::SuspenseMpesa(paybill()),
        Account::Capital,
        Account::FeeIncome,
        Account::Tariff,
    ];
    (0..3).for_each(|at| all.extend([employer(at), Account::Escrow(escrow(at)), employee(at)]));
    all
}

pub(crate) fn paths() -> Vec<String> {
    accounts().iter().map(Account::path).collect()
}

/// The requests of one book by one seed.
pub(crate) struct Mix {
    pub(crate) book: BookId,
    pub(crate) seed: u64,
    accounts: Vec<Account>,
}

impl Mix {
    pub(crate) fn new(book: &BookId, seed: u64) -> Self {
        Self { book: book.clone(), seed, accounts: accounts() }
    }

    fn leg(&self, debit: &Account, credit: &Account, amount: i64) -> Leg {
        let place = |account| self.accounts.iter().position(|known| known == account).unwrap();
        (place(debit), place(credit), amount)
    }

    pub(crate) fn request(&self, which: Which) -> Both {
        let number = which.number;
        let rng = Seeded::of(self.seed ^ number.wrapping_mul(0xff51_afd7_ed55_8ccd));
        let mut model = naive::Request {
            id: which.id.unwrap_or(number),
            key: (rng.below(2) == 0).then_some(number),
            asked: Asked { op: Op::Wrong(""), effective: None, fact: None, metadata: Vec::new() },
        };
        // Sometimes it takes an id that another has.
        if rng.below(40) == 0 {
            model.id = number.saturating_sub(1 + rng.below(20)).max(1);
        }
        if rng.below(5) == 0 {
            model.asked.effective = Some(NOON - 6 * DAY + rng.below(25 * DAY.cast_unsigned()).cast_signed());
        }
        if rng.below(6) == 0 {
            model.asked.fact = Some(number - number.min(rng.below(2) * 7));
        }
        if rng.below(6) == 0 {
            model.asked.metadata = vec![
                ("channel".to_owned(), ["ussd", "web"][(number % 2) as usize].to_owned()),
                ("job".to_owned(), (number % 5).to_string()),
            ];
        }
        let (op, transfer) = match rng.below(150) {
            0 => {
                let intent = intent(&model, &book("elsewhere:KES"));
                (Op::Wrong("WrongBook"), rules::capital_in(intent, Account::FloatRail(rail()), kes(1)))
            }
            _ => self.op(which, &rng, intent(&model, &self.book)),
        };
        model.asked.op = op;
        Both { model, transfer }
    }

    fn op(&self, which: Which, rng: &Seeded, intent: Intent) -> (Op, Transfer) {
        let number = which.number;
        let amount = 1 + rng.below(40) as i64 + i64::from(which.twisted) * 50;
        let kind = rng.below(30);
        if which.hold || number.is_multiple_of(5) {
            return self.hold(rng, intent, amount);
        }
        match kind {
            0 => self.wrong(rng, intent, amount),
            1..6 => self.later(which, rng, intent),
            6..10 => {
                let of = number.saturating_sub(1 + rng.below(12));
                (Op::Reverse(of), rules::reversal(intent, id(of)))
            }
            _ => self.money(kind, rng, intent, amount),
        }
    }
}

impl Mix {
    /// Money that moves outright.
    fn money(&self, kind: u64, rng: &Seeded, intent: Intent, amount: i64) -> (Op, Transfer) {
        let (paybill, payout) = (paybill(), Account::FloatRail(rail()));
        let float = Account::FloatMpesa(paybill.clone());
        let (one, two, three) = (rng.below(3), rng.below(3), rng.below(3));
        let (Account::Employer(owner), Account::Employee(worker)) = (employer(one), employee(two)) else {
            unreachable!("they are made so")
        };
        let (owned, earned, reference) = (employer(one), employee(two), escrow(three));
        let held = Account::Escrow(reference.clone());
        let minting = self.leg(&Account::ClearingMint, &Account::OnchainControl, amount);
        let leg = |debit: &Account, credit: &Account| self.leg(debit, credit, amount);
        match kind {
            10..13 => (
                Op::Post(vec![leg(&payout, &Account::Capital)]),
                rules::capital_in(intent, payout, kes(amount)),
            ),
            13..19 => {
                let (escrow, employer) = (Some((reference, kes(amount))), Some((owner, kes(amount))));
                (
                    Op::Post(vec![leg(&float, &held), minting, leg(&float, &owned)]),
                    rules::collection_booked(intent, &paybill, escrow, employer),
                )
            }
            19..22 => (
                Op::Post(vec![leg(&owned, &held), minting]),
                rules::employer_funded(intent, owner, reference, kes(amount)),
            ),
            22..24 => (
                Op::Post(vec![leg(&Account::OnchainSupply, &Account::ClearingMint)]),
                rules::mint_final(intent, kes(amount)),
            ),
            24 => (
                Op::Post(vec![leg(&float, &Account::SuspenseMpesa(paybill.clone()))]),
                rules::collection_suspended(intent, &paybill, kes(amount)),
            ),
            _ => (
                Op::Post(vec![
                    leg(&held, &earned),
                    self.leg(&held, &Account::FeeIncome, 1),
                    self.leg(&Account::OnchainControl, &Account::OnchainSupply, 1),
                ]),
                rules::released(intent, reference, worker, kes(amount), Some(kes(1))),
            ),
        }
    }

    fn hold(&self, rng: &Seeded, intent: Intent, amount: i64) -> (Op, Transfer) {
        let number = rng.below(3);
        let Account::Employee(worker) = employee(number) else { unreachable!("it is made so") };
        let due = (rng.below(3) == 0).then(|| NOON + rng.below(15 * DAY.cast_unsigned()).cast_signed());
        let hold = rules::payout_hold(intent, worker, &rail(), kes(amount));
        let transfer = match due {
            Some(due) => rules::payout_hold_until(hold, at(due)),
            None => hold,
        };
        (Op::Hold(self.leg(&employee(number), &Account::FloatRail(rail()), amount), due), transfer)
    }

    /// What becomes of an earlier hold, or of something that is none.
    fn later(&self, which: Which, rng: &Seeded, intent: Intent) -> (Op, Transfer) {
        let near = which.number.saturating_sub(1) / 5 * 5;
        let hold = if rng.below(8) == 0 { which.number / 2 } else { near.saturating_sub(rng.below(4) * 5) };
        match rng.below(5) {
            0 => (Op::Void(hold), rules::payout_failed(intent, id(hold))),
            1 => (Op::Expire(hold), rules::payout_expired(intent, id(hold))),
            _ => {
                let (part, last) = (1 + rng.below(25) as i64, rng.below(2) == 0);
                let also = vec![
                    self.leg(&Account::OnchainControl, &Account::ClearingBurn, part),
                    self.leg(&Account::Tariff, &Account::FloatRail(rail()), 1),
                ];
                let paid = Paid { amount: kes(part), tariff: Some(kes(1)), last };
                (Op::Settle { hold, part, last, also }, rules::payout_paid(intent, id(hold), &rail(), paid))
            }
        }
    }

    fn wrong(&self, rng: &Seeded, intent: Intent, amount: i64) -> (Op, Transfer) {
        let float = Account::FloatRail(rail());
        match rng.below(5) {
            0 | 1 => {
                let pounds = Money::new(Asset::Egp, amount).unwrap();
                (Op::Wrong("WrongAsset"), rules::capital_in(intent, float, pounds))
            }
            2 => (Op::Wrong("SameAccount"), rules::capital_in(intent, Account::Capital, kes(amount))),
            3 => (Op::Wrong("NothingToPost"), rules::collection_booked(intent, &paybill(), None, None)),
            _ => (
                Op::Post(vec![self.leg(&float, &Account::Capital, i64::MAX)]),
                rules::capital_in(intent, float, kes(i64::MAX)),
            ),
        }
    }

    /// A limit of one of the accounts, by chance.
    pub(crate) fn limit(&self, rng: &Seeded) -> (usize, naive::Limit, limit::Limit) {
        let limited = [Account::FloatRail(rail()), Account::Capital, employer(0), employee(0), employee(1)];
        let account = &limited[rng.below(limited.len() as u64) as usize];
        let floor = (rng.below(3) == 0).then(|| rng.below(90) as i64 - 60);
        let model: Vec<naive::Velocity> = (0..rng.below(3))
            .map(|_| naive::Velocity {
                net: rng.below(2) == 0,
                debits: rng.below(2) == 0,
                period: rng.below(3) as u8,
                most: 30 + rng.below(150) as i64,
            })
            .collect();
        let velocity = model.iter().map(|model| limit::Velocity {
            measure: if model.net { Measure::Net } else { Measure::Gross },
            side: if model.debits { Side::Debit } else { Side::Credit },
            period: Period::ALL[usize::from(model.period)],
            amount: Amount::new(model.most).unwrap(),
        });
        let ledger = limit::Limit { floor, velocity: velocity.collect() };
        let place = self.accounts.iter().position(|known| known == account).unwrap();
        (place, naive::Limit { floor, velocity: model }, ledger)
    }

    pub(crate) fn account(&self, place: usize) -> &Account {
        &self.accounts[place]
    }

    /// A group of voids, under numbers of their own.
    pub(crate) fn void(&self, number: u64, hold: u64) -> Both {
        let asked = Asked { op: Op::Void(hold), effective: None, fact: None, metadata: Vec::new() };
        let model = naive::Request { id: number, key: None, asked };
        let transfer = rules::payout_failed(intent(&model, &self.book), id(hold));
        Both { model, transfer }
    }
}

fn intent(model: &naive::Request, book: &BookId) -> Intent {
    let mut intent = match model.key {
        Some(key) => {
            let key = IdempotencyKey::parse(&format!("intention:{key}")).unwrap();
            Intent::new(id(model.id), book, key)
        }
        None => Intent::minted(id(model.id), book),
    };
    let Asked { effective, fact, metadata, .. } = &model.asked;
    if let Some(effective) = effective {
        intent = intent.effective_at(at(*effective));
    }
    if let Some(fact) = fact {
        intent = intent.external(ExternalRef::new("mpesa", "600111", format!("R{fact}")));
    }
    // Said in any order, kept in one.
    metadata.iter().rev().fold(intent, |intent, (name, value)| intent.metadata(name, value).unwrap())
}
