//! Reports tie: what the journal, the trial balance, each account and its lines say of any time, as known at
//! any other, is one and the same; over random months with much that comes late and some that comes early.

use std::collections::BTreeMap;

use amana_ledger::balance::{self, Happened, Learned, Since};
use amana_ledger::chart::{Account, Side};
use amana_ledger::id::{Clock, EscrowRef, PartyId};
use amana_ledger::rules;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use crate::ground::{Ground, Seeded, float, kes, paybill, rail};

const TRANSFERS: u64 = 300;

/// Three months of collections, releases and payouts, every third heard on another day than it happened.
async fn months(ground: &Ground, dice: &Seeded) {
    let mut waiting: Vec<(EscrowRef, PartyId, i64)> = Vec::new();
    ground
        .land(rules::capital_in(
            ground.intent(),
            amana_ledger::chart::Account::FloatRail(rail()),
            kes(1 << 40),
        ))
        .await;
    for _ in 0..TRANSFERS {
        ground.clock.forward(TimeDelta::minutes(i64::try_from(dice.below(800)).unwrap()));
        let mut intent = ground.intent();
        if dice.below(3) == 0 {
            let hours = i64::try_from(dice.below(24 * 40)).unwrap() - 24;
            intent = intent.effective_at(ground.clock.now() - TimeDelta::hours(hours));
        }
        let amount = 1 + i64::try_from(dice.below(100_000)).unwrap();
        match (dice.below(4), waiting.pop()) {
            (0, Some((escrow, employee, held))) => {
                ground.land(rules::released(intent, escrow, employee, kes(held), None)).await;
            }
            (1, Some((escrow, employee, held))) => {
                let whole = rules::refunded(intent, escrow, employee, kes(held));
                ground.land(whole).await;
            }
            (2, kept) => {
                waiting.extend(kept);
                let held = rules::collection_suspended(intent, &paybill(), kes(amount));
                let back = rules::reversal(ground.intent(), held.id());
                ground.land(held).await;
                if dice.below(2) == 0 {
                    ground.land(back).await;
                }
            }
            (_, kept) => {
                waiting.extend(kept);
                let (escrow, employee) = (ground.escrow(), ground.employee());
                let part = Some((escrow.clone(), kes(amount)));
                ground.land(rules::collection_booked(intent, &paybill(), part, None)).await;
                waiting.insert(0, (escrow, employee, amount));
            }
        }
    }
}

