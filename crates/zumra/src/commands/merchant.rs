//! `zumra merchant`

use clap::Subcommand;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use zumra_core::merchant::TIME_ZONE_DEFAULT;
use zumra_core::text::{Name, NameError};
use zumra_core::{Domain, Merchant, MerchantId, MerchantName, NewMerchant, Plan, SystemEntropy};
use zumra_storage::{Conflict, StorageError};

use crate::config::{self, CommandLine, DatabaseOption};
use crate::database::{IfMissing, Session, with_session};
use crate::output::{format_micros, format_minute, format_table, print, print_json, print_line};

/// Random ids to try for a new merchant. With a million merchants, one in two thousand belongs to another one.
const RANDOM_IDS_MAX: u32 = 20;

/// Create and list merchants (tenants): the shops
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
    /// Id, a positive integer; clients may need one below 2^31 [default: random, below 2^31]
    #[arg(long)]
    id: Option<MerchantId>,
    /// Name of the shop
    #[arg(long, value_parser = parse_name)]
    name: MerchantName,
    /// Subscription plan: basic, plus, pro or special
    #[arg(long, default_value = "basic")]
    plan: Plan,
    /// Time zone of dates in responses
    #[arg(long, value_name = "ZONE", value_parser = TimeZone::get, default_value = TIME_ZONE_DEFAULT)]
    time_zone: TimeZone,
    /// Domain of the shop, for links to its customers
    #[arg(long)]
    domain: Option<Domain>,
    #[command(flatten)]
    database: DatabaseOption,
    /// Print the merchant as JSON
    #[arg(long)]
    json: bool,
}

/// List merchants
#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    database: DatabaseOption,
    /// Print an array of JSON objects
    #[arg(long)]
    json: bool,
}

fn parse_name(text: &str) -> Result<MerchantName, NameError> {
    Name::parse(text)
}

impl Command {
    pub(crate) fn run(self, command_line: &CommandLine) -> anyhow::Result<()> {
        match self.action {
            Action::Create(create) => create.run(command_line),
            Action::List(list) => list.run(command_line),
        }
    }
}

impl Create {
    fn run(self, command_line: &CommandLine) -> anyhow::Result<()> {
        let database_flag = self.database.suggested_flag();
        let database = config::database(command_line, self.database)?;
        let merchant = with_session(&database, IfMissing::Create, async |session| {
            let mut merchant = NewMerchant {
                id: self.id.unwrap_or_else(|| MerchantId::random(&SystemEntropy)),
                name: self.name,
                plan: self.plan,
                time_zone: self.time_zone,
                domain: self.domain,
            };
            for _ in 0..RANDOM_IDS_MAX {
                match session.storage.create_merchant(merchant.clone(), session.operation()).await {
                    Err(StorageError::Conflict(Conflict::Merchant(_))) if self.id.is_none() => {
                        merchant.id = MerchantId::random(&SystemEntropy);
                    }
                    result => return Ok(result?),
                }
            }
            anyhow::bail!("{RANDOM_IDS_MAX} random ids belong to other merchants; pass --id")
        })?;
        if self.json {
            return print_json(&as_json(&merchant));
        }
        let Merchant { id, name, .. } = merchant;
        print_line(format_args!("Created merchant {id}, {name}."))?;
        print_line(format_args!(
            "Next: zumra token create --merchant {id} --scope customers.read_write{database_flag}"
        ))
    }
}

impl List {
    fn run(self, command_line: &CommandLine) -> anyhow::Result<()> {
        let database_flag = self.database.suggested_flag();
        let database = config::database(command_line, self.database)?;
        let merchants = with_session(&database, IfMissing::Fail, list_all)?;
        if self.json {
            return print_json(&merchants.iter().map(as_json).collect());
        }
        if merchants.is_empty() {
            return print_line(format_args!(
                "No merchants. Create one: zumra merchant create --name 'My shop'{database_flag}"
            ));
        }
        let row = |merchant: &Merchant| {
            let (id, plan) = (merchant.id.to_string(), merchant.plan.as_str().to_owned());
            [id, plan, format_minute(merchant.created_at), merchant.name.to_string()]
        };
        let rows: Vec<_> = merchants.iter().map(row).collect();
        print(format_table(["ID", "PLAN", "CREATED", "NAME"], &rows))
    }
}

/// Lists all merchants, a page at a time.
async fn list_all(session: &Session) -> anyhow::Result<Vec<Merchant>> {
    const PAGE_ROWS: u32 = 1000;
    let mut merchants: Vec<Merchant> = Vec::new();
    loop {
        let after = merchants.last().map(|merchant| merchant.id);
        let page = session.storage.list_merchants(after, PAGE_ROWS).await?;
        if page.is_empty() {
            return Ok(merchants);
        }
        merchants.extend(page);
    }
}

fn as_json(merchant: &Merchant) -> Value {
    json!({
        "id": merchant.id,
        "name": merchant.name.as_str(),
        "plan": merchant.plan.as_str(),
        "time_zone": merchant.time_zone.iana_name(),
        "domain": merchant.domain.as_ref().map(Domain::as_str),
        "created_at": format_micros(merchant.created_at),
    })
}
