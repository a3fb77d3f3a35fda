//! What is to happen to an escrow, drawn by chance, and what must have happened to it in the end.
//!
//! Invariant: how it must end follows from what was drawn and from nothing that was seen.

use std::collections::BTreeMap;

use amana_adapters::stellar::EscrowState;
use amana_gateway::flows::escrow::Side;
use amana_tests::ground::FEE_BPS;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// How an escrow is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The work is done and paid.
    Release,
    /// The payee, who has an account, gives it back.
    GivenBack,
    /// One of the two objects and the arbiter gives the payee this share.
    Split { share: i64, side: Side },
    /// One of the two objects and nobody decides: by default the payer gets it.
    Undecided(Side),
    /// Nobody does anything until it expires; then a stranger or the payer has it given back, or both.
    Expiry { assigned: bool },
    /// It is never funded in full; when it expired, a stranger ends it.
    Stale { assigned: bool },
    /// The payer withdraws before it is funded in full.
    Cancel,
    /// The payer releases while the payee gives back: what came first on the chain.
    ReleaseOrGivenBack,
    /// The payer releases while the payee objects; if the objection came first, this share is the payee's.
    ReleaseOrSplit { share: i64 },
}

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payee {
    /// Paid by phone.
    Phone(usize),
    /// Paid in tokens, at an account of their own.
    Account(usize),
}

/// Something that somebody does about an escrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// The rail tells of this deposit.
    Deposit(usize),
    /// The payer names the payee.
    Assign,
    /// The payer says that the work is done.
    Complete,
    /// The payer withdraws.
    Cancel,
    /// One of the two objects, through the house.
    Dispute(Side),
    /// The payee gives back, on the chain.
    GiveBack,
    /// The payee objects, on the chain.
    Object,
    /// An approver decides that the payee gets so much; the arbiter signs it.
    Decide(i64),
    /// A stranger ends what expired, on the chain.
    Reclaim,
    /// The payer has what expired refunded, through the house.
    Expire,
}

/// What was drawn for one escrow. Amounts are minor units.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) employer: usize,
    pub(crate) payee: Payee,
    pub(crate) amount: i64,
    /// What is paid in, deposit by deposit.
    pub(crate) parts: Vec<i64>,
    /// Whether the last deposit comes late: when all is over, or while a stranger is ending what expired.
    pub(crate) late: bool,
    pub(crate) end: End,
}

/// How an escrow must stand in the end: its entry on the chain, its events, what the rail paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Right {
    pub(crate) state: EscrowState,
    pub(crate) funded: i64,
    pub(crate) to_payee: i64,
    pub(crate) fee: i64,
    pub(crate) vault: i64,
    /// What the rail paid to the payee, if it paid.
    pub(crate) paid: Option<i64>,
    /// What it sent back to payers, the least first.
    pub(crate) refunds: Vec<i64>,
    /// How often the chain must have said each.
    pub(crate) events: Vec<(&'static str, i64)>,
}

/// What an end leaves on accounts that several escrows share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Left {
    /// To the employer, whose own money it is again.
    pub(crate) employer: i64,
    /// To the payee, not paid by phone.
    pub(crate) payee: i64,
    /// In tokens at the payee's own account.
    pub(crate) held: i64,
}

impl Plan {
    /// Draws one.
    pub(crate) fn draw(dice: &mut StdRng, people: usize) -> Self {
        let amount = dice.random_range(50_000..900_000);
        let share = match dice.random_range(0..4) {
            0 => 0,
            1 => amount,
            _ => dice.random_range(1..amount),
        };
        let side = if dice.random() { Side::Employer } else { Side::Employee };
        let assigned = dice.random();
        let end = match dice.random_range(0..20) {
            0..6 => End::Release,
            6..8 => End::GivenBack,
            8..11 => End::Split { share, side },
            11 => End::Undecided(side),
            12..14 => End::Expiry { assigned },
            14 => End::Stale { assigned },
            15..17 => End::Cancel,
            17 => End::ReleaseOrGivenBack,
            _ => End::ReleaseOrSplit { share },
        };
        let number = dice.random_range(0..people);
        // Only who has an account can do something on the chain.
        let by_account = matches!(end, End::GivenBack | End::ReleaseOrGivenBack | End::ReleaseOrSplit { .. });
        let payee = match by_account || dice.random_ratio(1, 4) {
            true => Payee::Account(number),
            false => Payee::Phone(number),
        };
        let (parts, late) = deposits(dice, amount, end);
        Self { employer: dice.random_range(0..people), payee, amount, parts, late, end }
    }

