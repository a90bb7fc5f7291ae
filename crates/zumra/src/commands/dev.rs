//! `zumra dev`: the service with a throwaway database, a demo merchant and fixed tokens.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use serde::Deserialize;
use zumra_core::fixture::{self, MerchantFixture};
use zumra_core::{CustomerId, Group, GroupId, MerchantId, NewToken, Scope, Scopes, TokenSecret};
use zumra_storage::GroupSelector;

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
        let (json, mut shops, name) = match &self.fixtures {
            Some(file) => {
                let json = load::read_bytes(file)?;
                let shops = load::parse(&json, file)?;
                (json, shops, load::display_name(file))
            }
            None => (DEMO.into(), fixture::parse(DEMO.as_bytes())?, "the demo shop".to_owned()),
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
            let file = directory.path().join("dev.db");
            let storage = database::open_file(&settings.sqlite_options(file), |_| {})?;
            let mut banner = Banner::new(&shops, shop_index, &secrets(&json)?);
            let merchant = shops[shop_index].merchant.id;
            load::load(&Session::new(storage.clone()), shops, &name).await?;
            banner.default_group = storage.find_group(merchant, GroupSelector::Default).await?;
            let address = listeners.public.local_addr()?;
            let mut options = settings.app_options(address);
            options.shown_tokens = TOKENS.map(|(text, _)| text.to_owned()).into();
            print(banner.text(&options.public_url, address))?;
            serve::serve(options, storage, listeners, stop).await;
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

/// Returns the secrets of the tokens in a fixture file, in its order. A parsed file has only their hashes.
fn secrets(json: &[u8]) -> anyhow::Result<Vec<String>> {
    #[derive(Deserialize)]
    struct File {
        merchants: Vec<Merchant>,
    }
    #[derive(Deserialize)]
    struct Merchant {
        #[serde(default)]
        tokens: Vec<Token>,
    }
    #[derive(Deserialize)]
    struct Token {
        token: String,
    }
    let file: File = serde_json::from_slice(json)?;
    let tokens = file.merchants.into_iter().flat_map(|merchant| merchant.tokens);
    Ok(tokens.map(|token| token.token).collect())
}

/// Returns the index of the merchant that has a token.
fn token_owner(shops: &[MerchantFixture], secret: &TokenSecret) -> Option<usize> {
    shops.iter().position(|shop| shop.tokens.iter().any(|token| token.hash == secret.hash()))
}

/// The text that is printed when the service listens.
struct Banner {
    /// Id and name of the merchant of the example.
    shop: String,
    /// The groups of the file.
    groups: Vec<(GroupId, String)>,
    /// The group that new customers join. Loading creates it if the file names none.
    default_group: Option<Group>,
    customers: String,
    /// Number of other merchants.
    others: usize,
    /// The fixed tokens and those of the file.
    tokens: Vec<TokenLine>,
    example: Example,
}

/// A token of the banner.
struct TokenLine {
    secret: String,
    /// The scopes that the fixture or this program gives it.
    scopes: Scopes,
    /// Its merchant, unless that is the merchant of the example.
    other_merchant: Option<MerchantId>,
}

impl TokenLine {
    /// Returns the lines of the fixed tokens and of `secrets`, each token once.
    fn all(shops: &[MerchantFixture], shop_index: usize, secrets: &[String]) -> Vec<Self> {
        let fixed = TOKENS.iter().map(|(text, _)| *text);
        let others = secrets.iter().map(String::as_str);
        let others = others.filter(|secret| TOKENS.iter().all(|(text, _)| text != secret));
        let line = |secret: &str| {
            let parsed: TokenSecret = secret.parse().ok()?;
            let owner = token_owner(shops, &parsed)?;
            let token = shops[owner].tokens.iter().find(|token| token.hash == parsed.hash())?;
            Some(Self {
                secret: secret.to_owned(),
                scopes: token.scopes,
                other_merchant: (owner != shop_index).then(|| shops[owner].merchant.id),
            })
        };
        fixed.chain(others).filter_map(line).collect()
    }
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
            shop.customers.iter().partition(|customer| customer.groups.contains(&group.id));
        let customers = others.into_iter().chain(members).take(2).map(|customer| customer.id).collect();
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
    fn new(shops: &[MerchantFixture], shop_index: usize, secrets: &[String]) -> Self {
        let others = shops.len() - 1;
        let tokens = TokenLine::all(shops, shop_index, secrets);
        let shop = &shops[shop_index];
        let groups = shop.groups.iter().map(|group| (group.id, group.name.to_string())).collect();
        let ids: Vec<_> = shop.customers.iter().take(3).map(|customer| customer.id.to_string()).collect();
        let customers = match shop.customers.len() {
            0 => "none".to_owned(),
            count if count == ids.len() => ids.join(", "),
            count => format!("{} and {} more", ids.join(", "), count - ids.len()),
        };
        let shop_line = format!("{}  {}", shop.merchant.id, shop.merchant.name);
        let example = Example::new(shop);
        Self { shop: shop_line, groups, default_group: None, customers, others, tokens, example }
    }

    /// Returns one line for each group, up to a limit. The default group is the first, because the next customer joins it.
    fn group_lines(&self) -> Vec<String> {
        let default = self.default_group.as_ref();
        let is_default = |id: GroupId| default.is_some_and(|group| group.id == id);
        let first = default.map(|group| (group.id, format!("{} (every new customer joins it)", group.name)));
        let others = self.groups.iter().filter(|(id, _)| !is_default(*id)).cloned();
        let groups: Vec<_> = first.into_iter().chain(others).collect();
        let width = groups.iter().map(|(id, _)| id.to_string().len()).max().unwrap_or_default();
        limited(groups.into_iter().map(|(id, name)| format!("{:<width$}  {name}", id.get())).collect())
    }

    fn token_lines(&self) -> Vec<String> {
        let width = self.tokens.iter().map(|token| token.secret.len()).max().unwrap_or_default();
        let line = |TokenLine { secret, scopes, other_merchant }: &TokenLine| {
            let owner = other_merchant.map(|id| format!("  (merchant {id})")).unwrap_or_default();
            format!("{secret:<width$}  {scopes}{owner}")
        };
        limited(self.tokens.iter().map(line).collect())
    }

    fn text(&self, public_url: &str, address: SocketAddr) -> String {
        let mut lines = vec![
            ("API", format!("{public_url}/admin/v2")),
            ("Docs", format!("{public_url}/docs  (the first token is filled in)")),
            ("", String::new()),
            ("Shop", self.shop.clone()),
        ];
        if self.others > 0 {
            lines.push(("", format!("and {}", format_count(self.others, "other merchant"))));
        }
        let labels = std::iter::once("Groups").chain(std::iter::repeat(""));
        lines.extend(labels.zip(self.group_lines()));
        lines.push(("Customers", self.customers.clone()));
        lines.push(("", String::new()));
        let labels = std::iter::once("Tokens").chain(std::iter::repeat(""));
        lines.extend(labels.zip(self.token_lines()));

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

/// Returns at most ten lines and, if there are more, one that says how many.
fn limited(mut lines: Vec<String>) -> Vec<String> {
    const LIMIT: usize = 10;
    if lines.len() > LIMIT {
        let more = lines.len() - LIMIT;
        lines.truncate(LIMIT);
        lines.push(format!("and {more} more"));
    }
    lines
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
        let emails = shops[0].customers.iter().filter_map(|customer| customer.details.email.as_ref());
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
        let text = Banner::new(&shops, 1, &[]).text("http://127.0.0.1:1", "127.0.0.1:1".parse().unwrap());
        assert!(text.contains("zumra-dev-token-read-write  customers.read\n"), "{text}");
        assert!(text.contains("curl -sS 'http://127.0.0.1:1/admin/v2/customers' -H"), "{text}");
        assert!(!text.contains("Warning"));
    }

    #[test]
    fn public_listen_address_prints_a_warning() {
        let mut shops = shops(r#"{"merchants":[{"id":1,"name":"a"}]}"#);
        let shop_index = assign_tokens(&mut shops).unwrap().unwrap();
        let text =
            Banner::new(&shops, shop_index, &[]).text("http://0.0.0.0:1", "0.0.0.0:1".parse().unwrap());
        assert!(text.contains("\nWarning: 0.0.0.0:1 can be reached"), "{text}");
    }
}
