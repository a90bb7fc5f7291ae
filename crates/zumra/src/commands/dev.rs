//! `zumra dev`: the service with a throwaway database, a demo merchant and fixed tokens.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use zumra_core::fixture::{self, MerchantFixture};
use zumra_core::{CustomerId, Group, GroupId, NewToken, Scope, Scopes, TokenSecret};

use super::{load, serve};
use crate::config::{self, CommandLine, DatabaseOptions, LogStyle, Options};
use crate::database::{self, Session, runtime};
use crate::failure::Failure;
use crate::output::{format_count, print};

const DEMO: &str = include_str!("../demo.json");

/// The fixed tokens and their scopes. The example request uses the first one.
const TOKENS: [(&str, &[Scope]); 2] = [
    (
        "zumra-dev-token-read-write",
        &[Scope::CustomersReadWrite, Scope::WebhooksReadWrite, Scope::PaymentsRead, Scope::OfflineAccess],
    ),
    ("zumra-dev-token-read-only", &[Scope::CustomersRead]),
];

/// Run the service with a throwaway database and a demo shop, for development and tests
///
/// The database is deleted on exit. The tokens are fixed, so that tests can use them: zumra-dev-token-read-write and
/// zumra-dev-token-read-only.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  zumra dev
  zumra dev --listen 127.0.0.1:0 --fixtures shops.json

Format of a fixture file: zumra load --help")]
pub(crate) struct Command {
    /// Fixture file to load instead of the demo shop, - for standard input; its first merchant gets the tokens
    #[arg(long, value_name = "FILE")]
    fixtures: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

impl Command {
    pub(crate) fn run(self, command_line: &CommandLine) -> anyhow::Result<()> {
        let settings =
            config::settings(command_line, DatabaseOptions::default(), self.options, LogStyle::Pretty)?;
        let (mut shops, name) = match &self.fixtures {
            Some(file) => (load::read(file)?, load::display_name(file)),
            None => (fixture::parse(DEMO.as_bytes())?, "the demo shop".to_owned()),
        };
        let Some(shop_index) = assign_tokens(&mut shops)? else {
            return Err(Failure::usage(format!("{name}: the file has no merchants; add at least one")).into());
        };
        serve::start_logging(&settings)?;
        let directory = tempfile::Builder::new()
            .prefix("zumra-dev-")
            .tempdir()
            .context("cannot create a directory for the throwaway database")?;
        runtime()?.block_on(async {
            let listeners = serve::listen(&settings).await?;
            let stop = serve::shutdown_signal()?;
            let storage = database::open_file(&settings.sqlite_options(directory.path().join("dev.db")))?;
            let banner = Banner::new(&shops, shop_index);
            load::load(&Session::new(storage.clone()), shops, &name).await?;
            let address = listeners.public.local_addr()?;
            print(banner.text(&settings.app_options(address).public_url, address))?;
            serve::serve(&settings, storage, listeners, address, stop).await;
            Ok(())
        })
    }
}

/// Adds each fixed token to the first merchant, unless the fixture gives it to a merchant. Returns the index of the
/// merchant with the first token, or `None` if the fixture has no merchants.
fn assign_tokens(shops: &mut [MerchantFixture]) -> anyhow::Result<Option<usize>> {
    for (text, scopes) in TOKENS {
        let secret: TokenSecret = text.parse()?;
        if token_owner(shops, &secret).is_none()
            && let Some(first) = shops.first_mut()
        {
            let scopes = scopes.iter().copied().collect();
            first.tokens.push(NewToken { hash: secret.hash(), scopes, expires_at: None });
        }
    }
    Ok(token_owner(shops, &TOKENS[0].0.parse()?))
}

/// Returns the index of the merchant that has a token.
fn token_owner(shops: &[MerchantFixture], secret: &TokenSecret) -> Option<usize> {
    shops.iter().position(|shop| shop.tokens.iter().any(|token| token.hash == secret.hash()))
}

/// The text that is printed when the service listens.
struct Banner {
    /// Id and name of the merchant of the example.
    shop: String,
    /// One line for each group, up to a limit.
    groups: Vec<String>,
    customers: String,
    /// Number of other merchants.
    others: usize,
    /// The fixed tokens with the scopes that the fixture or this program gives them.
    tokens: Vec<(&'static str, Scopes)>,
    example: Example,
}

/// The suggested request.
enum Example {
    AddCustomers(GroupId, Vec<CustomerId>),
    ListCustomers,
}

impl Example {
    /// Suggests adding two customers to the first group, preferably customers who are not members yet. Suggests listing
    /// customers if the merchant has no groups or no customers.
    fn new(shop: &MerchantFixture) -> Self {
        let Some(group) = shop.groups.first().filter(|_| !shop.customers.is_empty()) else {
            return Self::ListCustomers;
        };
        let (members, others): (Vec<_>, Vec<_>) =
            shop.customers.iter().partition(|(_, groups)| groups.contains(&group.id));
        let customers = others.into_iter().chain(members).take(2).map(|(customer, _)| customer.id).collect();
        Self::AddCustomers(group.id, customers)
    }

