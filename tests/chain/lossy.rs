//! A network that loses, delays and denies, by script, and a worker that comes through all the same.

use amana_adapters::port::Outcome;
use amana_adapters::stellar::{Attempt, Built, ChainOp, Effect, Look, Next, Sent, verdict};
use amana_localnet::{Fault, Faults, Rates, Rule};

use crate::chain::{Chain, GENESIS, amount};

/// What became of an instruction.
pub(crate) struct Work {
    /// What was built for it, one after the other.
    pub(crate) built: Vec<Built>,
    /// The hashes under which all that may be found: what is raised has one of its own.
    pub(crate) hashes: Vec<String>,
}

/// What a worker does with an instruction until it is done, a ledger a round.
pub(crate) async fn work(chain: &Chain, op: &ChainOp) -> Work {
    let stellar = &chain.stellar;
    let mut work = Work { built: Vec::new(), hashes: Vec::new() };
    // The newest attempt in all its envelopes: as it was built, and raised.
    let mut forms: Vec<(String, String)> = Vec::new();
    let mut sent: Option<Sent> = None;
    let mut next = Next::Rebuild;
    for _ in 0..400 {
        match &next {
            Next::Done { .. } => return work,
            Next::Rebuild => {
                if let Some(fresh) = build(chain, op).await {
                    forms = vec![(fresh.envelope_xdr.clone(), fresh.hash.clone())];
                    (sent, next) = (None, Next::ResendSame);
                    work.hashes.push(fresh.hash.clone());
                    work.built.push(fresh);
                }
            }
            Next::ResendSame => sent = Some(stellar.send(&forms.last().unwrap().0).await),
            Next::Stuck | Next::Raise => {
                let stored = (&*forms[0].0, &*forms.last().unwrap().0);
                let raised = stellar.raise(stored, &chain.channel, next == Next::Raise).await;
                if let Ok(Some(raised)) = raised {
                    work.hashes.push(raised.hash.clone());
                    forms.push((raised.envelope_xdr, raised.hash));
                }
                sent = Some(stellar.send(&forms.last().unwrap().0).await);
            }
            Next::Wait => {}
            // Something else did it, or nothing did: the contract knows.
            Next::FailedOnChain { .. } | Next::AskContract => match stellar.has_happened(op).await {
                Ok(true) => return work,
                Ok(false) => next = Next::Rebuild,
                Err(_) => {}
            },
        }
        if next != Next::Rebuild {
            let look = look(chain, &forms).await;
            next = verdict(Attempt::from(work.built.last().unwrap()), sent.as_ref(), look);
        }
        chain.advance(5, 1).await;
    }
    panic!("not done after 400 rounds: {next:?}");
}

/// Looks for an attempt under every hash it has. It is not found when all of them are not; then the oldest
/// answer counts.
async fn look(chain: &Chain, forms: &[(String, String)]) -> Option<Look> {
    let mut missing = None;
    for (_, hash) in forms.iter().rev() {
        match chain.stellar.look(hash).await.ok()? {
            Look::NotFound { .. } if missing.is_some() => {}
            look @ Look::NotFound { .. } => missing = Some(look),
            found => return Some(found),
        }
    }
    missing
}

/// Builds if the network can be asked; another round asks again.
async fn build(chain: &Chain, op: &ChainOp) -> Option<Built> {
    let sequence = chain.stellar.sequence(&chain.channel.address()).await.ok()?? + 1;
    match chain.stellar.build(op, &chain.channel, sequence).await {
        Outcome::Done(fresh) => Some(fresh),
        _ => None,
    }
}

fn create() -> ChainOp {
    let expiry = i64::try_from(GENESIS).unwrap() + 30 * 86_400;
    ChainOp::Create { key: [1; 32], amount: amount(100), expiry, terms: Default::default() }
}

/// Each of these once, at the sendings, in this order.
pub(crate) fn at_sending(faults: &[Fault]) -> Faults {
    let once = |fault: &Fault| Rule::once(fault.clone()).on("sendTransaction");
    Faults::rules(faults.iter().map(once).collect::<Vec<_>>())
}

/// Plays a script while an escrow is created; returns what was built and how often it struck.
async fn create_under(script: Faults) -> (Vec<Built>, usize) {
    let chain = Chain::start().await;
    chain.net.set_faults(script.clone()).await.unwrap();
    let Work { built, hashes } = work(&chain, &create()).await;
    let struck = chain.net.strikes().await.len();
    // What is late comes now, if it still may.
    chain.net.set_faults(Faults::default()).await.unwrap();
    chain.advance(300, 60).await;
    let (events, _) = chain.hear(2).await;
    let created: Vec<_> =
        events.iter().filter(|event| matches!(event.what, Effect::Created { .. })).collect();
    assert_eq!(created.len(), 1, "{script:?}");
    assert!(hashes.contains(&created[0].tx_hash), "{script:?}");
    chain.net.shutdown().await.unwrap();
    (built, struck)
}

const SICK: Fault = Fault::Sick { status: 503 };
const LOST_ANSWER: Fault = Fault::LostAnswer { status: 502 };

