//! Prints the whole picture of the database, for `make schema`.

#[tokio::main]
async fn main() {
    let database = amana_tests::pg::Database::fresh().await;
    print!("{}", amana_tests::schema::draw(&database.owner).await);
}
