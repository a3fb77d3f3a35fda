//! The house, as tests.