    /// What happens first, in an order set by chance: deposits, some of them told of twice, and the payee's
    /// naming.
    pub(crate) fn beginning(&self, dice: &mut StdRng) -> Vec<Act> {
        let mut acts = Vec::new();
        for part in 0..self.parts.len() - usize::from(self.late) {
            acts.extend(vec![Act::Deposit(part); dice.random_range(1..=2)]);
        }
        if self.is_assigned() {
            acts.push(Act::Assign);
        }
        acts.shuffle(dice);
        acts
    }

    /// What brings the end about; where several compete, each in its order.
    pub(crate) fn ending(&self) -> Vec<Vec<Act>> {
        match self.end {
            End::Release => vec![vec![Act::Complete]],
            End::GivenBack => vec![vec![Act::GiveBack]],
            End::Split { share, side } => vec![vec![self.objection(side), Act::Decide(share)]],
            End::Undecided(side) => vec![vec![self.objection(side)]],
            End::Stale { .. } if self.late => vec![vec![Act::Reclaim], vec![self.last()]],
            End::Stale { .. } => vec![vec![Act::Reclaim]],
            End::Expiry { .. } => vec![vec![Act::Reclaim], vec![Act::Expire]],
            End::Cancel => vec![vec![Act::Cancel]],
            End::ReleaseOrGivenBack => vec![vec![Act::Complete], vec![Act::GiveBack]],
            End::ReleaseOrSplit { share } => {
                vec![vec![Act::Complete], vec![Act::Object, Act::Decide(share)]]
            }
        }
    }

    /// Who has an account objects with it; the house speaks for the others.
    fn objection(&self, side: Side) -> Act {
        match (side, self.payee) {
            (Side::Employee, Payee::Account(_)) => Act::Object,
            _ => Act::Dispute(side),
        }
    }

    /// What happens when all is over.
    pub(crate) fn afterwards(&self) -> Vec<Act> {
        if self.late && !self.is_stale() { vec![self.last()] } else { Vec::new() }
    }

    fn last(&self) -> Act {
        Act::Deposit(self.parts.len() - 1)
    }

    fn is_stale(&self) -> bool {
        matches!(self.end, End::Stale { .. })
    }

    /// How long it needs beyond what anybody does, days.
    pub(crate) fn days(&self) -> i64 {
        match self.end {
            End::Undecided(_) => 15,
            End::Expiry { .. } | End::Stale { .. } => 181,
            _ => 0,
        }
    }

    fn is_assigned(&self) -> bool {
        !matches!(self.end, End::Cancel | End::Expiry { assigned: false } | End::Stale { assigned: false })
    }

    /// Every end that is right, with what it leaves.
    pub(crate) fn rights(&self) -> Rights {
        match self.end {
            End::Release => self.released(),
            End::GivenBack | End::Expiry { .. } => self.refunded(),
            End::Split { share, .. } => self.parted(share),
            End::Undecided(_) => self.parted(0),
            End::Stale { .. } | End::Cancel => self.cancelled(),
            End::ReleaseOrGivenBack => [self.released(), self.refunded()].concat(),
            End::ReleaseOrSplit { share } => [self.released(), self.parted(share)].concat(),
        }
    }

