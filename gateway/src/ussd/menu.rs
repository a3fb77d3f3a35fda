//! The phone menu: the places one can stand at, what each shows, and where each key leads.
//!
//! Invariant: money leaves in three screens (what, to whom and how much, PIN), and the PIN comes last. `0`
//! goes back, `00` to the start, `98` on in a list; any other key leaves one where one stands.
//! Absent: disputes, and changing the payout number.

use amana_adapters::port::Msisdn;
use amana_ledger::balance;
use amana_ledger::chart::Account;
use amana_ledger::money::Money;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Verdict, enrol, screens};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Error, Fault, Result};
use crate::flows::pay;
use crate::outbox;
use crate::people::session::Caller;
use crate::people::{self, Language, Name, Person, Role, pin};
use crate::trade::status::Status;
use crate::trade::{self, Job};

/// Where a caller stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
pub(super) enum Place {
    Resume { place: Box<Place> },
    Welcome,
    FirstName { hires: bool },
    LastName { hires: bool, first_name: String },
    Home,
    Jobs { page: usize },
    Job { job: i64 },
    HowToPay { job: i64 },
    Confirm { job: i64 },
    Pin { job: i64 },
    Work { page: usize },
    Offer { job: i64 },
    Money,
    Balance,
    Payments,
    Receipt,
    Languages,
}

impl Place {
    /// Whether a new call should offer to go on here.
    pub(super) fn is_worth_resuming(&self) -> bool {
        !matches!(self, Place::Resume { .. } | Place::Welcome | Place::Home | Place::Pin { .. })
    }

    fn back(&self) -> Place {
        match self {
            Place::FirstName { .. } => Place::Welcome,
            Place::LastName { hires, .. } => Place::FirstName { hires: *hires },
            Place::Job { .. } => Place::Jobs { page: 0 },
            Place::HowToPay { job } | Place::Confirm { job } | Place::Pin { job } => Place::Job { job: *job },
            Place::Offer { .. } => Place::Work { page: 0 },
            Place::Balance | Place::Payments => Place::Money,
            Place::Jobs { page } if *page > 0 => Place::Jobs { page: page - 1 },
            Place::Work { page } if *page > 0 => Place::Work { page: page - 1 },
            _ => Place::Home,
        }
    }
}

/// Where an input led.
pub(super) enum Turn {
    /// To a place, which is then shown.
    Go(Place),
    /// To a place, with words of its own.
    Say(Place, String),
    /// Out.
    End(String),
}

/// Four lines to a page of a list.
const LINES: usize = 4;
/// What a list shows at most, over all its pages.
const LISTED: i64 = 40;

/// One caller at the menu.
pub(super) struct Desk<'a> {
    app: &'a App,
    phone: Msisdn,
    pub(super) person: Option<Person>,
    pub(super) language: Language,
}

impl<'a> Desk<'a> {
    /// The desk for whoever has this phone.
    pub(super) async fn open(tx: &mut Tx, app: &'a App, phone: Msisdn) -> Result<Self, Fault> {
        let person = match people::by_phone(tx, app, &phone).await? {
            Some(party) => people::person(tx, app, party).await?,
            None => None,
        };
        let language = person.as_ref().map_or(Language::En, |person| person.language);
        Ok(Self { app, phone, person, language })
    }

    /// Where a call begins.
    pub(super) fn home(&self) -> Place {
        if self.person.is_some() { Place::Home } else { Place::Welcome }
    }

