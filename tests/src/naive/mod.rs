//! The obviously right ledger: a list of what landed, summed up anew for every question.
//!
//! Invariant: it shares no code with the ledger. To take something back is to shorten the list, as nothing
//! is kept beside it but limits and the close. It is slow on purpose.

mod look;

use chrono::{DateTime, Datelike, NaiveTime};

pub use look::Line;

/// How a line counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Moved.
    Post,
    /// Set aside.
    Hold,
    /// Set aside before, moved now.
    Settle,
    /// Set aside before, free now.
    Void,
}

/// Debited path, credited path (places in the list of paths), minor units.
pub type Leg = (usize, usize, i64);

/// What is asked of a book. Transfers are called by their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Post legs together.
    Post(Vec<Leg>),
    /// Set one leg aside until an instant, if any.
    Hold(Leg, Option<i64>),
    /// Post `part` of a hold, with further legs; after the `last` part free the rest.
    Settle {
        /// The transfer that opened the hold.
        hold: u64,
        /// How much.
        part: i64,
        /// Whether the rest is freed.
        last: bool,
        /// Legs posted with it.
        also: Vec<Leg>,
    },
    /// Free a hold.
    Void(u64),
    /// Free a hold whose time is over.
    Expire(u64),
    /// Turn a transfer round.
    Reverse(u64),
    /// Something that is wrong by itself, refused with this word.
    Wrong(&'static str),
}

/// All that is asked for, without the names it is asked under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What.
    pub op: Op,
    /// When it happened in the world, if said.
    pub effective: Option<i64>,
    /// The fact it counts.
    pub fact: Option<u64>,
    /// What is said about it.
    pub metadata: Vec<(String, String)>,
}

/// A request under its names.
#[derive(Clone, Debug)]
pub struct Request {
    /// The id.
    pub id: u64,
    /// The key, if it is not the id.
    pub key: Option<u64>,
    /// The rest.
    pub asked: Asked,
}

/// What a book answers. A refusal is named by the word of the ledger's rejection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It landed.
    New,
    /// It had landed: the transfer that did.
    Replayed(u64),
    /// It was refused.
    Refused(&'static str),
}

/// A limit of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Its own floor.
    pub floor: Option<i64>,
    /// How much may go through it.
    pub velocity: Vec<Velocity>,
}

/// How much may go through an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Velocity {
    /// Whether what comes back is taken off.
    pub net: bool,
    /// Whether debits are counted, not credits.
    pub debits: bool,
    /// 0 a day, 1 a week, 2 a month.
    pub period: u8,
    /// The most.
    pub most: i64,
}

/// Something in the journal.
#[derive(Clone, Debug)]
pub struct Landed {
    /// What was asked, and under which names.
    pub request: Request,
    /// Its lines.
    pub lines: Vec<(Leg, Phase)>,
    /// When it happened.
    pub effective: i64,
    /// When the book heard of it.
    pub recorded: i64,
    /// The first of those it was linked with.
    pub link: Option<u64>,
    /// Which batch it came in.
    pub batch: u64,
}

/// One book.
pub struct Naive {
    paths: Vec<String>,
    landed: Vec<Landed>,
    limits: Vec<Limit>,
    closed_before: Option<i64>,
    /// What time it is, in microseconds.
    pub now: i64,
    /// The number of calls so far.
    pub batch: u64,
}

impl Naive {
    /// An empty book at an instant, with the accounts it may have.
    pub fn at(now: i64, paths: Vec<String>) -> Self {
        let limits = vec![Limit::default(); paths.len()];
        Self { paths, landed: Vec::new(), limits, closed_before: None, now, batch: 0 }
    }

    /// What landed, in order.
    pub fn landed(&self) -> &[Landed] {
        &self.landed
    }

    /// The holds that a set of linked transfers opened and that are open still.
    pub fn open_of(&self, first: u64) -> Vec<u64> {
        let set = self.landed.iter().filter(|landed| landed.link == Some(first));
        set.map(|landed| landed.request.id).filter(|&id| self.open(id).is_ok()).collect()
    }

    /// Asks for one thing.
    pub fn ask(&mut self, request: &Request) -> Answer {
        self.ask_in(request, None)
    }

    /// Asks for several things, all or none.
    pub fn ask_linked(&mut self, group: &[Request]) -> Vec<Answer> {
        if let [alone] = group {
            return vec![self.ask(alone)];
        }
        let heard: Vec<Option<Answer>> = group.iter().map(|request| self.heard(request)).collect();
        if heard.iter().all(|answer| matches!(answer, Some(Answer::Replayed(_)))) {
            return heard.into_iter().flatten().collect();
        }
        let before = self.landed.len();
        let part = |answer| if let Answer::Refused(word) = answer { word } else { "PartLanded" };
        let mut culprit =
            heard.into_iter().enumerate().find_map(|(at, answer)| answer.map(|answer| (at, part(answer))));
        for (at, request) in group.iter().enumerate() {
            if culprit.is_none() {
                let answer = self.ask_in(request, Some(group[0].id));
                culprit = (answer != Answer::New).then(|| (at, part(answer)));
            }
        }
        let Some((culprit, word)) = culprit else { return vec![Answer::New; group.len()] };
        self.landed.truncate(before);
        let mut answers = vec![Answer::Refused("Linked"); group.len()];
        answers[culprit] = Answer::Refused(word);
        answers
    }

