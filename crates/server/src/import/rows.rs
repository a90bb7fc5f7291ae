//! Parses one row of a file into a customer, or into the problems of the row.

use zumra_core::{CustomerId, Language, NewCustomer, RowProblem};
use zumra_validation::requests::customers::import as rules;
use zumra_validation::{Entity, FieldErrors, Input, LookupResults, RuleSet, UniqueField};

use super::columns::{Column, Columns};
use crate::customer_fields::read_customer_change;
use crate::fields::Fields;

/// Country codes that are recognized at the start of a mobile number. No code is a prefix of another.
const COUNTRY_CODES: [&str; 10] = ["966", "971", "965", "974", "973", "968", "967", "962", "964", "20"];
/// The country code of a number that has none.
const DEFAULT_COUNTRY_CODE: &str = "+966";

/// Reason for rejecting a row whose values pass validation but cannot be stored.
const NOT_STORABLE: &str = "it cannot be kept";

/// Placeholder for the id of a new customer; the worker sets ids when it writes a chunk.
const PLACEHOLDER_ID: CustomerId = CustomerId::FIRST;

/// A parser of the rows of a file with given columns.
pub(super) struct RowParser {
    columns: Columns,
    rules: RuleSet,
    language: Language,
}

impl RowParser {
    pub(super) fn new(columns: Columns, language: Language) -> Self {
        Self { columns, rules: rules(), language }
    }

    /// Returns the customer of row `number`, or its problems. Whether mobile number and email are already used is
    /// checked by the storage when it writes the chunk.
    pub(super) fn read(&self, number: u32, cells: &[String]) -> Result<NewCustomer, Vec<RowProblem>> {
        let mut row = RowCells::default();
        for (column, cell) in self.columns.cells(cells) {
            row.set(column, cell);
        }
        let (city, location) = (row.city.take(), row.location.take());
        let input = Input::from_texts(row.into_fields());
        self.rules.check(&input, &NoLookups).map_err(|errors| self.row_problems(number, &errors))?;
        let fields = Fields::new(self.rules.normalized(&input));
        // The rules accept some texts that cannot be stored, such as a name that consists only of U+0000.
        let not_storable = |column: &str| {
            vec![RowProblem { row: number, column: column.to_owned(), reason: NOT_STORABLE.to_owned() }]
        };
        let change = read_customer_change(&fields).map_err(|_| not_storable("row"))?;
        let name = change.first_name.clone().ok_or_else(|| not_storable("first_name"))?;
        // `Fields` removes U+0000 from the other texts.
        let without_nul = |text: Option<String>| text.map(|text| text.replace('\0', ""));
        let customer = NewCustomer {
            city: without_nul(city),
            location: without_nul(location),
            ..NewCustomer::new(PLACEHOLDER_ID, name)
        };
        Ok(customer.with_change(change))
    }

    fn row_problems(&self, row: u32, errors: &FieldErrors) -> Vec<RowProblem> {
        let problem = |(column, messages): (&str, Vec<String>)| RowProblem {
            row,
            column: column.to_owned(),
            reason: messages.join(" "),
        };
        errors.messages(self.language).map(problem).collect()
    }
}

/// The cells of one row, by column.
#[derive(Default)]
struct RowCells {
    first_name: String,
    last_name: String,
    mobile: String,
    country_code: String,
    email: String,
    gender: String,
    birthday: String,
    city: Option<String>,
    location: Option<String>,
}

impl RowCells {
    fn set(&mut self, column: Column, cell: &str) {
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
            Column::MobileCode => self.country_code = text,
            Column::Email => self.email = text,
            Column::Gender => self.gender = normalize_gender(cell),
            Column::Birthday => self.birthday = text,
            Column::City => self.city = Some(text).filter(|text| !text.is_empty()),
            Column::Location => self.location = Some(text).filter(|text| !text.is_empty()),
        }
    }

    /// Returns the cells as the fields of a request to create a customer.
    fn into_fields(self) -> [(&'static str, String); 7] {
        let (country_code, mobile) = split_number(&self.country_code, &self.mobile);
        [
            ("first_name", self.first_name),
            ("last_name", self.last_name),
            ("mobile_code_country", country_code),
            ("mobile", mobile),
            ("email", self.email),
            ("gender", self.gender),
            ("birthday", self.birthday),
        ]
    }
}

fn normalize_gender(text: &str) -> String {
    match text.to_lowercase().as_str() {
        "ذكر" | "m" => "male",
        "أنثى" | "انثى" | "أنثي" | "f" => "female",
        other => other,
    }
    .to_owned()
}

/// Returns country code and national number, from the cells of both columns.
///
/// `mobile` may be in international form (`+966…`, `00966…`, `966…`) or in national form with its leading zero. A
/// text that is not a number is returned unchanged, so that validation reports it.
fn split_number(country_code: &str, mobile: &str) -> (String, String) {
    let country_code = clean_digits(country_code);
    let mobile = clean_digits(mobile);
    let international = mobile.strip_prefix('+').or_else(|| mobile.strip_prefix("00"));
    let digits = international.unwrap_or(&mobile);
    let given_code = country_code.trim_start_matches('+');
    let prefix = if given_code.is_empty() {
        COUNTRY_CODES.into_iter().find(|code| has_country_code(digits, code))
    } else {
        Some(given_code).filter(|code| has_country_code(digits, code))
    };
    let code = match prefix {
        Some(prefix) if country_code.is_empty() => format!("+{prefix}"),
        None if country_code.is_empty() => DEFAULT_COUNTRY_CODE.to_owned(),
        _ => country_code.clone(),
    };
    let national = prefix.and_then(|prefix| digits.strip_prefix(prefix)).unwrap_or(digits);
    let is_number = national.bytes().all(|byte| byte.is_ascii_digit());
    let national = if is_number { national.trim_start_matches('0') } else { mobile.as_str() };
    (code, national.to_owned())
}

/// Replaces Arabic-Indic digits with ASCII ones, and removes spaces, hyphens and parentheses.
fn clean_digits(text: &str) -> String {
    let clean = |character: char| match character {
        '٠'..='٩' => char::from_digit(character as u32 - '٠' as u32, 10),
        ' ' | '-' | '(' | ')' => None,
        other => Some(other),
    };
    text.chars().filter_map(clean).collect()
}

/// Returns true if `digits` start with `country_code` and the rest is long enough to be a national number.
fn has_country_code(digits: &str, country_code: &str) -> bool {
    digits.strip_prefix(country_code).is_some_and(|rest| rest.len() >= 8)
}

/// Lookup results that every row passes: the storage checks uniqueness when it writes rows, and rows contain no ids.
struct NoLookups;

impl LookupResults for NoLookups {
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
    fn common_spellings_of_a_number_are_split() {
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
            let (code, mobile) = split_number(code, mobile);
            assert_eq!((code.as_str(), mobile.as_str()), expected);
        }
    }
}