    /// Follows one input.
    pub(super) async fn turn(&mut self, tx: &mut Tx, place: Place, input: &str) -> Result<Turn> {
        let input = input.trim();
        match input {
            "00" => return Ok(Turn::Go(self.home())),
            "0" if self.person.is_some() || place != Place::Welcome => {
                return Ok(Turn::Go(self.known(place.back())));
            }
            _ => {}
        }
        Ok(match (place, input) {
            (Place::Resume { place }, "1") => Turn::Go(*place),
            (Place::Resume { .. }, "2") => Turn::Go(self.home()),
            (Place::Welcome, "1") => Turn::Go(Place::FirstName { hires: true }),
            (Place::Welcome, "2") => Turn::Go(Place::FirstName { hires: false }),
            (Place::Welcome, "3") => {
                self.language = if self.language == Language::En { Language::Sw } else { Language::En };
                Turn::Go(Place::Welcome)
            }
            (Place::FirstName { hires }, name) => match Name::parse("first_name", name) {
                Ok(name) => Turn::Go(Place::LastName { hires, first_name: name.into() }),
                Err(_) => Turn::Go(Place::FirstName { hires }),
            },
            (Place::LastName { hires, first_name }, name) => {
                self.enrol(tx, hires, (first_name, name)).await?
            }
            (Place::Home, key) => Turn::Go(self.leave_home(key)),
            (Place::Jobs { page }, key) => Turn::Go(self.leave_jobs(tx, page, key).await?),
            (Place::Job { job }, "1") if self.releasable(tx, job).await? => Turn::Go(Place::Confirm { job }),
            (Place::Job { job }, "2") if self.hires() => Turn::Go(Place::HowToPay { job }),
            (Place::Confirm { job }, "1") => Turn::Go(Place::Pin { job }),
            (Place::Work { page }, key) => Turn::Go(self.leave_work(tx, page, key).await?),
            (Place::Offer { job }, "1") => self.apply(tx, job).await?,
            (Place::Money, "1") => Turn::Go(Place::Balance),
            (Place::Money, "2") => Turn::Go(Place::Payments),
            (Place::Receipt, code) => Turn::End(self.receipt(tx, code).await?),
            (Place::Languages, "1" | "2") => {
                self.language = if input == "1" { Language::En } else { Language::Sw };
                if let Some(person) = &self.person {
                    people::speak(tx, person.party, self.language).await?;
                }
                Turn::Go(Place::Home)
            }
            (place, _) => Turn::Go(place),
        })
    }

    /// The screen of a place.
    pub(super) async fn show(&self, tx: &mut Tx, place: &Place) -> Result<String> {
        let language = self.language;
        Ok(match place {
            Place::Resume { .. } => screens::resume(language),
            Place::Welcome => screens::welcome(language),
            Place::FirstName { .. } => screens::first_name(language),
            Place::LastName { .. } => screens::last_name(language),
            Place::Home => screens::home(language, self.hires()),
            Place::Jobs { page } => listed(language, ("My jobs", "Kazi zangu"), &self.jobs(tx).await?, *page),
            Place::Work { page } => {
                listed(language, ("Find work", "Tafuta kazi"), &trade::open_jobs(tx, LISTED).await?, *page)
            }
            Place::Job { job } => {
                let job = self.job(tx, *job).await?;
                let release = self.hires() && job.status == Status::InProgress;
                let pay = self.hires() && job.escrow.state.due(&job.escrow.terms) > 0;
                screens::job(language, (&job.title, job.status.word()), &cash(job.budget), (release, pay))
            }
            Place::HowToPay { job: id } => {
                let job = self.job(tx, *id).await?;
                let due = job.escrow.state.due(&job.escrow.terms);
                if due == 0 {
                    // A call taken up again after the deposit came.
                    return Box::pin(self.show(tx, &Place::Job { job: *id })).await;
                }
                let money = screens::cash(job.budget.asset, due);
                let paybill = self.app.config.mpesa.shortcode.as_str();
                screens::how_to_pay(language, paybill, job.reference.as_str(), &money)
            }
            Place::Confirm { job } => {
                let job = self.job(tx, *job).await?;
                let name = self.payee(tx, &job).await?;
                let fee = job.escrow.terms.fee;
                screens::confirm(language, &name, &cash(job.budget), &screens::cash(job.budget.asset, fee))
            }
            Place::Pin { .. } => screens::ask_pin(language),
            Place::Offer { job } => {
                let job = self.job(tx, *job).await?;
                screens::offer(language, &job.title, &job.description, &cash(job.budget))
            }
            Place::Money => screens::money(language),
            Place::Balance => screens::balance(language, &self.balance(tx).await?),
            Place::Payments => self.payments(tx).await?,
            Place::Receipt => screens::ask_receipt(language),
            Place::Languages => screens::languages(),
        })
    }

