//! A local network by itself, until the input ends: for driving the official SDKs against it by hand.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "the edge: here the network meets the wall clock and the terminal"
)]

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let mut options = amana_localnet::Options::new(Arc::new(now));
    options.dev_methods = true;
    if let Some(listen) = std::env::args().nth(1) {
        options.listen = listen.parse()?;
    }
    options.state_file = std::env::args().nth(2).map(Into::into);
    let net = amana_localnet::start(options).await?;
    println!("{}", net.url());
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    net.shutdown().await?;
    Ok(())
}
