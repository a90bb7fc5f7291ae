//! Parses one row of a file into a customer, or into the problems of the row.

use zumra_core::digits::{ascii_digit, is_invisible};
use zumra_core::message::format_message;
use zumra_core::phone::{CountryCode, DEFAULT_COUNTRY_CODE, PhoneError, read_phone};
use zumra_core::{GroupId, Language, MessageCode, NewCustomer, RowProblem};
use zumra_spreadsheet::{Cell, Row, cell_name};
use zumra_validation::requests::customers::import as rules;
use zumra_validation::{Entity, Input, LookupResults, RuleSet, UniqueField};

use super::columns::{Column, Columns, GROUP_SEPARATORS};
use super::countries::find_country_code;
use super::digits::{Digits, read_digits};
use super::groups::{GroupNames, NoGroup};
use super::names::{invisible_characters, split_name, visible_text};
use crate::customer_fields::read_customer_change;
use crate::fields::Fields;

/// Reason for rejecting a row whose values pass validation but cannot be stored.
const NOT_STORABLE: &str = "it cannot be kept";

/// Characters of a cell that a message shows.
const SHOWN_CHARACTERS: usize = 40;

/// A parser of the rows of a file with given columns.
pub(super) struct RowParser {
    columns: Columns,
    groups: GroupNames,
    rules: RuleSet,
    language: Language,
}

/// What a row creates: a customer, and their memberships in groups besides the default group.
pub(super) struct NewRow {
    pub(super) customer: NewCustomer,
    pub(super) groups: Vec<GroupId>,
}

impl RowParser {
    pub(super) fn new(columns: Columns, groups: GroupNames, language: Language) -> Self {
        Self { columns, groups, rules: rules(), language }
    }

    /// Returns what a row creates, or its problems. Whether mobile number and email are already used is checked by
    /// the storage when it writes the chunk.
    pub(super) fn read(&self, row: &Row) -> Result<NewRow, Vec<RowProblem>> {
        let reader = RowReader { parser: self, row, problems: Vec::new() };
        reader.read()
    }
}

/// Reads one row and collects its problems.
struct RowReader<'p> {
    parser: &'p RowParser,
    row: &'p Row,
    problems: Vec<RowProblem>,
}

impl<'p> RowReader<'p> {
    fn read(mut self) -> Result<NewRow, Vec<RowProblem>> {
        let (first_name, last_name) = self.names();
        let (code, mobile) = self.phone();
        let groups = self.groups();
        let fields = [
            ("first_name", first_name),
            ("last_name", last_name),
            ("mobile_code_country", code),
            ("mobile", mobile),
            ("email", self.text(Column::Email)),
            ("gender", normalize_gender(&self.text(Column::Gender))),
            ("birthday", ascii_digits(&self.text(Column::Birthday))),
        ];
        let rules = &self.parser.rules;
        let input = Input::from_texts(fields);
        if let Err(errors) = rules.check(&input, &NoLookups) {
            for (field, messages) in errors.messages(self.parser.language) {
                // A number that could not be read has its own reason.
                if !self.problems.iter().any(|problem| problem.column == field) {
                    let reason = messages.join(" ") + &self.hidden_characters(field);
                    self.reject(field, reason);
                }
            }
        }
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let customer = self.customer(&Fields::new(rules.normalized(&input)))?;
        Ok(NewRow { customer, groups })
    }

    fn customer(&self, fields: &Fields) -> Result<NewCustomer, Vec<RowProblem>> {
        // The rules accept some texts that cannot be stored, such as a name that consists only of U+0000.
        let not_storable = |column: &str| {
            vec![RowProblem {
                row: self.row.number,
                column: column.to_owned(),
                reason: NOT_STORABLE.to_owned(),
            }]
        };
        let change = read_customer_change(fields).map_err(|_| not_storable("row"))?;
        let name = change.first_name.clone().ok_or_else(|| not_storable("first_name"))?;
        // `Fields` removes U+0000 from the other texts.
        let free_text = |column| Some(self.text(column).replace('\0', "")).filter(|text| !text.is_empty());
        let customer = NewCustomer {
            city: free_text(Column::City),
            location: free_text(Column::Location),
            ..NewCustomer::new(name)
        };
        Ok(customer.with_change(change))
    }

    /// Returns the cell of a column with its position.
    fn cell(&self, column: Column) -> Option<(usize, &'p Cell)> {
        self.parser.columns.cell(column, &self.row.cells)
    }

    /// Returns the text of a cell without what cannot be seen.
    fn text(&self, column: Column) -> String {
        self.cell(column).map(|(_, cell)| visible_text(&cell.text)).unwrap_or_default()
    }

    /// Returns first and last name. A column with the whole name fills the gap of both.
    fn names(&self) -> (String, String) {
        let (first, last) = (self.text(Column::FirstName), self.text(Column::LastName));
        if !first.is_empty() {
            return (first, last);
        }
        split_name(&self.text(Column::Name), last)
    }

