//! The differences between the products: requests, tables, and the number of requests of a run.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::http::{self, Response};
use crate::workloads::Request;

/// The administrator that `set-up` creates.
const USER: &str = "admin@example.com";
const PASSWORD: &str = "benchmark";
/// Digits of an id in Medusa, after the prefix.
const MEDUSA_ID_DIGITS: usize = 26;

/// A product that the service is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    Medusa,
    Vendure,
}

impl Product {
    pub(super) const ALL: [Self; 2] = [Self::Medusa, Self::Vendure];

    /// Returns the product's name in the scripts, which is also the name of its database.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Medusa => "medusa",
            Self::Vendure => "vendure",
        }
    }

    /// Returns the table with one row per membership.
    pub(super) fn membership_table(self) -> &'static str {
        self.tables()[0]
    }

    /// Returns the tables that add requests write to. They are truncated before each workload.
    pub(super) fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Medusa => &["customer_group_customer"],
            Self::Vendure => &["customer_groups_customer_group", "history_entry"],
        }
    }

    /// Returns the number of requests that take one process five to ten seconds; for 10,000 customers, one
    /// request.
    pub(super) fn requests_per_run(self, size: i64) -> u64 {
        match (self, size) {
            (Self::Medusa, 1) => 1500,
            (Self::Medusa, 100) => 480,
            (Self::Medusa, 1000) => 64,
            (Self::Vendure, 1) => 2200,
            (Self::Vendure, 100) => 220,
            (Self::Vendure, 1000) => 14,
            _ => 1,
        }
    }

    /// Returns the installed version.
    pub(super) fn version(self, directory: &Path) -> anyhow::Result<String> {
        let package = match self {
            Self::Medusa => "medusa/node_modules/@medusajs/medusa/package.json",
            Self::Vendure => "vendure/node_modules/@vendure/core/package.json",
        };
        let text =
            std::fs::read(directory.join(package)).with_context(|| format!("cannot read {package}"))?;
        let value: Value = serde_json::from_slice(&text)?;
        Ok(value["version"].as_str().with_context(|| format!("{package} has no version"))?.to_owned())
    }

    /// Returns a login request that closes the connection.
    pub(super) fn login_request(self) -> Vec<u8> {
        let (path, body) = match self {
            Self::Medusa => ("/auth/user/emailpass", json!({"email": USER, "password": PASSWORD})),
            Self::Vendure => (
                "/admin-api",
                json!({
                    "query": "mutation($u:String!,$p:String!){login(username:$u,password:$p){__typename}}",
                    "variables": {"u": USER, "p": PASSWORD},
                }),
            ),
        };
        let mut request = Vec::new();
        http::write_post(path, "Connection: close\r\n", &body.to_string(), &mut request);
        request
    }

    /// Returns the token from the response to [`login_request`](Self::login_request).
    pub(super) fn token(self, response: &Response) -> Option<String> {
        match self {
            Self::Medusa => {
                let body: Value = serde_json::from_str(&response.body).ok()?;
                Some(body.get("token")?.as_str()?.to_owned())
            }
            Self::Vendure => response.header("vendure-auth-token").map(str::to_owned),
        }
    }

    /// Appends an add request. Writes nothing for other requests, which the products are not measured with.
    pub(super) fn write(self, request: Request, token: &str, buffer: &mut Vec<u8>) {
        let Request::Add { group, first, count, .. } = request else { return };
        let authorization = format!("Authorization: Bearer {token}\r\n");
        match self {
            Self::Medusa => {
                let ids = quoted_ids("cus_", MEDUSA_ID_DIGITS, first, count);
                let path = format!("/admin/customer-groups/cusgroup_{group:0MEDUSA_ID_DIGITS$}/customers");
                http::write_post(&path, &authorization, &format!(r#"{{"add":[{ids}]}}"#), buffer);
            }
            Self::Vendure => {
                let ids = quoted_ids("", 0, first, count);
                let body = format!(
                    r#"{{"query":"mutation($g:ID!,$c:[ID!]!){{addCustomersToGroup(customerGroupId:$g,customerIds:$c){{id}}}}","variables":{{"g":"{group}","c":[{ids}]}}}}"#
                );
                http::write_post("/admin-api", &authorization, &body, buffer);
            }
        }
    }
}

/// Returns contiguous ids as JSON strings separated by commas, each with the prefix and at least `digits`
/// digits.
fn quoted_ids(prefix: &str, digits: usize, first: i64, count: i64) -> String {
    let mut ids = String::new();
    for id in first..first + count {
        let separator = if id == first { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(ids, "{separator}\"{prefix}{id:0digits$}\"");
    }
    ids
}

/// Returns the number of warm-up requests per process, after which the JavaScript code in use is compiled.
/// The workload with 10,000 customers runs last and its requests take so long that it needs no warm-up.
pub(super) fn warm_up_requests(size: i64) -> u64 {
    match size {
        1 => 600,
        100 => 60,
        1000 => 8,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(product: Product) -> String {
        let mut bytes = Vec::new();
        let request = Request::Add { merchant: 1, group: 7, first: 3, count: 2, is_last_missing: false };
        product.write(request, "abc", &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn add_requests_have_the_format_of_each_product() {
        let medusa = written(Product::Medusa);
        assert!(medusa.starts_with(
            "POST /admin/customer-groups/cusgroup_00000000000000000000000007/customers HTTP/1.1\r\n"
        ));
        assert!(medusa.contains("\r\nAuthorization: Bearer abc\r\n"));
        assert!(medusa.ends_with(
            "\r\nContent-Length: 75\r\n\r\n\
             {\"add\":[\"cus_00000000000000000000000003\",\"cus_00000000000000000000000004\"]}"
        ));
        let vendure = written(Product::Vendure);
        assert!(vendure.starts_with("POST /admin-api HTTP/1.1\r\n"));
        let body: Value = serde_json::from_str(vendure.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(body["variables"], json!({"g": "7", "c": ["3", "4"]}));
    }
}
