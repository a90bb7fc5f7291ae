//! The URL of a shop, for links in responses.

use zumra_core::Merchant;

/// Returns the base URL of a shop. Without a domain, the URL has a host below `.example`, which never resolves.
pub(crate) fn store_url(merchant: &Merchant) -> String {
    let domain = merchant.domain.as_ref().map(|domain| domain.as_str().to_owned());
    domain.unwrap_or_else(|| format!("https://{}.example", merchant.id))
}
