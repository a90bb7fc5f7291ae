//! The program `zumra`: reads the command line, runs one command, and turns a failure into a sentence and an exit
//! code.

mod commands;
mod config;
mod database;
mod failure;
mod output;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use commands::{
    backup, config as config_command, copy, dev, doctor, import, load, merchant, openapi, serve, token,
};
use config::Given;
use failure::Failure;

/// Customer groups for shops, over the wire format of Salla's Merchant API v2.
///
/// A program written for Salla works against Zumra by changing one base URL. Start with `zumra dev`: it makes a
/// throwaway shop and prints a request to try.
#[derive(Parser)]
#[command(version, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    /// The settings file [default: zumra.toml in this folder, if it is there]
    #[arg(long, global = true, env = "ZUMRA_CONFIG", value_name = "FILE", hide_env_values = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Settings come from flags, then from the environment, then from a settings file:
--limits-body-bytes is ZUMRA_LIMITS_BODY_BYTES and, in the file, limits.body_bytes.
`zumra config` shows which are in effect, and why.

Exit codes:
  0  done
  1  failed for another reason, such as an address that is in use
  2  the command line, a setting or an input file is wrong
  3  what you named does not exist, or exists already
  4  the database is unavailable, newer, of another program, or damaged
  5  `zumra doctor` found something that needs attention";

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
    Config(config_command::Command),
    Doctor(doctor::Command),
    Openapi(openapi::Command),
}

fn main() -> ExitCode {
    let parsed =
        Cli::command().try_get_matches().and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => match config::blamed_variable(&error) {
            Some(sentence) => return failure::report(&Failure::usage(sentence).into()),
            None => error.exit(),
        },
    };
    let given = Given::new(cli.config, &matches);
    let done = match cli.command {
        Command::Dev(command) => command.run(&given),
        Command::Serve(command) => command.run(&given),
        Command::Merchant(command) => command.run(&given),
        Command::Token(command) => command.run(&given),
        Command::Load(command) => command.run(&given),
        Command::Import(command) => command.run(&given),
        Command::Backup(command) => command.run(&given),
        Command::Copy(command) => command.run(),
        Command::Config(command) => command.run(&given),
        Command::Doctor(command) => command.run(&given),
        Command::Openapi(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
