//! `zumra token`

use clap::Subcommand;
use jiff::{Span, Timestamp, Zoned, tz::TimeZone};
use serde_json::{Value, json};
use zumra_core::{
    Clock, MerchantId, NewToken, Scope, Scopes, SystemClock, SystemEntropy, Token, TokenId, TokenSecret,
};
use zumra_storage::StorageError;

use crate::config::{self, DatabaseOption, Given};
use crate::database::{IfMissing, no_merchant, with_session};
use crate::failure::{Exit, Failure};
use crate::output::{exact, minute, say, say_json, say_line, table};

/// Create, list and revoke tokens, the secrets with which programs call the API
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

/// Create a token and print its secret, once
///
/// The secret is not stored and cannot be shown again.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  zumra token create --merchant 1305146709 --scope customers.read_write
  zumra token create --merchant 1305146709 --scope customers.read --expires-in 30d
  zumra token create --merchant 1305146709 --scope customers.read --json

Scopes, of which read_write includes read:
  customers.read  customers.read_write  webhooks.read  webhooks.read_write
  payments.read  offline_access")]
struct Create {
    /// Whose data it opens
    #[arg(long, value_name = "ID")]
    merchant: MerchantId,
    /// What it may do; give it several times for several scopes
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    scopes: Vec<Scope>,
    /// When it ends: 30d, 12h, 1 year [default: never]
    #[arg(long, value_name = "TIME", value_parser = expiry)]
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
    /// Whose tokens
    #[arg(long, value_name = "ID")]
    merchant: MerchantId,
    #[command(flatten)]
    database: DatabaseOption,
    /// Print an array of JSON objects
    #[arg(long)]
    json: bool,
}

/// Revoke a token: from then on it opens nothing
///
/// A running service may still believe it for as long as the setting `tokens.cache_seconds` says. Revoking it again
/// changes nothing.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  zumra token revoke --merchant 1305146709 373461022531814")]
struct Revoke {
    /// Whose token
    #[arg(long, value_name = "ID")]
    merchant: MerchantId,
    /// Its id, as `zumra token list` shows it
    #[arg(value_name = "TOKEN_ID")]
    token: TokenId,
    #[command(flatten)]
    database: DatabaseOption,
    /// Print the token as JSON
    #[arg(long)]
    json: bool,
}

/// The end of a token that lives for so long from now on.
fn expiry(text: &str) -> Result<Timestamp, String> {
    end(text, SystemClock.now())
}

fn end(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let span: Span = text.parse().map_err(|_| "must be a time such as 30d, 12h or 1 year".to_owned())?;
    let end = Zoned::new(now, TimeZone::UTC).checked_add(span);
    match end.map(|end| end.timestamp()) {
        Ok(end) if end > now => Ok(end),
        Ok(_) => Err("must be longer than nothing".to_owned()),
        Err(_) => Err("is too long".to_owned()),
    }
}

impl Command {
    pub(crate) fn run(self, given: &Given) -> anyhow::Result<()> {
        match self.action {
            Action::Create(create) => create.run(given),
            Action::List(list) => list.run(given),
            Action::Revoke(revoke) => revoke.run(given),
        }
    }
}

impl Create {
    fn run(self, given: &Given) -> anyhow::Result<()> {
        let database = config::database(given, self.database)?;
        let secret = TokenSecret::generate(&SystemEntropy);
        let scopes: Scopes = self.scopes.into_iter().collect();
        let new = NewToken { hash: secret.hash(), scopes, expires_at: self.expires_in };
        let token = with_session(&database, IfMissing::Refuse, async |session| {
            match session.storage.create_token(self.merchant, new, session.operation()).await {
                Err(StorageError::NotFound(_)) => Err(no_merchant(self.merchant).into()),
                answer => Ok(answer?),
            }
        })?;
        if self.json {
            let mut json = as_json(&token);
            json["token"] = secret.expose().into();
            return say_json(&json);
        }
        let until =
            token.expires_at.map_or("until it is revoked".to_owned(), |end| format!("until {}", minute(end)));
        say(format!(
            "Created token {} of merchant {}. It is valid {until} and may: {}\n\n{}\n\n\
             This is the only time that the secret is shown. Send it as: Authorization: Bearer <secret>\n",
            token.id,
            token.merchant,
            token.scopes,
            secret.expose(),
        ))
    }
}

impl List {
    fn run(self, given: &Given) -> anyhow::Result<()> {
        let repeated = self.database.repeated();
        let database = config::database(given, self.database)?;
        let tokens = with_session(&database, IfMissing::Refuse, async |session| {
            session.require_merchant(self.merchant).await?;
            Ok(session.storage.list_tokens(self.merchant).await?)
        })?;
        if self.json {
            return say_json(&tokens.iter().map(as_json).collect());
        }
        if tokens.is_empty() {
            let merchant = self.merchant;
            let next =
                format!("zumra token create --merchant {merchant} --scope customers.read_write{repeated}");
            return say_line(format_args!("Merchant {merchant} has no tokens. Create one: {next}"));
        }
        let row = |token: &Token| {
            let end = token.expires_at.map_or("never".to_owned(), minute);
            [
                token.id.to_string(),
                state(token).to_owned(),
                minute(token.created_at),
                end,
                token.scopes.to_string(),
            ]
        };
        let rows: Vec<_> = tokens.iter().map(row).collect();
        say(table(["ID", "STATE", "CREATED", "ENDS", "SCOPES"], &rows))
    }
}

impl Revoke {
    fn run(self, given: &Given) -> anyhow::Result<()> {
        let database = config::database(given, self.database)?;
        let token = with_session(&database, IfMissing::Refuse, async |session| {
            session.require_merchant(self.merchant).await?;
            match session.storage.revoke_token(self.merchant, self.token, session.operation()).await {
                Err(StorageError::NotFound(_)) => Err(no_token(self.merchant, self.token).into()),
                answer => Ok(answer?),
            }
        })?;
        if self.json {
            return say_json(&as_json(&token));
        }
        say_line(format_args!("Token {} of merchant {} is revoked.", token.id, token.merchant))
    }
}

fn no_token(merchant: MerchantId, token: TokenId) -> Failure {
    let list = format!("`zumra token list --merchant {merchant}` shows those there are");
    Failure::new(Exit::Named, format!("merchant {merchant} has no token {token}; {list}"))
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
        "created_at": exact(token.created_at),
        "expires_at": token.expires_at.map(exact),
        "revoked_at": token.revoked_at.map(exact),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_lie_ahead() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        assert_eq!(end("30d", now).map(|end| end.to_string()), Ok("2026-12-23T12:00:00Z".to_owned()));
        assert_eq!(end("1 year", now).map(|end| end.to_string()), Ok("2027-11-23T12:00:00Z".to_owned()));
        for bad in ["", "30", "0d", "-1d", "1d ago", "forever", "9999 years"] {
            assert!(end(bad, now).is_err(), "{bad}");
        }
    }
}