    fn curl(&self, public_url: &str) -> String {
        let url = format!("{public_url}/admin/v2/customers");
        let token = format!("-H 'Authorization: Bearer {}'", TOKENS[0].0);
        match self {
            Self::ListCustomers => format!("curl -sS '{url}' {token}"),
            Self::AddCustomers(group, customers) => {
                let customers: Vec<_> = customers.iter().map(CustomerId::to_string).collect();
                let body = format!(r#"{{"group_id":{group},"customers":[{}]}}"#, customers.join(","));
                let json = "-H 'Content-Type: application/json'";
                format!("curl -sS '{url}/groups/add_customers' {token} {json} -d '{body}'")
            }
        }
    }
}

impl Banner {
    fn new(shops: &[MerchantFixture], shop_index: usize) -> Self {
        const GROUP_LIMIT: usize = 10;
        let others = shops.len() - 1;
        let scopes = |text: &str| {
            let hash = text.parse::<TokenSecret>().ok()?.hash();
            shops
                .iter()
                .flat_map(|shop| &shop.tokens)
                .find(|token| token.hash == hash)
                .map(|token| token.scopes)
        };
        let tokens = TOKENS.iter().filter_map(|(text, _)| Some((*text, scopes(text)?))).collect();
        let shop = &shops[shop_index];
        let width = shop.groups.iter().map(|group| group.id.to_string().len()).max().unwrap_or_default();
        let line = |group: &Group| format!("{:<width$}  {}", group.id.get(), group.name);
        let mut groups: Vec<_> = shop.groups.iter().take(GROUP_LIMIT).map(line).collect();
        if shop.groups.len() > GROUP_LIMIT {
            groups.push(format!("and {} more", shop.groups.len() - GROUP_LIMIT));
        }
        let ids: Vec<_> =
            shop.customers.iter().take(3).map(|(customer, _)| customer.id.to_string()).collect();
        let customers = match shop.customers.len() {
            0 => "none".to_owned(),
            count if count == ids.len() => ids.join(", "),
            count => format!("{} and {} more", ids.join(", "), count - ids.len()),
        };
        let shop_line = format!("{}  {}", shop.merchant.id, shop.merchant.name);
        Self { shop: shop_line, groups, customers, others, tokens, example: Example::new(shop) }
    }

    fn text(&self, public_url: &str, address: SocketAddr) -> String {
        let mut lines = vec![
            ("API", format!("{public_url}/admin/v2")),
            ("Docs", format!("{public_url}/docs")),
            ("", String::new()),
            ("Shop", self.shop.clone()),
        ];
        if self.others > 0 {
            lines.push(("", format!("and {}", format_count(self.others, "other merchant"))));
        }
        let labels = std::iter::once("Groups").chain(std::iter::repeat(""));
        lines.extend(labels.zip(self.groups.iter().cloned()));
        lines.push(("Customers", self.customers.clone()));
        lines.push(("", String::new()));
        let labels = std::iter::once("Tokens").chain(std::iter::repeat(""));
        lines.extend(labels.zip(self.tokens.iter().map(|(token, scopes)| format!("{token:<26}  {scopes}"))));

        let mut text =
            format!("Zumra {}, a throwaway service for development\n\n", env!("CARGO_PKG_VERSION"));
        // Writing to a String cannot fail.
        for (label, line) in lines {
            let _ = writeln!(text, "{}", format!("  {label:<9}  {line}").trim_end());
        }
        if !address.ip().is_loopback() {
            let _ = writeln!(
                text,
                "\nWarning: {address} can be reached from other hosts, and these tokens are public."
            );
        }
        let curl = self.example.curl(public_url);
        let _ = writeln!(text, "\nTry it:\n\n{curl}\n\nStop with Ctrl-C. The database is deleted on exit.");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shops(json: &str) -> Vec<MerchantFixture> {
        fixture::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn demo_shop_has_the_ids_that_the_documentation_uses() {
        let mut shops = shops(DEMO);
        assert_eq!(assign_tokens(&mut shops).unwrap(), Some(0));
        assert_eq!(shops[0].merchant.id.get(), 1_305_146_709);
        let curl = Example::new(&shops[0]).curl("http://127.0.0.1:8723");
        assert!(
            curl.ends_with(r#"-d '{"group_id":667738032,"customers":[447121768,1761729493]}'"#),
            "{curl}"
        );
        let emails = shops[0].customers.iter().filter_map(|(customer, _)| customer.email.as_ref());
        assert!(emails.into_iter().all(|email| email.as_str().ends_with("@example.com")));
    }

    #[test]
    fn fixture_may_assign_the_fixed_tokens() {
        let mut shops = shops(
            r#"{"merchants":[{"id":1,"name":"a"},{"id":2,"name":"b","tokens":[
                {"token":"zumra-dev-token-read-write","scopes":["customers.read"]}]}]}"#,
        );
        assert_eq!(assign_tokens(&mut shops).unwrap(), Some(1));
        assert_eq!((shops[0].tokens.len(), shops[1].tokens.len()), (1, 1));
        let text = Banner::new(&shops, 1).text("http://127.0.0.1:1", "127.0.0.1:1".parse().unwrap());
        assert!(text.contains("zumra-dev-token-read-write  customers.read\n"), "{text}");
        assert!(text.contains("curl -sS 'http://127.0.0.1:1/admin/v2/customers' -H"), "{text}");
        assert!(!text.contains("Warning"));
    }

    #[test]
    fn public_listen_address_prints_a_warning() {
        let mut shops = shops(r#"{"merchants":[{"id":1,"name":"a"}]}"#);
        let shop_index = assign_tokens(&mut shops).unwrap().unwrap();
        let text = Banner::new(&shops, shop_index).text("http://0.0.0.0:1", "0.0.0.0:1".parse().unwrap());
        assert!(text.contains("\nWarning: 0.0.0.0:1 can be reached"), "{text}");
    }
}
