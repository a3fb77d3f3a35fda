//! The ledger: its entries, its newest header, its past, and the closing of the next one.
//!
//! Invariant: sequence numbers rise, close times never fall.
//! Absent: when ledgers close and what is in them (`network.rs`).

pub(crate) mod file;
pub(crate) mod history;
pub(crate) mod log;
pub(crate) mod past;
mod saved;
pub(crate) mod settings;
pub(crate) mod state;

use std::rc::Rc;

use ed25519_dalek::SigningKey;
use soroban_env_host::xdr::{
    AccountEntry, AccountEntryExt, Hash, LedgerEntryData, LedgerHeader, LedgerHeaderExt, SequenceNumber,
    StellarValue, StellarValueExt, String32, Thresholds, TimePoint, TransactionResultPair, VecM,
};
use soroban_env_host::{LedgerInfo, ModuleCache};
use soroban_simulation::NetworkConfig;

use crate::encoding::{account_id, hash_of, sha256};
use crate::{Clock, StartError};
use history::{Applied, Close, History};
use past::Past;
use settings::{Limits, Unmetered};
use state::{Overlay, Source as _, State};

/// The protocol this network speaks: that of the host it is built with.
pub(crate) const PROTOCOL: u32 = 30;
/// The least fee of an operation, in stroops.
pub(crate) const BASE_FEE: u32 = 100;
/// What each entry of an account locks up, in stroops.
pub(crate) const BASE_RESERVE: u32 = 5_000_000;
/// All lumens there are at genesis, in stroops.
const TOTAL_COINS: i64 = 1_000_000_000_000_000_000;
/// The account without a key exists on the public networks, and the Python SDK reads contracts in its name.
const NOBODYS_COINS: i64 = 10_000_000;
/// Expired temporary entries are swept out every so many ledgers.
const EVICTION_PERIOD: u32 = 512;

/// The ledger being closed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closing {
    pub(crate) sequence: u32,
    pub(crate) close_time: u64,
    /// What an operation pays for being included, in stroops.
    pub(crate) base_fee: i64,
}

/// More wants to get in than there is room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surge {
    /// What an operation must bid, in stroops.
    pub(crate) fee: i64,
    /// The last ledger of the surge.
    pub(crate) until: u32,
    /// The queue is full too: lower bids are refused at its door.
    pub(crate) refuses: bool,
}

/// The whole network. Lives on one thread, as the host's values may not leave theirs.
pub(crate) struct Ledger {
    pub(crate) state: Rc<State>,
    pub(crate) passphrase: String,
    pub(crate) network_id: [u8; 32],
    pub(crate) config: NetworkConfig,
    pub(crate) limits: Limits,
    pub(crate) history: History,
    /// What stood in the state before the newest ledgers, if somebody wants to know.
    pub(crate) past: Past,
    /// The fee below which nothing gets in just now, and until which ledger.
    pub(crate) surge: Option<Surge>,
    pub(crate) header: LedgerHeader,
    pub(crate) header_hash: [u8; 32],
    modules: ModuleCache,
    context: Unmetered,
    now: Clock,
    /// Seconds `dev_advance` has put the network before the clock.
    offset_s: u64,
    ledger_s: u64,
    /// From when on ledgers are counted that nobody asked for.
    paced_from: u64,
    /// Closed ledgers that are not written down yet, if somebody writes them down.
    log: Option<Vec<String>>,
}

/// How a ledger is to run: what `Options` say of it.
pub(crate) struct Rules {
    pub(crate) passphrase: String,
    pub(crate) now: Clock,
    pub(crate) ledger_s: u64,
}

impl Ledger {
    /// A new network: the settings, and one account that owns everything and pays for friendbot.
    pub(crate) fn genesis(rules: Rules) -> Result<Self, StartError> {
        let state = State::default();
        settings::install(&state, 1)?;
        let network_id = sha256(rules.passphrase.as_bytes());
        let mut overlay = Overlay::new(&state, 1);
        let root = root_key(&network_id).verifying_key().to_bytes();
        overlay.put_account(new_account(root, TOTAL_COINS - NOBODYS_COINS, 0));
        overlay.put_account(new_account([0; 32], NOBODYS_COINS, 0));
        let (_, changes) = overlay.finish();
        state.absorb(changes);
        let header = genesis_header((rules.now)());
        let first = Close { hash: hash_of(&header), header, applied: Vec::new() };
        Self::assemble(rules, state, vec![first], (0, 0))
    }

