#![no_std]
//! The on-chain escrow.
use soroban_sdk as _;
