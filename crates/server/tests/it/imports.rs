//! Importing customers: `/customers/import`. The tests process imports themselves instead of a background task.

use serde_json::{Value, json};
use zumra_core::{Clock, IdGenerator, ImportChunk};
use zumra_server::import::{ImportContext, process_import};
use zumra_storage::StorageError;
use zumra_testkit::{TestApp, TestResponse, WRITE_TOKEN};

const HEADER: &str = "first_name,last_name,mobile,mobile_code,email,gender,birthday";

async fn upload(app: &TestApp, file: impl AsRef<[u8]>) -> TestResponse {
    upload_with(app, file, "").await
}

/// Uploads a file, after the parts of other fields.
async fn upload_with(app: &TestApp, file: impl AsRef<[u8]>, fields: &str) -> TestResponse {
    let head = format!(
        "{fields}--line\r\nContent-Disposition: form-data; name=\"file\"; filename=\"c.csv\"\r\n\
        Content-Type: text/csv\r\n\r\n"
    );
    let body = [head.as_bytes(), file.as_ref(), b"\r\n--line--\r\n"].concat();
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
    // Generators with the same time give the same ids.
    app.clock.advance(jiff::SignedDuration::from_secs(1));
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
    let rows = "سارة,القحطاني,0599999999,,s@example.com,أنثى,1997-06-03\nعلي,,501234567,971,,,";
    let response = upload(&app, format!("{HEADER}\n{rows}")).await;
    let expected = r#"{"status":200,"success":true,"data":{"message":"يتم حالياً معالجة الملف وسوف يستغرق بعض الوقت","code":200}}"#;
    assert_eq!((response.status, response.text()), (200, expected));
    let pending = state(&app, &response).await;
    assert_eq!((&pending["status"], &pending["customers"]), (&json!("processing"), &json!(0)));
    app.clock.advance(jiff::SignedDuration::from_mins(1));
    process_imports(&app).await;
    let done = state(&app, &response).await;
    assert_eq!(done["status"], "completed", "{done}");
    assert_eq!((&done["rows"], &done["customers"], &done["refused"]), (&json!(2), &json!(2), &json!(0)));
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
        ",b,500000000,,,,",
        "",
        "c,d,500000001,,not-an-address,x,3/6/1997",
        "e,f,500000002,,,,",
        "g,h,500000002,,,,",
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
    // A spreadsheet program shows the empty line as row 4.
    assert_eq!(
        problems,
        [(2, "mobile"), (3, "first_name"), (5, "email"), (5, "gender"), (5, "birthday"), (7, "mobile")]
    );
    assert_eq!(done["rows"], 5, "the header and the empty line are no rows of data");
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
    let fields = upload(&app, "first_name,email\na,b").await.json()["error"]["fields"].clone();
    assert_eq!(fields["file"][1], "الأعمدة الناقصة: mobile (رقم الجوال).");
    let unclosed = file_error("first_name,mobile\na,500000001\nb,\"500000002\nc,500000003".as_bytes()).await;
    assert_eq!(unclosed, "علامة الاقتباس التي تبدأ في الصف 3 غير مغلقة؛ أغلقها أو احذفها.");
    let uncertain = file_error(b"first_name,mobile\nJos\xE9,500000001").await;
    assert!(uncertain.as_str().unwrap().contains("CSV UTF-8"), "{uncertain}");
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
        assert_eq!(upload(&app, format!("{HEADER}\na,b,50000060{number},,,,")).await.status, 200);
    }
    let rejected = upload(&app, format!("{HEADER}\na,b,500000700,,,,")).await;
    assert_eq!((rejected.status, rejected.header("retry-after")), (503, Some("1")));
    process_imports(&app).await;
    assert_eq!(upload(&app, format!("{HEADER}\na,b,500000700,,,,")).await.status, 200);
    assert_eq!(app.get("/customers").send().await.json()["pagination"]["total"], 12);
}

