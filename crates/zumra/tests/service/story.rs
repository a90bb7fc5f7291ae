//! One customer from beginning to end, and a large group that goes, with a kill after every step.

use serde_json::{Value, json};
use zumra_testkit::ServerProcess;

use super::postgres::Shared;
use super::{ADD, Installation, TOKEN};

const API: &str = "/admin/v2/customers";

/// A service that is killed and started again after each request.
struct Fragile<S> {
    start: S,
    server: Option<ServerProcess>,
}

impl<S: Fn() -> ServerProcess> Fragile<S> {
    fn new(start: S) -> Self {
        let server = Some(start());
        Self { start, server }
    }

    fn call(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let head = format!(
            "{method} {API}{path} HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json"
        );
        let server = self.server.take().unwrap();
        let (status, answer) = server.send(&head, &body).unwrap();
        server.kill_and_wait();
        self.server = Some((self.start)());
        (status, serde_json::from_str(&answer).unwrap())
    }

    /// What a customer shows: groups, whether banned, number.
    fn shown(&mut self, id: &Value) -> (Value, Value, Value) {
        let path = format!("/{id}?fields[]=is_blocked");
        let (status, answer) = self.call("GET", &path, &Value::Null);
        assert_eq!(status, 200, "{answer}");
        let data = &answer["data"];
        (data["groups"].clone(), data["is_blocked"].clone(), data["mobile"].clone())
    }
}

fn a_customer_lives(start: impl Fn() -> ServerProcess) {
    let mut service = Fragile::new(start);
    let (_, groups) = service.call("GET", "/groups", &Value::Null);
    let default =
        groups["data"].as_array().unwrap().iter().find(|group| group["id"] != 1).unwrap()["id"].clone();
    let second = service.call("POST", "/groups", &json!({"name": "second"})).1["data"]["id"].clone();
    let body = json!({"first_name": "سارة", "last_name": "ع", "mobile": "512345678", "mobile_code_country": "+966",
        "groups": [1, second.to_string()]});
    let (status, made) = service.call("POST", "", &body);
    assert_eq!(status, 200, "{made}");
    let id = made["data"]["id"].clone();
    let sorted = |mut ids: Vec<Value>| {
        ids.sort_by_key(Value::as_i64);
        Value::Array(ids)
    };
    let all = sorted(vec![json!(1), default.clone(), second.clone()]);
    assert_eq!(service.shown(&id), (all, json!(false), json!(512_345_678)));
    let change = json!({"mobile": "599999999", "groups": [second.to_string()]});
    assert_eq!(service.call("PUT", &format!("/{id}"), &change).0, 200);
    let moved = sorted(vec![default, second]);
    assert_eq!(service.shown(&id), (moved.clone(), json!(false), json!(599_999_999)));
    assert_eq!(service.call("PUT", &format!("/blacklist/{id}"), &json!({"reason": "x"})).0, 201);
    assert_eq!(service.shown(&id), (moved.clone(), json!(true), json!(599_999_999)));
    assert_eq!(service.call("DELETE", &format!("/blacklist/{id}"), &Value::Null).0, 202);
    assert_eq!(service.shown(&id).1, json!(false));
    let found = service.call("GET", "?keyword=0599999999", &Value::Null).1;
    assert_eq!((&found["pagination"]["total"], &found["data"][0]["id"]), (&json!(1), &id));
    assert_eq!(service.call("DELETE", &format!("/{id}"), &Value::Null).0, 200);
    assert_eq!(service.call("GET", &format!("/{id}"), &Value::Null).0, 404);
    assert_eq!(service.call("GET", "?keyword=0599999999", &Value::Null).1["pagination"]["total"], 0);
}

#[test]
fn a_customer_lives_through_restarts_on_a_file() {
    let installation = Installation::new(2);
    a_customer_lives(|| installation.serve(&[]));
}

#[test]
fn a_customer_lives_through_restarts_on_a_server() {
    let shared = Shared::new(2);
    a_customer_lives(|| shared.serve());
}

#[test]
fn an_import_that_is_killed_goes_on_after_the_restart() {
    const ROWS: i64 = 20_000;
    let installation = Installation::new(1);
    let mut body =
        "--line\r\nContent-Disposition: form-data; name=\"file\"; filename=\"c.csv\"\r\n\r\nname,mobile\n"
            .to_owned();
    body.extend((1..=ROWS).map(|i| format!("c{i},{}\n", 500_000_000 + i)));
    body += "\r\n--line--\r\n";
    let server = installation.serve(&[]);
    let head = format!(
        "POST {API}/import HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: multipart/form-data; boundary=line"
    );
    assert_eq!(server.send(&head, &body).unwrap().0, 200);
    let file = rusqlite::Connection::open(installation.database()).unwrap();
    let number = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    while number("SELECT row_count FROM imports") < 1000 {}
    server.kill_and_wait();
    let before = number("SELECT row_count FROM imports");
    assert!(before < ROWS && number("SELECT count(*) FROM customers") == before, "{before} rows are done");
    // The lease of the one that was killed lasts a while longer; nobody waits for that here.
    file.execute_batch("UPDATE imports SET lease_until = 0").unwrap();
    let server = installation.serve(&[]);
    while number("SELECT finished_at IS NULL FROM imports") == 1 {}
    assert_eq!(number("SELECT customers FROM imports"), ROWS);
    assert_eq!(number("SELECT count(*) FROM customers"), ROWS + 1);
    assert_eq!(number("SELECT count(DISTINCT mobile) FROM customers"), ROWS);
    assert_eq!(server.terminate_and_wait(), Some(0));
}

#[test]
fn a_large_group_that_goes_is_swept_after_a_restart() {
    const MEMBERS: i64 = 20_000;
    let installation = Installation::new(MEMBERS);
    let server = installation.serve(&[]);
    for first in [1, 10_001] {
        let customers: Vec<_> = (first..first + 10_000).collect();
        let body = json!({"group_id": 1, "customers": customers});
        assert_eq!(server.post(ADD, TOKEN, &body).unwrap().0, 200);
    }
    let head = format!("DELETE {API}/groups/1 HTTP/1.1\r\nAuthorization: Bearer {TOKEN}");
    assert_eq!(server.send(&head, "").unwrap().0, 202);
    server.kill_and_wait();
    let server = installation.serve(&[]);
    let shown = server.get(&format!("{API}/7"), TOKEN).unwrap().1;
    assert!(shown.contains(r#""groups":[]"#), "{shown}");
    // It goes on by itself; how far it is, the file says.
    let file = rusqlite::Connection::open(installation.database()).unwrap();
    let left = "SELECT (SELECT count(*) FROM memberships), (SELECT count(*) FROM past_memberships),
                       (SELECT count(*) FROM groups WHERE id = 1)";
    let left = || file.query_row(left, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    while left() != (0, MEMBERS, 0) {}
    assert_eq!(server.terminate_and_wait(), Some(0));
}
