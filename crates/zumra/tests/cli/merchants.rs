//! `zumra merchant` and `zumra token`.

use serde_json::json;

use super::Zumra;

#[test]
fn merchant_is_created_once_and_listed() {
    let zumra = Zumra::new();
    let created = zumra.ok("merchant create --id 5 --name Shop --plan pro --domain shop.example");
    assert!(
        created.starts_with("Created merchant 5, Shop.\nNext: zumra token create --merchant 5"),
        "{created}"
    );
    let other = zumra.ok("merchant create --id 5 --name Shop --database other.db");
    assert!(
        other.ends_with(
            "\nNext: zumra token create --merchant 5 --scope customers.read_write --database other.db\n"
        ),
        "{other}"
    );
    let next = zumra.ok("token list --merchant 5 --database other.db");
    assert!(next.ends_with(" --database other.db\n"), "{next}");
    assert_eq!(zumra.fails("merchant create --id 5 --name Other", 3), "there is already a merchant 5");
    let generated = zumra.json("merchant create --name متجر");
    assert!(generated["id"].as_i64().is_some_and(|id| id > 0 && id < 1 << 31), "{generated}");
    let list = zumra.json("merchant list");
    let shop = &list[0];
    assert_eq!((list.as_array().map(Vec::len), &list[1]), (Some(2), &generated));
    assert_eq!(shop["id"], 5);
    assert_eq!(
        (&shop["plan"], &shop["time_zone"], &shop["domain"]),
        (&json!("pro"), &json!("Asia/Riyadh"), &json!("https://shop.example"))
    );
    let table = zumra.ok("merchant list");
    assert!(
        table.lines().nth(1).is_some_and(|line| line.starts_with("5  ") && line.ends_with("  Shop")),
        "{table}"
    );
}

#[test]
fn invalid_merchants_are_usage_errors() {
    let zumra = Zumra::new();
    for invalid in [
        "--id 0 --name a",
        "--id x --name a",
        "--name a --plan gold",
        "--name a --time-zone Mars/Olympus",
        "",
    ] {
        let output = zumra.run(&format!("merchant create {invalid}"));
        assert_eq!(output.code, Some(2), "{invalid}");
    }
    assert!(!zumra.path("zumra.db").exists());
}

#[test]
fn token_secret_is_printed_once_and_not_stored() {
    let zumra = Zumra::new();
    zumra.ok("merchant create --id 5 --name Shop");
    let printed = zumra.ok("token create --merchant 5 --scope customers.read --scope webhooks.read_write");
    let secret = printed.lines().find(|line| line.starts_with("zum_")).unwrap();
    assert_eq!(printed.matches(secret).count(), 1);
    let as_json = zumra.json("token create --merchant 5 --scope customers.read --expires-in 30d");
    let other = as_json["token"].as_str().unwrap();
    assert_ne!(secret, other);
    assert!(as_json["expires_at"].is_string());

    let list = zumra.ok("token list --merchant 5") + &zumra.json("token list --merchant 5").to_string();
    let mut stored = Vec::new();
    for file in std::fs::read_dir(zumra.directory.path()).unwrap() {
        stored.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    for secret in [secret, other] {
        assert!(!list.contains(secret));
        assert!(!stored.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
    let scopes = zumra.json("token list --merchant 5")[0]["scopes"].clone();
    assert_eq!(scopes, json!(["customers.read", "webhooks.read_write"]));
}

#[test]
fn token_is_revoked_by_id() {
    let zumra = Zumra::new();
    zumra.ok("merchant create --id 5 --name Shop");
    zumra.ok("merchant create --id 6 --name Other");
    let id = zumra.json("token create --merchant 5 --scope customers.read")["id"].to_string();
    assert_eq!(zumra.json("token list --merchant 5")[0]["state"], "valid");
    let problem = zumra.fails(&format!("token revoke --merchant 6 {id}"), 3);
    assert!(problem.starts_with(&format!("merchant 6 has no token {id}; ")), "{problem}");
    let revoked = zumra.ok(&format!("token revoke --merchant 5 {id}"));
    assert_eq!(revoked, format!("Token {id} of merchant 5 is revoked.\n"));
    let again = zumra.json(&format!("token revoke --merchant 5 {id}"));
    assert_eq!((&again["state"], &zumra.json("token list --merchant 5")[0]), (&json!("revoked"), &again));
}

#[test]
fn errors_name_the_missing_merchant() {
    let zumra = Zumra::new();
    zumra.ok("merchant create --id 5 --name Shop");
    for command in [
        "token list --merchant 4",
        "token create --merchant 4 --scope customers.read",
        "token revoke --merchant 4 1",
    ] {
        assert!(zumra.fails(command, 3).starts_with("merchant 4 does not exist; "), "{command}");
    }
}

#[test]
fn empty_token_list_suggests_to_create_one() {
    let zumra = Zumra::new();
    zumra.ok("merchant create --id 5 --name Shop");
    assert!(zumra.ok("token list --merchant 5").starts_with("Merchant 5 has no tokens. Create one: "));
}

#[test]
fn invalid_tokens_are_usage_errors() {
    let zumra = Zumra::new();
    zumra.ok("merchant create --id 5 --name Shop");
    for invalid in [
        "--scope customers.write",
        "--scope customers.read --expires-in 30",
        "--scope customers.read --expires-in 0d",
    ] {
        assert_eq!(zumra.run(&format!("token create --merchant 5 {invalid}")).code, Some(2), "{invalid}");
    }
}