#[tokio::test]
async fn stale_lease_cannot_write_after_another_worker_took_it() {
    let app = TestApp::new().await;
    let rows: Vec<_> = (1..=1200).map(|i| format!("c{i},d,{},,,,", 500_700_000 + i)).collect();
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
        (&json!("completed"), &json!(1200), &json!(1200))
    );
    let late_chunk = ImportChunk { last_row: 9, is_last: true, ..ImportChunk::default() };
    let result = app.storage.write_import_chunk(stale.key, until, late_chunk, app.operation()).await;
    assert!(matches!(result, Err(StorageError::LeaseLost)), "{result:?}");
    assert_eq!(state(&app, &response).await, done);
    assert_eq!(app.get("/customers").send().await.json()["pagination"]["total"], 1202);
}

/// Imports a file and returns its state.
async fn import(app: &TestApp, file: impl AsRef<[u8]>) -> Value {
    let response = upload(app, file).await;
    assert_eq!(response.status, 200, "{}", response.text());
    process_imports(app).await;
    state(app, &response).await
}

/// Returns code and number of all customers whose first name begins with `prefix`, sorted by first name.
async fn numbers(app: &TestApp, prefix: &str) -> Vec<(String, String, String)> {
    let list = app.get("/customers?per_page=60").send().await.json()["data"].clone();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut found: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .filter(|customer| customer["first_name"].as_str().unwrap().starts_with(prefix))
        .map(|customer| {
            (text(&customer["first_name"]), text(&customer["mobile_code"]), text(&customer["mobile"]))
        })
        .collect();
    found.sort();
    found
}

#[tokio::test]
async fn every_spelling_of_a_number_is_imported_as_that_number() {
    let app = TestApp::new().await;
    let spellings = [
        "\u{202A}+966 51 200 0050\u{202C}",
        "\u{2066}+966512000051\u{2069}",
        "+966\u{A0}51\u{A0}200\u{A0}0052",
        "+966.51.200.0053",
        "۰۵۱۲۰۰۰۰۵۴",
        "٠٥١٢٠٠٠٠٥٥",
        "(+966) 51-200-0056",
        "\u{202D}0512000057\u{202C}",
        "00966 512000058",
        "+966\u{202F}51\u{202F}200\u{202F}0059",
        "tel:+966512000060",
        "\u{200E}+966\u{200E}51\u{200E}200\u{200E}0061",
        "'+966512000062",
        "\"=\"\"+966512000063\"\"\"",
        "966512000064.0",
    ];
    let rows: Vec<_> =
        (50..).zip(spellings).map(|(number, spelling)| format!("S{number},{spelling}")).collect();
    let done = import(&app, format!("first_name,mobile\n{}", rows.join("\n"))).await;
    assert_eq!((&done["customers"], &done["refused"]), (&json!(spellings.len()), &json!(0)), "{done}");
    for (first_name, code, mobile) in numbers(&app, "S").await {
        let expected = format!("5120000{}", &first_name[1..]);
        assert_eq!((code.as_str(), &mobile), ("+966", &expected), "{first_name}");
    }
}

