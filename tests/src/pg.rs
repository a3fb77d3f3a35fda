//! A private Postgres for this test binary, and a fresh migrated database for whoever asks.
//!
//! Invariant: the migrations run once a binary; every database is a copy of that one template, so no test
//! sees another's rows.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgPool};

use amana_gateway::db::MIGRATIONS;
use amana_gateway::embedded::cluster::Cluster;

const TEMPLATE: &str = "amana_template";

static CLUSTER: OnceLock<Cluster> = OnceLock::new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A database of one test's own.
#[derive(Debug, Clone)]
pub struct Database {
    /// Its name in the cluster.
    pub name: String,
    /// As the superuser who owns everything.
    pub owner: PgPool,
    /// As the application (`amana_app`), with the rights the migrations gave it and no others.
    pub app: PgPool,
}

impl Database {
    /// A migrated, otherwise empty database.
    pub async fn fresh() -> Self {
        Self::like(TEMPLATE, 24).await
    }

    /// A copy of another one, to which nobody is connected. The application has so many connections to it.
    pub async fn like(template: &str, connections: u32) -> Self {
        let name = create(Some(template)).await;
        let owner = PgPoolOptions::new().max_connections(8).connect_lazy_with(options(&name));
        // Nobody cuts these connections: whether one lives need not be asked before each use.
        let app = PgPoolOptions::new().max_connections(connections).test_before_acquire(false);
        let app = app.connect_lazy_with(as_role(&name, "amana_app"));
        Self { name, owner, app }
    }

    /// Ends every connection: from then on it can be copied.
    pub async fn rest(&self) {
        self.owner.close().await;
        self.app.close().await;
    }

    /// Removes it. A thousand of them would fill the disk.
    pub async fn remove(self) {
        self.rest().await;
        let mut admin =
            sqlx::PgConnection::connect(&cluster().url("postgres", "postgres")).await.expect("it answers");
        let sql = format!("drop database {}", self.name);
        admin.execute(sqlx::AssertSqlSafe(sql)).await.expect("it is dropped");
        admin.close().await.expect("the connection closes");
    }

    /// A pool as another role of the migrations (`amana_reader` …).
    pub fn pool_as(&self, role: &str) -> PgPool {
        PgPoolOptions::new().max_connections(4).connect_lazy_with(as_role(&self.name, role))
    }

    /// Where this database is reached as the superuser, for programs outside (`pg_dump`).
    pub fn url(&self) -> String {
        cluster().url("postgres", &self.name)
    }

    /// Where this database is reached as the application.
    pub fn app_url(&self) -> String {
        format!("{}&options=-c%20role%3Damana_app", self.url())
    }
}

/// An empty database, not migrated, reached as the superuser.
pub async fn empty() -> PgPool {
    let name = create(None).await;
    PgPoolOptions::new().max_connections(4).connect_lazy_with(options(&name))
}

/// A folder that goes when the binary's cluster goes.
pub fn folder() -> PathBuf {
    let sockets = cluster().socket_folder();
    sockets.parent().expect("the cluster's own folder").to_owned()
}

async fn create(template: Option<&str>) -> String {
    let cluster = tokio::task::spawn_blocking(cluster).await.expect("the cluster starts");
    let name = format!("t{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    // Copying the template's files is quicker than writing them through the log, and nothing here must
    // survive.
    let sql = match template {
        Some(template) => format!("create database {name} template {template} strategy file_copy"),
        None => format!("create database {name} template template0"),
    };
    let url = cluster.url("postgres", "postgres");
    let mut admin = sqlx::PgConnection::connect(&url).await.expect("the cluster answers");
    admin.execute(sqlx::AssertSqlSafe(sql)).await.expect("a database is created");
    admin.close().await.expect("the connection closes");
    name
}

fn options(database: &str) -> PgConnectOptions {
    let options: PgConnectOptions = cluster().url("postgres", database).parse().expect("our own url");
    options.disable_statement_logging()
}

fn as_role(database: &str, role: &str) -> PgConnectOptions {
    options(database).options([("role", role)])
}

/// The binary's cluster, started by the first who asks, with the migrated template in it.
fn cluster() -> &'static Cluster {
    CLUSTER.get_or_init(|| {
        // A thread of its own, because whoever asks first may stand inside a runtime already.
        std::thread::spawn(|| {
            let cluster = Cluster::temporary_in(place()).expect("a private postgres");
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(migrate_template(&cluster));
            cluster
        })
        .join()
        .expect("the cluster's thread")
    })
}

/// In memory where there is plenty, as every database is some hundred files and most live for a second.
fn place() -> &'static Path {
    const PLENTY_KIB: u64 = 8 << 20;
    let memory = Path::new("/dev/shm");
    let asked = Command::new("df").args(["-k", "--output=avail"]).arg(memory).output();
    let said = asked.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
    let free = said.lines().last().and_then(|line| line.trim().parse::<u64>().ok());
    if free.is_some_and(|free| free >= PLENTY_KIB) { memory } else { Path::new("/tmp") }
}

async fn migrate_template(cluster: &Cluster) {
    let mut admin =
        sqlx::PgConnection::connect(&cluster.url("postgres", "postgres")).await.expect("it answers");
    let sql = format!("create database {TEMPLATE}");
    admin.execute(sqlx::AssertSqlSafe(sql)).await.expect("the template is created");
    admin.close().await.expect("the connection closes");
    let mut template =
        sqlx::PgConnection::connect(&cluster.url("postgres", TEMPLATE)).await.expect("it answers");
    MIGRATIONS.run(&mut template).await.expect("the migrations run");
    // A template with a connection cannot be copied.
    template.close().await.expect("the connection closes");
}
