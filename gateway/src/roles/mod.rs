//! What the words of the command line do: one file or folder a role of the binary.

pub mod audit;
pub mod bundle;
pub mod demo;
pub mod export;
pub mod rebuild;
pub mod serve;
pub mod standalone;
pub mod verify;