#[tokio::test]
async fn changed_numbers_are_rejected_with_the_name_of_their_cell() {
    let app = TestApp::new().await;
    let rows = "A,+966,9.66501E+11\nB,+966,512000003.0\nC,+966,512000004.5\nD,9.66E+02,512000005\nE,+966,-512000006\nF,+966,2026-11-24";
    let done = import(&app, format!("first_name,mobile_code,mobile\n{rows}")).await;
    assert_eq!((&done["customers"], &done["refused"]), (&json!(1), &json!(5)), "{done}");
    let cells: Vec<_> = done["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| (problem["column"].as_str().unwrap(), problem["reason"].as_str().unwrap()))
        .collect();
    for ((column, reason), (field, cell, value)) in cells.iter().zip([
        ("mobile", "C2", "9.66501E+11"),
        ("mobile", "C4", "512000004.5"),
        ("mobile_code_country", "B5", "9.66E+02"),
        ("mobile", "C6", "-512000006"),
        ("mobile", "C7", "2026-11-24"),
    ]) {
        assert_eq!(*column, field);
        assert!(reason.starts_with(&format!("الخلية {cell} تحتوي على {value}،")), "{reason}");
    }
}

#[tokio::test]
async fn country_beside_a_number_decides_its_code() {
    let app = TestApp::new().await;
    let rows = [
        "T1,SA,+966,0512000030",
        "T2,jordan,,0791234567",
        "T3,00966,,0512000032",
        "T4,EG,,+966512000033",
        "T5,IT,,0282398816",
        "T6,Atlantis,,0512000035",
        "T7,SA,,123",
        "T8,,971,+966512000036",
    ];
    let done = import(&app, format!("first_name,country_code,mobile_code,mobile\n{}", rows.join("\n"))).await;
    let found = numbers(&app, "T").await;
    let found: Vec<_> = found.iter().map(|(name, code, number)| format!("{name} {code} {number}")).collect();
    // The API shows numbers, so the zero of T5 is not visible here.
    let expected = [
        "T1 +966 512000030",
        "T2 +962 791234567",
        "T3 +966 512000032",
        "T4 +966 512000033",
        "T5 +39 282398816",
    ];
    assert_eq!(found, expected, "{done}");
    let problems: Vec<_> = done["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| (&problem["row"], &problem["column"]))
        .collect();
    let (mobile, code) = (json!("mobile"), json!("mobile_code_country"));
    assert_eq!(problems, [(&json!(7), &code), (&json!(8), &mobile), (&json!(9), &mobile)], "{done}");
}

#[tokio::test]
async fn invisible_characters_are_dropped_or_named() {
    let app = TestApp::new().await;
    let rows =
        "\u{202B}Zع\u{200C}لي\u{200F},Dr.\u{A0}(VIP),0512000070,\nZx,y,0512000071,a\u{202A}b\nZy,z,\u{200E},";
    let done = import(&app, format!("first_name,last_name,mobile,email\n{rows}")).await;
    let list = app.get("/customers?per_page=1").send().await.json()["data"].clone();
    assert_eq!(
        (&list[0]["first_name"], &list[0]["last_name"]),
        (&json!("Zع\u{200C}لي"), &json!("Dr. (VIP)"))
    );
    let problems = done["problems"].as_array().unwrap();
    assert!(
        problems[0]["reason"].as_str().unwrap().contains("D3 تحتوي على رموز غير مرئية: U+202A"),
        "{done}"
    );
    assert_eq!(
        (&problems[1]["column"], &problems[1]["reason"]),
        (&json!("mobile"), &json!("رقم الجوال مطلوب"))
    );
}

#[tokio::test]
async fn header_may_follow_a_title_in_any_spelling() {
    let app = TestApp::new().await;
    let file = "تقرير العملاء، 2026\n\n\u{200F}الاسم الأول;البرید الإلکترونی;رقم الجوال\u{200F};Color\nHa;h@example.com;0512000080;red\n";
    let done = import(&app, file).await;
    assert_eq!((&done["customers"], &done["refused"]), (&json!(1), &json!(0)), "{done}");
    let named = import(&app, "sep=|\nfirst_name|mobile\nHb|0512000081\n").await;
    assert_eq!(named["customers"], 1, "{named}");
    assert_eq!(numbers(&app, "H").await.len(), 2);
}

#[tokio::test]
async fn encoding_is_detected_or_given() {
    let app = TestApp::new().await;
    let arabic: &[u8] = b"\xC7\xE1\xC7\xD3\xE3 \xC7\xE1\xC3\xE6\xE1,\xD1\xDE\xE3 \xC7\xE1\xCC\xE6\xC7\xE1\n\xDA\xE1\xED,0501110005\n";
    let done = import(&app, arabic).await;
    assert_eq!(done["customers"], 1, "{done}");
    assert_eq!(numbers(&app, "علي").await.len(), 1);
    let field = |label: &str| {
        format!("--line\r\nContent-Disposition: form-data; name=\"encoding\"\r\n\r\n{label}\r\n")
    };
    let western: &[u8] = b"first_name,mobile\nJos\xE9,0501110006\n";
    let given = upload_with(&app, western, &field("windows-1252")).await;
    assert_eq!(given.status, 200, "{}", given.text());
    process_imports(&app).await;
    assert_eq!(numbers(&app, "José").await.len(), 1);
    let unknown = upload_with(&app, western, &field("klingon")).await;
    assert_eq!(unknown.json()["error"]["fields"], json!({"encoding": ["حقل encoding غير صالحٍ"]}));
}

#[tokio::test]
async fn rows_name_groups_by_name_or_id() {
    let app = TestApp::new().await;
    let created =
        app.request("POST", "/customers/groups").token(WRITE_TOKEN).json(&json!({"name": "عملاء الجملة"}));
    let id = created.send().await.json()["data"]["id"].as_i64().unwrap();
    let rows = format!(
        "Ga,0512000090,عملاء الجمله\nGb,0512000091,{id}|ذهبي\nGc,0512000092,\nGd,0512000093,bronze\nGe,0512000094,ذهبي، none\nGf,0512000095,1.39E+09\n"
    );
    let file = format!("first_name,mobile,المجموعة\n{rows}");
    let done = import(&app, file).await;
    assert_eq!((&done["customers"], &done["refused"]), (&json!(3), &json!(3)), "{done}");
    let list = app.get("/customers?per_page=3").send().await.json()["data"].clone();
    let mut groups: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|customer| (customer["first_name"].clone(), customer["groups"].as_array().unwrap().len()))
        .collect();
    groups.sort_by_key(|(name, _)| name.to_string());
    assert_eq!(groups, [(json!("Ga"), 2), (json!("Gb"), 2), (json!("Gc"), 1)], "with the default group");
    let problems = done["problems"].as_array().unwrap();
    for (problem, (row, part)) in problems.iter().zip([
        (5, "C5: لا توجد مجموعة باسم أو رقم bronze"),
        (6, "none"),
        (7, "C7 تحتوي على 1.39E+09"),
    ]) {
        assert_eq!((&problem["row"], &problem["column"]), (&json!(row), &json!("group")));
        assert!(problem["reason"].as_str().unwrap().contains(part), "{problem}");
    }
}

#[tokio::test]
async fn result_says_how_the_file_was_read() {
    let app = TestApp::new().await;
    let arabic: &[u8] = b"\xCA\xDE\xD1\xED\xD1 \xC7\xE1\xDA\xE3\xE1\xC7\xC1\n\xC7\xE1\xC7\xD3\xE3 \xC7\xE1\xC3\xE6\xE1,\xD1\xDE\xE3 \xC7\xE1\xCC\xE6\xC7\xE1,Color\n\xDA\xE1\xED,0501110005,red\n";
    let done = import(&app, arabic).await;
    assert_eq!((&done["encoding"], &done["header_row"]), (&json!("windows-1256"), &json!(2)), "{done}");
    assert_eq!((&done["unknown_columns"], &done["sheet"]), (&json!(["Color"]), &Value::Null));
}

#[tokio::test]
async fn import_without_ids_for_its_customers_fails() {
    let app = TestApp::new().await;
    let response = upload(&app, format!("{HEADER}\nسارة,القحطاني,0599999999,,,,")).await;
    app.storage.skip_ids(i32::MAX.unsigned_abs()).await.unwrap();
    process_imports(&app).await;
    let failed = state(&app, &response).await;
    assert_eq!((&failed["status"], &failed["customers"]), (&json!("failed"), &json!(0)), "{failed}");
    assert!(failed["failure"].as_str().unwrap().contains("used up all ids of customers"), "{failed}");
    assert_eq!(upload(&app, format!("{HEADER}\nسارة,القحطاني,0599999999,,,,")).await.status, 507);
}
