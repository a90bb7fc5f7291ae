//! Importing customers over HTTP. Who works on imports in a service, a test does here itself.

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
    let call = app.request("POST", "/customers/import").token(WRITE_TOKEN);
    call.header("content-type", "multipart/form-data; boundary=line").body(body).send().await
}

/// Where an answer says that its import can be asked about.
fn link(answer: &TestResponse) -> String {
    let link = answer.header("zumra-import").unwrap();
    link.strip_prefix("https://zumra.example/admin/v2").unwrap().to_owned()
}

/// Goes through every import that waits.
async fn go_through(app: &TestApp) {
    let ids = IdGenerator::new(9);
    let of = ImportContext { storage: &*app.storage, clock: &*app.clock, ids: &ids };
    while process_import(of, None, &mut |_| {}).await.unwrap().is_some() {}
}

async fn status(app: &TestApp, answer: &TestResponse) -> Value {
    app.get(&link(answer)).send().await.json()["data"].clone()
}

#[tokio::test]
async fn a_file_is_taken_at_once_and_gone_through_afterwards() {
    let app = TestApp::new().await;
    let rows = "سارة,القحطاني,0599999999,,s@example.com,أنثى,1997-06-03\nعلي,,555,971,,,";
    let answer = upload(&app, format!("{HEADER}\n{rows}")).await;
    let expected = r#"{"status":200,"success":true,"data":{"message":"يتم حالياً معالجة الملف وسوف يستغرق بعض الوقت","code":200}}"#;
    assert_eq!((answer.status, answer.text()), (200, expected));
    let waiting = status(&app, &answer).await;
    assert_eq!((&waiting["status"], &waiting["customers"]), (&json!("processing"), &json!(0)));
    go_through(&app).await;
    let done = status(&app, &answer).await;
    assert_eq!(done["status"], "completed", "{done}");
    assert_eq!((&done["rows"], &done["customers"], &done["refused"]), (&json!(3), &json!(2), &json!(0)));
    let list = app.get("/customers?per_page=2").send().await.json()["data"].clone();
    assert_eq!((&list[1]["mobile"], &list[1]["mobile_code"]), (&json!(599_999_999), &json!("+966")));
    assert_eq!((&list[1]["gender"], &list[1]["groups"]), (&json!("female"), &json!([1_394_760_126])));
    assert_eq!(list[1]["birthday"]["date"], "1997-06-03 00:00:00.000000");
    assert_eq!((&list[0]["full_name"], &list[0]["mobile_code"]), (&json!("علي"), &json!("+971")));
}

#[tokio::test]
async fn what_is_wrong_with_a_row_is_said_and_the_others_come_in() {
    let app = TestApp::new().await;
    let rows = [
        "a,b,512345678,,,,",
        ",b,500,,,,",
        "",
        "c,d,501,,not-an-address,x,3/6/1997",
        "e,f,502,,,,",
        "g,h,502,,,,",
    ];
    let answer = upload(&app, format!("{HEADER}\n{}", rows.join("\n"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    go_through(&app).await;
    let done = status(&app, &answer).await;
    assert_eq!(
        (&done["status"], &done["customers"], &done["refused"]),
        (&json!("completed"), &json!(1), &json!(4))
    );
    let places: Vec<_> = done["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["row"].as_i64().unwrap(), p["column"].as_str().unwrap()))
        .collect();
    // A line with nothing in it is no row to the reader of such files.
    assert_eq!(
        places,
        [(2, "mobile"), (3, "first_name"), (4, "email"), (4, "gender"), (4, "birthday"), (6, "mobile")]
    );
    assert_eq!(done["problems"][0]["reason"], "قيمة حقل الجوال مُستخدمة من قبل");
    assert_eq!(done["problems"][1]["reason"], "الاسم الاول للعميل مطلوب");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_refused_at_once() {
    let app = TestApp::new().await;
    for empty in ["", "\n\n", &format!("{HEADER}\n")] {
        let answer = upload(&app, empty).await;
        let expected =
            r#"{"status":422,"success":false,"error":{"code":"error","message":"الملف المرفوع فارغ!"}}"#;
        assert_eq!((answer.status, answer.text()), (422, expected));
    }
    let fields = async |file: &[u8]| upload(&app, file).await.json()["error"]["fields"]["file"][0].clone();
    assert!(fields(b"a,b\n1,2").await.as_str().unwrap().starts_with("عفواً محتوى الملف"));
    assert!(fields(b"\xD0\xCF\x11\xE0\0\0").await.as_str().unwrap().starts_with("صيغة الملف"));
    let wide = format!("first_name,mobile{}\na,5{}", ",x".repeat(100), ",1".repeat(100));
    assert!(fields(wide.as_bytes()).await.as_str().unwrap().starts_with("عدد صفوف"));
    let call = app.request("POST", "/customers/import").token(WRITE_TOKEN).json(&json!({"file": "x"}));
    assert_eq!(call.send().await.json()["error"]["fields"], json!({"file": ["حقل file مطلوب."]}));
    assert!(app.get("/customers/import/5").send().await.status == 404);
    assert_eq!(app.get("/customers/import").send().await.status, 404, "a word is no customer");
}

#[tokio::test]
async fn files_that_wait_have_a_limit() {
    let app = TestApp::new().await;
    for i in 0..10 {
        assert_eq!(upload(&app, format!("{HEADER}\na,b,60{i},,,,")).await.status, 200);
    }
    let refused = upload(&app, format!("{HEADER}\na,b,700,,,,")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    go_through(&app).await;
    assert_eq!(upload(&app, format!("{HEADER}\na,b,700,,,,")).await.status, 200);
    assert_eq!(app.get("/customers").send().await.json()["pagination"]["total"], 12);
}

#[tokio::test]
async fn whoever_takes_over_goes_on_and_the_paused_one_ends_nothing() {
    let app = TestApp::new().await;
    let rows: Vec<_> = (1..=1200).map(|i| format!("c{i},d,{},,,,", 700_000 + i)).collect();
    let answer = upload(&app, format!("{HEADER}\n{}", rows.join("\n"))).await;
    // Somebody takes it, and is paused for longer than the lease lasts.
    let now = app.clock.now();
    let until = now + jiff::SignedDuration::from_secs(30);
    let paused = app.storage.lease_import(None, now, until).await.unwrap().unwrap();
    go_through(&app).await;
    assert_eq!(status(&app, &answer).await["rows"], 0, "nobody touches what somebody holds");
    app.clock.advance(jiff::SignedDuration::from_secs(30));
    go_through(&app).await;
    let done = status(&app, &answer).await;
    assert_eq!(
        (&done["status"], &done["customers"], &done["rows"]),
        (&json!("completed"), &json!(1200), &json!(1201))
    );
    let late = ImportChunk { last_row: 9, is_last: true, ..ImportChunk::default() };
    let refused = app.storage.write_import_chunk(paused.key, until, late, app.operation()).await;
    assert!(matches!(refused, Err(StorageError::LeaseLost)), "{refused:?}");
    assert_eq!(status(&app, &answer).await, done);
    assert_eq!(app.get("/customers").send().await.json()["pagination"]["total"], 1202);
}
