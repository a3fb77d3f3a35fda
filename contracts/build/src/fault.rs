//! What can go wrong in a build, in words that say what to do.

use std::path::PathBuf;

use thiserror::Error;

/// Why there is no result.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    #[error("unknown argument `{0}`; only --check and --help are known")]
    Argument(String),
    #[error("cannot start `{program}`: {cause}")]
    Start { program: String, cause: std::io::Error },
    #[error("`{0}` failed; its own message stands above")]
    Failed(String),
    #[error("the target {0} is not installed; `rustup target add {0}` in this checkout installs it")]
    NoTarget(&'static str),
    #[error("`cargo metadata` answered without `{0}`")]
    Metadata(&'static str),
    #[error("{} cannot be read: {cause}", .path.display())]
    Read { path: PathBuf, cause: std::io::Error },
    #[error("{} cannot be written: {cause}", .path.display())]
    Write { path: PathBuf, cause: std::io::Error },
    #[error("the Wasm is malformed at byte {at}: {what}")]
    Wasm { at: usize, what: &'static str },
    #[error("the Wasm's contract spec cannot be read: {0}")]
    Spec(String),
    #[error("the interface cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Another version may write other bytes.
    #[error("{wanted} (Debian's binaryen) is needed, found: {found}")]
    Optimizer {
        /// What is needed.
        wanted: &'static str,
        /// What answers.
        found: String,
    },
}
