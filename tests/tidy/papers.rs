//! What is written about the house: it exists, is short, and names what is there.

use crate::tree::Tree;
use crate::{caught, none};

const ARCHITECTURE: usize = 400;

fn architecture(tree: &Tree) -> Vec<String> {
    let text = tree.text("ARCHITECTURE.md");
    let mut problems = Vec::new();
    if text.lines().count() > ARCHITECTURE {
        problems.push(format!("ARCHITECTURE.md: {} lines, {ARCHITECTURE} are allowed", text.lines().count()));
    }
    for file in ["ARCHITECTURE.md", "README.md", "docs/style.md"] {
        let named = paths_named(tree.text(file));
        let missing = named.into_iter().filter(|path| !exists(tree, path));
        problems.extend(missing.map(|path| format!("{file}: names {path}, which does not exist")));
    }
    problems
}

/// Words in backticks that look like files or folders.
fn paths_named(text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_path = |word: &&str| {
        let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
        let ending =
            [".rs", ".sql", ".md", ".sh", ".json", ".toml", "/"].iter().any(|end| word.ends_with(end));
        plain && ending && !word.starts_with('/') && word.len() > 1
    };
    quoted.filter(is_path).map(str::to_owned).collect()
}

/// Whether a path, or the end of one, is in the tree.
fn exists(tree: &Tree, named: &str) -> bool {
    tree.files.iter().any(|file| {
        let whole = format!("/{}", file.path);
        if named.ends_with('/') {
            whole.contains(&format!("/{named}"))
        } else {
            whole.ends_with(&format!("/{named}"))
        }
    })
}

fn readme(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for (file, words) in [("README.md", &["make demo", "make test"][..]), (".ci/run", &["make test"])] {
        let missing = words.iter().filter(|word| !tree.text(file).contains(**word));
        problems.extend(missing.map(|word| format!("{file}: does not show `{word}`")));
    }
    problems
}

/// Paths of one machine, or of what only its owner has.
fn machine_paths(tree: &Tree) -> Vec<String> {
    let needles = [
        ["/wo", "rk/"].concat(),
        ["../sha", "red"].concat(),
        ["/ro", "ot/"].concat(),
        ["/Us", "ers/"].concat(),
    ];
    let mut problems = Vec::new();
    for file in &tree.files {
        for (at, line) in file.text.lines().enumerate() {
            // A path begins where no word goes on before it; `docs/…` elsewhere is a folder of ours.
            let found = needles.iter().any(|needle| {
                line.match_indices(needle.as_str()).any(|(at, _)| {
                    !line[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || "._-}".contains(c))
                })
            });
            if found {
                problems.push(format!("{}:{}: a path of one machine", file.path, at + 1));
            }
        }
    }
    problems
}

#[test]
fn architecture_is_short_and_names_what_exists() {
    none(architecture(&Tree::here()));
    caught(architecture(&Tree::of("ARCHITECTURE.md", "see `gateway/src/nowhere.rs` and `ARCHITECTURE.md`")));
    caught(architecture(&Tree::of("ARCHITECTURE.md", &"\n".repeat(401))));
}

#[test]
fn readme_and_ci_show_the_commands() {
    none(readme(&Tree::here()));
    caught(readme(&Tree::of("README.md", "make demo").and(".ci/run", "make test")));
}

#[test]
fn the_readme_holds_the_table_of_variables() {
    let table = amana_gateway::config::markdown();
    assert!(Tree::here().text("README.md").contains(&table), "README.md needs this table:\n{table}");
}

#[test]
fn no_file_names_a_machine() {
    none(machine_paths(&Tree::here()));
    caught(machine_paths(&Tree::of("a.md", &format!("cd {}main", ["/wo", "rk/"].concat()))));
    none(machine_paths(&Tree::of("a.md", "the folder docs/work/ is ours")));
}
