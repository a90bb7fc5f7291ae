//! Runs one PostgreSQL server for many test processes: prints its URL, and stops it when standard input closes.
//! `script/with-postgres` uses it.

use std::io::Write;

use zumra_testkit::postgres::ThrowawayServer;

fn main() -> std::io::Result<()> {
    let server = ThrowawayServer::start();
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", server.url())?;
    stdout.flush()?;
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    drop(server);
    Ok(())
}
