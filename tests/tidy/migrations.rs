//! Migrations: named and numbered without a gap, and drawn as one picture that is proved equal.

use amana_tests::pg::Database;
use amana_tests::schema;

use crate::tree::Tree;
use crate::{caught, none};

fn numbers(tree: &Tree) -> Vec<String> {
    let files = tree.files.iter().filter_map(|file| file.path.strip_prefix("migrations/"));
    let migrations = files.filter(|name| name.ends_with(".sql") && *name != "schema.sql");
    let mut problems = Vec::new();
    for (at, name) in migrations.enumerate() {
        let stem = name.trim_end_matches(".sql");
        let word = stem.strip_prefix(&format!("{:04}_", at + 1)).unwrap_or("");
        if word.is_empty() || !word.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
            problems.push(format!("migrations/{name}: is not {:04}_<what>.sql", at + 1));
        }
    }
    problems
}

#[test]
fn migrations_are_numbered_without_a_gap() {
    none(numbers(&Tree::here()));
    caught(numbers(&Tree::of("migrations/0001_a.sql", "").and("migrations/0003_b.sql", "")));
    caught(numbers(&Tree::of("migrations/0001_Big Name.sql", "")));
}

#[tokio::test]
async fn the_picture_is_what_the_migrations_give() {
    let database = Database::fresh().await;
    let drawn = schema::draw(&database.owner).await;
    let kept = Tree::here().text("migrations/schema.sql").to_owned();
    let first = drawn.lines().zip(kept.lines()).find(|(drawn, kept)| drawn != kept);
    assert!(drawn == kept, "migrations/schema.sql is old: run `make schema`; first difference: {first:?}");
}
