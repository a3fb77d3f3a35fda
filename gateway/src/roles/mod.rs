//! What the one binary can be beside serving: words on its command line.

pub mod demo;