async fn journal(
    conn: &mut PgConnection,
    ground: &Ground,
    span: [DateTime<Utc>; 2],
    known_at: DateTime<Utc>,
    page: u16,
) -> Vec<Learned> {
    let mut all: Vec<Learned> = Vec::new();
    loop {
        let after = all.last().map_or(0, |last| last.no);
        let more = balance::journal(conn, &ground.book, span, known_at, (after, page)).await.unwrap();
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

async fn lines(
    conn: &mut PgConnection,
    ground: &Ground,
    account: &Account,
    span: ([DateTime<Utc>; 2], DateTime<Utc>),
    page: u16,
) -> Vec<Happened> {
    let mut all: Vec<Happened> = Vec::new();
    loop {
        let since = all.last().map(|last| Since {
            effective_at: last.posting.effective_at,
            no: last.posting.no,
            balance: last.balance,
        });
        let more = balance::happened(conn, &ground.book, account, span, (since, page)).await.unwrap();
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

#[tokio::test]
async fn every_report_of_random_months_ties() {
    for seed in [3, 20_261_120] {
        let (ground, dice) = (Ground::new().await, Seeded::of(seed));
        let begin = ground.clock.now() - TimeDelta::days(60);
        months(&ground, &dice).await;
        let whole = (ground.clock.now() - begin).num_hours().unsigned_abs();
        let mut conn = ground.db.app.acquire().await.unwrap();
        for round in 0..12 {
            let instant = || begin + TimeDelta::hours(i64::try_from(dice.below(whole)).unwrap());
            let (mut from, mut to, mut known_at) = (instant(), instant(), instant());
            if round == 0 {
                (from, to, known_at) = (begin, ground.clock.now() + TimeDelta::days(2), ground.clock.now());
            }
            if from > to {
                (from, to) = (to, from);
            }
            ties(&mut conn, &ground, [from, to], known_at).await;
        }
    }
}

async fn ties(conn: &mut PgConnection, ground: &Ground, span: [DateTime<Utc>; 2], known_at: DateTime<Utc>) {
    let [from, to] = span;
    let standing = async |conn: &mut PgConnection, at| -> BTreeMap<Account, [i64; 2]> {
        let all = balance::trial_as_of(conn, &ground.book, at, known_at).await.unwrap();
        all.into_iter().map(|one| (one.account, [one.debits, one.credits])).collect()
    };
    let (before, after) = (standing(conn, from).await, standing(conn, to).await);

    // The journal, in pages of a size and of another, is one list in the book's order, each posting in time.
    let whole = journal(conn, ground, span, known_at, 10_000).await;
    assert_eq!(journal(conn, ground, span, known_at, 7).await, whole);
    assert!(whole.is_sorted_by(|one, next| one.no < next.no));
    assert!(whole.iter().all(|one| (from..to).contains(&one.effective_at) && one.recorded_at <= known_at));

    // What it moved is what lies between the two trial balances, account by account.
    let mut moved = before.clone();
    for posting in &whole {
        moved.entry(posting.debit.clone()).or_default()[0] += posting.amount.minor();
        moved.entry(posting.credit.clone()).or_default()[1] += posting.amount.minor();
    }
    assert_eq!(moved, after, "{span:?} known at {known_at}");
    let [debits, credits] = [0, 1].map(|side| after.values().map(|both| both[side]).sum::<i64>());
    assert_eq!(debits, credits);

    // An account's lines are the journal's, in the order in which they happened, and run from what stood
    // there before to what stood there after.
    for (account, [debits, credits]) in after.iter().filter(|(account, _)| shared(account)) {
        let posted = |both: [i64; 2]| match account.kind().side() {
            Side::Debit => both[0] - both[1],
            Side::Credit => both[1] - both[0],
        };
        let all = lines(conn, ground, account, (span, known_at), 10_000).await;
        assert_eq!(lines(conn, ground, account, (span, known_at), 5).await, all);
        let mut own: Vec<&Learned> =
            whole.iter().filter(|one| one.debit == *account || one.credit == *account).collect();
        own.sort_by_key(|one| (one.effective_at, one.no));
        assert_eq!(all.iter().map(|line| &line.posting).collect::<Vec<_>>(), own, "{account}");
        let mut stands = posted(before.get(account).copied().unwrap_or_default());
        for line in &all {
            stands += line.moved;
            assert_eq!(line.balance, stands, "{account}");
        }
        assert_eq!(stands, posted([*debits, *credits]), "{account}");
        let one = balance::as_of(conn, &ground.book, account, to, known_at).await.unwrap();
        assert_eq!(one.posted(), stands);
    }
}

/// Accounts that many transfers touch; of the others one serves as well as all.
fn shared(account: &Account) -> bool {
    !matches!(account, Account::Escrow(_) | Account::Employee(_) | Account::Employer(_))
        || account.path().ends_with(['0', '7'])
}

#[tokio::test]
async fn facts_are_counted_as_they_were_posted() {
    let ground = Ground::new().await;
    let receipt = |id: &str| amana_ledger::id::ExternalRef {
        provider: "mpesa".into(),
        account: "600111".into(),
        id: id.into(),
    };
    let escrow = ground.escrow();
    let owner = Some((ground.employee(), kes(20)));
    let one = ground.intent().external(receipt("UKM1"));
    ground.land(rules::collection_booked(one, &paybill(), Some((escrow, kes(80))), owner)).await;
    ground
        .land(rules::collection_suspended(ground.intent().external(receipt("UKM2")), &paybill(), kes(7)))
        .await;
    ground.land(rules::capital_in(ground.intent(), float(), kes(5))).await;
    let mut conn = ground.db.app.acquire().await.unwrap();
    let kind = amana_ledger::chart::Kind::FloatMpesa;
    let mut facts = balance::facts(&mut conn, &ground.book, kind).await.unwrap();
    facts.sort_by(|one, other| one.0.id.cmp(&other.0.id));
    assert_eq!(facts, [(receipt("UKM1"), 100), (receipt("UKM2"), 7)]);
}
