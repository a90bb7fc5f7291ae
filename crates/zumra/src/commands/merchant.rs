//! `zumra merchant`

use clap::Subcommand;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use zumra_core::merchant::TIME_ZONE_DEFAULT;
use zumra_core::text::{Name, NameError};
use zumra_core::{Domain, Merchant, MerchantId, MerchantName, NewMerchant, Plan};

use crate::config::{self, DatabaseOption, Given};
use crate::database::{IfMissing, Session, with_session};
use crate::output::{exact, minute, say, say_json, say_line, table};

/// Create and list merchants, the shops whose data is kept
#[derive(clap::Args)]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Create(Create),
    List(List),
}

/// Create a merchant
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  zumra merchant create --name 'متجر الواحة'
  zumra merchant create --id 1305146709 --name 'My shop' --plan pro --domain shop.example")]
struct Create {
    /// Its id, a positive integer [default: a new one]
    #[arg(long)]
    id: Option<MerchantId>,
    /// The name of the shop
    #[arg(long, value_parser = name)]
    name: MerchantName,
    /// Its subscription: basic, plus, pro or special
    #[arg(long, default_value = "basic")]
    plan: Plan,
    /// The time zone in which its dates are shown
    #[arg(long, value_name = "ZONE", value_parser = TimeZone::get, default_value = TIME_ZONE_DEFAULT)]
    time_zone: TimeZone,
    /// Where the shop is, for links to its customers
    #[arg(long)]
    domain: Option<Domain>,
    #[command(flatten)]
    database: DatabaseOption,
    /// Print the merchant as JSON
    #[arg(long)]
    json: bool,
}

/// List the merchants
#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    database: DatabaseOption,
    /// Print an array of JSON objects
    #[arg(long)]
    json: bool,
}

fn name(text: &str) -> Result<MerchantName, NameError> {
    Name::parse(text)
}

impl Command {
    pub(crate) fn run(self, given: &Given) -> anyhow::Result<()> {
        match self.action {
            Action::Create(create) => create.run(given),
            Action::List(list) => list.run(given),
        }
    }
}

impl Create {
    fn run(self, given: &Given) -> anyhow::Result<()> {
        let repeated = self.database.repeated();
        let database = config::database(given, self.database)?;
        let merchant = with_session(&database, IfMissing::Make, async |session| {
            let id = self.id.or_else(|| MerchantId::new(session.next_id()));
            let merchant = NewMerchant {
                id: id.ok_or_else(|| anyhow::anyhow!("the clock gives no id; choose one with --id"))?,
                name: self.name,
                plan: self.plan,
                time_zone: self.time_zone,
                domain: self.domain,
            };
            Ok(session.storage.create_merchant(merchant, session.operation()).await?)
        })?;
        if self.json {
            return say_json(&as_json(&merchant));
        }
        let Merchant { id, name, .. } = merchant;
        say_line(format_args!("Created merchant {id}, {name}."))?;
        say_line(format_args!(
            "Next: zumra token create --merchant {id} --scope customers.read_write{repeated}"
        ))
    }
}

impl List {
    fn run(self, given: &Given) -> anyhow::Result<()> {
        let repeated = self.database.repeated();
        let database = config::database(given, self.database)?;
        let merchants = with_session(&database, IfMissing::Refuse, all)?;
        if self.json {
            return say_json(&merchants.iter().map(as_json).collect());
        }
        if merchants.is_empty() {
            return say_line(format_args!(
                "There are no merchants. Create one: zumra merchant create --name 'My shop'{repeated}"
            ));
        }
        let row = |merchant: &Merchant| {
            let (id, plan) = (merchant.id.to_string(), merchant.plan.as_str().to_owned());
            [id, plan, minute(merchant.created_at), merchant.name.to_string()]
        };
        let rows: Vec<_> = merchants.iter().map(row).collect();
        say(table(["ID", "PLAN", "CREATED", "NAME"], &rows))
    }
}

async fn all(session: &Session) -> anyhow::Result<Vec<Merchant>> {
    const AT_ONCE: u32 = 1000;
    let mut merchants: Vec<Merchant> = Vec::new();
    loop {
        let after = merchants.last().map(|merchant| merchant.id);
        let more = session.storage.list_merchants(after, AT_ONCE).await?;
        if more.is_empty() {
            return Ok(merchants);
        }
        merchants.extend(more);
    }
}

fn as_json(merchant: &Merchant) -> Value {
    json!({
        "id": merchant.id,
        "name": merchant.name.as_str(),
        "plan": merchant.plan.as_str(),
        "time_zone": merchant.time_zone.iana_name(),
        "domain": merchant.domain.as_ref().map(Domain::as_str),
        "created_at": exact(merchant.created_at),
    })
}