    /// Puts a network together; `closes` is not empty and ends with its newest ledger.
    fn assemble(
        rules: Rules,
        state: State,
        closes: Vec<Close>,
        (offset_s, dropped_to): (u64, u32),
    ) -> Result<Self, StartError> {
        let newest = closes.last().ok_or_else(|| StartError::Settings("no ledger to start from".into()))?;
        let (header, header_hash) = (newest.header.clone(), newest.hash);
        let (config, limits) = settings::read(&state)?;
        let fault = |e: soroban_env_host::HostError| StartError::Settings(e.to_string());
        let context = Unmetered::new(config.cpu_cost_params.clone(), config.memory_cost_params.clone())
            .map_err(fault)?;
        let modules = ModuleCache::new(&context).map_err(fault)?;
        let history = History::restored(closes, dropped_to);
        let mut ledger = Self {
            state: Rc::new(state),
            network_id: sha256(rules.passphrase.as_bytes()),
            passphrase: rules.passphrase,
            config,
            limits,
            history,
            past: Past::default(),
            surge: None,
            header,
            header_hash,
            modules,
            context,
            now: rules.now,
            offset_s,
            ledger_s: rules.ledger_s.max(1),
            paced_from: 0,
            log: None,
        };
        ledger.state.take_replaced();
        ledger.paced_from = ledger.clock().max(ledger.close_time());
        ledger.cache_every_module();
        Ok(ledger)
    }

    /// Number of the newest closed ledger.
    pub(crate) fn sequence(&self) -> u32 {
        self.header.ledger_seq
    }

    /// When the newest ledger closed.
    pub(crate) fn close_time(&self) -> u64 {
        self.header.scp_value.close_time.0
    }

    /// The network's time: the clock, and what `dev_advance` added.
    fn clock(&self) -> u64 {
        (self.now)().saturating_add(self.offset_s)
    }

    /// The ledger that the next transaction would close.
    pub(crate) fn closing(&self) -> Closing {
        self.closing_at(self.clock())
    }

    /// The next ledger, if it closes then.
    pub(crate) fn closing_at(&self, at: u64) -> Closing {
        let sequence = self.sequence().saturating_add(1);
        let base_fee = self.surge_at(sequence).map_or(i64::from(BASE_FEE), |surge| surge.fee);
        Closing { sequence, close_time: at.max(self.close_time()), base_fee }
    }

    /// The surge of fees that a ledger falls into.
    pub(crate) fn surge_at(&self, sequence: u32) -> Option<Surge> {
        self.surge.filter(|surge| sequence <= surge.until)
    }

    /// What the host is told of a ledger.
    pub(crate) fn info(&self, sequence: u32, timestamp: u64) -> LedgerInfo {
        let mut info = LedgerInfo {
            protocol_version: PROTOCOL,
            sequence_number: sequence,
            timestamp,
            network_id: self.network_id,
            base_reserve: BASE_RESERVE,
            ..LedgerInfo::default()
        };
        self.config.fill_config_fields_in_ledger_info(&mut info);
        info
    }

    /// Seconds between ledgers that nobody asked for.
    pub(crate) fn ledger_s(&self) -> u64 {
        self.ledger_s
    }

    /// When ledgers are due that nobody has asked for: how many, and when the last of them closes.
    pub(crate) fn missed(&self) -> Option<(u32, u64)> {
        let missed = self.clock().saturating_sub(self.paced_from) / self.ledger_s;
        let until = self.paced_from + missed * self.ledger_s;
        (missed > 0).then(|| (u32::try_from(missed).unwrap_or(u32::MAX), until))
    }

    /// Puts the network's time forward, for tests of expiry and archival; returns what it is then.
    pub(crate) fn put_forward(&mut self, seconds: u64) -> u64 {
        self.offset_s = self.offset_s.saturating_add(seconds);
        self.clock()
    }

    /// Closes `steps` ledgers, of which the last may hold transactions.
    pub(crate) fn close(&mut self, steps: u32, at: u64, applied: Vec<Applied>) {
        let tx_set = history::tx_set(&self.header_hash, &applied);
        let header = LedgerHeader {
            previous_ledger_hash: Hash(self.header_hash),
            scp_value: StellarValue {
                tx_set_hash: Hash(hash_of(&tx_set)),
                close_time: TimePoint(at.max(self.close_time())),
                upgrades: VecM::default(),
                ext: StellarValueExt::Basic,
            },
            tx_set_result_hash: Hash(result_hash(&applied)),
            ledger_seq: self.sequence().saturating_add(steps),
            ..self.header.clone()
        };
        self.header_hash = hash_of(&header);
        self.header = header.clone();
        self.paced_from = self.clock().max(self.close_time());
        if steps >= EVICTION_PERIOD || self.sequence().is_multiple_of(EVICTION_PERIOD) {
            self.state.evict_temporary(self.sequence());
        }
        let close = Close { header, hash: self.header_hash, applied };
        self.past.push(self.sequence(), self.state.take_replaced());
        let touched = self.state.take_touched();
        if let Some(log) = &mut self.log {
            log.push(log::line(&close, &touched, self.offset_s));
        }
        self.history.push(close);
    }

