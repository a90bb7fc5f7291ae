//! The memory that bodies take which are made of as many pieces as possible. `bench/hostile-bodies` measures many more.

use std::fs;

use super::{ADD, Installation, TOKEN};

const BODY_BYTES: usize = 4 << 20;
/// The promise: eight times the size of the body, and 1 MiB.
const MEMORY_MAX: usize = 8 * BODY_BYTES + (1 << 20);

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=B";

/// Returns `piece` repeated between `start` and `end`, about [`BODY_BYTES`] long.
fn body(start: &str, piece: &str, end: &str) -> String {
    let count = (BODY_BYTES - start.len() - end.len()) / piece.len();
    format!("{start}{}{end}", piece.repeat(count))
}

/// Returns a size in bytes from `/proc/<id>/status`: `VmRSS` is the present one, `VmHWM` the peak.
fn memory(id: u32, name: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() << 10
}

#[test]
fn no_body_takes_more_memory_than_eight_times_its_size() {
    let cases = [
        (413, JSON, body(r#"{"customers":["#, "1,", "1]}")),
        (422, JSON, body(r#"{"customers":["#, "447121768,", "1]}")),
        (413, JSON, body(r#"{"customers":["#, r#""x","#, "1]}")),
        (413, JSON, body(r#"{"customers":["#, r#"{"":[0]},"#, "1]}")),
        (422, JSON, body(r#"{"customers":{""#, "x", r#"":"y"}}"#)),
        (422, FORM, body("customers", "[a]", "=1")),
        (413, FORM, body("", "a[]&", "")),
        (413, FORM, body("", "a[][]&", "")),
        (422, FORM, body("", "%ff", "=1")),
        (413, MULTIPART, body("", "--B\ncontent-disposition:;name=a[][][]\n\n\n", "--B--")),
        (422, MULTIPART, body("--B\ncontent-disposition:;name=customers", "[a]", "\n\n1\n--B--")),
    ];
    let installation = Installation::new(1);
    for (status, content_type, body) in cases {
        // A process of its own for each body, because an allocator keeps memory that it has once got.
        let server = installation.serve(&["--limits-body-bytes", &BODY_BYTES.to_string()]);
        let head =
            format!("POST {ADD} HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: {content_type}");
        assert_eq!(server.send(&head, "").unwrap().0, 422);
        let before = memory(server.id(), "VmRSS:");
        let name = &body[..body.len().min(60)];
        assert_eq!(server.send(&head, &body).unwrap().0, status, "{content_type}: {name}");
        let used = memory(server.id(), "VmHWM:").saturating_sub(before);
        assert!(used <= MEMORY_MAX, "{content_type}: {name}: {used} bytes, not {MEMORY_MAX}");
    }
}
