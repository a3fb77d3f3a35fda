//! What may know what: crates by their `Cargo.toml`, modules by the paths they name.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::{Source, words};
use crate::tree::Tree;
use crate::{caught, none};

/// A crate's folder and the crates of ours it may depend on (tests aside).
const CRATES: [(&str, &[&str]); 8] = [
    ("ledger", &[]),
    ("adapters", &["amana-ledger"]),
    ("gateway", &["amana-adapters", "amana-ledger", "amana-localnet"]),
    ("contracts/escrow", &[]),
    ("contracts/anchor", &[]),
    ("contracts/localnet", &[]),
    ("contracts/build", &[]),
    ("bench/peers", &["amana-ledger"]),
];

/// Libraries a crate must not know: the ledger speaks to nobody, adapters keep nothing.
const STRANGERS: [(&str, &[&str]); 3] = [
    ("ledger", &["axum", "reqwest", "stellar-xdr"]),
    ("adapters", &["sqlx"]),
    ("contracts/localnet", &["sqlx", "reqwest"]),
];

fn crates(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for (folder, allowed) in CRATES {
        let strangers =
            STRANGERS.iter().find(|(name, _)| *name == folder).map_or(&[][..], |(_, names)| names);
        for name in dependencies(tree.text(&format!("{folder}/Cargo.toml"))) {
            let runs_up = name.starts_with("amana-") && !allowed.contains(&name.as_str());
            if runs_up || strangers.contains(&name.as_str()) {
                problems.push(format!("{folder}/Cargo.toml: must not depend on {name}"));
            }
        }
    }
    problems
}

/// What a manifest names and no source file does.
fn unused(tree: &Tree) -> Vec<String> {
    let sources = tree.rust();
    let mut problems = Vec::new();
    for manifest in tree.files.iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        let folder = manifest.path.trim_end_matches("Cargo.toml");
        for name in dependencies(&manifest.text) {
            let word = name.replace('-', "_");
            let is_named = |source: &Source| words(&source.code).any(|(_, found)| found == word);
            if !sources.iter().filter(|source| source.path.starts_with(folder)).any(is_named) {
                problems.push(format!("{}: {name} is not used", manifest.path));
            }
        }
    }
    problems
}

/// The names under `[dependencies]`.
fn dependencies(manifest: &str) -> Vec<String> {
    let lines = manifest.lines().skip_while(|line| line.trim() != "[dependencies]").skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', '=', ' ']).next());
    names
        .map(str::trim)
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// Under this folder, no path may begin like one of these; why.
struct Ban {
    folder: &'static str,
    except: &'static [&'static str],
    paths: &'static [&'static str],
    why: &'static str,
}

const BANS: [Ban; 6] = [
    Ban {
        folder: "gateway/src/",
        except: &["gateway/src/flows/", "gateway/src/recon/"],
        paths: &["amana_ledger::rules", "amana_ledger::journal"],
        why: "only flows and recon move money",
    },
    Ban {
        folder: "gateway/src/",
        except: &["gateway/src/embedded/"],
        paths: &["amana_localnet"],
        why: "the local network is the embedded mode's",
    },
    Ban {
        folder: "gateway/src/",
        except: &["gateway/src/http/", "gateway/src/roles/"],
        paths: &["crate::http", "axum"],
        why: "only the doors and the wiring know HTTP",
    },
    Ban {
        folder: "gateway/src/trade/",
        except: &[],
        paths: &[
            "amana_ledger::journal",
            "amana_adapters::mpesa",
            "amana_adapters::stellar",
            "amana_adapters::intersend",
        ],
        why: "trade starts flows and speaks to no other side",
    },
    Ban {
        folder: "adapters/src/",
        except: &[],
        paths: &[
            "amana_ledger::chart",
            "amana_ledger::rules",
            "amana_ledger::journal",
            "amana_ledger::transfer",
            "amana_ledger::balance",
            "amana_ledger::audit",
            "amana_ledger::hold",
            "sqlx",
        ],
        why: "adapters know the ledger's money and ids, translate, and never decide",
    },
    Ban {
        folder: "gateway/src/privacy/",
        except: &[],
        paths: &["crate::flows", "crate::trade", "crate::people", "crate::inbox", "crate::outbox"],
        why: "sealing knows nothing of what is sealed",
    },
];

fn begins(path: &str, with: &str) -> bool {
    path.strip_prefix(with).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn modules(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for source in tree.rust() {
        let bans = BANS.iter().filter(|ban| source.path.starts_with(ban.folder));
        for ban in bans.filter(|ban| !ban.except.iter().any(|except| source.path.starts_with(except))) {
            for (line, path) in source.paths().into_iter().filter(|(line, _)| !source.is_test(*line)) {
                if ban.paths.iter().any(|banned| begins(&path, banned)) {
                    problems.push(format!("{}:{line}: {path}: {}", source.path, ban.why));
                }
            }
        }
        problems.extend(other_adapters(&source));
    }
    problems
}

/// An adapter that names another one.
fn other_adapters(source: &Source) -> Vec<String> {
    let adapter =
        |path: &str| path.strip_prefix("adapters/src/")?.split_once('/').map(|(name, _)| name.to_owned());
    let Some(own) = adapter(&source.path) else { return Vec::new() };
    let shared = ["port", "http", "phone", "sim", own.as_str()];
    let named = source.paths().into_iter().filter_map(|(line, path)| {
        let first = path.strip_prefix("crate::")?.split("::").next()?.to_owned();
        let is_module = first.starts_with(char::is_lowercase);
        (is_module && !shared.contains(&first.as_str())).then_some((line, first))
    });
    named.map(|(line, name)| format!("{}:{line}: names the adapter {name}", source.path)).collect()
}

/// The module a file holds: `["flows", "payout"]`.
fn module_of(path: &str) -> Option<(String, Vec<String>)> {
    let (krate, inside) = path.split_once("/src/")?;
    let mut names: Vec<String> = inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if names.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        names.pop();
    }
    Some((krate.to_owned(), names))
}

