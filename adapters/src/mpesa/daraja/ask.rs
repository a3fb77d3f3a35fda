//! Instructions and questions whose end is posted to us later: payouts, where a payment stands, what the
//! accounts hold, a payment given back, lists of payments.
//!
//! Invariant: an acknowledgement says that there will be an end, not which. Absent: reading that end
//! (`heard.rs`, `pull.rs`).

use amana_ledger::money::Money;
use chrono::{DateTime, Utc};

use super::fault::{Taken, taken};
use super::{Called, Daraja, classify, short, whole, wire};
use crate::mpesa::local;
use crate::port::{Msisdn, Secret};

/// Where an end is posted: the result, and the news that none came in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doors {
    /// `ResultURL`.
    pub done: String,
    /// `QueueTimeOutURL`.
    pub late: String,
}

/// A payout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct B2c {
    /// Ours, one a payout, stored before the call: a second call under it is refused as a duplicate.
    pub originator: String,
    /// Who is paid.
    pub phone: Msisdn,
    /// How much, whole shillings.
    pub money: Money,
    /// For the rail's own records, 2 to 100 characters.
    pub remarks: String,
    /// Where its end is posted.
    pub doors: Doors,
}

/// The longest id of ours that is surely taken.
pub(super) const ORIGINATOR: usize = 30;

/// What a question is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A payment with this receipt.
    Receipt(String),
    /// A payout of ours under this id: the only way to ask about one without a receipt.
    Originator(String),
}

/// A payment to be given back, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reversal {
    /// Its receipt.
    pub receipt: String,
    /// What it was.
    pub money: Money,
    /// Why.
    pub remarks: String,
    /// Where its end is posted.
    pub doors: Doors,
}

impl Daraja {
    /// Orders a payout. `Done` is "there will be an end", also where this id was taken before.
    pub async fn pay(&self, token: &Secret, order: &B2c, now: DateTime<Utc>) -> Called<Taken> {
        let Some(initiator) = &self.config.initiator else { return nobody() };
        let on = local(now).date();
        let amount = match whole("Amount", order.money, (|terms| (terms.least_out, terms.most), on)) {
            Ok(amount) => amount,
            Err((code, reason)) => return Called::refused(&code, &reason),
        };
        if order.originator.is_empty() || order.originator.len() > ORIGINATOR {
            return Called::refused("OriginatorConversationID", "is empty or longer than 30");
        }
        let body = wire::Pay {
            originator: order.originator.clone(),
            initiator: initiator.name.clone(),
            credential: initiator.credential.expose().to_owned(),
            command: "BusinessPayment".to_owned(),
            amount,
            from: self.config.shortcode.clone(),
            to: order.phone.digits().to_owned(),
            remarks: short(&order.remarks, 100),
            late_url: order.doors.late.clone(),
            result_url: order.doors.done.clone(),
            occasion: order.originator.clone(),
        };
        match self.tell(token, wire::PAY, &body).await {
            Ok(answer) => taken(&answer),
            Err(none) => none.of(),
        }
    }

    /// Asks where a payment stands.
    pub async fn status(&self, token: &Secret, about: &About, doors: &Doors) -> Called<Taken> {
        let Some(mut body) = self.asking("TransactionStatusQuery", doors) else { return nobody() };
        match about {
            About::Receipt(receipt) => body.receipt = Some(receipt.clone()),
            About::Originator(originator) => body.original = Some(originator.clone()),
        }
        body.party = Some(self.config.shortcode.clone());
        body.party_kind = Some("4".to_owned());
        body.remarks = "recheck".to_owned();
        body.occasion = Some("recheck".to_owned());
        self.asked(token, wire::STATUS, &body).await
    }

    /// Asks what the paybill's accounts hold.
    pub async fn balance(&self, token: &Secret, doors: &Doors) -> Called<Taken> {
        let Some(mut body) = self.asking("AccountBalance", doors) else { return nobody() };
        body.party = Some(self.config.shortcode.clone());
        body.party_kind = Some("4".to_owned());
        body.remarks = "float".to_owned();
        self.asked(token, wire::BALANCE, &body).await
    }

    /// Orders a customer's payment to be given back, once.
    pub async fn reverse(&self, token: &Secret, reversal: &Reversal, now: DateTime<Utc>) -> Called<Taken> {
        let Some(mut body) = self.asking("TransactionReversal", &reversal.doors) else { return nobody() };
        let on = local(now).date();
        match whole("Amount", reversal.money, (|terms| (terms.least_in, terms.most), on)) {
            Ok(amount) => body.amount = Some(amount),
            Err((code, reason)) => return Called::refused(&code, &reason),
        }
        body.receipt = Some(reversal.receipt.clone());
        body.receiver = Some(self.config.shortcode.clone());
        body.receiver_kind = Some("11".to_owned());
        body.remarks = short(&reversal.remarks, 100);
        match self.tell(token, wire::REVERSE, &body).await {
            Ok(answer) => taken(&answer),
            Err(none) => none.of(),
        }
    }

    /// Lets the paybill's payments be listed; once a paybill.
    pub async fn pull_register(&self, token: &Secret, phone: &Msisdn, callback_url: &str) -> Called<()> {
        let body = wire::PullRegister {
            shortcode: self.config.shortcode.clone(),
            kind: "Pull".to_owned(),
            phone: phone.digits().to_owned(),
            callback_url: callback_url.to_owned(),
        };
        match self.tell(token, wire::PULL_REGISTER, &body).await {
            Ok(answer) if answer.is_success() => Called::done(()),
            Ok(answer) => classify(&answer).end(),
            Err(none) => none.of(),
        }
    }

    /// Lists the payments of a while, from the row `offset` on: the answer as it came, to be kept before it
    /// is read ([`super::read_pulled`]). It reaches back 48 hours.
    pub async fn pull(
        &self,
        token: &Secret,
        (from, until): (DateTime<Utc>, DateTime<Utc>),
        offset: usize,
    ) -> Called<Vec<u8>> {
        let at = |at: DateTime<Utc>| local(at).format("%Y-%m-%d %H:%M:%S").to_string();
        let body = wire::Pull {
            shortcode: self.config.shortcode.clone(),
            from: at(from),
            until: at(until),
            offset: offset.to_string(),
        };
        match self.ask(token, wire::PULL, &body).await {
            Ok(answer) if answer.is_success() => Called::done(answer.body),
            Ok(answer) => classify(&answer).end(),
            Err(none) => none.of(),
        }
    }

    fn asking(&self, command: &str, doors: &Doors) -> Option<wire::Ask> {
        let initiator = self.config.initiator.as_ref()?;
        Some(wire::Ask {
            initiator: initiator.name.clone(),
            credential: initiator.credential.expose().to_owned(),
            command: command.to_owned(),
            result_url: doors.done.clone(),
            late_url: doors.late.clone(),
            ..wire::Ask::default()
        })
    }

    async fn asked(&self, token: &Secret, path: &str, body: &wire::Ask) -> Called<Taken> {
        match self.ask(token, path, body).await {
            Ok(answer) => taken(&answer),
            Err(none) => none.of(),
        }
    }
}

fn nobody<T>() -> Called<T> {
    Called::refused("initiator", "nobody is configured to ask in the paybill's name")
}
