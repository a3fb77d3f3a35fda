//! Prints the whole picture of the database, for `make schema`.
#![expect(clippy::disallowed_macros, reason = "printing is what it is for")]

#[tokio::main]
async fn main() {
    let database = amana_tests::pg::Database::fresh().await;
    print!("{}", amana_tests::schema::draw(&database.owner).await);
}
