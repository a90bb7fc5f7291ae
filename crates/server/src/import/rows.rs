//! A row of a file: the customer that it makes, or what is wrong with it.

use zumra_core::{CustomerId, Language, NewCustomer, RowProblem};
use zumra_validation::requests::customers::import as rules;
use zumra_validation::{Entity, FieldErrors, Input, LookupResults, RuleSet, UniqueField};

use super::columns::{Column, Columns};
use crate::checked::Fields;
use crate::merchant_api::customers::read_change;

/// Country codes that a mobile number may bring along when the file has no column for them, the longest first.
const CODES: [&str; 10] = ["966", "971", "965", "974", "973", "968", "967", "962", "964", "20"];
/// The country code of a number that brings none.
const CODE_DEFAULT: &str = "+966";

/// The id of a customer who has none yet: ids are given when a piece is written.
const UNNAMED: CustomerId = CustomerId::FIRST;

/// Reads rows.
pub(super) struct Rows {
    columns: Columns,
    rules: RuleSet,
    language: Language,
}

impl Rows {
    pub(super) fn new(columns: Columns, language: Language) -> Self {
        Self { columns, rules: rules(), language }
    }

    /// The customer of a row. What is in use already, the storage finds out.
    pub(super) fn read(&self, number: u32, cells: &[String]) -> Result<NewCustomer, Vec<RowProblem>> {
        let mut row = Row::default();
        for (column, cell) in self.columns.cells(cells) {
            row.put(column, cell);
        }
        let (city, location) = (row.city.take(), row.location.take());
        let input = Input::from_texts(row.fields());
        let checked = self.rules.check(&input, &Nothing).map_err(|errors| self.problems(number, &errors));
        checked?;
        let fields = Fields::new(self.rules.normalized(&input), self.language);
        let wrong = |column: &str, reason: &str| {
            vec![RowProblem { row: number, column: column.to_owned(), reason: reason.to_owned() }]
        };
        let change = read_change(&fields).map_err(|_| wrong("row", "it cannot be kept"))?;
        let name = change.first_name.clone().ok_or_else(|| wrong("first_name", "it cannot be kept"))?;
        let kept = |text: Option<String>| text.map(|text| text.replace('\0', ""));
        let customer =
            NewCustomer { city: kept(city), location: kept(location), ..NewCustomer::new(UNNAMED, name) };
        Ok(customer.with_change(change))
    }

    fn problems(&self, row: u32, errors: &FieldErrors) -> Vec<RowProblem> {
        let problem = |(column, sentences): (&str, Vec<String>)| RowProblem {
            row,
            column: column.to_owned(),
            reason: sentences.join(" "),
        };
        errors.messages(self.language).map(problem).collect()
    }
}

/// The cells of one row by what they mean.
#[derive(Default)]
struct Row {
    first_name: String,
    last_name: String,
    mobile: String,
    code: String,
    email: String,
    gender: String,
    birthday: String,
    city: Option<String>,
    location: Option<String>,
}

impl Row {
    fn put(&mut self, column: Column, cell: &str) {
        let text = cell.to_owned();
        match column {
            Column::FirstName => self.first_name = text,
            Column::LastName => self.last_name = text,
            Column::Name if self.first_name.is_empty() => {
                let (first, last) = cell.split_once(char::is_whitespace).unwrap_or((cell, ""));
                (self.first_name, self.last_name) = (first.to_owned(), last.trim().to_owned());
            }
            Column::Name => {}
            Column::Mobile => self.mobile = text,
            Column::MobileCode => self.code = text,
            Column::Email => self.email = text,
            Column::Gender => self.gender = gender(cell),
            Column::Birthday => self.birthday = text,
            Column::City => self.city = Some(text).filter(|text| !text.is_empty()),
            Column::Location => self.location = Some(text).filter(|text| !text.is_empty()),
        }
    }

    fn fields(self) -> [(&'static str, String); 7] {
        let (code, mobile) = number(&self.code, &self.mobile);
        [
            ("first_name", self.first_name),
            ("last_name", self.last_name),
            ("mobile_code_country", code),
            ("mobile", mobile),
            ("email", self.email),
            ("gender", self.gender),
            ("birthday", self.birthday),
        ]
    }
}

fn gender(text: &str) -> String {
    match text.to_lowercase().as_str() {
        "ذكر" | "m" => "male",
        "أنثى" | "انثى" | "أنثي" | "f" => "female",
        other => other,
    }
    .to_owned()
}

/// Country code and number, from what a file says of both. A number may be in its international form, or have the zero
/// that people dial before it within their country.
fn number(code: &str, mobile: &str) -> (String, String) {
    let ascii = |c: char| match c {
        '٠'..='٩' => char::from_digit(c as u32 - '٠' as u32, 10),
        ' ' | '-' | '(' | ')' => None,
        other => Some(other),
    };
    let mobile: String = mobile.chars().filter_map(ascii).collect();
    let code: String = code.chars().filter_map(ascii).collect();
    let international = mobile.strip_prefix('+').or_else(|| mobile.strip_prefix("00"));
    let digits = international.unwrap_or(&mobile);
    let given = code.trim_start_matches('+');
    let own = if given.is_empty() {
        CODES.into_iter().find(|code| starts_with(digits, code))
    } else {
        Some(given).filter(|code| starts_with(digits, code))
    };
    let shown = match own {
        Some(own) if code.is_empty() => format!("+{own}"),
        None if code.is_empty() => CODE_DEFAULT.to_owned(),
        _ => code.clone(),
    };
    let national = own.and_then(|own| digits.strip_prefix(own)).unwrap_or(digits);
    let is_number = national.bytes().all(|byte| byte.is_ascii_digit());
    // What is no number is left as it came, for the rules to name.
    let national = if is_number { national.trim_start_matches('0') } else { mobile.as_str() };
    (shown, national.to_owned())
}

/// Whether a number begins with a country code, and enough comes after it to be a number without it.
fn starts_with(digits: &str, code: &str) -> bool {
    digits.strip_prefix(code).is_some_and(|rest| rest.len() >= 8)
}

/// Rows are not asked about what is in use: the storage knows when it writes them.
struct Nothing;

impl LookupResults for Nothing {
    fn exists(&self, _: Entity, _: i64) -> bool {
        true
    }

    fn is_used(&self, _: UniqueField, _: &str) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_in_every_common_spelling() {
        for (code, mobile, expected) in [
            ("+966", "512345678", ("+966", "512345678")),
            ("966", "0512345678", ("966", "512345678")),
            ("", "512345678", ("+966", "512345678")),
            ("", "0512345678", ("+966", "512345678")),
            ("", "966512345678", ("+966", "512345678")),
            ("", "+971 50 123 4567", ("+971", "501234567")),
            ("", "00201012345678", ("+20", "1012345678")),
            ("+966", "+966512345678", ("+966", "512345678")),
            ("", "٠٥١٢٣٤٥٦٧٨", ("+966", "512345678")),
            ("", "abc", ("+966", "abc")),
            ("", "", ("+966", "")),
        ] {
            let (code, mobile) = number(code, mobile);
            assert_eq!((code.as_str(), mobile.as_str()), expected);
        }
    }
}
