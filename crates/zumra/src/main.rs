//! The program `zumra`: parses the command line and runs one command.

mod commands;
mod config;
mod database;
mod failure;
mod output;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use commands::{
    backup, config as config_command, copy, dev, doctor, ids, import, load, merchant, openapi, serve, token,
};
use config::CommandLine;
use failure::Failure;

/// Customer groups for shops, with the wire format of Salla's Merchant API v2.
///
/// A client of Salla works with Zumra after changing its base URL. Start with `zumra dev`: it serves a demo shop from a
/// throwaway database and prints a request to try.
#[derive(Parser)]
#[command(version, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    /// Settings file [default: zumra.toml in the current directory, if it exists]
    #[arg(long, global = true, env = "ZUMRA_CONFIG", value_name = "FILE", hide_env_values = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
A flag overrides its environment variable, and the variable overrides the settings file:
--limits-body-bytes is ZUMRA_LIMITS_BODY_BYTES and, in the file, limits.body_bytes.
`zumra config` prints the effective settings and their sources.

Exit codes:
  0  success
  1  other error, such as a listen address that is in use
  2  invalid command line, setting or input file
  3  the named object does not exist, already exists, or contradicts existing rows
  4  the database is unavailable, damaged, of a newer version, or of another program
  5  `zumra doctor` reported a warning";

#[derive(Subcommand)]
enum Command {
    Dev(dev::Command),
    Serve(serve::Command),
    Merchant(merchant::Command),
    Token(token::Command),
    Load(load::Command),
    Import(import::Command),
    Backup(backup::Command),
    Copy(copy::Command),
    Ids(ids::Command),
    Config(config_command::Command),
    Doctor(doctor::Command),
    Openapi(openapi::Command),
}

fn main() -> ExitCode {
    let parsed =
        Cli::command().try_get_matches().and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => match config::explain_invalid_variable(&error) {
            Some(message) => return failure::report(&Failure::usage(message).into()),
            None => error.exit(),
        },
    };
    let command_line = CommandLine::new(cli.config, &matches);
    let result = match cli.command {
        Command::Dev(command) => command.run(&command_line),
        Command::Serve(command) => command.run(&command_line),
        Command::Merchant(command) => command.run(&command_line),
        Command::Token(command) => command.run(&command_line),
        Command::Load(command) => command.run(&command_line),
        Command::Import(command) => command.run(&command_line),
        Command::Backup(command) => command.run(&command_line),
        Command::Copy(command) => command.run(),
        Command::Ids(command) => command.run(&command_line),
        Command::Config(command) => command.run(&command_line),
        Command::Doctor(command) => command.run(&command_line),
        Command::Openapi(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_definition_is_valid() {
        Cli::command().debug_assert();
    }
}
