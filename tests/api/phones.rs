//! The phone menu from the dialler's side: registering, finding work, releasing pay with a PIN.

use crate::door::{Api, Reply, together};

/// Who dials, in one call after another.
struct Dialler<'a> {
    api: &'a Api,
    phone: &'a str,
    call: String,
    typed: Vec<String>,
}

impl<'a> Dialler<'a> {
    fn new(api: &'a Api, phone: &'a str) -> Self {
        Self { api, phone, call: String::new(), typed: Vec::new() }
    }

    async fn dial(&mut self, call: &str) -> String {
        self.call = call.to_owned();
        self.typed.clear();
        self.send().await
    }

    async fn key(&mut self, input: &str) -> String {
        self.typed.push(input.to_owned());
        self.send().await
    }

    async fn keys(&mut self, inputs: &[&str]) -> String {
        let mut screen = String::new();
        for input in inputs {
            screen = self.key(input).await;
        }
        screen
    }

    /// Posts the hop again, as the gateway company does when it heard nothing.
    async fn send(&self) -> String {
        let text = self.typed.join("*");
        let reply = hop(self.api, &self.call, self.phone, &text).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/plain; charset=utf-8")));
        assert!(reply.text.starts_with("CON ") || reply.text.starts_with("END "), "{reply:?}");
        assert!(reply.text.chars().count() <= 164, "{}", reply.text);
        reply.text
    }
}

async fn hop(api: &Api, call: &str, phone: &str, text: &str) -> Reply {
    let (phone, text) = (phone.replace('+', "%2B"), text.replace('*', "%2A").replace(' ', "+"));
    let body =
        format!("sessionId={call}&serviceCode=%2A384%23&phoneNumber={phone}&networkCode=63902&text={text}");
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    api.send(("POST", "/api/ussd/"), &headers, body.as_bytes()).await
}

fn pin(api: &Api, phone: &str) -> String {
    let texts = api.world.texts_to(phone);
    let told: Vec<&String> = texts.iter().filter(|text| text.contains("PIN is")).collect();
    assert_eq!(told.len(), 1, "{texts:?}");
    told[0].chars().filter(char::is_ascii_digit).take(6).collect()
}

#[tokio::test]
async fn registering_by_phone_sends_a_pin_once() {
    let api = Api::open().await;
    let mut phone = Dialler::new(&api, "+254712345001");
    assert!(phone.dial("a").await.contains("1 Hire"));
    assert!(phone.key("3").await.contains("1 Ajiri"), "Swahili");
    assert!(phone.keys(&["2", "Given"]).await.contains("mwisho"));
    let welcome = phone.key("Family").await;
    assert!(welcome.starts_with("END Karibu"), "{welcome}");
    assert_eq!(phone.send().await, welcome, "the same hop again is done once");
    api.world.settle().await;
    let texts = api.world.texts_to("0712345001");
    assert_eq!(texts.len(), 1, "{texts:?}");
    let home = phone.dial("b").await;
    assert!(home.contains("Kazi zangu"), "{home}");
    let balance = phone.keys(&["3", "1"]).await;
    assert!(balance.contains("KES 0"), "{balance}");
    assert!(phone.key("00").await.contains("Kazi zangu"));
    assert!(phone.keys(&["5", "1"]).await.contains("My jobs"));
    assert!(phone.key("7").await.contains("My jobs"), "an unknown key leaves one where one stands");
    hop(&api, "c", "not a phone", "").await.problem(422, "bad_field");
}

#[tokio::test]
async fn one_hop_sent_ten_times_at_once_is_done_once() {
    let api = Api::open().await;
    let text = "2*Given*Family";
    let hops = (0..10).map(|_| hop(&api, "a", "+254712345001", text));
    for reply in together(hops.collect()).await {
        assert!(reply.text.starts_with("END Welcome"), "{reply:?}");
    }
    api.world.settle().await;
    assert_eq!(api.world.texts_to("0712345001").len(), 1, "one PIN");
}

#[tokio::test]
async fn a_broken_call_is_taken_up_again() {
    let api = Api::open().await;
    let mut phone = Dialler::new(&api, "+254712345001");
    phone.dial("a").await;
    phone.keys(&["1", "Given"]).await;
    let offer = phone.dial("b").await;
    assert!(offer.contains("1 Go on"), "{offer}");
    assert!(phone.key("1").await.contains("last name"));
    let mut late = Dialler::new(&api, "+254712345001");
    api.world.clock.advance(chrono::TimeDelta::minutes(11));
    assert!(late.dial("c").await.contains("1 Hire"), "after ten minutes a call begins anew");
}

