//! The shapes a variable's value can have: secrets, networks, addresses, amounts.
//!
//! Invariant: no message of a parser here repeats the value it was given; it may be a secret in the wrong
//! place.

use std::fmt;
use std::net::IpAddr;

use super::Secret;
use amana_adapters::mpesa;
use amana_adapters::stellar::Keypair;
use amana_ledger::money::{Asset, Money};

/// 32 secret bytes: those under which data keys are wrapped, or those that sign.
#[derive(Clone, Copy)]
pub struct MasterKey(pub [u8; 32]);

impl MasterKey {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut key = [0; 32];
        hex::decode_to_slice(text, &mut key).map_err(|_| "is not 64 hex digits".to_owned())?;
        Ok(Self(key))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Which confirmations are checked by somebody before they are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// None: the source and the path token are trusted.
    Off,
    /// Those above this amount.
    Above(Money),
    /// All.
    Every,
}

impl Verify {
    pub(super) fn parse(asset: Asset, text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "every" => Ok(Self::Every),
            _ => text
                .strip_prefix("above:")
                .and_then(|amount| Money::parse_decimal(asset, amount).ok())
                .map(Self::Above)
                .ok_or_else(|| "is none of off, above:<amount>, every".to_owned()),
        }
    }
}

/// Sources a callback may come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowList(Vec<Network>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl AllowList {
    /// Reads addresses and networks separated by commas; `daraja` stands for the published list.
    ///
    /// # Errors
    /// What is wrong with it, without repeating it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let words =
            words.flat_map(|word| if word == "daraja" { mpesa::SOURCES.to_vec() } else { vec![word] });
        let networks = words.map(Network::parse).collect::<Option<Vec<_>>>();
        networks.map(Self).ok_or_else(|| "is not a list of addresses, networks and `daraja`".to_owned())
    }

    /// Whether `source` is in the list. An IPv4 address may come dressed as IPv6.
    pub fn contains(&self, source: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(source.to_canonical()))
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, rest)| (address, Some(rest)));
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(longest), |prefix| prefix.parse().ok())?;
        (prefix <= longest).then_some(Self { address, prefix })
    }

    fn contains(&self, source: IpAddr) -> bool {
        let same = |a: u128, b: u128, width: u32| {
            // Shifting by the whole width is no shift at all in Rust; it means "every address" here.
            a.checked_shr(width - self.prefix).unwrap_or(0) == b.checked_shr(width - self.prefix).unwrap_or(0)
        };
        match (self.address, source) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
            _ => false,
        }
    }
}

/// An `http` or `https` address without a trailing slash.
pub(super) fn url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    if host.is_none_or(str::is_empty) || text.contains(char::is_whitespace) {
        return Err("is not an http:// or https:// address".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// A Postgres address.
pub(super) fn database(text: &str) -> Result<Secret, String> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Ok(Secret::new(text));
    }
    Err("is not a postgres:// address".to_owned())
}

/// A Stellar secret key.
pub(super) fn signer(text: &str) -> Result<Keypair, String> {
    Keypair::parse(text).map_err(|error| format!("is {error}"))
}

/// A Soroban contract's address.
pub(super) fn contract(text: &str) -> Result<String, String> {
    match stellar_strkey::Contract::from_string(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("is not a contract's address (C…)".to_owned()),
    }
}

/// A secret that has to resist guessing.
pub(super) fn token(text: &str) -> Result<Secret, String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if plain && text.len() >= 16 {
        return Ok(Secret::new(text));
    }
    Err("is not 16 or more letters, digits, `-` or `_`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        let list = AllowList::parse("10.1.0.0/16, 2001:db8::/32, 192.0.2.7").unwrap();
        for inside in ["10.1.255.3", "2001:db8:9::1", "192.0.2.7", "::ffff:192.0.2.7"] {
            assert!(list.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["10.2.0.1", "2001:db9::1", "192.0.2.8"] {
            assert!(!list.contains(outside.parse().unwrap()), "{outside}");
        }
        assert!(AllowList::parse("0.0.0.0/0").unwrap().contains("8.8.8.8".parse().unwrap()));
        assert!(AllowList::parse("daraja").unwrap().contains("196.201.212.69".parse().unwrap()));
        assert!(AllowList::parse("10.0.0.0/33").is_err());
        assert!(AllowList::parse("everywhere").is_err());
    }

    #[test]
    fn an_address_keeps_no_trailing_slash() {
        assert_eq!(url("https://rail.example/v1/").unwrap(), "https://rail.example/v1");
        assert!(url("rail.example").is_err());
        assert!(url("http://").is_err());
        assert!(url("http:///path").is_err());
    }

    #[test]
    fn verification_is_off_above_an_amount_or_every() {
        assert_eq!(Verify::parse(Asset::Kes, "off").unwrap(), Verify::Off);
        assert_eq!(Verify::parse(Asset::Kes, "every").unwrap(), Verify::Every);
        let above = Money::parse_decimal(Asset::Kes, "10000.00").unwrap();
        assert_eq!(Verify::parse(Asset::Kes, "above:10000.00").unwrap(), Verify::Above(above));
        assert!(Verify::parse(Asset::Kes, "above:-1").is_err());
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(format!("{:?}", MasterKey([7; 32])), "…");
    }
}