#[tokio::test]
async fn a_lost_answer_is_unknown_and_then_found_done() {
    for fault in [LOST_ANSWER, Fault::HangUpAfter] {
        let chain = Chain::start().await;
        chain.net.set_faults(at_sending(&[fault])).await.unwrap();
        let built = chain.build(&create(), &chain.channel).await;
        let sent = chain.stellar.send(&built.envelope_xdr).await;
        assert!(matches!(sent, Sent::Unknown { .. }), "{sent:?}");
        let look = chain.stellar.look(&built.hash).await.unwrap();
        assert!(matches!(look, Look::Success { .. }), "{look:?}");
        chain.net.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn whatever_is_lost_it_happens_once_by_the_same_bytes() {
    let cases: [&[Fault]; 8] = [
        &[],
        &[LOST_ANSWER],
        &[SICK, Fault::HangUp, LOST_ANSWER],
        &[Fault::Lost],
        &[Fault::Lost, SICK, Fault::Lost],
        &[Fault::Twice],
        &[Fault::BadSequence, Fault::TryAgainLater, Fault::BadSequence],
        &[Fault::Late { ledgers: 6 }],
    ];
    for faults in cases {
        for queue in [false, true] {
            let (built, struck) = create_under(Faults { queue, ..at_sending(faults) }).await;
            assert_eq!((built.len(), struck), (1, faults.len()), "{faults:?}");
        }
    }
}

#[tokio::test]
async fn what_the_queue_forgets_and_bans_is_sent_again_or_outlived() {
    let (built, _) = create_under(Faults::queued([Rule::times(Fault::Dropped, 1)])).await;
    assert_eq!(built.len(), 1, "the ban ends before the time bound");
    // Sendings answered DUPLICATE or TRY_AGAIN_LATER are struck too; twenty outlast the first time bound.
    let (built, _) = create_under(Faults::queued([Rule::times(Fault::Dropped, 20)])).await;
    assert_eq!(built.len(), 2, "the second time it does not");
    assert_eq!(built[0].sequence, built[1].sequence, "a dead attempt uses up nothing");
}

#[tokio::test]
async fn a_server_that_never_passes_it_on_is_outlived() {
    let (built, _) = create_under(Faults::rules([Rule::times(Fault::Lost, 12)])).await;
    assert_eq!(built.len(), 2, "the first was lost until its time was over");
    assert_eq!(built[0].sequence, built[1].sequence);
}

#[tokio::test]
async fn an_envelope_is_taken_at_the_edge_of_its_time() {
    let (built, _) = create_under(Faults::queued([Rule::once(Fault::LastMoment)])).await;
    assert_eq!(built.len(), 1);
}

#[tokio::test]
async fn what_offers_too_little_is_offered_again_for_more_and_happens_once() {
    let chain = Chain::start().await;
    let surge = Fault::Surge { fee: 150, ledgers: 1_000, refuses: true };
    chain.net.set_faults(Faults::rules([Rule::once(surge).on("sendTransaction")])).await.unwrap();
    let built = chain.build(&create(), &chain.channel).await;
    let stellar = &chain.stellar;
    let calm = stellar.raise((&built.envelope_xdr, &built.envelope_xdr), &chain.channel, false).await;
    assert_eq!(calm.unwrap(), None, "while nobody pays more there is nothing to raise");

    let sent = stellar.send(&built.envelope_xdr).await;
    let look = stellar.look(&built.hash).await.ok();
    assert_eq!(verdict(Attempt::from(&built), Some(&sent), look), Next::Raise, "{sent:?}");
    let stored = (&*built.envelope_xdr, &*built.envelope_xdr);
    let raised = stellar.raise(stored, &chain.channel, true).await.unwrap().unwrap();
    assert_ne!(raised.hash, built.hash);
    // It offers ten times as much for its place, and the same for its resources.
    let resources = built.fee - 100;
    assert_eq!(raised.fee, resources + 2_000);
    let sent = stellar.send(&raised.envelope_xdr).await;
    assert!(matches!(sent, Sent::Pending { .. }), "{sent:?}");
    let look = stellar.look(&raised.hash).await.unwrap();
    assert!(matches!(look, Look::Success { .. }), "found under its own hash");
    // What is inside, sent late, is past its number.
    let sent = stellar.send(&built.envelope_xdr).await;
    assert!(matches!(
        sent,
        Sent::Refused { .. } | Sent::BadSequence | Sent::TryLater | Sent::Duplicate { .. }
    ));
    let (events, _) = chain.hear(2).await;
    let created: Vec<_> =
        events.iter().filter(|event| matches!(event.what, Effect::Created { .. })).collect();
    assert_eq!(created.iter().map(|event| &event.tx_hash).collect::<Vec<_>>(), [&raised.hash]);
    // Nobody pays without end.
    let mut newest = Some(raised);
    for _ in 0..5 {
        let Some(last) = newest else { break };
        assert!(last.fee <= resources + 2_000_000);
        let stored = (&*built.envelope_xdr, &*last.envelope_xdr);
        newest = stellar.raise(stored, &chain.channel, true).await.unwrap();
    }
    assert_eq!(newest, None);
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_waits_while_others_pay_more_is_raised_in_its_place() {
    for refuses in [false, true] {
        let surge = Fault::Surge { fee: 10_000, ledgers: 1_000, refuses };
        let script = Faults::queued([Rule::once(surge).on("sendTransaction")]);
        let (built, struck) = create_under(script).await;
        assert_eq!((built.len(), struck), (1, 1), "refuses: {refuses}");
    }
}

#[tokio::test]
async fn on_bad_days_it_happens_once_too() {
    let mut strikes = 0;
    for seed in 0..20 {
        strikes += create_under(Faults::random(seed, &Rates::rough())).await.1;
    }
    assert!(strikes > 50, "{strikes} strikes are no bad days");
}
