//! In what the peers differ: their requests, their tables, how fast they are about.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::http::{self, Answer};
use crate::workloads::Ask;

/// The administrator that `set-up` makes.
const USER: &str = "admin@example.com";
const PASSWORD: &str = "benchmark";

/// A peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    Medusa,
    Vendure,
}

impl Product {
    pub(super) const ALL: [Self; 2] = [Self::Medusa, Self::Vendure];

    /// The word for it in the scripts; its database is called so too.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Medusa => "medusa",
            Self::Vendure => "vendure",
        }
    }

    /// What additions write: the table of memberships, and what else must be empty for the next workload.
    pub(super) fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Medusa => &["customer_group_customer"],
            Self::Vendure => &["customer_groups_customer_group", "history_entry"],
        }
    }

    /// Requests that take one process five to ten seconds; of ten thousand customers a single one is a run.
    pub(super) fn requests(self, size: i64) -> u64 {
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

    /// The version that is installed.
    pub(super) fn version(self, folder: &Path) -> anyhow::Result<String> {
        let package = match self {
            Self::Medusa => "medusa/node_modules/@medusajs/medusa/package.json",
            Self::Vendure => "vendure/node_modules/@vendure/core/package.json",
        };
        let text = std::fs::read(folder.join(package)).with_context(|| format!("{package} is not there"))?;
        let package: Value = serde_json::from_slice(&text)?;
        Ok(package["version"].as_str().context("a package without a version")?.to_owned())
    }

    /// The request that logs in, after which the connection ends.
    pub(super) fn login(self) -> Vec<u8> {
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
        http::post(path, "Connection: close\r\n", &body.to_string(), &mut request);
        request
    }

    /// Who we are from now on, from the answer to [`login`](Self::login).
    pub(super) fn token(self, answer: &Answer) -> Option<String> {
        match self {
            Self::Medusa => {
                let body: Value = serde_json::from_str(&answer.body).ok()?;
                Some(body.get("token")?.as_str()?.to_owned())
            }
            Self::Vendure => answer.header("vendure-auth-token").map(str::to_owned),
        }
    }

    /// Appends a request that adds customers; nothing else is asked of peers.
    pub(super) fn write(self, ask: Ask, token: &str, to: &mut Vec<u8>) {
        let Ask::Add { group, first, count, .. } = ask else { return };
        let authorization = format!("Authorization: Bearer {token}\r\n");
        let mut body = String::new();
        let mut ids = |before: &str, digits: usize| {
            for id in first..first + count {
                let comma = if id == first { "" } else { "," };
                // Writing to a string cannot fail.
                let _ = write!(body, "{comma}\"{before}{id:0digits$}\"");
            }
        };
        match self {
            Self::Medusa => {
                ids("cus_", 26);
                let path = format!("/admin/customer-groups/cusgroup_{group:026}/customers");
                http::post(&path, &authorization, &format!(r#"{{"add":[{body}]}}"#), to);
            }
            Self::Vendure => {
                ids("", 0);
                let body = format!(
                    r#"{{"query":"mutation($g:ID!,$c:[ID!]!){{addCustomersToGroup(customerGroupId:$g,customerIds:$c){{id}}}}","variables":{{"g":"{group}","c":[{body}]}}}}"#
                );
                http::post("/admin-api", &authorization, &body, to);
            }
        }
    }
}

/// Requests before the first run, by which one process has compiled what it uses. Ten thousand customers are asked for
/// last, and take so long that it does not matter.
pub(super) fn warm_up(size: i64) -> u64 {
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
        let ask = Ask::Add { merchant: 1, group: 7, first: 3, count: 2, bad: false };
        product.write(ask, "abc", &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn requests_are_what_the_peers_understand() {
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
