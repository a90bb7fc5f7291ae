//! HTTP requests of the Merchant API.

use std::io::Write;

use crate::installation::{CUSTOMERS, token};
use crate::workloads::{Request, Workload};

/// A writer of the requests of a workload. The lists of ids are formatted once: formatting a thousand numbers per
/// request would cost more than everything else that the generator does.
pub(crate) struct RequestWriter<'a> {
    workload: &'a Workload,
    /// The id lists of a workload with fixed lists, in the order of their first id; otherwise empty.
    id_lists: Vec<String>,
}

impl<'a> RequestWriter<'a> {
    pub(crate) fn new(workload: &'a Workload) -> Self {
        let mut id_lists = Vec::new();
        if workload.has_fixed_lists() {
            for index in 0..CUSTOMERS / workload.size {
                let first = 1 + index * workload.size;
                id_lists.push(id_list(first, workload.size, workload.expected_status() == 422));
            }
        }
        Self { workload, id_lists }
    }

    /// Appends the request with a number. Returns the expected status of its response.
    pub(crate) fn write(&self, number: u64, buffer: &mut Vec<u8>) -> u16 {
        let request = self.workload.request(number);
        let list_index = match request {
            Request::Add { first, count, .. } => usize::try_from((first - 1) / count).ok(),
            _ => None,
        };
        match list_index.and_then(|index| self.id_lists.get(index)) {
            Some(ids) => write_with_ids(request, ids, buffer),
            None => write(request, buffer),
        }
        self.workload.expected_status()
    }
}

/// Appends a request.
pub(crate) fn write(request: Request, buffer: &mut Vec<u8>) {
    let ids = match request {
        Request::Add { first, count, is_last_missing, .. } => id_list(first, count, is_last_missing),
        _ => String::new(),
    };
    write_with_ids(request, &ids, buffer);
}

/// Appends a GET request.
pub(crate) fn write_get(merchant: i64, path: &str, buffer: &mut Vec<u8>) {
    write_head(merchant, "GET", path, buffer);
    buffer.extend_from_slice(b"\r\n");
}

fn write_with_ids(request: Request, ids: &str, buffer: &mut Vec<u8>) {
    match request {
        Request::Add { merchant, group, .. } => {
            write_head(merchant, "POST", "customers/groups/add_customers", buffer);
            let group = group.to_string();
            let length = r#"{"group_id":,"customers":[]}"#.len() + group.len() + ids.len();
            // Writing to a vector cannot fail.
            let _ = write!(
                buffer,
                "Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{{\"group_id\":{group},\"customers\":[{ids}]}}"
            );
        }
        Request::Customer { merchant, customer } => {
            write_get(merchant, &format!("customers/{customer}"), buffer);
        }
        Request::Customers { merchant } => write_get(merchant, "customers", buffer),
        Request::Groups { merchant } => write_get(merchant, "customers/groups", buffer),
    }
}

/// Appends the request line and the headers of all requests, without the blank line.
fn write_head(merchant: i64, method: &str, path: &str, buffer: &mut Vec<u8>) {
    let token = token(merchant);
    // Writing to a vector cannot fail.
    let _ = write!(
        buffer,
        "{method} /admin/v2/{path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
    );
}

/// Returns `count` contiguous ids separated by commas. If `is_last_missing`, the last is `i64::MAX`, which
/// does not exist.
pub(crate) fn id_list(first: i64, count: i64, is_last_missing: bool) -> String {
    let mut ids: Vec<String> = (first..first + count).map(|id| id.to_string()).collect();
    if is_last_missing && let Some(last) = ids.last_mut() {
        *last = i64::MAX.to_string();
    }
    ids.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::WORKLOADS;

    #[test]
    fn cached_id_lists_do_not_change_requests() {
        for workload in WORKLOADS {
            let writer = RequestWriter::new(workload);
            for number in [0, 1, 7, 123_456] {
                let (mut cached, mut formatted) = (Vec::new(), Vec::new());
                writer.write(number, &mut cached);
                write(workload.request(number), &mut formatted);
                assert_eq!(String::from_utf8(cached), String::from_utf8(formatted));
            }
        }
        let mut bytes = Vec::new();
        write(Request::Add { merchant: 1, group: 2, first: 3, count: 2, is_last_missing: false }, &mut bytes);
        assert!(bytes.ends_with(b"Content-Length: 32\r\n\r\n{\"group_id\":2,\"customers\":[3,4]}"));
    }
}
