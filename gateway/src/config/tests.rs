//! The environment's reader: every problem named, nothing secret shown, nothing left open towards a real
//! rail.

use super::*;

const SIGNER: &str = "SCZANGBA5YHTNYVVV4C3U252E2B6P6F5T3U6MM63WBSBZATAQI3EBTQ4";
const CONTRACT: &str = "CA3D5KRYM6CB7OWQ6TWYRR3Z4T7GNZLKERYNZGGA5SOAOPIFY6YQGAXE";

fn whole() -> Environment {
    [
        ("DATABASE_URL", "postgres://app:hush@db/amana"),
        ("AMANA_MASTER_KEY", "0707070707070707070707070707070707070707070707070707070707070707"),
        ("STELLAR_RPC_URL", "https://rpc.example"),
        ("STELLAR_NETWORK_PASSPHRASE", "Test SDF Network ; September 2015"),
        ("STELLAR_CONTRACT_API_KEY", "hush-hush-hush-hush"),
        ("AMANA_STELLAR_CONTRACT", CONTRACT),
        ("AMANA_STELLAR_TOKEN", CONTRACT),
        ("AMANA_STELLAR_OPERATOR_SECRET", SIGNER),
        ("AMANA_STELLAR_DELEGATE_SECRET", SIGNER),
        ("AMANA_STELLAR_CHANNEL_SECRETS", SIGNER),
        ("INTERSEND_API_URL", "https://rail.example/v1/"),
        ("INTERSEND_API_KEY", "hush"),
        ("INTERSEND_API_SECRET", "hush"),
        ("AMANA_AFRICASTALKING_USERNAME", "amana"),
        ("AMANA_AFRICASTALKING_API_KEY", "hush"),
        ("AMANA_USSD_TOKEN", "hush-hush-hush-hush"),
        ("AMANA_MPESA_PATH_TOKEN", "hush-hush-hush-hush"),
        ("AMANA_MPESA_VERIFY", "off"),
    ]
    .into_iter()
    .collect()
}

fn problems(environment: &Environment, rails: Rails) -> Vec<String> {
    Config::read(environment, rails).unwrap_err().problems().to_vec()
}

#[test]
fn a_whole_environment_is_read_with_defaults() {
    let config = Config::read(&whole(), Rails::Real).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.escrow_listen.to_string(), "127.0.0.1:8001");
    assert_eq!(config.intersend.url, "https://rail.example/v1");
    assert_eq!(config.mpesa.shortcode.to_string(), "600111");
    assert_eq!(config.mpesa.verify, Verify::Off);
    assert_eq!(config.stellar.channels.len(), 1);
    assert_eq!((config.stellar.anchor, config.stellar.anchor_every_min.get()), (None, 15));
}

#[test]
fn secrets_show_in_no_debug_output() {
    let environment = whole();
    let config = Config::read(&environment, Rails::Real).unwrap();
    let shown = format!("{config:?} {environment:?}");
    assert!(!shown.contains("hush"), "{shown}");
    assert!(!shown.contains(SIGNER), "{shown}");
    assert!(!shown.contains("0707"), "{shown}");
}

#[test]
fn every_problem_is_named_at_once_and_no_value_repeated() {
    let mut environment = whole();
    environment.set("AMANA_LISTEN", "hush:port");
    environment.set("AMANA_STELLAR_OPERATOR_SECRET", "hush");
    environment.set("AMANA_MASTER_KEY", "hush");
    environment.set("INTERSEND_API_URL", "  ");
    environment.set("AMANA_ESCROW_FEE_BPS", "10000");
    let found = problems(&environment, Rails::Real);
    let names: Vec<_> = found.iter().filter_map(|line| line.split(':').next()).collect();
    let expected = [
        "AMANA_LISTEN",
        "AMANA_MASTER_KEY",
        "AMANA_ESCROW_FEE_BPS",
        "AMANA_STELLAR_OPERATOR_SECRET",
        "INTERSEND_API_URL",
    ];
    assert_eq!(names, expected);
    assert!(!found.iter().any(|line| line.contains("hush")), "{found:?}");
}

#[test]
fn a_misspelt_variable_stops_the_start() {
    let mut environment = whole();
    environment.set("AMANA_LISTEM", "127.0.0.1:1");
    assert_eq!(problems(&environment, Rails::Real), ["AMANA_LISTEM: there is no such variable"]);
    environment = whole();
    environment.set("LISTEM", "somebody else's");
    assert!(Config::read(&environment, Rails::Real).is_ok());
}