    /// Puts an account under a limit.
    pub fn limit(&mut self, account: usize, limit: &Limit) -> Answer {
        let before = std::mem::replace(&mut self.limits[account], limit.clone());
        if before == *limit {
            return Answer::Replayed(0);
        }
        if self.below_floor(account) {
            self.limits[account] = before;
            return Answer::Refused("FloorTooHigh");
        }
        Answer::New
    }

    /// Closes what is effective before an instant.
    pub fn close(&mut self, before: i64) -> Answer {
        if before > self.now {
            return Answer::Refused("PeriodNotOver");
        }
        match self.closed_before {
            Some(closed) if before < closed => Answer::Refused("PeriodClosed"),
            Some(closed) if before == closed => Answer::Replayed(0),
            _ => {
                self.closed_before = Some(before);
                Answer::New
            }
        }
    }

    fn find(&self, id: u64) -> Option<&Landed> {
        self.landed.iter().find(|landed| landed.request.id == id)
    }

    fn heard(&self, request: &Request) -> Option<Answer> {
        let same = |landed: &&Landed| match request.key {
            Some(key) => landed.request.key == Some(key),
            None => landed.request.id == request.id,
        };
        let landed = self.landed.iter().find(same)?;
        Some(match &landed.request {
            first if first.key.is_some() != request.key.is_some() => Answer::Refused("IdReused"),
            first if first.asked == request.asked => Answer::Replayed(first.id),
            _ => Answer::Refused("KeyReused"),
        })
    }

    fn ask_in(&mut self, request: &Request, link: Option<u64>) -> Answer {
        if let Some(answer) = self.heard(request) {
            return answer;
        }
        let lines = match self.lines(request) {
            Ok(lines) => lines,
            Err(word) => return Answer::Refused(word),
        };
        let accounts: Vec<usize> =
            lines.iter().flat_map(|((debit, credit, _), _)| [*debit, *credit]).collect();
        let before: Vec<Vec<i128>> = accounts.iter().map(|&at| self.all_used(at)).collect();
        self.landed.push(Landed {
            request: request.clone(),
            lines,
            effective: request.asked.effective.unwrap_or(self.now),
            recorded: self.now,
            link,
            batch: self.batch,
        });
        match self.wrong_now(&accounts, &before) {
            Some(word) => {
                self.landed.pop();
                Answer::Refused(word)
            }
            None => Answer::New,
        }
    }

