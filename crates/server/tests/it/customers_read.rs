//! Reading customers: `GET /customers` and `GET /customers/{customer}`.

use serde_json::{Value, json};
use zumra_testkit::TestApp;

#[tokio::test]
async fn details_show_every_field_in_the_documented_form() {
    let app = TestApp::new().await;
    let response = app.get("/customers/447121768").send().await;
    let moment = json!({"date": "2026-12-01 15:00:00.000000", "timezone_type": 3, "timezone": "Asia/Riyadh"});
    let birthday =
        json!({"date": "1997-06-03 00:00:00.000000", "timezone_type": 3, "timezone": "Asia/Riyadh"});
    let expected = json!({"status": 200, "success": true, "data": {
        "id": 447_121_768, "full_name": "عميل أول", "first_name": "عميل", "last_name": "أول",
        "mobile": 512_345_678, "mobile_code": "+966", "email": "a@example.com",
        "urls": {"customer": "https://1305146709.example/profile", "admin": "https://1305146709.example/customers/447121768"},
        "avatar": "https://zumra.example/avatar.svg", "gender": "male", "birthday": birthday, "city": "",
        "country": "السعودية", "country_code": "SA", "currency": "SAR", "location": "", "lang": "ar",
        "created_at": moment, "updated_at": moment, "groups": [1_394_760_126]}});
    assert_eq!((response.status, response.json()), (200, expected));
    let keys = ["\"id\"", "\"full_name\"", "\"mobile\"", "\"urls\"", "\"updated_at\"", "\"groups\""];
    let positions: Vec<_> = keys.iter().map(|key| response.text().find(key)).collect();
    assert!(
        positions.iter().all(Option::is_some) && positions.is_sorted(),
        "the order of the keys is part of the contract"
    );
}

#[tokio::test]
async fn unknown_values_are_null_or_empty() {
    let app = TestApp::new().await;
    let data = app.get("/customers/1761729493").send().await.json()["data"].clone();
    assert_eq!(data["full_name"], "Ahmed");
    for key in ["mobile", "mobile_code", "email", "gender", "birthday"] {
        assert_eq!(data[key], Value::Null, "{key}");
    }
    for key in ["last_name", "city", "country", "country_code", "location"] {
        assert_eq!(data[key], "", "{key}");
    }
    assert_eq!(data["groups"], json!([]));
}

#[tokio::test]
async fn missing_customer_gets_the_documented_404() {
    let app = TestApp::new().await;
    let english = concat!(
        r#"{"success":false,"status":404,"error":{"code":404,"#,
        r#""message":"The content you are trying to access is no longer available"}}"#
    );
    let arabic = concat!(
        r#"{"success":false,"status":404,"error":{"code":404,"#,
        r#""message":"المحتوى الذي تحاول الوصول اليه غير متوفر"}}"#
    );
    for id in ["5", "0", "-1", "abc", "1.5", "9223372036854775807", "9223372036854775808", "%FF", "%D9%A1"] {
        let path = format!("/customers/{id}");
        let response = app.get(&path).send().await;
        assert_eq!((response.status, response.text()), (404, english), "{id}");
        assert_eq!(app.get(&path).language("ar").send().await.text(), arabic, "{id}");
    }
}

#[tokio::test]
async fn list_is_newest_first_and_contains_group_ids() {
    let app = TestApp::new().await;
    let response = app.get("/customers").send().await.json();
    let ids: Vec<_> = response["data"].as_array().unwrap().iter().map(|c| c["id"].clone()).collect();
    assert_eq!(ids, [1_761_729_493, 447_121_768]);
    assert_eq!(response["data"][1]["groups"], json!([1_394_760_126]));
    let pagination =
        json!({"count": 2, "total": 2, "perPage": 15, "currentPage": 1, "totalPages": 1, "links": []});
    assert_eq!(response["pagination"], pagination);
}

#[tokio::test]
async fn keyword_matches_common_spellings() {
    let app = TestApp::new().await;
    let cases = [
        ("966512345678", 1),
        ("%D8%B9%D9%85%D9%8A%D9%84", 1),
        ("%D8%B9%D9%85%D9%8A%D9%84+%D8%A3%D9%88%D9%84", 1),
        ("A%40EXAMPLE.com", 1),
        ("ahmed", 1),
        ("+%20", 2),
        ("", 2),
        ("absent", 0),
        ("%E2%80%AA%2B966%C2%A051%E2%80%AF234%205678%E2%80%AC", 1),
        ("tel%3A%2B966512345678", 1),
        ("%27512345678", 1),
        ("%3D%22512345678%22", 1),
        ("%DB%B5%DB%B1%DB%B2%DB%B3%DB%B4%DB%B5%DB%B6%DB%B7%DB%B8", 1),
    ];
    for (keyword, total) in cases {
        let response = app.get(&format!("/customers?keyword={keyword}")).send().await.json();
        assert_eq!(response["pagination"]["total"], total, "{keyword}");
    }
}