    /// Tries a PIN, in transactions of its own.
    pub(super) async fn verdict(&self, digits: &str) -> Result<Verdict, Fault> {
        match &self.person {
            Some(person) => pin::check(self.app, person.party, digits.trim()).await,
            None => Ok(Verdict::NoPin),
        }
    }

    /// Goes on after a PIN was tried for the release of `job`.
    pub(super) async fn after_pin(&mut self, tx: &mut Tx, job: i64, verdict: Verdict) -> Result<Turn> {
        let language = self.language;
        let Some(person) = &self.person else { return Ok(Turn::Go(Place::Welcome)) };
        Ok(match verdict {
            Verdict::Right => Turn::End(self.release(tx, job).await?),
            Verdict::Wrong(left) => Turn::Say(Place::Pin { job }, screens::wrong_pin(language, left)),
            Verdict::JustLocked => {
                outbox::sms_to_party(tx, self.app, person.party, &screens::locked_message(language)).await?;
                Turn::End(screens::locked(language))
            }
            Verdict::Locked => Turn::End(screens::locked(language)),
            Verdict::NoPin => {
                enrol::send_pin(tx, self.app, person).await?;
                Turn::End(screens::no_pin(language))
            }
        })
    }

    async fn release(&self, tx: &mut Tx, id: i64) -> Result<String> {
        let job = self.job(tx, id).await?;
        let name = self.payee(tx, &job).await?;
        match trade::complete(tx, self.app, &self.caller()?, id).await {
            Ok(job) => Ok(screens::released(self.language, &name, &cash(job.budget))),
            // Refused before anything was written: the transaction goes on with the menu's own rows.
            Err(Error::Refused(refusal)) => Ok(screens::not_now(self.language, refusal.code == Code::NotYet)),
            Err(fault) => Err(fault),
        }
    }

    async fn enrol(&mut self, tx: &mut Tx, hires: bool, (first, last): (String, &str)) -> Result<Turn> {
        let Ok(last) = Name::parse("last_name", last) else {
            return Ok(Turn::Go(Place::LastName { hires, first_name: first }));
        };
        let role = if hires { Role::Employer } else { Role::Employee };
        let names = (Name::parse("first_name", &first)?, last);
        let new = enrol::new_person(role, self.phone.clone(), names, self.language);
        self.person = Some(enrol::enrol(tx, self.app, new).await?);
        Ok(Turn::End(screens::enrolled(self.language)))
    }

    async fn apply(&self, tx: &mut Tx, job: i64) -> Result<Turn> {
        Ok(Turn::End(match trade::apply(tx, self.app, &self.caller()?, job).await {
            Ok(_) => screens::applied(self.language),
            Err(Error::Refused(_)) => screens::gone(self.language),
            Err(fault) => return Err(fault),
        }))
    }

    fn leave_home(&self, key: &str) -> Place {
        match key {
            "1" => Place::Jobs { page: 0 },
            "2" if !self.hires() => Place::Work { page: 0 },
            "3" => Place::Money,
            "4" => Place::Receipt,
            "5" => Place::Languages,
            _ => Place::Home,
        }
    }

    async fn leave_jobs(&self, tx: &mut Tx, page: usize, key: &str) -> Result<Place> {
        let jobs = self.jobs(tx).await?;
        Ok(match picked(&jobs, page, key) {
            Picked::Job(job) => Place::Job { job },
            Picked::Page(page) => Place::Jobs { page },
        })
    }

    async fn leave_work(&self, tx: &mut Tx, page: usize, key: &str) -> Result<Place> {
        let jobs = trade::open_jobs(tx, LISTED).await?;
        Ok(match picked(&jobs, page, key) {
            Picked::Job(job) => Place::Offer { job },
            Picked::Page(page) => Place::Work { page },
        })
    }

    /// A place for somebody we know, or the start for somebody we do not.
    fn known(&self, place: Place) -> Place {
        match place {
            Place::Home => self.home(),
            place => place,
        }
    }

    fn hires(&self) -> bool {
        self.person.as_ref().is_some_and(|person| person.role == Role::Employer)
    }

    /// The caller as the other doors know callers; a call of a phone belongs to no session of tokens.
    fn caller(&self) -> Result<Caller, Fault> {
        let person =
            self.person.as_ref().ok_or_else(|| Fault::Stored("a menu for members met a stranger".into()))?;
        Ok(Caller { party: person.party, id: person.id, role: person.role, session: Uuid::nil() })
    }