#[test]
fn a_real_rail_is_not_served_through_an_open_door() {
    let mut environment = whole();
    environment.set("AMANA_MPESA_PATH_TOKEN", "");
    assert!(problems(&environment, Rails::Real)[0].starts_with("AMANA_MPESA_ALLOW: "));
    assert!(Config::read(&environment, Rails::Simulated).is_ok());
    environment.set("AMANA_MPESA_ALLOW", "daraja");
    assert!(Config::read(&environment, Rails::Real).is_ok());
    environment.set("AMANA_USSD_TOKEN", "");
    assert!(problems(&environment, Rails::Real)[0].starts_with("AMANA_USSD_TOKEN: "));
}

#[test]
fn a_deciding_process_loads_no_key_of_daily_work() {
    let mut environment = whole();
    for name in ["AMANA_STELLAR_OPERATOR_SECRET", "AMANA_STELLAR_DELEGATE_SECRET", "AMANA_MASTER_KEY"] {
        environment.set(name, "");
    }
    let problems = |environment: &Environment| Arbiter::read(environment).unwrap_err().problems().to_vec();
    assert_eq!(problems(&environment), ["AMANA_STELLAR_ARBITER_SECRET: is required and not set"]);
    environment.set("AMANA_STELLAR_ARBITER_SECRET", SIGNER);
    assert!(Arbiter::read(&environment).is_ok());
    for name in ["AMANA_STELLAR_OPERATOR_SECRET", "AMANA_STELLAR_ADMIN_SECRET", "AMANA_MASTER_KEY"] {
        environment.set(name, SIGNER);
        assert!(problems(&environment)[0].starts_with(name));
        environment.set(name, "");
    }
}

#[test]
fn a_serving_process_loads_neither_admin_nor_arbiter() {
    for name in ["AMANA_STELLAR_ADMIN_SECRET", "AMANA_STELLAR_ARBITER_SECRET"] {
        let mut environment = whole();
        environment.set(name, SIGNER);
        assert!(problems(&environment, Rails::Real)[0].starts_with(name));
    }
}

#[test]
fn without_a_single_required_variable_the_whole_list_comes_back() {
    let found = problems(&Environment::default(), Rails::Simulated);
    let required = VARIABLES.iter().filter(|variable| variable.unset == Unset::Required).count();
    assert_eq!(found.len(), required, "{found:?}");
}

#[test]
fn migrations_run_as_the_owner_where_one_is_named() {
    let mut environment = whole();
    assert_eq!(migrate_url(&environment).unwrap().expose(), "postgres://app:hush@db/amana");
    environment.set("AMANA_MIGRATE_DATABASE_URL", "postgres://owner@db/amana");
    assert_eq!(migrate_url(&environment).unwrap().expose(), "postgres://owner@db/amana");
    environment.set("AMANA_MIGRATE_DATABASE_URL", "elsewhere");
    assert!(migrate_url(&environment).is_err());
}

#[test]
fn every_line_of_the_table_fits_the_readme() {
    for variable in VARIABLES {
        assert!(!variable.meaning.contains('|'), "{}", variable.name);
        assert!(!variable.meaning.ends_with('.'), "{}", variable.name);
    }
    assert_eq!(markdown().lines().count(), VARIABLES.len() + 2);
}

#[test]
fn against_a_real_rail_every_confirmation_is_asked_about() {
    let mut environment = whole();
    environment.set("AMANA_MPESA_VERIFY", "");
    let found = problems(&environment, Rails::Real);
    assert!(found.len() == 1 && found[0].starts_with("AMANA_MPESA_VERIFY: "), "{found:?}");
    assert_eq!(Config::read(&environment, Rails::Simulated).unwrap().mpesa.verify, Verify::Off);
    environment.set("AMANA_DARAJA_URL", "https://daraja.example/");
    assert_eq!(problems(&environment, Rails::Real).len(), 6, "all of it or nothing");
    let certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/daraja/initiator.cer");
    for (name, value) in [
        ("AMANA_DARAJA_KEY", "hush"),
        ("AMANA_DARAJA_SECRET", "hush"),
        ("AMANA_DARAJA_INITIATOR", "gwapi01"),
        ("AMANA_DARAJA_INITIATOR_PASSWORD", "hush"),
        ("AMANA_DARAJA_CERTIFICATE", certificate),
        ("AMANA_PUBLIC_URL", "https://pay.example/"),
    ] {
        environment.set(name, value);
    }
    let config = Config::read(&environment, Rails::Real).unwrap();
    assert_eq!(config.mpesa.verify, Verify::Every);
    assert_eq!(config.daraja.as_ref().unwrap().public_url, "https://pay.example");
    assert!(!format!("{config:?}").contains("hush"));
    environment.set("AMANA_DARAJA_CERTIFICATE", "-----BEGIN CERTIFICATE-----");
    assert!(problems(&environment, Rails::Real)[0].starts_with("AMANA_DARAJA_CERTIFICATE: "));
}
