//! The lifecycle of a customer, an import and the deletion of a large group, with a kill between the steps.

use serde_json::{Value, json};
use zumra_testkit::{DEADLINE, ServerProcess, eventually};

use super::postgres::SharedDatabase;
use super::{ADD, Installation, TOKEN};

const API: &str = "/admin/v2/customers";

/// A service that is killed and restarted after each request.
struct RestartedService<S> {
    start: S,
    server: Option<ServerProcess>,
}

impl<S: Fn() -> ServerProcess> RestartedService<S> {
    fn new(start: S) -> Self {
        let server = Some(start());
        Self { start, server }
    }

    /// Sends a request with a JSON body. Returns the status and the JSON of the response.
    fn request(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let head = format!(
            "{method} {API}{path} HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json"
        );
        let server = self.server.take().unwrap();
        let (status, response) = server.send(&head, &body).unwrap();
        server.kill();
        self.server = Some((self.start)());
        (status, serde_json::from_str(&response).unwrap())
    }

    /// Returns the groups, the ban and the mobile number of a customer.
    fn customer(&mut self, id: &Value) -> (Value, Value, Value) {
        let path = format!("/{id}?fields[]=is_blocked");
        let (status, response) = self.request("GET", &path, &Value::Null);
        assert_eq!(status, 200, "{response}");
        let data = &response["data"];
        (data["groups"].clone(), data["is_blocked"].clone(), data["mobile"].clone())
    }
}

fn test_customer_lifecycle(start: impl Fn() -> ServerProcess) {
    let mut service = RestartedService::new(start);
    let (_, groups) = service.request("GET", "/groups", &Value::Null);
    let default_group =
        groups["data"].as_array().unwrap().iter().find(|group| group["id"] != 1).unwrap()["id"].clone();
    let second_group = service.request("POST", "/groups", &json!({"name": "second"})).1["data"]["id"].clone();
    let body = json!({"first_name": "سارة", "last_name": "ع", "mobile": "512345678", "mobile_code_country": "+966",
        "groups": [1, second_group.to_string()]});
    let (status, created) = service.request("POST", "", &body);
    assert_eq!(status, 200, "{created}");
    let id = created["data"]["id"].clone();
    let sorted = |mut ids: Vec<Value>| {
        ids.sort_by_key(Value::as_i64);
        Value::Array(ids)
    };
    let all = sorted(vec![json!(1), default_group.clone(), second_group.clone()]);
    assert_eq!(service.customer(&id), (all, json!(false), json!(512_345_678)));
    let change = json!({"mobile": "599999999", "groups": [second_group.to_string()]});
    assert_eq!(service.request("PUT", &format!("/{id}"), &change).0, 200);
    let changed_groups = sorted(vec![default_group, second_group]);
    assert_eq!(service.customer(&id), (changed_groups.clone(), json!(false), json!(599_999_999)));
    assert_eq!(service.request("PUT", &format!("/blacklist/{id}"), &json!({"reason": "x"})).0, 201);
    assert_eq!(service.customer(&id), (changed_groups.clone(), json!(true), json!(599_999_999)));
    assert_eq!(service.request("DELETE", &format!("/blacklist/{id}"), &Value::Null).0, 202);
    assert_eq!(service.customer(&id).1, json!(false));
    let found = service.request("GET", "?keyword=0599999999", &Value::Null).1;
    assert_eq!((&found["pagination"]["total"], &found["data"][0]["id"]), (&json!(1), &id));
    assert_eq!(service.request("DELETE", &format!("/{id}"), &Value::Null).0, 200);
    assert_eq!(service.request("GET", &format!("/{id}"), &Value::Null).0, 404);
    assert_eq!(service.request("GET", "?keyword=0599999999", &Value::Null).1["pagination"]["total"], 0);
}

#[test]
fn customer_lifecycle_survives_kills_on_sqlite() {
    let installation = Installation::new(2);
    test_customer_lifecycle(|| installation.serve(&[]));
}

#[test]
fn customer_lifecycle_survives_kills_on_postgres() {
    let shared = SharedDatabase::new(2);
    test_customer_lifecycle(|| shared.serve());
}

/// Makes the statement that stores progress run for minutes after 5,000 rows, so that a kill hits an open
/// transaction on a host of any speed. A trigger cannot contain a WITH clause, but can read from a view that does.
const SLOW_CHUNK: &str = "
    CREATE VIEW slow AS
        WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers)
        SELECT number FROM numbers LIMIT 100000000000;
    CREATE TRIGGER slow_chunk BEFORE UPDATE ON imports WHEN new.last_row > 5000
        BEGIN SELECT count(*) FROM slow; END";

#[test]
fn killed_import_continues_after_a_restart() {
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
    let file = rusqlite::Connection::open(installation.database()).unwrap();
    file.execute_batch(SLOW_CHUNK).unwrap();
    assert_eq!(server.send(&head, &body).unwrap().0, 200);
    let number = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let rows = || number("SELECT last_row FROM imports");
    eventually(DEADLINE, "more than 4,000 rows are imported", || rows() > 4000);
    server.kill();
    // The header counts as a row, and one customer existed before the import.
    let before = rows();
    assert!(
        before <= 5000 && number("SELECT count(*) FROM customers") == before,
        "{before} rows are imported"
    );
    // The killed process still has the lease; let it expire now.
    file.execute_batch("DROP TRIGGER slow_chunk; DROP VIEW slow; UPDATE imports SET lease_until = 0")
        .unwrap();
    let server = installation.serve(&[]);
    eventually(DEADLINE, "the import is finished", || number("SELECT finished_at IS NULL FROM imports") == 0);
    assert_eq!(number("SELECT created_customers FROM imports"), ROWS);
    assert_eq!(number("SELECT count(*) FROM customers"), ROWS + 1);
    assert_eq!(number("SELECT count(DISTINCT mobile) FROM customers"), ROWS);
    assert_eq!(server.terminate_and_wait(), Some(0));
}

#[test]
fn archive_of_a_deleted_group_continues_after_a_kill() {
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
    server.kill();
    let server = installation.serve(&[]);
    let shown = server.get(&format!("{API}/7"), TOKEN).unwrap().1;
    assert!(shown.contains(r#""groups":[]"#), "{shown}");
    // The archive task continues without a request. Its progress is read from the file.
    let file = rusqlite::Connection::open(installation.database()).unwrap();
    let sql = "SELECT (SELECT count(*) FROM memberships), (SELECT count(*) FROM past_memberships),
                       (SELECT count(*) FROM groups WHERE id = 1)";
    let counts = || file.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    eventually(DEADLINE, "all memberships are archived", || counts() == (0, MEMBERS, 0));
    assert_eq!(server.terminate_and_wait(), Some(0));
}
