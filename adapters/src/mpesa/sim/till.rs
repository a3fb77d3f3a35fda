//! What M-Pesa itself knows of a paybill: who paid, who was paid, what was given back, what stands on it; and
//! the statement of all that, as the portal exports it.
//!
//! Invariant: the balance is the sum of the rows. Absent: HTTP, and anything a gateway believes.

use chrono::{DateTime, Utc};

use super::Payment;
use crate::mpesa::local;
use crate::port::Msisdn;
use amana_ledger::money::{Asset, Money, decimal};

/// What a row of the paybill is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A customer paid.
    PaidIn,
    /// A customer was paid.
    PaidOut,
    /// A customer's payment was given back.
    GivenBack,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Line {
    /// The receipt.
    pub receipt: String,
    /// What it is about.
    pub what: What,
    /// Minor units, always more than zero.
    pub minor: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub phone: Msisdn,
    /// What the payer typed; for a payout, our id of it.
    pub reference: String,
    /// The payment that was given back.
    pub linked: Option<String>,
}

/// The paybill's own book.
#[derive(Debug, Default)]
pub(super) struct Till {
    opening: i64,
    lines: Vec<Line>,
    count: u32,
}

impl Till {
    pub(super) fn with(opening: i64) -> Self {
        Self { opening, ..Self::default() }
    }

    /// A receipt nobody had yet.
    pub(super) fn receipt(&mut self, at: DateTime<Utc>) -> String {
        self.count += 1;
        // Far from the counts that tests give to receipts of their own.
        super::receipt(at, 1_000_000_000 + self.count)
    }

    /// A customer paid. The same receipt again is the same payment.
    pub(super) fn paid_in(&mut self, payment: &Payment) {
        let minor = Money::parse_decimal(Asset::Kes, &payment.amount).map_or(0, Money::minor);
        if minor == 0 || self.find(&payment.receipt).is_some() {
            return;
        }
        self.lines.push(Line {
            receipt: payment.receipt.clone(),
            what: What::PaidIn,
            minor,
            at: payment.at,
            phone: payment.phone.clone(),
            reference: payment.typed_ref.clone(),
            linked: None,
        });
    }

    /// A payout, if there is enough; its receipt.
    pub(super) fn pay_out(
        &mut self,
        (phone, minor): (Msisdn, i64),
        reference: &str,
        at: DateTime<Utc>,
    ) -> Option<String> {
        if self.balance() < minor {
            return None;
        }
        let receipt = self.receipt(at);
        let (linked, reference) = (None, reference.to_owned());
        let what = What::PaidOut;
        self.lines.push(Line { receipt: receipt.clone(), what, minor, at, phone, reference, linked });
        Some(receipt)
    }

    /// Gives a payment back; the receipt of that. `None` if there is no such payment or it went back before.
    pub(super) fn give_back(&mut self, receipt: &str, at: DateTime<Utc>) -> Option<String> {
        let went = self.lines.iter().any(|line| line.linked.as_deref() == Some(receipt));
        let paid = self.find(receipt).filter(|line| line.what == What::PaidIn && !went)?.clone();
        let own = self.receipt(at);
        let line = Line {
            receipt: own.clone(),
            what: What::GivenBack,
            at,
            linked: Some(receipt.to_owned()),
            ..paid
        };
        self.lines.push(line);
        Some(own)
    }

    pub(super) fn find(&self, receipt: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.receipt == receipt)
    }

    pub(super) fn paid_under(&self, reference: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.what == What::PaidOut && line.reference == reference)
    }

    pub(super) fn is_given_back(&self, receipt: &str) -> bool {
        self.lines.iter().any(|line| line.linked.as_deref() == Some(receipt))
    }

    pub(super) fn balance(&self) -> i64 {
        self.lines.iter().fold(self.opening, |sum, line| sum + line.signed())
    }

    /// Customers' payments between two moments, oldest first.
    pub(super) fn between(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Line> {
        let within = |line: &&Line| line.what == What::PaidIn && (from..=until).contains(&line.at);
        self.lines.iter().filter(within).cloned().collect()
    }

    /// The statement of the utility account, newest first, as the portal exports it.
    pub(super) fn statement(&self, shortcode: &str) -> String {
        const HEAD: &str = "Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,\
            Withdrawn,Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.";
        let mut balance = self.opening;
        let mut rows = Vec::new();
        for line in &self.lines {
            balance += line.signed();
            rows.push(line.row(balance));
        }
        rows.reverse();
        let head = format!("Organization Name,EXAMPLE PAYBILL LTD\nShort Code,{shortcode}\n");
        format!("{head}Account,Utility Account\n\n{HEAD}\n{}\n", rows.join("\n"))
    }
}

impl Line {
    fn signed(&self) -> i64 {
        if self.what == What::PaidIn { self.minor } else { -self.minor }
    }

    fn row(&self, balance: i64) -> String {
        let at = local(self.at).format("%d-%m-%Y %H:%M:%S");
        let amount = format!("\"{}\"", thousands(self.minor));
        let (paid_in, withdrawn, reason) = match self.what {
            What::PaidIn => (amount, String::new(), "Pay Bill Online"),
            What::PaidOut => {
                (String::new(), format!("-{}", decimal(Asset::Kes, self.minor)), "Business Payment")
            }
            What::GivenBack => (String::new(), amount, "Transaction Reversal"),
        };
        let digits = self.phone.digits();
        let party = format!("{}****{} - PAYER", &digits[..4], &digits[digits.len() - 4..]);
        let typed =
            if self.what == What::PaidIn { self.reference.replace([',', '"'], " ") } else { String::new() };
        format!(
            "{},{at},{at},\"{reason}, {party}\",Completed,{paid_in},{withdrawn},\"{}\",true,{reason},\
             {party},{},{typed}",
            self.receipt,
            thousands(balance),
            self.linked.as_deref().unwrap_or_default(),
        )
    }
}

/// `1,234,567.50`.
fn thousands(minor: i64) -> String {
    let plain = decimal(Asset::Kes, minor.abs());
    let (whole, cents) = plain.split_once('.').unwrap_or((&plain, "00"));
    let mut out = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    format!("{}{out}.{cents}", if minor < 0 { "-" } else { "" })
}