    /// Of a funded escrow, of which the payer gets so much back: a right for each order in which the deposits
    /// may have been booked, and for each in which they may go back, which is another one where several were
    /// booked in the same instant.
    fn funded(
        &self,
        state: EscrowState,
        (to_payee, fee): (i64, i64),
        events: &[(&'static str, i64)],
    ) -> Rights {
        let came = self.parts.len() - usize::from(self.late);
        let mut rights = Vec::new();
        let booked = orders(&self.parts[..came]).into_iter().map(|order| {
            let mut room = self.amount;
            let within: Vec<i64> = order
                .iter()
                .map(|part| {
                    let within = (*part).min(room);
                    room -= within;
                    within
                })
                .collect();
            let over: Vec<i64> = order.iter().zip(&within).map(|(part, within)| part - within).collect();
            (within, over)
        });
        let both = booked
            .flat_map(|(within, over)| orders(&within).into_iter().map(move |order| (order, over.clone())));
        for (order, over) in both {
            let mut refunds: Vec<i64> = [&self.parts[came..], &over[..]].concat();
            let mut back = self.amount - to_payee - fee;
            for within in order {
                let again = within.min(back);
                back -= again;
                refunds.push(again);
            }
            let mut events = events.to_vec();
            events.push(("funded", i64::try_from(came).unwrap()));
            rights.push(self.right(state, (self.amount, to_payee, fee), refunds, events));
        }
        rights.sort_by(|(one, _), (other, _)| one.refunds.cmp(&other.refunds));
        rights.dedup();
        rights
    }

    fn right(
        &self,
        state: EscrowState,
        (funded, to_payee, fee): (i64, i64, i64),
        refunds: Vec<i64>,
        mut events: Vec<(&'static str, i64)>,
    ) -> (Right, Left) {
        // A rail pays whole shillings; what is left of one stays in the vault, or with the employer.
        let whole = |minor: i64| Some(minor - minor % 100).filter(|paid| *paid > 0);
        let mut refunds: Vec<i64> = refunds.into_iter().filter_map(whole).collect();
        refunds.sort_unstable();
        let (vault, paid, held) = match self.payee {
            Payee::Account(_) => (0, None, to_payee),
            Payee::Phone(_) => (to_payee % 100, whole(to_payee), 0),
        };
        let sent_back: i64 = refunds.iter().sum();
        let left = Left {
            employer: self.parts.iter().sum::<i64>() - to_payee - fee - sent_back,
            payee: to_payee - paid.unwrap_or(0),
            held,
        };
        events.extend([("assigned", i64::from(self.is_assigned())), ("created", 1)]);
        if paid.is_some() {
            events.push(("burned", 1));
        }
        let mut times: BTreeMap<&'static str, i64> = BTreeMap::new();
        events.into_iter().for_each(|(kind, more)| *times.entry(kind).or_default() += more);
        let events = times.into_iter().filter(|(_, times)| *times > 0).collect();
        (Right { state, funded, to_payee, fee, vault, paid, refunds, events }, left)
    }

    fn released(&self) -> Rights {
        let fee = self.amount * FEE_BPS / 10_000;
        self.funded(EscrowState::Released, (self.amount - fee, fee), &[("released", 1)])
    }

    fn refunded(&self) -> Rights {
        self.funded(EscrowState::Refunded, (0, 0), &[("burned", 1), ("refunded", 1)])
    }

    fn parted(&self, share: i64) -> Rights {
        let burned = ("burned", i64::from(share < self.amount));
        self.funded(EscrowState::Resolved, (share, 0), &[burned, ("disputed", 1), ("resolved", 1)])
    }

    /// A deposit that was told of before the end may have been minted or not: it is the employer's either
    /// way.
    fn cancelled(&self) -> Rights {
        let told = self.parts.len() - usize::from(self.late && !self.is_stale());
        let subsets = 0..1u32 << told;
        let minted = subsets.map(|set| (0..told).filter(move |part| set >> part & 1 == 1));
        let rights = minted.map(|minted| {
            let minted: Vec<i64> = minted.map(|part| self.parts[part]).collect();
            let (funded, times) = (minted.iter().sum(), i64::try_from(minted.len()).unwrap());
            let events = vec![("cancelled", 1), ("funded", times)];
            self.right(EscrowState::Cancelled, (funded, 0, 0), self.parts.clone(), events)
        });
        rights.collect()
    }
}

/// Ends that are right, each with what it leaves.
type Rights = Vec<(Right, Left)>;

/// Every order of these.
fn orders(parts: &[i64]) -> Vec<Vec<i64>> {
    let Some((first, rest)) = parts.split_first() else { return vec![Vec::new()] };
    let placed =
        |order: Vec<i64>| (0..=order.len()).map(move |at| [&order[..at], &[*first], &order[at..]].concat());
    orders(rest).into_iter().flat_map(placed).collect()
}

/// Deposits that make up the amount, or a little more; for an escrow that is never funded in full, less. And
/// whether one more comes when all is over.
fn deposits(dice: &mut StdRng, amount: i64, end: End) -> (Vec<i64>, bool) {
    let is_short = matches!(end, End::Cancel | End::Stale { .. });
    let mut parts = Vec::new();
    if is_short {
        for _ in 0..dice.random_range(0..3) {
            parts.push(dice.random_range(100..amount / 3));
        }
    } else {
        let mut rest = amount;
        for _ in 0..dice.random_range(0..4) / 2 {
            let part = dice.random_range(rest / 4..rest / 2);
            parts.push(part);
            rest -= part;
        }
        // Too much, but by less than any part: whichever comes last still has room for some of it.
        let least = parts.iter().copied().min().unwrap_or(rest).min(rest);
        parts.push(rest + if dice.random_ratio(1, 5) { dice.random_range(1..least) } else { 0 });
    }
    let late = dice.random_ratio(1, 6);
    if late {
        parts.push(dice.random_range(100..amount / 4));
    }
    (parts, late)
}