#[tokio::test]
async fn page_links_keep_the_query_parameters() {
    let app = TestApp::new().await;
    let response = app.get("/customers?page=1&keyword=A&per_page=1").send().await.json();
    let expected = "https://zumra.example/admin/v2/customers?keyword=A&per_page=1&page=2";
    assert_eq!(response["pagination"]["links"], json!({"next": expected}));
    let response = app.get("/customers?per_page=1&page=1&fields[]=is_blocked").send().await.json();
    let expected = "https://zumra.example/admin/v2/customers?per_page=1&fields[]=is_blocked&page=2";
    assert_eq!(response["pagination"]["links"], json!({"next": expected}));
}

/// Returns the number of customers in a list, or the messages of a 422.
async fn total_or_messages(app: &TestApp, query: &str, language: &str) -> Result<u64, Value> {
    let response = app.get(&format!("/customers?{query}")).language(language).send().await;
    let body = response.json();
    match response.status {
        200 => Ok(body["pagination"]["total"].as_u64().unwrap()),
        422 => Err(body["error"]["fields"].clone()),
        status => panic!("{query}: {status}"),
    }
}

#[tokio::test]
async fn dates_are_read_in_every_documented_form() {
    // The customers are created at 2026-12-01 12:00 UTC, 15:00 in the time zone of the shop.
    let app = TestApp::new().await;
    let (all, none) = (2, 0);
    for (query, total) in [
        ("date_from=2026-12-01", all),
        ("date_from=2026-12-02", none),
        ("date_to=2026-12-01", all),
        ("date_to=2026-11-30", none),
        ("date_from=2099-01-01T00:00:00Z", none),
        ("date_from=2026-12-01T12:00:00Z", all),
        ("date_from=2026-12-01T12:00:01Z", none),
        ("date_to=2026-12-01T12:00:00Z", all),
        ("date_to=2026-12-01T11:59:59Z", none),
        ("date_from=2026-12-01T15:00:00", all),
        ("date_from=2026-12-01%2015:00:01", none),
        ("date_from=2026-12-01T15:00:00%2B03:00", all),
        ("date_from=2026-12-01T15:00:01%2B03:00", none),
        ("date_from=2026-12-01T15:00:00+03:00", all),
        ("date_from=2026-12-01T15:00:01+03:00", none),
        ("date_from=2026-12-01+15:00:01+0300", none),
        ("date_from=2026-12-01T07:00:00-05:00&date_to=9999-12-31", all),
        ("date_from=&date_to=%20", all),
        ("date_from=2026-12-01&keyword=ahmed", 1),
    ] {
        assert_eq!(total_or_messages(&app, query, "en").await, Ok(total), "{query}");
    }
}

#[tokio::test]
async fn value_that_is_not_a_date_is_rejected() {
    let app = TestApp::new().await;
    for value in
        ["29/11/2026", "tomorrow", "2026-02-30", "1764374400", "2026-11-29T10:00%2B99:00", "%FF", "2026-11"]
    {
        let fields = json!({"date_from": ["The date from is not a valid date."]});
        assert_eq!(
            total_or_messages(&app, &format!("date_from={value}"), "en").await,
            Err(fields),
            "{value}"
        );
    }
    let fields =
        json!({"date_from": ["حقل date from ليس تاريخًا صحيحًا"], "date_to": ["حقل date to ليس تاريخًا صحيحًا"]});
    assert_eq!(total_or_messages(&app, "date_to[]=2026-11-29&date_from=x", "ar").await, Err(fields));
}

#[tokio::test]
async fn keyword_that_cannot_be_read_finds_no_customer() {
    let app = TestApp::new().await;
    for query in
        ["keyword=%E3%CD%E3%CF", "keyword=ahmed%FF", "keyword[]=ahmed", "keyword[a]=", "keyword=%D9%80"]
    {
        assert_eq!(total_or_messages(&app, query, "en").await, Ok(0), "{query}");
    }
    // Too deep, and too many for the limits of PHP, which drops both.
    let too_deep = format!("keyword{}=ahmed", "[a]".repeat(65));
    let too_many = format!("{}keyword=a", "a[][][]=&".repeat(7000));
    for query in [too_deep, too_many] {
        assert_eq!(total_or_messages(&app, &query, "en").await, Ok(0), "{}", &query[..20]);
    }
    for query in ["", "keyword", "keyword=", "keyword=%20+%E2%80%8F"] {
        assert_eq!(total_or_messages(&app, query, "en").await, Ok(2), "{query}");
    }
}
