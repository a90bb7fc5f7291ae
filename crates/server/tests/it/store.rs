//! `GET /store/info`.

use zumra_testkit::TestApp;

/// The whole response, because clients rely on the order of the keys.
const STORE: &str = concat!(
    r#"{"status":200,"success":true,"data":{"id":1305146709,"name":"متجر","entity":"company","email":"","#,
    r#""avatar":"https://zumra.example/avatar.svg","plan":"special","type":"live","status":"active","#,
    r#""verified":false,"currency":"SAR","domain":"https://1305146709.example","description":"","#,
    r#""licenses":{"tax_number":null,"commercial_number":null,"freelance_number":null},"#,
    r#""social":{"telegram":null,"twitter":null,"facebook":null,"maroof":null,"youtube":null,"#,
    r#""snapchat":null,"whatsapp":null,"appstore_link":null,"googleplay_link":null}}}"#
);

#[tokio::test]
async fn store_information_is_shown_to_any_valid_token() {
    let app = TestApp::new().await;
    let response = app.request("GET", "/store/info").token("test-token-with-webhooks").send().await;
    assert_eq!((response.status, response.text()), (200, STORE));
    assert_eq!(app.request("GET", "/store/info").send().await.status, 401);
}
