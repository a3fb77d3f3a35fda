//! cala-ledger, as its documentation uses it: a template of two entries, posted by its own calls.
//!
//! Its rollup of account sets is registered and not run: it would only cost, and there are no sets.

use std::fmt::Debug;
use std::sync::Arc;

use cala_ledger::account::NewAccount;
use cala_ledger::job::{JobSvcConfig, Jobs};
use cala_ledger::journal::NewJournal;
use cala_ledger::posting::PostingInput;
use cala_ledger::tx_template::{
    NewParamDefinition, NewTxTemplate, NewTxTemplateEntry, NewTxTemplateTransaction, ParamDataType, Params,
};
use cala_ledger::{CalaLedger, CalaLedgerConfig, TransactionId};
use uuid::Uuid;

use super::CONNECTIONS;
use crate::figure::Scene;
use crate::ground::{Fault, Ground};

const TEMPLATE: &str = "TRANSFER";

/// Its ledger, and the accounts.
pub(crate) struct Stand {
    town: Arc<Town>,
    /// Kept, since dropping it ends what it was registered with.
    _jobs: Jobs,
}

struct Town {
    cala: CalaLedger,
    ground: Ground,
    accounts: Vec<Uuid>,
}

/// Its errors are of many types, and all end the run.
fn said(error: impl Debug) -> Fault {
    format!("cala-ledger: {error:?}").into()
}

impl Stand {
    pub(super) async fn raise(url: &str, accounts: usize, ground: &Ground) -> Result<Self, Fault> {
        let config = CalaLedgerConfig::builder().pg_con(url).max_connections(CONNECTIONS);
        let config = config.exec_migrations(true).build().map_err(said)?;
        let jobs = JobSvcConfig::builder().pg_con(url).max_connections(2u32).exec_migrations(false);
        let mut jobs = Jobs::init(jobs.build().map_err(said)?).await.map_err(said)?;
        let cala = CalaLedger::init(config, &mut jobs).await.map_err(said)?;
        let journal = ground.id();
        let new = NewJournal::builder().id(journal).name("bench").build();
        cala.journals().create(new).await.map_err(said)?;
        cala.tx_templates().create(template(journal, ground)?).await.map_err(said)?;
        let ids: Vec<Uuid> = (0..accounts).map(|_| ground.id()).collect();
        let new = |id: &Uuid| {
            NewAccount::builder().id(*id).name(format!("account {id}")).code(format!("ACCOUNT.{id}")).build()
        };
        cala.accounts().create_all(ids.iter().map(new).collect()).await.map_err(said)?;
        let town = Arc::new(Town { cala, ground: ground.clone(), accounts: ids });
        Ok(Self { town, _jobs: jobs })
    }

    pub(super) fn client(&self, scene: &Scene) -> Client {
        Client { town: self.town.clone(), hot: scene.hot }
    }

    pub(super) async fn leave(self) {
        self.town.cala.pool().close().await;
    }
}

fn template(journal: Uuid, ground: &Ground) -> Result<NewTxTemplate, Fault> {
    let param = |name| NewParamDefinition::builder().name(name).r#type(ParamDataType::Uuid).build();
    let side = |word: &str, account: &str| {
        NewTxTemplateEntry::builder()
            .entry_type(format!("'MOVED_{word}'"))
            .account_id(format!("params.{account}"))
            .layer("SETTLED")
            .direction(word)
            .units("decimal('1')")
            .currency("'USD'")
            .build()
    };
    let header =
        NewTxTemplateTransaction::builder().effective("date()").journal_id(format!("uuid('{journal}')"));
    Ok(NewTxTemplate::builder()
        .id(ground.id())
        .code(TEMPLATE)
        .params(vec![param("giving").map_err(said)?, param("taking").map_err(said)?])
        .transaction(header.build().map_err(said)?)
        .entries(vec![side("DEBIT", "giving").map_err(said)?, side("CREDIT", "taking").map_err(said)?])
        .build())
}

/// A client of cala-ledger; it has a pool of its own.
pub(crate) struct Client {
    town: Arc<Town>,
    hot: bool,
}

impl Client {
    pub(super) fn load(&mut self, transfers: usize) -> Vec<PostingInput> {
        let Town { ground, accounts, .. } = self.town.as_ref();
        let draw = |_| {
            let giving = if self.hot { 0 } else { ground.below(accounts.len()) };
            let taking = (giving + 1 + ground.below(accounts.len() - 1)) % accounts.len();
            let mut params = Params::new();
            params.insert("giving", accounts[giving]);
            params.insert("taking", accounts[taking]);
            PostingInput::new(TransactionId::from(ground.id()), TEMPLATE, params)
        };
        (0..transfers).map(draw).collect()
    }

    pub(super) async fn post(&mut self, mut batch: Vec<PostingInput>) -> Result<(), Fault> {
        let cala = &self.town.cala;
        if batch.len() > 1 {
            cala.post_transactions(batch).await.map_err(said)?;
        } else if let Some(one) = batch.pop() {
            cala.post_transaction(one.tx_id, TEMPLATE, one.params).await.map_err(said)?;
        }
        Ok(())
    }
}
