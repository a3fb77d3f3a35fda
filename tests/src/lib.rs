//! The harness: the world outside, made of paper. A private Postgres and what stands on it.
//!
//! Invariant: no test sleeps on a guess, reads the real clock, or calls a provider.

pub mod forge;
pub mod ground;
pub mod load;
pub mod naive;
pub mod pg;
pub mod programs;
pub mod schema;
pub mod sdks;
pub mod story;
pub mod world;

/// A number that whoever runs the tests gave.
#[expect(clippy::disallowed_methods, reason = "a choice of whoever runs the tests, not of the product")]
pub fn told(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|number| number.parse().expect("a number"))
}

#[cfg(test)]
mod tests {
    use sqlx::Row;

    #[tokio::test]
    async fn databases_are_private_and_migrated() {
        let (one, two) = tokio::join!(crate::pg::Database::fresh(), crate::pg::Database::fresh());
        assert_ne!(one.name, two.name);
        let row =
            sqlx::query("select count(*) from _sqlx_migrations where success").fetch_one(&one.owner).await;
        assert!(row.unwrap().get::<i64, _>(0) > 0);
        let row = sqlx::query("select current_user::text").fetch_one(&two.app).await;
        assert_eq!(row.unwrap().get::<String, _>(0), "amana_app");
    }
}
