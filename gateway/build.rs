//! Tells cargo that a new migration is a reason to build again.
#![expect(clippy::disallowed_macros, reason = "printing is how a build script speaks to cargo")]

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