/// A path of the code, as names from the crate's root.
fn absolute(path: &str, module: &[String]) -> Option<Vec<String>> {
    let mut at = module.to_vec();
    let mut names = path.split("::").peekable();
    match *names.peek()? {
        "crate" => {
            at.clear();
            names.next();
        }
        "self" => _ = names.next(),
        "super" => {
            while names.peek() == Some(&"super") {
                names.next();
                at.pop()?;
            }
        }
        _ => return None,
    }
    at.extend(names.map(str::to_owned));
    Some(at)
}

/// Which modules of the same crate a module names. Parents and children count as one, as `mod.rs` and its
/// files do.
fn graph(tree: &Tree) -> BTreeMap<(String, Vec<String>), BTreeSet<Vec<String>>> {
    let sources = tree.rust();
    let own = |path: &str| module_of(path).filter(|(_, module)| !module.is_empty());
    let modules: BTreeSet<_> = sources.iter().filter_map(|source| own(&source.path)).collect();
    let mut graph: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for source in &sources {
        let Some((krate, module)) = own(&source.path) else { continue };
        for (_, path) in source.paths().into_iter().filter(|(line, _)| !source.is_test(*line)) {
            let Some(mut target) = absolute(&path, &module) else { continue };
            while !target.is_empty() && !modules.contains(&(krate.clone(), target.clone())) {
                target.pop();
            }
            let related = target.starts_with(&module) || module.starts_with(&target);
            if !target.is_empty() && !related {
                graph.entry((krate.clone(), module.clone())).or_default().insert(target);
            }
        }
    }
    graph
}

fn circles(tree: &Tree) -> Vec<String> {
    let graph = graph(tree);
    let mut problems = Vec::new();
    for start in graph.keys() {
        let mut seen = BTreeSet::new();
        let mut open = vec![vec![start.1.clone()]];
        while let Some(way) = open.pop() {
            let here = (start.0.clone(), way.last().cloned().unwrap_or_default());
            for next in graph.get(&here).into_iter().flatten() {
                // A circle is told once, from its first member in the alphabet.
                if *next == start.1 && way.iter().all(|module| *module >= start.1) {
                    let names: Vec<_> = way.iter().map(|module| module.join("::")).collect();
                    problems.push(format!("{}: {} → {}", start.0, names.join(" → "), start.1.join("::")));
                } else if seen.insert(next.clone()) {
                    open.push([way.clone(), vec![next.clone()]].concat());
                }
            }
        }
    }
    problems
}

#[test]
fn crates_run_downwards() {
    none(crates(&Tree::here()));
    caught(crates(&Tree::of("ledger/Cargo.toml", "[dependencies]\naxum.workspace = true\n")));
    caught(crates(&Tree::of(
        "adapters/Cargo.toml",
        "[dependencies]\namana-gateway = { path = \"x\" }\n[lints]\n",
    )));
}

#[test]
fn dependencies_are_used() {
    none(unused(&Tree::here()));
    let tree = Tree::of("ledger/Cargo.toml", "[dependencies]\nbig-int.workspace = true\nuuid = \"1\"\n");
    caught(unused(&tree.and("ledger/src/lib.rs", "use uuid::Uuid; // big_int")));
}

#[test]
fn modules_know_only_what_they_may() {
    none(modules(&Tree::here()));
    caught(modules(&Tree::of("gateway/src/http/jobs.rs", "use amana_ledger::{money, rules::released};")));
    caught(modules(&Tree::of("gateway/src/people/mod.rs", "fn f() { amana_ledger::journal::post(); }")));
    caught(modules(&Tree::of("adapters/src/mpesa/mod.rs", "use amana_ledger::chart::Account;")));
    caught(modules(&Tree::of("adapters/src/mpesa/mod.rs", "use crate::intersend::Intersend;")));
    none(modules(&Tree::of("gateway/src/flows/payout.rs", "use amana_ledger::{journal, rules};")));
    none(modules(&Tree::of(
        "adapters/src/mpesa/mod.rs",
        "use crate::mpesa::wire; use amana_ledger::money::Money;",
    )));
}

#[test]
fn no_circles_between_files() {
    none(circles(&Tree::here()));
    let two = Tree::of("gateway/src/a.rs", "use crate::b::B;").and("gateway/src/b.rs", "use super::a;");
    caught(circles(&two));
    let family =
        Tree::of("gateway/src/a/mod.rs", "use self::b::B;").and("gateway/src/a/b.rs", "use super::A;");
    none(circles(&family));
}
