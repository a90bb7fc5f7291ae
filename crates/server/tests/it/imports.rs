//! Importing customers: `/customers/import`. The tests process imports themselves instead of a background task.

use serde_json::{Value, json};
use zumra_core::{Clock, IdGenerator, ImportChunk};
use zumra_server::import::{ImportContext, process_import};
use zumra_storage::StorageError;
use zumra_testkit::{TestApp, TestResponse, WRITE_TOKEN};

const HEADER: &str = "first_name,last_name,mobile,mobile_code,email,gender,birthday";

async fn upload(app: &TestApp, file: impl AsRef<[u8]>) -> TestResponse {
    let head = b"--line\r\nContent-Disposition: form-data; name=\"file\"; filename=\"c.csv\"\r\n\
        Content-Type: text/csv\r\n\r\n";
    let body = [head, file.as_ref(), b"\r\n--line--\r\n"].concat();
    let request = app.request("POST", "/customers/import").token(WRITE_TOKEN);
    request.header("content-type", "multipart/form-data; boundary=line").body(body).send().await
}

/// Returns the path of an import's state from the header of its response.
fn state_path(response: &TestResponse) -> String {
    let url = response.header("zumra-import").unwrap();
    url.strip_prefix("https://zumra.example/admin/v2").unwrap().to_owned()
}

/// Processes all imports that no worker has leased.
async fn process_imports(app: &TestApp) {
    let ids = IdGenerator::new(9);
    let context = ImportContext { storage: &*app.storage, clock: &*app.clock, ids: &ids };
    let mut processed = 0;
    while process_import(context, None, &mut |_| {}).await.unwrap().is_some() {
        processed += 1;
        assert!(processed <= 10, "more imports than a merchant may have");
    }
}

async fn state(app: &TestApp, response: &TestResponse) -> Value {
    app.get(&state_path(response)).send().await.json()["data"].clone()
}

#[tokio::test]
async fn file_is_accepted_first_and_processed_later() {
    let app = TestApp::new().await;
    let rows = "سارة,القحطاني,0599999999,,s@example.com,أنثى,1997-06-03\nعلي,,555,971,,,";
    let response = upload(&app, format!("{HEADER}\n{rows}")).await;
    let expected = r#"{"status":200,"success":true,"data":{"message":"يتم حالياً معالجة الملف وسوف يستغرق بعض الوقت","code":200}}"#;
    assert_eq!((response.status, response.text()), (200, expected));
    let pending = state(&app, &response).await;
    assert_eq!((&pending["status"], &pending["customers"]), (&json!("processing"), &json!(0)));
    process_imports(&app).await;
    let done = state(&app, &response).await;
    assert_eq!(done["status"], "completed", "{done}");
    assert_eq!((&done["rows"], &done["customers"], &done["refused"]), (&json!(3), &json!(2), &json!(0)));
    let list = app.get("/customers?per_page=2").send().await.json()["data"].clone();
    assert_eq!((&list[1]["mobile"], &list[1]["mobile_code"]), (&json!(599_999_999), &json!("+966")));
    assert_eq!((&list[1]["gender"], &list[1]["groups"]), (&json!("female"), &json!([1_394_760_126])));
    assert_eq!(list[1]["birthday"]["date"], "1997-06-03 00:00:00.000000");
    assert_eq!((&list[0]["full_name"], &list[0]["mobile_code"]), (&json!("علي"), &json!("+971")));
}

