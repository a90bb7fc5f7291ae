//! `zumra import`.

use serde_json::json;

use super::Zumra;

fn shop() -> Zumra {
    let zumra = Zumra::new();
    zumra.ok("merchant create --id 7 --name Shop");
    zumra
}

#[test]
fn template_can_be_imported() {
    let zumra = shop();
    zumra.write("customers.csv", &zumra.ok("import template"));
    let output = zumra.ok("import customers.csv --merchant 7");
    assert_eq!(output, "customers.csv: completed, 1 customer created, 0 rows rejected.\n");
    let again = zumra.ok("import customers.csv --merchant 7");
    assert!(
        again.contains("0 customers created, 1 row rejected")
            && again.contains("The mobile has already been taken."),
        "{again}"
    );
    let list = zumra.json("import status --merchant 7");
    assert_eq!(
        (list.as_array().unwrap().len(), &list[0]["customers"], &list[1]["customers"]),
        (2, &json!(0), &json!(1))
    );
    let import = zumra.json(&format!("import status {} --merchant 7", list[0]["id"]));
    assert_eq!((&import["problems"][0]["row"], &import["status"]), (&json!(2), &json!("completed")));
    assert!(zumra.ok("import status --merchant 7").starts_with("ID "));
}

#[test]
fn each_error_is_reported_in_one_line() {
    let zumra = shop();
    zumra.write("poor.csv", "a,b\n1,2\n");
    zumra.write("empty.csv", "");
    assert!(
        zumra
            .fails("import poor.csv --merchant 7", 2)
            .starts_with("poor.csv: the first row names no columns")
    );
    assert_eq!(zumra.fails("import empty.csv --merchant 7", 2), "empty.csv: the file is empty");
    assert!(zumra.fails("import missing.csv --merchant 7", 2).starts_with("missing.csv: "));
    zumra.write("good.csv", "name,mobile\nAli,5\n");
    assert!(zumra.fails("import good.csv --merchant 8", 3).starts_with("merchant 8 does not exist"));
    assert!(zumra.fails("import status 5 --merchant 7", 3).contains("has no import 5"));
}