    /// What is wrong with the accounts as they stand now, given what their limits counted before.
    fn wrong_now(&self, accounts: &[usize], before: &[Vec<i128>]) -> Option<&'static str> {
        if accounts.iter().any(|&at| self.too_large(at)) {
            return Some("TooLarge");
        }
        accounts.iter().zip(before).find_map(|(&at, before)| {
            let most = self.limits[at].velocity.iter().map(|velocity| i128::from(velocity.most));
            let after = self.all_used(at);
            let beyond = most.zip(before.iter().zip(&after)).any(|(most, (was, is))| *is > most && is > was);
            match (self.below_floor(at), beyond) {
                (true, _) => Some("Overdraft"),
                (false, true) => Some("LimitExceeded"),
                (false, false) => None,
            }
        })
    }

    fn all_used(&self, account: usize) -> Vec<i128> {
        self.limits[account].velocity.iter().map(|velocity| self.used(account, velocity)).collect()
    }

    fn lines(&self, request: &Request) -> Result<Vec<(Leg, Phase)>, &'static str> {
        let Asked { op, effective, fact, .. } = &request.asked;
        if let Op::Wrong(word) = op
            && *word != "NothingToPost"
        {
            return Err(word);
        }
        if self.find(request.id).is_some() {
            return Err("IdReused");
        }
        if effective.zip(self.closed_before).is_some_and(|(effective, closed)| effective < closed) {
            return Err("PeriodClosed");
        }
        if fact.is_some() && self.landed.iter().any(|landed| landed.request.asked.fact == *fact) {
            return Err("AlreadyCounted");
        }
        let post = |legs: &[Leg]| legs.iter().map(|leg| (*leg, Phase::Post)).collect::<Vec<_>>();
        match op {
            Op::Post(legs) => Ok(post(legs)),
            Op::Hold(leg, _) => Ok(vec![(*leg, Phase::Hold)]),
            Op::Settle { hold, part, last, also } => {
                let ((debit, credit, left), due) = self.open(*hold)?;
                if due.is_some_and(|due| due <= self.now) {
                    return Err("HoldDue");
                }
                if *part > left {
                    return Err("HoldExceeded");
                }
                let mut lines = vec![((debit, credit, *part), Phase::Settle)];
                if *last && left > *part {
                    lines.push(((debit, credit, left - part), Phase::Void));
                }
                lines.extend(post(also));
                Ok(lines)
            }
            Op::Void(hold) => Ok(vec![(self.open(*hold)?.0, Phase::Void)]),
            Op::Expire(hold) => match self.open(*hold)? {
                (leg, Some(due)) if due <= self.now => Ok(vec![(leg, Phase::Void)]),
                _ => Err("HoldNotDue"),
            },
            Op::Reverse(of) => self.turned(*of),
            Op::Wrong(word) => Err(word),
        }
    }

    fn turned(&self, of: u64) -> Result<Vec<(Leg, Phase)>, &'static str> {
        let original = self.find(of).ok_or("UnknownTransfer")?;
        if self.landed.iter().any(|landed| landed.request.asked.op == Op::Reverse(of)) {
            return Err("AlreadyReversed");
        }
        let moved = original.lines.iter().filter(|(_, phase)| matches!(phase, Phase::Post | Phase::Settle));
        let lines: Vec<(Leg, Phase)> =
            moved.map(|((debit, credit, amount), _)| ((*credit, *debit, *amount), Phase::Post)).collect();
        match original.request.asked.op {
            Op::Reverse(_) => Err("NotReversible"),
            _ if lines.is_empty() => Err("NotReversible"),
            _ => Ok(lines),
        }
    }

    /// What is left of a hold, and when it is due.
    fn open(&self, hold: u64) -> Result<(Leg, Option<i64>), &'static str> {
        let opened = self.find(hold).ok_or("UnknownHold")?;
        let Op::Hold((debit, credit, amount), due) = opened.request.asked.op else {
            return Err("UnknownHold");
        };
        let of = |landed: &&Landed| match landed.request.asked.op {
            Op::Settle { hold: of, .. } | Op::Void(of) | Op::Expire(of) => of == hold,
            _ => false,
        };
        let gone = self.landed.iter().filter(of).flat_map(|landed| &landed.lines);
        let gone: i64 = gone
            .filter(|(_, phase)| matches!(phase, Phase::Settle | Phase::Void))
            .map(|((.., amount), _)| amount)
            .sum();
        if gone == amount { Err("HoldClosed") } else { Ok(((debit, credit, amount - gone), due)) }
    }

    fn too_large(&self, account: usize) -> bool {
        let sides = |(debit, credit, amount): Leg, side: usize| {
            if [debit, credit][side] == account { i128::from(amount) } else { 0 }
        };
        let lines = || self.landed.iter().flat_map(|landed| &landed.lines);
        // Held money that is settled moves from the one total to the other and is counted once.
        (0..2).any(|side| {
            let counted = lines().map(|(leg, phase)| match phase {
                Phase::Post | Phase::Hold => sides(*leg, side),
                Phase::Settle => 0,
                Phase::Void => -sides(*leg, side),
            });
            counted.sum::<i128>() > i128::from(i64::MAX)
        })
    }

    /// Assets and liabilities may not fall below zero, or below their own floor, what is held counted as
    /// gone.
    fn below_floor(&self, account: usize) -> bool {
        let [debits, credits, debits_held, credits_held] = self.totals(account, u64::MAX).map(i128::from);
        let kind = match self.paths[account].split(':').next() {
            Some("equity" | "income" | "expense") => None,
            _ => Some(0),
        };
        let stands = match self.grows_by_debits(account) {
            true => debits - credits - credits_held,
            false => credits - debits - debits_held,
        };
        self.limits[account].floor.or(kind).is_some_and(|floor| stands < i128::from(floor))
    }

    fn grows_by_debits(&self, account: usize) -> bool {
        let path = self.paths[account].as_str();
        match path.split(':').next() {
            Some("clearing" | "onchain") => !["clearing:burn", "onchain:issued"].contains(&path),
            kind => matches!(kind, Some("float" | "expense")),
        }
    }

    /// What went through an account since the period began, and what is held on that side now.
    fn used(&self, account: usize, velocity: &Velocity) -> i128 {
        let start = start(self.now, velocity.period);
        let [debits, credits] = self.posted(account, |landed| landed.recorded >= start).map(i128::from);
        let [_, _, debits_held, credits_held] = self.totals(account, u64::MAX).map(i128::from);
        let (gone, held, came) =
            if velocity.debits { (debits, debits_held, credits) } else { (credits, credits_held, debits) };
        gone + held - if velocity.net { came } else { 0 }
    }
}

/// When the day, week or month around an instant began, in microseconds.
fn start(now: i64, period: u8) -> i64 {
    let mut day = DateTime::from_timestamp_micros(now).expect("a time of ours").date_naive();
    let first = |day: chrono::NaiveDate| match period {
        0 => true,
        1 => day.weekday() == chrono::Weekday::Mon,
        _ => day.day() == 1,
    };
    while !first(day) {
        day = day.pred_opt().expect("a time of ours");
    }
    day.and_time(NaiveTime::MIN).and_utc().timestamp_micros()
}
