//! `GET /` and the tokens that a throwaway service shows.

use serde_json::{Value, json};
use zumra_testkit::{TestApp, TestRequest, WRITE_TOKEN};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

#[tokio::test]
async fn browsers_get_a_page_and_other_clients_json_with_the_same_links() {
    let app = TestApp::new().await;
    let get = |path: &str| TestRequest::new(app.router.clone(), "GET", path);
    let page = get("/").header("accept", BROWSER).send().await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let text = page.text();
    for expected in [r#"dir="rtl""#, r#"href="/docs""#, "https://zumra.example/admin/v2", "زُمرة"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("src=") && !text.contains('{') || text.contains("{ color-scheme"), "{text}");

    for accept in [None, Some("*/*"), Some("application/json")] {
        let request = accept.map_or_else(|| get("/"), |accept| get("/").header("accept", accept));
        let response = request.send().await;
        assert_eq!((response.status, response.header("vary")), (200, Some("accept")), "{accept:?}");
        let links = response.json();
        assert_eq!(links["docs"], json!("https://zumra.example/docs"));
        assert_eq!(links["tokens"], Value::Null);
        for name in ["docs", "openapi", "live", "ready"] {
            let path = links[name].as_str().unwrap().strip_prefix("https://zumra.example").unwrap();
            let status = get(path).send().await.status;
            assert!(matches!(status, 200 | 308), "{name}: {status}");
            assert!(text.contains(&format!("href=\"{path}\"")), "{path}: {text}");
        }
    }
    let other_method = TestRequest::new(app.router.clone(), "POST", "/").send().await;
    assert_eq!((other_method.status, other_method.header("allow")), (405, Some("GET,HEAD")));
}

#[tokio::test]
async fn tokens_are_shown_only_where_they_are_public() {
    let start = "/docs/swagger-initializer.js";
    let app = TestApp::showing_tokens().await;
    let get = |path: &str| TestRequest::new(app.router.clone(), "GET", path);
    assert_eq!(get("/").send().await.json()["tokens"], json!([WRITE_TOKEN]));
    let page = get("/").header("accept", BROWSER).send().await;
    assert_eq!(page.text().matches(&format!("<code>{WRITE_TOKEN}</code>")).count(), 2, "{}", page.text());
    let script = get(start).send().await;
    let authorize = format!("onComplete: () => window.ui.preauthorizeApiKey(\"bearer\", \"{WRITE_TOKEN}\"),");
    assert!(script.text().contains(&authorize), "{}", script.text());

    let app = TestApp::new().await;
    let script = TestRequest::new(app.router.clone(), "GET", start).send().await;
    assert!(!script.text().contains("preauthorize"), "{}", script.text());
}