#[tokio::test]
async fn invalid_rows_are_reported_and_valid_ones_imported() {
    let app = TestApp::new().await;
    let rows = [
        "a,b,512345678,,,,",
        ",b,500,,,,",
        "",
        "c,d,501,,not-an-address,x,3/6/1997",
        "e,f,502,,,,",
        "g,h,502,,,,",
    ];
    let response = upload(&app, format!("{HEADER}\n{}", rows.join("\n"))).await;
    assert_eq!(response.status, 200, "{}", response.text());
    process_imports(&app).await;
    let done = state(&app, &response).await;
    assert_eq!(
        (&done["status"], &done["customers"], &done["refused"]),
        (&json!("completed"), &json!(1), &json!(4))
    );
    let problems: Vec<_> = done["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| (problem["row"].as_i64().unwrap(), problem["column"].as_str().unwrap()))
        .collect();
    // The CSV reader skips empty lines and does not count them.
    assert_eq!(
        problems,
        [(2, "mobile"), (3, "first_name"), (4, "email"), (4, "gender"), (4, "birthday"), (6, "mobile")]
    );
    assert_eq!(done["problems"][0]["reason"], "قيمة حقل الجوال مُستخدمة من قبل");
    assert_eq!(done["problems"][1]["reason"], "الاسم الاول للعميل مطلوب");
}

#[tokio::test]
async fn unreadable_file_is_rejected_before_the_import() {
    let app = TestApp::new().await;
    for empty in ["", "\n\n", &format!("{HEADER}\n")] {
        let response = upload(&app, empty).await;
        let expected =
            r#"{"status":422,"success":false,"error":{"code":"error","message":"الملف المرفوع فارغ!"}}"#;
        assert_eq!((response.status, response.text()), (422, expected));
    }
    let file_error =
        async |file: &[u8]| upload(&app, file).await.json()["error"]["fields"]["file"][0].clone();
    assert!(file_error(b"a,b\n1,2").await.as_str().unwrap().starts_with("عفواً محتوى الملف"));
    assert!(file_error(b"\xD0\xCF\x11\xE0\0\0").await.as_str().unwrap().starts_with("صيغة الملف"));
    let wide = format!("first_name,mobile{}\na,5{}", ",x".repeat(100), ",1".repeat(100));
    assert!(file_error(wide.as_bytes()).await.as_str().unwrap().starts_with("عدد صفوف"));
    let request = app.request("POST", "/customers/import").token(WRITE_TOKEN).json(&json!({"file": "x"}));
    assert_eq!(request.send().await.json()["error"]["fields"], json!({"file": ["حقل file مطلوب."]}));
    assert_eq!(app.get("/customers/import/5").send().await.status, 404);
    assert_eq!(app.get("/customers/import").send().await.status, 404, "a word is not a customer id");
}

#[tokio::test]
async fn pending_imports_are_limited() {
    let app = TestApp::new().await;
    for number in 0..10 {
        assert_eq!(upload(&app, format!("{HEADER}\na,b,60{number},,,,")).await.status, 200);
    }
    let rejected = upload(&app, format!("{HEADER}\na,b,700,,,,")).await;
    assert_eq!((rejected.status, rejected.header("retry-after")), (503, Some("1")));
    process_imports(&app).await;
    assert_eq!(upload(&app, format!("{HEADER}\na,b,700,,,,")).await.status, 200);
    assert_eq!(app.get("/customers").send().await.json()["pagination"]["total"], 12);
}

#[tokio::test]
async fn stale_lease_cannot_write_after_another_worker_took_it() {
    let app = TestApp::new().await;
    let rows: Vec<_> = (1..=1200).map(|i| format!("c{i},d,{},,,,", 700_000 + i)).collect();
    let response = upload(&app, format!("{HEADER}\n{}", rows.join("\n"))).await;
    // A worker takes the lease and stalls until after its expiry.
    let now = app.clock.now();
    let until = now + jiff::SignedDuration::from_secs(30);
    let stale = app.storage.lease_import(None, now, until).await.unwrap().unwrap();
    process_imports(&app).await;
    assert_eq!(state(&app, &response).await["rows"], 0, "a leased import is not processed by another worker");
    app.clock.advance(jiff::SignedDuration::from_secs(30));
    process_imports(&app).await;
    let done = state(&app, &response).await;
    assert_eq!(
        (&done["status"], &done["customers"], &done["rows"]),
        (&json!("completed"), &json!(1200), &json!(1201))
    );
    let late_chunk = ImportChunk { last_row: 9, is_last: true, ..ImportChunk::default() };
    let result = app.storage.write_import_chunk(stale.key, until, late_chunk, app.operation()).await;
    assert!(matches!(result, Err(StorageError::LeaseLost)), "{result:?}");
    assert_eq!(state(&app, &response).await, done);
    assert_eq!(app.get("/customers").send().await.json()["pagination"]["total"], 1202);
}