    async fn job(&self, tx: &mut Tx, id: i64) -> Result<Job> {
        trade::find(tx, &self.caller()?, id).await
    }

    /// An employer's jobs, or those assigned to an employee.
    async fn jobs(&self, tx: &mut Tx) -> Result<Vec<Job>> {
        trade::mine(tx, &self.caller()?, LISTED).await
    }

    async fn releasable(&self, tx: &mut Tx, id: i64) -> Result<bool> {
        Ok(self.hires() && self.job(tx, id).await?.status == Status::InProgress)
    }

    async fn payee(&self, tx: &mut Tx, job: &Job) -> Result<String, Fault> {
        let Some(party) = job.employee else { return Ok(String::new()) };
        Ok(people::person(tx, self.app, party).await?.map_or_else(String::new, |person| person.short_name()))
    }

    async fn balance(&self, tx: &mut Tx) -> Result<String> {
        let (caller, book) = (self.caller()?, &self.app.config.book);
        let account =
            if self.hires() { Account::Employer(caller.party) } else { Account::Employee(caller.party) };
        let balance = balance::balance(tx, book, &account).await?;
        Ok(screens::cash(book.asset(), balance.posted()))
    }

    async fn payments(&self, tx: &mut Tx) -> Result<String> {
        let paid = pay::of_person(tx, self.caller()?.party, 3).await?;
        if paid.is_empty() {
            return Ok(screens::nothing(self.language));
        }
        let lines: Vec<String> = paid
            .iter()
            .map(|payout| format!("{} {}", cash(payout.terms.amount), payout.state.word()))
            .collect();
        Ok(screens::payments(self.language, &lines))
    }

    /// What a receipt of the caller's own stands for: theirs if they were paid, their job's if they paid.
    async fn receipt(&self, tx: &mut Tx, code: &str) -> Result<String> {
        let caller = self.caller()?;
        let mut payouts = pay::of_person(tx, caller.party, 50).await?;
        if self.hires() {
            for job in self.jobs(tx).await? {
                payouts.extend(pay::of_escrow(tx, &job.reference).await?);
            }
        }
        let named = |payout: &&pay::View| {
            let theirs = payout.state.receipt().and_then(|receipt| receipt.id.as_deref());
            [Some(payout.terms.reference.as_str()), theirs]
                .iter()
                .flatten()
                .any(|name| name.eq_ignore_ascii_case(code))
        };
        let Some(payout) = payouts.iter().find(named) else { return Ok(screens::no_receipt(self.language)) };
        let payee = people::person(tx, self.app, payout.terms.beneficiary).await?;
        let name = payee.map_or_else(Default::default, |person| person.short_name());
        let to = pay::number(tx, self.app, &payout.terms).await?;
        let to = to.map_or_else(Default::default, |to| to.masked());
        let state = if payout.state.word() == "completed" { "FINAL" } else { payout.state.word() };
        Ok(screens::receipt(&cash(payout.terms.amount), &name, &to, state))
    }
}

enum Picked {
    Job(i64),
    Page(usize),
}

/// What a key picks from a page of a list.
fn picked(jobs: &[Job], page: usize, key: &str) -> Picked {
    let more = jobs.len() > (page + 1) * LINES;
    let line = key.parse::<usize>().ok().filter(|line| (1..=LINES).contains(line));
    match line.and_then(|line| jobs.get(page * LINES + line - 1)) {
        Some(job) => Picked::Job(job.id),
        None if key == "98" && more => Picked::Page(page + 1),
        None => Picked::Page(page),
    }
}

fn listed(language: Language, title: (&str, &str), jobs: &[Job], page: usize) -> String {
    let rest = jobs.get(page * LINES..).unwrap_or_default();
    if rest.is_empty() {
        return screens::nothing(language);
    }
    let line = |job: &Job| screens::line(&job.title, job.budget.asset, job.budget.minor());
    let lines: Vec<String> = rest.iter().take(LINES).map(line).collect();
    screens::list(language, title, &lines, rest.len() > LINES)
}

fn cash(money: Money) -> String {
    screens::cash(money.asset, money.minor())
}