    /// From now on the newest ledgers are remembered one by one, with what stood in the state before them.
    pub(crate) fn keep_past(&mut self) {
        self.past.keep();
        self.history.keep_idle(past::KEPT as usize);
    }

    /// From now on closed ledgers are noted for the log.
    pub(crate) fn start_log(&mut self) {
        self.state.take_touched();
        self.log = Some(Vec::new());
    }

    /// Lines the log lacks.
    pub(crate) fn take_log(&mut self) -> Vec<String> {
        self.log.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Parsed modules of all contract code, without which nothing runs at the cost it was simulated with.
    pub(crate) fn modules(&self) -> ModuleCache {
        self.modules.clone()
    }

    /// Parses code that was uploaded or came back from the archive.
    pub(crate) fn cache_module(&self, code: &[u8]) {
        if let Err(e) = self.modules.parse_and_cache_module_simple(&self.context, PROTOCOL, code) {
            tracing::warn!(error = %e, "a contract's code could not be parsed for the module cache");
        }
    }

    fn cache_every_module(&self) {
        self.state.each(|_, (entry, _)| {
            if let LedgerEntryData::ContractCode(code) = &entry.data {
                self.cache_module(code.code.as_slice());
            }
        });
    }

    /// Adds a fee to the pool the header reports.
    pub(crate) fn collect_fee(&mut self, fee: i64) {
        self.header.fee_pool = self.header.fee_pool.saturating_add(fee);
    }

    /// The key of the account that owns all lumens at genesis.
    pub(crate) fn root(&self) -> SigningKey {
        root_key(&self.network_id)
    }

    /// The next sequence number of an account, if it exists.
    pub(crate) fn next_sequence(&self, key: [u8; 32]) -> Option<i64> {
        self.state.account(&account_id(key)).map(|a| a.seq_num.0 + 1)
    }
}

/// On every Stellar network the first account's secret is the network id.
fn root_key(network_id: &[u8; 32]) -> SigningKey {
    SigningKey::from_bytes(network_id)
}

/// An account as it is born: no subentries, master weight 1, thresholds 0.
pub(crate) fn new_account(key: [u8; 32], balance: i64, sequence: i64) -> AccountEntry {
    AccountEntry {
        account_id: account_id(key),
        balance,
        seq_num: SequenceNumber(sequence),
        num_sub_entries: 0,
        inflation_dest: None,
        flags: 0,
        home_domain: String32::default(),
        thresholds: Thresholds([1, 0, 0, 0]),
        signers: VecM::default(),
        ext: AccountEntryExt::V0,
    }
}

fn genesis_header(close_time: u64) -> LedgerHeader {
    LedgerHeader {
        ledger_version: PROTOCOL,
        previous_ledger_hash: Hash([0; 32]),
        scp_value: StellarValue {
            tx_set_hash: Hash([0; 32]),
            close_time: TimePoint(close_time),
            upgrades: VecM::default(),
            ext: StellarValueExt::Basic,
        },
        tx_set_result_hash: Hash([0; 32]),
        bucket_list_hash: Hash([0; 32]),
        ledger_seq: 1,
        total_coins: TOTAL_COINS,
        fee_pool: 0,
        inflation_seq: 0,
        id_pool: 0,
        base_fee: BASE_FEE,
        base_reserve: BASE_RESERVE,
        max_tx_set_size: 1,
        skip_list: [Hash([0; 32]), Hash([0; 32]), Hash([0; 32]), Hash([0; 32])],
        ext: LedgerHeaderExt::V0,
    }
}

/// The hash of a ledger's results: none, or how many and each beside its transaction's hash.
fn result_hash(applied: &[Applied]) -> [u8; 32] {
    if applied.is_empty() {
        return [0; 32];
    }
    let mut bytes = (applied.len() as u32).to_be_bytes().to_vec();
    for one in applied {
        bytes.extend(one.hash);
        bytes.extend(&one.result);
    }
    sha256(&bytes)
}

/// A transaction's hash beside its result, as result sets and close meta carry them.
pub(crate) fn result_pair(applied: &Applied) -> Option<TransactionResultPair> {
    let result = crate::encoding::decode(&applied.result).ok()?;
    Some(TransactionResultPair { transaction_hash: Hash(applied.hash), result })
}
