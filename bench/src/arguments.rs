//! Command-line arguments. The doc comments of the fields are the text of `--help`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::engine::Engine;

/// Measure Zumra against bounds that are measured in the same run
#[derive(Parser)]
pub(crate) struct Arguments {
    /// Storage engine to measure
    #[arg(long, value_enum, default_value = "all")]
    engine: EngineChoice,
    /// Measure only names that contain PART: a workload such as add-1 or mixed, or growth
    #[arg(long, default_value = "", value_name = "PART")]
    only: String,
    /// Runs of each workload; the result is their median
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) runs: u64,
    /// Factor for the number of requests of each run
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    pub(crate) scale: f64,
    /// Largest group in the growth benchmark
    #[arg(long, default_value_t = 10_000_000, value_name = "MEMBERS")]
    pub(crate) growth_limit: i64,
    /// JSON file for the result; growth.svg and the temporary databases go to the same directory
    #[arg(long, default_value = "bench/results/latest.json", value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Measure Medusa and Vendure on PostgreSQL too; they are installed into this directory
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) peers: Option<PathBuf>,
    /// Run as the server of the HTTP bound; the benchmark starts itself with this option
    #[arg(long, hide = true, value_name = "ADDRESS")]
    pub(crate) bound: Option<SocketAddr>,
    /// Run as the server of the server bound instead, with the tokens of this database
    #[arg(long, hide = true, value_name = "DATABASE", requires = "bound")]
    pub(crate) constant: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EngineChoice {
    Sqlite,
    Postgres,
    All,
}

impl Arguments {
    /// Returns true if `--only` selects the workload or benchmark with this name.
    pub(crate) fn selects(&self, name: &str) -> bool {
        name.contains(&self.only)
    }

    pub(crate) fn engines(&self) -> &'static [Engine] {
        match self.engine {
            EngineChoice::Sqlite => &[Engine::Sqlite],
            EngineChoice::Postgres => &[Engine::Postgres],
            EngineChoice::All => &[Engine::Sqlite, Engine::Postgres],
        }
    }
}
