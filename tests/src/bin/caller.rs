//! A process with a door to a book and many callers: it asks, and says on its output what was answered, a
//! line a request. It is there to be killed and stopped.
//!
//! `caller URL STREAM FIRST CALLERS [AGAIN…]`: asks the requests `AGAIN` of the stream, then those from
//! `FIRST` on, until its input is closed; then it waits for the answers and goes. Lines: `ask NUMBER`; `ack
//! NUMBER ANSWERS`, one letter a transfer (new, replayed, refused: `n`, `r`, `x`); `fault NUMBER REASON`.
//!
//! Invariant: `ask` is said before the request is made, `ack` after it was answered.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::{Arc, Mutex};

use amana_ledger::Fault;
use amana_ledger::poster::{Answers, Nothing, Poster};
use amana_tests::load::{Asked, Request, Ticking, book};
use sqlx::postgres::PgConnectOptions;

/// Which request is next.
struct Turn {
    again: VecDeque<u64>,
    next: u64,
    ending: bool,
}

impl Turn {
    fn take(&mut self) -> Option<u64> {
        if self.ending || !self.again.is_empty() {
            return self.again.pop_front();
        }
        self.next += 1;
        Some(self.next - 1)
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut words = std::env::args().skip(1);
    let url = words.next().expect("URL");
    let mut words = words.map(|word| word.parse::<u64>().expect("a number"));
    let mut word = || words.next().expect("STREAM FIRST CALLERS");
    let (stream, next, callers) = (word(), word(), word());
    let turn = Arc::new(Mutex::new(Turn { again: words.collect(), next, ending: false }));
    let options: PgConnectOptions = url.parse().expect("a url");
    // The second stream's clock is an hour ahead.
    let clock = Arc::new(Ticking::late_by(stream.cast_signed() * 3_600_000));
    let (poster, owner) = Poster::open(&options, clock, &book(), Nothing);
    let calls = (0..callers).map(|_| {
        let (poster, turn) = (poster.clone(), turn.clone());
        tokio::spawn(async move {
            loop {
                let number = turn.lock().expect("a turn").take();
                let Some(number) = number else { break };
                call(&poster, Request { stream, number }).await;
            }
        })
    });
    let calls: Vec<_> = calls.collect();
    // Nothing is ever said to us; the end of the input is the message.
    let closed = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0]));
    closed.await.expect("the input").expect("its end");
    turn.lock().expect("a turn").ending = true;
    for call in calls {
        call.await.expect("a caller");
    }
    drop(poster);
    owner.await.expect("the owner");
}

async fn call(poster: &Poster, request: Request) {
    println!("ask {}", request.number);
    match ask(poster, request).await {
        Ok(answers) => {
            let letter = |answer: &Result<_, _>| match answer {
                Ok(posted) if amana_ledger::poster::Posted::is_new(posted) => 'n',
                Ok(_) => 'r',
                Err(_) => 'x',
            };
            println!("ack {} {}", request.number, answers.iter().map(letter).collect::<String>());
        }
        Err(fault) => println!("fault {} {fault:?}", request.number),
    }
}

async fn ask(poster: &Poster, request: Request) -> Result<Answers, Fault> {
    match request.asked(&book()) {
        Asked::Linked(transfers) => poster.post_linked(transfers).await,
        Asked::Each(mut transfers) if transfers.len() == 1 => {
            Ok(vec![poster.post(transfers.remove(0)).await?])
        }
        Asked::Each(transfers) => poster.post_all(transfers).await,
    }
}
