//! `zumra token`

use clap::Subcommand;
use jiff::{Span, Timestamp, Zoned, tz::TimeZone};
use serde_json::{Value, json};
use zumra_core::{
    Clock, MerchantId, NewToken, Scope, Scopes, SystemClock, SystemEntropy, Token, TokenId, TokenSecret,
};
use zumra_storage::StorageError;

use crate::config::{self, CommandLine, DatabaseOption};
use crate::database::{IfMissing, missing_merchant, with_session};
use crate::failure::{Exit, Failure};
use crate::output::{format_micros, format_minute, format_table, print, print_json, print_line};

/// Create, list and revoke bearer tokens of the API
#[derive(clap::Args)]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Create a token and print its secret once
///
/// Only a hash of the secret is stored, so it cannot be shown again.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  zumra token create --merchant 1305146709 --scope customers.read_write
  zumra token create --merchant 1305146709 --scope customers.read --expires-in 30d
  zumra token create --merchant 1305146709 --scope customers.read --json

Scopes; read_write includes read:
  customers.read  customers.read_write  webhooks.read  webhooks.read_write
  payments.read  offline_access")]
struct Create {
    /// Merchant whose data the token gives access to
    #[arg(long, value_name = "ID")]
    merchant: MerchantId,
    /// Scope of the token; repeat it for several scopes
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    scopes: Vec<Scope>,
    /// Time until the token expires: 30d, 12h, 1 year [default: never]
    #[arg(long, value_name = "TIME", value_parser = parse_expiry)]
    expires_in: Option<Timestamp>,
    #[command(flatten)]
    database: DatabaseOption,
    /// Print the token as JSON, with its secret under `token`
    #[arg(long)]
    json: bool,
}

/// List the tokens of a merchant, without their secrets
#[derive(clap::Args)]
struct List {
    /// Merchant of the tokens
    #[arg(long, value_name = "ID")]
    merchant: MerchantId,
    #[command(flatten)]
    database: DatabaseOption,
    /// Print an array of JSON objects
    #[arg(long)]
    json: bool,
}

/// Revoke a token, so that requests with it get 401
///
/// A running service accepts it for up to `tokens.cache_seconds`. Revoking a revoked token changes nothing.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  zumra token revoke --merchant 1305146709 373461022531814")]
struct Revoke {
    /// Merchant of the token
    #[arg(long, value_name = "ID")]
    merchant: MerchantId,
    /// Id of the token, as `zumra token list` prints it
    #[arg(value_name = "TOKEN_ID")]
    token: TokenId,
    #[command(flatten)]
    database: DatabaseOption,
    /// Print the token as JSON
    #[arg(long)]
    json: bool,
}

/// Parses a time span and adds it to the current time.
fn parse_expiry(text: &str) -> Result<Timestamp, String> {
    expires_at(text, SystemClock.now())
}

fn expires_at(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let span: Span = text.parse().map_err(|_| "must be a time such as 30d, 12h or 1 year".to_owned())?;
    let end = Zoned::new(now, TimeZone::UTC).checked_add(span);
    match end.map(|end| end.timestamp()) {
        Ok(end) if end > now => Ok(end),
        Ok(_) => Err("must be in the future".to_owned()),
        Err(_) => Err("is too long".to_owned()),
    }
}

impl Command {
    pub(crate) fn run(self, command_line: &CommandLine) -> anyhow::Result<()> {
        match self.action {
            Action::Create(create) => create.run(command_line),
            Action::List(list) => list.run(command_line),
            Action::Revoke(revoke) => revoke.run(command_line),
        }
    }
}

