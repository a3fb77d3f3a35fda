//! Each impurity has one home: SQL, the environment, HTTP calls, time, chance, and the making of a transfer.

use crate::code::{Source, words};
use crate::tree::Tree;
use crate::{caught, none};

/// Crates that hold the product; the rest are tests and tools.
fn is_product(path: &str) -> bool {
    ["ledger/src/", "adapters/src/", "gateway/src/"].iter().any(|folder| path.starts_with(folder))
}

/// Something that may be named only at home.
struct Home {
    what: &'static str,
    needles: &'static [&'static str],
    homes: &'static [&'static str],
}

const HOMES: [Home; 5] = [
    Home {
        what: "the environment is read in config",
        needles: &["env::var", "env::vars", "env::var_os", "env::vars_os", "env::set_var"],
        homes: &["gateway/src/config/"],
    },
    Home {
        what: "reqwest lives in adapters/src/http.rs",
        needles: &["reqwest::"],
        homes: &["adapters/src/http.rs"],
    },
    Home {
        what: "time comes from a `Clock`, made in main.rs",
        needles: &["Utc::now", "SystemTime::now", "Local::now"],
        homes: &["gateway/src/main.rs", "bench/peers/src/ground.rs"],
    },
    Home {
        what: "chance comes from an `Rng`, made in main.rs",
        needles: &["rand::", "OsRng", "SystemRandom", "Uuid::new_v4", "Uuid::now_v7"],
        homes: &["gateway/src/main.rs"],
    },
    Home { what: "no float near money", needles: &["f32", "f64"], homes: &[] },
];

/// Whether `needle` stands in `line` as words of its own.
fn has(line: &str, needle: &str) -> bool {
    line.match_indices(needle).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_none_or(|c| !crate::code::is_word(c));
        let after = line[at + needle.len()..].chars().next().is_none_or(|c| !crate::code::is_word(c));
        before && (after || needle.ends_with(':'))
    })
}

fn impurities(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    let kept = |path: &str| is_product(path) || path.starts_with("bench/peers/src/");
    for source in tree.rust().iter().filter(|source| kept(&source.path)) {
        for home in HOMES.iter().filter(|home| !home.homes.iter().any(|place| source.path.starts_with(place)))
        {
            for (number, line) in source.product_lines() {
                if home.needles.iter().any(|needle| has(line, needle)) {
                    problems.push(format!("{}:{number}: {}", source.path, home.what));
                }
            }
        }
    }
    problems
}

/// Where SQL may stand, and the schemas named there. `None`: no SQL at all.
fn schemas_of(path: &str) -> Option<&'static [&'static str]> {
    let is_store = path.contains("/store/") || path.ends_with("/store.rs");
    match path {
        _ if path.starts_with("ledger/src/") && is_store => Some(&["ledger"]),
        _ if path.starts_with("gateway/src/privacy/") && is_store => Some(&["privacy"]),
        _ if path.starts_with("gateway/src/people/") && is_store => Some(&["people"]),
        _ if path.starts_with("gateway/src/trade/") && is_store => Some(&["trade"]),
        _ if path.starts_with("gateway/src/ussd/") && is_store => Some(&["ussd"]),
        _ if path.starts_with("gateway/src/flows/") && is_store => Some(&["flow", "chain"]),
        _ if path.starts_with("gateway/src/recon/") && is_store => Some(&["recon", "flow", "chain"]),
        "gateway/src/http/ussd/store.rs" => Some(&["ussd"]),
        "gateway/src/inbox.rs" => Some(&["inbox"]),
        "gateway/src/outbox.rs" => Some(&["outbox"]),
        "gateway/src/events.rs" => Some(&["event"]),
        _ if path.starts_with("gateway/src/console/") => {
            Some(&["flow", "chain", "trade", "inbox", "outbox", "event"])
        }
        _ => None,
    }
}

const SQL: [&str; 7] =
    ["sqlx::query", "query_as", "query_scalar", "query_as!", "QueryBuilder", "copy_in_raw", "raw_sql"];

fn sql_at_home(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    let homeless = |source: &&Source| is_product(&source.path) && schemas_of(&source.path).is_none();
    for source in tree.rust().iter().filter(homeless) {
        for (number, line) in source.product_lines() {
            if SQL.iter().any(|needle| has(line, needle) || line.contains("query!(")) {
                problems.push(format!(
                    "{}:{number}: SQL stands in store files, inbox, outbox, events",
                    source.path
                ));
            }
        }
    }
    problems
}

/// The schemas the migrations create.
fn schemas(tree: &Tree) -> Vec<String> {
    let migrations = tree.files.iter().filter(|file| file.path.starts_with("migrations/"));
    let lines = migrations.flat_map(|file| file.text.lines());
    let names = lines
        .filter_map(|line| line.trim().strip_prefix("create schema "))
        .map(|rest| rest.trim_end_matches(';'));
    names.map(|name| name.trim_start_matches("if not exists ").trim().to_owned()).collect()
}