#[tokio::test]
async fn work_is_found_and_paid_by_phone() {
    let api = Api::open().await;
    api.world.capital().await;
    let (employer, worker) = ("+254712345001", "+254712345002");
    for (phone, key) in [(employer, "1"), (worker, "2")] {
        let mut dialler = Dialler::new(&api, phone);
        dialler.dial("register").await;
        dialler.keys(&[key, "Given", "Family"]).await;
    }
    api.world.settle().await;
    let pin = pin(&api, employer);
    let reference = job_of(&api, employer, "50000.00").await;
    api.paid("UKK71XQ801", &reference, "50000.00").await;

    let mut phone = Dialler::new(&api, worker);
    phone.dial("w1").await;
    let list = phone.key("2").await;
    assert!(list.contains("50,000"), "{list}");
    assert!(phone.keys(&["1", "1"]).await.starts_with("END You applied"));
    assign(&api, &reference).await;

    let mut phone = Dialler::new(&api, employer);
    phone.dial("e1").await;
    let job = phone.keys(&["1", "1"]).await;
    assert!(job.contains("1 Release"), "{job}");
    let confirm = phone.key("1").await;
    assert!(confirm.contains("KES 50,000") && confirm.contains("Given F."), "{confirm}");
    assert!(phone.key("1").await.contains("PIN"));
    assert!(phone.key("0").await.contains("1 Release"), "the way back is no try");
    assert!(phone.keys(&["1", "1"]).await.contains("PIN"));
    let wrong = phone.key("000001").await;
    assert!(wrong.contains("2 more"), "{wrong}");
    assert_eq!(phone.send().await, wrong, "the same hop again is no second try");
    let done = phone.key(&pin).await;
    assert!(done.starts_with("END Done. KES 50,000"), "{done}");
    assert_eq!(phone.send().await, done);
    api.world.settle().await;
    for _ in 0..20 {
        api.world.wait(chrono::TimeDelta::seconds(60)).await;
    }
    let mut phone = Dialler::new(&api, worker);
    phone.dial("w2").await;
    let paid = phone.keys(&["3", "2"]).await;
    assert!(paid.contains("KES 50,000 completed"), "{paid}");
    let receipt = api.world.rail.payouts()[0].reference.clone();
    let told = phone.keys(&["00", "4", &receipt]).await;
    assert!(told.contains("FINAL") && told.contains("2547***002"), "{told}");
    api.world.sound().await;
    no_pin_stored(&api, &pin).await;
}

#[tokio::test]
async fn three_wrong_pins_lock_for_a_day() {
    let api = Api::open().await;
    let employer = "+254712345001";
    let mut phone = Dialler::new(&api, employer);
    phone.dial("r").await;
    phone.keys(&["1", "Given", "Family"]).await;
    api.world.settle().await;
    let pin = pin(&api, employer);
    let reference = job_of(&api, employer, "100.00").await;
    api.paid("UKK71XQ802", &reference, "100.00").await;
    let (_, person) = api.register("employee", "0712345002").await;
    assign_to(&api, &reference, person).await;
    phone.dial("e").await;
    phone.keys(&["1", "1", "1", "1", "000001", "000002"]).await;
    assert!(phone.key("000003").await.starts_with("END Your PIN is locked"));
    phone.dial("f").await;
    assert!(
        phone.keys(&["1", "1", "1", "1", &pin]).await.contains("locked"),
        "the right one does not help now"
    );
    api.world.settle().await;
    assert_eq!(api.world.texts_to(employer).iter().filter(|text| text.contains("Three wrong")).count(), 1);
    api.world.clock.advance(chrono::TimeDelta::hours(25));
    phone.dial("g").await;
    let done = phone.keys(&["1", "1", "1", "1", &pin]).await;
    assert!(done.starts_with("END Done"), "{done}");
    api.world.settle().await;
}

/// A job of somebody who has no password: posted inside, as the phone menu does not post jobs yet.
async fn job_of(api: &Api, phone: &str, budget: &str) -> String {
    use amana_gateway::people::{self, session::Caller};
    let app = &api.world.app;
    let mut tx = app.db.begin().await.unwrap();
    let phone = amana_adapters::port::Msisdn::parse(phone).unwrap();
    let party = people::by_phone(&mut tx, app, &phone).await.unwrap().unwrap();
    let person = people::person(&mut tx, app, party).await.unwrap().unwrap();
    let caller = Caller { party, id: person.id, role: person.role, session: uuid::Uuid::nil() };
    let budget = amana_tests::story::kes(budget);
    let new = amana_gateway::trade::NewJob {
        title: "Website Development".into(),
        description: "A site".into(),
        budget,
    };
    let job = amana_gateway::trade::create(&mut tx, app, &caller, new).await.unwrap();
    tx.commit().await.unwrap();
    job.reference.to_string()
}

async fn assign(api: &Api, reference: &str) {
    let id = sqlx::query_scalar::<_, i64>("select id from people.person where role = 'employee'");
    assign_to(api, reference, id.fetch_one(&api.world.database.owner).await.unwrap()).await;
}

async fn assign_to(api: &Api, reference: &str, employee: i64) {
    use amana_gateway::people::{Role, session::Caller};
    let row = "select j.id, j.employer, p.id from trade.job j join people.person p on p.party = j.employer
               where j.escrow_contract_id = $1";
    let (job, party, id): (i64, uuid::Uuid, i64) =
        sqlx::query_as(row).bind(reference).fetch_one(&api.world.database.owner).await.unwrap();
    let party = amana_ledger::id::PartyId(party);
    let caller = Caller { party, id, role: Role::Employer, session: uuid::Uuid::nil() };
    let app = &api.world.app;
    let mut tx = app.db.begin().await.unwrap();
    let whom = amana_gateway::trade::Assignment { employee, invite: true };
    amana_gateway::trade::assign(&mut tx, app, &caller, job, whom).await.unwrap();
    tx.commit().await.unwrap();
}

/// The whole database as text has no trace of the digits, in clear or in hex.
async fn no_pin_stored(api: &Api, pin: &str) {
    for table in
        ["ussd.session", "people.person", "outbox.message", "inbox.callback", "event.event", "event.audit"]
    {
        let rows = format!("select coalesce(string_agg(t::text, ' '), '') from {table} t");
        let text: String =
            sqlx::query_scalar(sqlx::AssertSqlSafe(rows)).fetch_one(&api.world.database.owner).await.unwrap();
        for clear in [pin.to_owned(), hex::encode(pin), hex::encode("712345001"), "712345001".into()] {
            assert!(!text.contains(&clear), "{clear} in {table}");
        }
    }
}