impl Create {
    fn run(self, command_line: &CommandLine) -> anyhow::Result<()> {
        let database = config::database(command_line, self.database)?;
        let secret = TokenSecret::generate(&SystemEntropy);
        let scopes: Scopes = self.scopes.into_iter().collect();
        let new = NewToken { hash: secret.hash(), scopes, expires_at: self.expires_in };
        let token = with_session(&database, IfMissing::Fail, async |session| {
            match session.storage.create_token(self.merchant, new, session.operation()).await {
                Err(StorageError::NotFound(_)) => Err(missing_merchant(self.merchant).into()),
                result => Ok(result?),
            }
        })?;
        if self.json {
            let mut json = as_json(&token);
            json["token"] = secret.expose().into();
            return print_json(&json);
        }
        let until = token
            .expires_at
            .map_or("until it is revoked".to_owned(), |end| format!("until {}", format_minute(end)));
        print(format!(
            "Created token {} of merchant {}. It is valid {until}, with the scopes: {}\n\n{}\n\n\
             The secret is not shown again. Send it as: Authorization: Bearer <secret>\n",
            token.id,
            token.merchant,
            token.scopes,
            secret.expose(),
        ))
    }
}

impl List {
    fn run(self, command_line: &CommandLine) -> anyhow::Result<()> {
        let database_flag = self.database.suggested_flag();
        let database = config::database(command_line, self.database)?;
        let tokens = with_session(&database, IfMissing::Fail, async |session| {
            session.require_merchant(self.merchant).await?;
            Ok(session.storage.list_tokens(self.merchant).await?)
        })?;
        if self.json {
            return print_json(&tokens.iter().map(as_json).collect());
        }
        if tokens.is_empty() {
            let merchant = self.merchant;
            let next = format!(
                "zumra token create --merchant {merchant} --scope customers.read_write{database_flag}"
            );
            return print_line(format_args!("Merchant {merchant} has no tokens. Create one: {next}"));
        }
        let row = |token: &Token| {
            let end = token.expires_at.map_or("never".to_owned(), format_minute);
            [
                token.id.to_string(),
                state(token).to_owned(),
                format_minute(token.created_at),
                end,
                token.scopes.to_string(),
            ]
        };
        let rows: Vec<_> = tokens.iter().map(row).collect();
        print(format_table(["ID", "STATE", "CREATED", "EXPIRES", "SCOPES"], &rows))
    }
}

impl Revoke {
    fn run(self, command_line: &CommandLine) -> anyhow::Result<()> {
        let database = config::database(command_line, self.database)?;
        let token = with_session(&database, IfMissing::Fail, async |session| {
            session.require_merchant(self.merchant).await?;
            match session.storage.revoke_token(self.merchant, self.token, session.operation()).await {
                Err(StorageError::NotFound(_)) => Err(missing_token(self.merchant, self.token).into()),
                result => Ok(result?),
            }
        })?;
        if self.json {
            return print_json(&as_json(&token));
        }
        print_line(format_args!("Token {} of merchant {} is revoked.", token.id, token.merchant))
    }
}

fn missing_token(merchant: MerchantId, token: TokenId) -> Failure {
    let advice = format!("list tokens with `zumra token list --merchant {merchant}`");
    Failure::new(Exit::NamedObject, format!("merchant {merchant} has no token {token}; {advice}"))
}

fn state(token: &Token) -> &'static str {
    if token.revoked_at.is_some() {
        "revoked"
    } else if token.is_valid(SystemClock.now()) {
        "valid"
    } else {
        "expired"
    }
}

fn as_json(token: &Token) -> Value {
    json!({
        "id": token.id,
        "merchant": token.merchant,
        "state": state(token),
        "scopes": token.scopes.iter().map(Scope::as_str).collect::<Vec<_>>(),
        "created_at": format_micros(token.created_at),
        "expires_at": token.expires_at.map(format_micros),
        "revoked_at": token.revoked_at.map(format_micros),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_is_in_the_future() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        assert_eq!(expires_at("30d", now).map(|end| end.to_string()), Ok("2026-12-23T12:00:00Z".to_owned()));
        assert_eq!(
            expires_at("1 year", now).map(|end| end.to_string()),
            Ok("2027-11-23T12:00:00Z".to_owned())
        );
        for bad in ["", "30", "0d", "-1d", "1d ago", "forever", "9999 years"] {
            assert!(expires_at(bad, now).is_err(), "{bad}");
        }
    }
}