fn own_schema(tree: &Tree) -> Vec<String> {
    let schemas = schemas(tree);
    let mut problems = Vec::new();
    for source in tree.rust() {
        let Some(own) = schemas_of(&source.path) else { continue };
        for (at, line) in source.strings.lines().enumerate().filter(|(at, _)| !source.is_test(at + 1)) {
            for other in
                tables_named(line).filter(|name| schemas.contains(name) && !own.contains(&name.as_str()))
            {
                problems.push(format!("{}:{}: names the schema {other}, not its own", source.path, at + 1));
            }
        }
    }
    problems
}

/// Schemas of tables that a line of SQL reads or writes.
fn tables_named(line: &str) -> impl Iterator<Item = String> {
    const BEFORE: [&str; 6] = ["from", "join", "into", "update", "using", "table"];
    let found: Vec<_> = words(line).collect();
    let named = found.windows(2).filter(|pair| {
        let after = pair[1].0 + pair[1].1.len();
        BEFORE.contains(&pair[0].1.to_lowercase().as_str()) && line[after..].starts_with('.')
    });
    named.map(|pair| pair[1].1.to_owned()).collect::<Vec<_>>().into_iter()
}

/// A transfer written down outside the rules.
fn transfers(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    let ledger =
        |source: &&Source| source.path.starts_with("ledger/src/") && source.path != "ledger/src/rules.rs";
    for source in tree.rust().iter().filter(ledger) {
        for (number, line) in source.product_lines() {
            let built = line.match_indices("Transfer {").any(|(at, _)| {
                let before = line[..at].trim_end();
                let last = before.rsplit(|c: char| !crate::code::is_word(c)).next().unwrap_or("");
                let whole = !line[..at].ends_with(crate::code::is_word);
                whole && !["struct", "for", "impl", "let"].contains(&last) && !before.ends_with("->")
            });
            if built {
                problems.push(format!("{}:{number}: a transfer is built in rules.rs alone", source.path));
            }
        }
    }
    problems
}

/// Things that have no home at all in what is shipped.
fn stubs(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for source in tree.rust().iter().filter(|source| !source.path.starts_with("tests/tidy/")) {
        for (at, line) in source.code.lines().enumerate() {
            let stub = ["todo!(", "unimplemented!(", "#[ignore"].iter().any(|needle| line.contains(needle));
            if stub {
                problems.push(format!("{}:{}: a stub or an ignored test", source.path, at + 1));
            }
        }
        for (number, line) in source.product_lines() {
            if line.contains(".unwrap()") || line.contains(".expect(") || line.contains(".unwrap_err()") {
                problems.push(format!("{}:{number}: unwrap outside tests", source.path));
            }
        }
    }
    problems
}

#[test]
fn time_chance_environment_and_http_live_at_home() {
    none(impurities(&Tree::here()));
    for bad in
        ["let now = Utc::now();", "use rand::rng;", "std::env::var(X)", "reqwest::get(url)", "let fee: f64;"]
    {
        caught(impurities(&Tree::of("gateway/src/flows/a.rs", bad)));
    }
    none(impurities(&Tree::of("gateway/src/main.rs", "chrono::Utc::now()")));
    none(impurities(&Tree::of("gateway/src/a.rs", "#[cfg(test)]\nmod tests {\n let a = 1f64;\n}\n")));
}

#[test]
fn sql_lives_at_home() {
    none(sql_at_home(&Tree::here()));
    caught(sql_at_home(&Tree::of("gateway/src/http/jobs.rs", "sqlx::query!(X)")));
    none(sql_at_home(&Tree::of("gateway/src/trade/store.rs", "sqlx::query!(X)")));
}

#[test]
fn sql_names_its_own_schema() {
    let tree = Tree::here();
    assert!(tree.files.is_empty() || !schemas(&tree).is_empty(), "no schema was found in the migrations");
    none(own_schema(&tree));
    let bad = "let q = \"select 1 from ledger.posting p join trade.job j\";";
    let tree = Tree::of("migrations/0001_a.sql", "create schema ledger;\ncreate schema trade;\n");
    caught(own_schema(&tree.and("gateway/src/trade/store.rs", bad)));
}

#[test]
fn a_transfer_is_built_in_the_rules_alone() {
    none(transfers(&Tree::here()));
    caught(transfers(&Tree::of("ledger/src/journal.rs", "let t = Transfer { id, book };")));
    none(transfers(&Tree::of("ledger/src/transfer.rs", "pub struct Transfer {\n}\nfn f() -> Transfer {\n}")));
    none(transfers(&Tree::of("ledger/src/rules.rs", "Transfer { id, book }")));
}

#[test]
fn nothing_is_stubbed_ignored_or_unwrapped() {
    none(stubs(&Tree::here()));
    caught(stubs(&Tree::of("gateway/src/a.rs", "fn f() { todo!() }")));
    caught(stubs(&Tree::of("tests/api/a.rs", "#[ignore]\nfn f() {}")));
    caught(stubs(&Tree::of("gateway/src/a.rs", "fn f() { g().unwrap() }")));
    none(stubs(&Tree::of("gateway/src/a.rs", "#[cfg(test)]\nmod tests {\n fn f() { g().unwrap() }\n}")));
}
