//! What is asked, as requests of the Merchant API.

use std::io::Write;

use crate::installation::{CUSTOMERS, token};
use crate::workloads::{Ask, Workload};

/// Writes the requests of a workload. The lists of ids are written once: writing a thousand numbers for every request would
/// cost more than everything else that the generator does.
pub(crate) struct Writer<'a> {
    workload: &'a Workload,
    pieces: Vec<String>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(workload: &'a Workload) -> Self {
        let mut pieces = Vec::new();
        if workload.adds_pieces() {
            for piece in 0..CUSTOMERS / workload.size {
                let first = 1 + piece * workload.size;
                pieces.push(ids(first, workload.size, workload.status() == 422));
            }
        }
        Self { workload, pieces }
    }

    /// Appends the request with a number. The status that its answer must have.
    pub(crate) fn write(&self, number: u64, to: &mut Vec<u8>) -> u16 {
        let ask = self.workload.ask(number);
        let piece = match ask {
            Ask::Add { first, count, .. } => usize::try_from((first - 1) / count).ok(),
            _ => None,
        };
        match piece.and_then(|piece| self.pieces.get(piece)) {
            Some(ids) => write_with(ask, ids, to),
            None => write(ask, to),
        }
        self.workload.status()
    }
}

/// Appends a request.
pub(crate) fn write(ask: Ask, to: &mut Vec<u8>) {
    let ids =
        if let Ask::Add { first, count, bad, .. } = ask { ids(first, count, bad) } else { String::new() };
    write_with(ask, &ids, to);
}

/// Appends a request for something that has no body.
pub(crate) fn get(merchant: i64, path: &str, to: &mut Vec<u8>) {
    head(merchant, "GET", path, to);
    to.extend_from_slice(b"\r\n");
}

fn write_with(ask: Ask, ids: &str, to: &mut Vec<u8>) {
    match ask {
        Ask::Add { merchant, group, .. } => {
            head(merchant, "POST", "customers/groups/add_customers", to);
            let group = group.to_string();
            let length = r#"{"group_id":,"customers":[]}"#.len() + group.len() + ids.len();
            // Writing to a vector cannot fail.
            let _ = write!(
                to,
                "Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{{\"group_id\":{group},\"customers\":[{ids}]}}"
            );
        }
        Ask::Customer { merchant, customer } => get(merchant, &format!("customers/{customer}"), to),
        Ask::Customers { merchant } => get(merchant, "customers", to),
        Ask::Groups { merchant } => get(merchant, "customers/groups", to),
    }
}

fn head(merchant: i64, method: &str, path: &str, to: &mut Vec<u8>) {
    let token = token(merchant);
    // Writing to a vector cannot fail.
    let _ =
        write!(to, "{method} /admin/v2/{path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n");
}

/// The customers of a request, with commas between them; a bad one at the end if wanted.
pub(crate) fn ids(first: i64, count: i64, bad: bool) -> String {
    let mut ids: Vec<String> = (first..first + count).map(|id| id.to_string()).collect();
    if bad && let Some(last) = ids.last_mut() {
        *last = i64::MAX.to_string();
    }
    ids.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::WORKLOADS;

    #[test]
    fn a_request_is_the_same_with_and_without_its_piece() {
        for workload in WORKLOADS {
            let writer = Writer::new(workload);
            for number in [0, 1, 7, 123_456] {
                let (mut one, mut other) = (Vec::new(), Vec::new());
                writer.write(number, &mut one);
                write(workload.ask(number), &mut other);
                assert_eq!(String::from_utf8(one), String::from_utf8(other));
            }
        }
        let mut bytes = Vec::new();
        write(Ask::Add { merchant: 1, group: 2, first: 3, count: 2, bad: false }, &mut bytes);
        assert!(bytes.ends_with(b"Content-Length: 32\r\n\r\n{\"group_id\":2,\"customers\":[3,4]}"));
    }
}