    /// Returns country code and national number as the fields of a request to create a customer. A number that cannot be
    /// read is a problem, and its text is returned unchanged.
    fn phone(&mut self) -> (String, String) {
        let Some((position, cell)) = self.cell(Column::Mobile) else {
            return (DEFAULT_COUNTRY_CODE.to_string(), String::new());
        };
        let unread = (DEFAULT_COUNTRY_CODE.to_string(), cell.text.clone());
        let number = match read_digits(cell) {
            Digits::Number(number) => number,
            // Validation reports it.
            Digits::Text => return unread,
            Digits::Changed => {
                self.reject_changed("mobile", position, cell);
                return unread;
            }
        };
        // A number in international form needs no country beside it.
        let is_international = number.starts_with('+') || number.starts_with("00");
        let Ok(code) = self.mobile_code(is_international) else { return unread };
        match read_phone(code, &number) {
            Ok(phone) => (phone.code.to_string(), phone.national),
            Err(error) => {
                let (message, code) = match error {
                    PhoneError::Length(code) => (MessageCode::PhoneLength, code),
                    PhoneError::OtherCountry(code) => (MessageCode::PhoneCountry, code),
                };
                let code = code.to_string();
                let arguments =
                    [("cell", &*cell_name(position, self.row.number)), ("value", &*number), ("code", &*code)];
                self.reject_with("mobile", message, &arguments);
                unread
            }
        }
    }

    /// Returns the country code beside the number: of its own column, or of the country. `Err` if it was rejected.
    fn mobile_code(&mut self, is_international: bool) -> Result<Option<CountryCode>, ()> {
        let (position, cell) = match (self.cell(Column::MobileCode), self.cell(Column::Country)) {
            (Some(code), _) => code,
            (None, Some(country)) if !is_international => country,
            _ => return Ok(None),
        };
        let code = match read_digits(cell) {
            Digits::Number(number) => CountryCode::parse(&number),
            Digits::Text => find_country_code(&visible_text(&cell.text)),
            Digits::Changed => {
                self.reject_changed("mobile_code_country", position, cell);
                return Err(());
            }
        };
        if code.is_none() {
            let name = cell_name(position, self.row.number);
            let arguments = [("cell", &*name), ("value", &*shown(&cell.text))];
            self.reject_with("mobile_code_country", MessageCode::UnknownCountry, &arguments);
        }
        code.map(Some).ok_or(())
    }

    /// Returns the groups that the row names. Each that is not found is a problem.
    fn groups(&mut self) -> Vec<GroupId> {
        let Some((position, cell)) = self.cell(Column::Group) else { return Vec::new() };
        let parser = self.parser;
        let text = match (cell.number, read_digits(cell)) {
            (Some(_), Digits::Number(number)) => number,
            _ => cell.text.clone(),
        };
        // A name may contain a separator.
        if let Ok(group) = parser.groups.find(&text) {
            return vec![group];
        }
        let mut groups = Vec::new();
        for name in text.split(GROUP_SEPARATORS).filter(|name| !visible_text(name).is_empty()) {
            match parser.groups.find(name) {
                Ok(group) if groups.contains(&group) => {}
                Ok(group) => groups.push(group),
                Err(_) if read_digits(cell) == Digits::Changed => {
                    self.reject_changed("group", position, cell);
                }
                Err(error) => {
                    let message = match error {
                        NoGroup::Unknown => MessageCode::UnknownGroup,
                        NoGroup::Ambiguous => MessageCode::AmbiguousGroup,
                    };
                    let cell = cell_name(position, self.row.number);
                    self.reject_with("group", message, &[("cell", &*cell), ("value", &*shown(name.trim()))]);
                }
            }
        }
        groups
    }

    fn reject_changed(&mut self, field: &str, position: usize, cell: &Cell) {
        let name = cell_name(position, self.row.number);
        let arguments = [("cell", &*name), ("value", &*shown(&cell.text))];
        self.reject_with(field, MessageCode::NumberChanged, &arguments);
    }

    fn reject_with(&mut self, field: &str, code: MessageCode, arguments: &[(&str, &str)]) {
        let reason = format_message(self.parser.language, code, arguments);
        self.reject(field, reason);
    }

    fn reject(&mut self, field: &str, reason: String) {
        self.problems.push(RowProblem { row: self.row.number, column: field.to_owned(), reason });
    }

    /// Returns a message about the characters of a rejected cell that cannot be seen, or an empty text.
    fn hidden_characters(&self, field: &str) -> String {
        let column = match field {
            "first_name" => Column::FirstName,
            "last_name" => Column::LastName,
            "mobile" => Column::Mobile,
            "email" => Column::Email,
            "gender" => Column::Gender,
            "birthday" => Column::Birthday,
            _ => return String::new(),
        };
        let Some((position, cell)) = self.cell(column) else { return String::new() };
        let Some(characters) = invisible_characters(&cell.text) else { return String::new() };
        let name = cell_name(position, self.row.number);
        let arguments = [("cell", &*name), ("characters", &*characters)];
        format!(" {}", format_message(self.parser.language, MessageCode::HiddenCharacters, &arguments))
    }
}

/// Returns the beginning of a text, with characters that cannot be seen as `U+202A`.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars().take(SHOWN_CHARACTERS) {
        match invisible_characters(character.encode_utf8(&mut [0; 4])) {
            Some(name) => shown.push_str(&name),
            None => shown.push(character),
        }
    }
    shown
}

/// Returns a date with ASCII digits.
fn ascii_digits(text: &str) -> String {
    text.chars().filter(|c| !is_invisible(*c)).map(|c| ascii_digit(c).unwrap_or(c)).collect()
}

fn normalize_gender(text: &str) -> String {
    match text.to_lowercase().as_str() {
        "ذكر" | "m" => "male",
        "أنثى" | "انثى" | "أنثي" | "انثي" | "f" => "female",
        other => other,
    }
    .to_owned()
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
