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
    assert!(zumra.fails("import poor.csv --merchant 7", 2).starts_with(
        "poor.csv: no row among the first 20 names a column for first_name (الاسم الأول) and mobile"
    ));
    assert_eq!(zumra.fails("import empty.csv --merchant 7", 2), "empty.csv: the file is empty");
    assert!(zumra.fails("import missing.csv --merchant 7", 2).starts_with("missing.csv: "));
    zumra.write("good.csv", "name,mobile\nAli,512345678\n");
    assert!(zumra.fails("import good.csv --merchant 8", 3).starts_with("merchant 8 does not exist"));
    assert!(zumra.fails("import status 5 --merchant 7", 3).contains("has no import 5"));
}

#[test]
fn dry_run_reports_everything_and_stores_nothing() {
    let zumra = shop();
    zumra.write("first.csv", "name,mobile\nAli,0512345678\n");
    zumra.ok("import first.csv --merchant 7");
    zumra.write(
        "second.csv",
        "Customers,,\n\nname,phone,Favorite Color\nMona,0512345679,red\nNora,0512345678,\nHuda,9.66E+11,\nReem,0512345679,\n",
    );
    let output = zumra.ok("import second.csv --merchant 7 --dry-run");
    for part in [
        "second.csv: 4 rows read, 1 customer would be created, 3 rows rejected. Nothing was stored.\n",
        "5    mobile  The mobile has already been taken.",
        "6    mobile  Cell B6 contains 9.66E+11",
        "7    mobile  The mobile has already been taken.",
        "Column names: row 3\n",
        "Ignored columns: Favorite Color\n",
    ] {
        assert!(output.contains(part), "{part} in {output}");
    }
    let json = zumra.json("import second.csv --merchant 7 --dry-run");
    assert_eq!((&json["rows"], &json["customers"], &json["rejected"]), (&json!(4), &json!(1), &json!(3)));
    assert_eq!((&json["header_row"], &json["unknown_columns"]), (&json!(3), &json!(["Favorite Color"])));
    assert_eq!(zumra.json("import status --merchant 7").as_array().unwrap().len(), 1);
    let done = zumra.ok("import second.csv --merchant 7");
    assert!(
        done.contains("1 customer created, 3 rows rejected")
            && done.contains("Ignored columns: Favorite Color")
    );
    let list = zumra.json("import status --merchant 7");
    assert_eq!(
        (&list[0]["rows"], &list[1]["rows"]),
        (&json!(4), &json!(1)),
        "the header is not a row of data"
    );
    assert_eq!(list[0]["unknown_columns"], json!(["Favorite Color"]));
}

#[test]
fn unclosed_quotation_mark_is_an_error() {
    let zumra = shop();
    zumra.write("quote.csv", "name,mobile\nAli,0512345678\n\"Mona,0512345679\nNora,0512345670\n");
    let error = zumra.fails("import quote.csv --merchant 7", 2);
    assert!(error.starts_with("quote.csv: a quotation mark that opens in row 3 is not closed"), "{error}");
    assert_eq!(zumra.json("import status --merchant 7"), json!([]));
}

#[test]
fn known_names_are_printed_in_both_languages() {
    let names = Zumra::new().ok("import template --names");
    for name in ["الإيميل", "البريد", "رقم الهاتف", "الهاتف", "جوال", "phone number", "first_name", "city"]
    {
        assert!(names.contains(name), "{name}");
    }
}
