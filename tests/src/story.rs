//! The verbs of a story: people, deposits, work, money; and the questions asked at its end.
//!
//! Invariant: every story ends by auditing the books (`World::sound`).

use std::task::Poll;

use amana_adapters::mpesa::sim::{Payment, Shown};
use amana_adapters::port::Msisdn;
use amana_adapters::sim::Behaviour;
use amana_gateway::app::App;
use amana_gateway::error::Error;
use amana_gateway::events::Actor;
use amana_gateway::flows::entrust::NewEscrow;
use amana_gateway::flows::escrow::State;
use amana_gateway::flows::{entrust, float};
use amana_gateway::inbox;

use amana_gateway::people::{self, Language, Name, NewPerson, PayoutMode, Role};
use amana_ledger::id::{Clock, EscrowRef, PartyId};
use amana_ledger::money::{Asset, Money};
use serde_json::json;

use crate::world::{RAIL_FLOAT, World};

/// Kenyan shillings from decimals.
pub fn kes(decimals: &str) -> Money {
    Money::parse_decimal(Asset::Kes, decimals).expect("an amount")
}

/// A payment to our paybill with this receipt.
pub fn payment(world: &World, receipt: &str, typed_ref: &str, amount: &str) -> Payment {
    Payment {
        receipt: receipt.into(),
        amount: amount.into(),
        shortcode: "600111".into(),
        typed_ref: typed_ref.into(),
        phone: Msisdn::parse("254712345126").expect("a number"),
        shown: Shown::Clear,
        at: world.clock.now(),
    }
}

/// Every way in which the payout rail treats an instruction that it does pay in the end.
pub fn misbehaviours() -> Vec<Behaviour> {
    vec![
        Behaviour::OnTime,
        Behaviour::Silent,
        Behaviour::ErrorBefore(503),
        Behaviour::ErrorBefore(429),
        Behaviour::ErrorAfter(500),
        Behaviour::Mute,
        Behaviour::Twice,
        Behaviour::Reversed,
        Behaviour::Contradict,
    ]
}

/// Awaits them all at once on this task, as they borrow the world. Their answers in the order of asking.
pub async fn together<T>(all: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.into_iter().map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        for (one, answer) in &mut all {
            if answer.is_none()
                && let Poll::Ready(value) = one.as_mut().poll(context)
            {
                *answer = Some(value);
            }
        }
        if all.iter().all(|(_, answer)| answer.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    all.into_iter().filter_map(|(_, answer)| answer).collect()
}

impl World {
    /// Somebody with this number, who is paid by phone.
    pub async fn person(&self, role: Role, phone: &str) -> PartyId {
        self.person_paid(role, phone, PayoutMode::Mobile).await
    }

    /// Somebody with this number, who is paid so.
    pub async fn person_paid(&self, role: Role, phone: &str, mode: PayoutMode) -> PartyId {
        let account = match &mode {
            PayoutMode::Mobile => None,
            PayoutMode::Stellar(account) => Some(account.clone()),
        };
        let name = |text| Name::parse("first_name", text).expect("a name");
        let new = NewPerson {
            role,
            phone: Msisdn::parse(phone).expect("a number"),
            email: None,
            first_name: name("Given"),
            last_name: name("Family"),
            password: None,
            payout_mode: mode,
            stellar_account_id: account,
            language: Language::En,
        };
        let mut tx = self.app.db.begin().await.expect("a transaction");
        let person = people::register(&mut tx, &self.app, new).await.expect("a new person");
        tx.commit().await.expect("it commits");
        person.party
    }

    /// Books the opening capital that the rail's simulator holds for us.
    pub async fn capital(&self) {
        let mut tx = self.app.db.begin().await.expect("a transaction");
        let account = float::named(&self.app, "intersend").expect("our rail");
        let money = Money::new(Asset::Kes, RAIL_FLOAT).expect("money");
        float::capital_in(&mut tx, &self.app, Actor::Worker, (account, money), "opening")
            .await
            .expect("it is booked");
        tx.commit().await.expect("it commits");
    }

    /// Opens an escrow of this amount.
    pub async fn open(&self, app: &App, employer: PartyId, amount: &str) -> Result<EscrowRef, Error> {
        let mut tx = app.db.begin().await?;
        let new = NewEscrow { job: None, employer, amount: kes(amount) };
        let reference = entrust::open(&mut tx, app, Actor::Party(employer), new).await?;
        tx.commit().await?;
        Ok(reference)
    }

    /// M-Pesa tells of a payment.
    pub async fn hear(&self, app: &App, payment: &Payment) -> Result<(), Error> {
        inbox::hear(app, inbox::C2B, "127.0.0.1", json!({}), &payment.body(true)).await?;
        Ok(())
    }

    /// The employer names who does the work.
    pub async fn assign(&self, app: &App, reference: &EscrowRef, employee: PartyId) -> Result<(), Error> {
        let mut tx = app.db.begin().await?;
        entrust::assign(&mut tx, app, reference, employee).await?;
        Ok(tx.commit().await?)
    }

    /// The employer says that the work is done.
    pub async fn complete(&self, app: &App, reference: &EscrowRef) -> Result<(), Error> {
        let mut tx = app.db.begin().await?;
        entrust::complete(&mut tx, app, reference).await?;
        Ok(tx.commit().await?)
    }

    /// Where an escrow stands.
    pub async fn state(&self, reference: &EscrowRef) -> State {
        let mut tx = self.app.db.begin().await.expect("a transaction");
        entrust::view(&mut tx, reference).await.expect("it reads").expect("it is there").state
    }

    /// How often the chain reported this about an escrow.
    pub async fn chain_events(&self, reference: &EscrowRef, kind: &str) -> i64 {
        let count =
            sqlx::query_scalar::<_, i64>("select count(*) from chain.event where escrow = $1 and kind = $2");
        count.bind(reference.as_str()).bind(kind).fetch_one(&self.database.owner).await.expect("it counts")
    }
}

impl World {
    /// The end of every story: the books are sound, and float, ledger and chain agree to the cent.
    pub async fn sound(&self) {
        let mut tx = self.app.db.begin().await.expect("a transaction");
        let report = amana_ledger::audit::audit(&mut tx).await.expect("the books are read");
        drop(tx);
        let broken: Vec<_> = report.checks.iter().filter(|check| !check.ok).collect();
        assert!(report.ok() && broken.is_empty(), "{broken:#?}");
        let proof = amana_gateway::recon::proof(&self.app).await.expect("the proof is made");
        assert!(proof.agrees, "{:#?}", proof.differences);
    }

    /// What stands on an account, in decimals.
    pub async fn balance(&self, path: &str) -> String {
        let account = amana_ledger::chart::Account::parse(path).expect("an account");
        let mut tx = self.app.db.begin().await.expect("a transaction");
        let book = &self.app.config.book;
        let balance = amana_ledger::balance::balance(&mut tx, book, &account).await.expect("it reads");
        balance.decimal(book.asset())
    }

    /// The verdicts of all callbacks about receipts like this one, oldest first.
    pub async fn verdicts(&self) -> Vec<String> {
        sqlx::query_scalar("select coalesce(verdict, 'unjudged') from inbox.callback order by id")
            .fetch_all(&self.database.owner)
            .await
            .expect("they read")
    }

    /// The texts sent to a number so far.
    pub fn texts_to(&self, phone: &str) -> Vec<String> {
        let phone = Msisdn::parse(phone).expect("a number");
        self.texts.inbox(&phone).into_iter().map(|message| message.text).collect()
    }
}
