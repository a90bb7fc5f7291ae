//! The known columns of an import, by their names in the header.

use zumra_core::digits::{ascii_digit, is_invisible};
use zumra_spreadsheet::Cell;

/// The content of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    FirstName,
    LastName,
    /// First and last name together.
    Name,
    Mobile,
    MobileCode,
    /// The country of the mobile number: two letters, a name, or its country code.
    Country,
    Email,
    Gender,
    Birthday,
    City,
    Location,
    /// Names or ids of groups, separated by [`GROUP_SEPARATORS`].
    Group,
}

/// The names of each column, as users write them. Of several columns with the same content, the one whose name comes
/// first here counts, and the others fill its gaps. [`fold`] makes other spellings of a name equal.
const NAMES: &[(Column, &[&str])] = &[
    (Column::FirstName, &["first_name", "الاسم الأول", "firstname", "given name", "first"]),
    (
        Column::LastName,
        &["last_name", "الاسم الأخير", "اسم العائلة", "lastname", "family name", "surname", "العائلة", "last"],
    ),
    (Column::Name, &["name", "full_name", "الاسم", "اسم العميل", "الاسم الكامل", "customer_name", "customer"]),
    (
        Column::Mobile,
        &[
            "mobile",
            "رقم الجوال",
            "الجوال",
            "جوال",
            "phone",
            "mobile_number",
            "phone number",
            "رقم الهاتف",
            "الهاتف",
            "هاتف",
            "mobile phone",
            "رقم الموبايل",
            "الموبايل",
            "telephone",
            "whatsapp",
        ],
    ),
    (
        Column::MobileCode,
        &["mobile_code", "mobile_code_country", "مفتاح الدولة", "dial code", "calling code"],
    ),
    (Column::Country, &["country", "country_code", "الدولة", "رمز الدولة", "البلد"]),
    (
        Column::Email,
        &["email", "e_mail", "البريد الإلكتروني", "email address", "الإيميل", "البريد", "ايميل", "mail"],
    ),
    (Column::Gender, &["gender", "الجنس", "النوع", "sex"]),
    (Column::Birthday, &["birthday", "تاريخ الميلاد", "birth_date", "date_of_birth", "dob"]),
    (Column::City, &["city", "المدينة"]),
    (Column::Location, &["location", "address", "العنوان"]),
    (Column::Group, &["group", "المجموعة", "groups", "المجموعات", "customer group", "مجموعة العملاء"]),
];

/// What separates the groups in a cell.
pub(super) const GROUP_SEPARATORS: [char; 2] = ['|', '،'];

/// Columns without which no customer can be created: the contents that satisfy each, and the names in messages.
const REQUIRED: [(&[Column], &str); 2] = [
    (&[Column::FirstName, Column::Name], "first_name (الاسم الأول)"),
    (&[Column::Mobile], "mobile (رقم الجوال)"),
];

/// Characters of the name of an unknown column that a result shows.
const SHOWN_CHARACTERS: usize = 100;

/// An example file in CSV format: a header with every column, and one row.
pub const TEMPLATE: &str =
    "\u{FEFF}first_name,last_name,mobile_code,mobile,email,gender,birthday,city,location
سارة,القحطاني,+966,512345678,sarah@example.com,female,1997-06-03,الرياض,حي الملقا
";

/// Returns the known names of every column, a line each.
pub fn known_names() -> String {
    NAMES.iter().map(|(_, names)| names.join(", ") + "\n").collect()
}

/// The columns of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    /// Known columns with their position, counted from 0; of those with the same content, the best name first.
    known: Vec<(Column, usize)>,
    /// Names of the columns that are not known.
    pub(super) unknown: Vec<String>,
}

/// Why a row is not the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoHeader {
    /// Number of known columns.
    pub(super) known: usize,
    /// The required columns that are missing.
    pub(super) missing: Vec<&'static str>,
}

impl Columns {
    /// Reads the names in a row.
    ///
    /// # Errors
    ///
    /// [`NoHeader`] if it lacks a column for a first name or for a mobile number.
    pub(super) fn read(header: &[Cell]) -> Result<Self, NoHeader> {
        let (mut ranked, mut unknown) = (Vec::new(), Vec::new());
        for (position, cell) in header.iter().enumerate() {
            match find(&fold(&cell.text)) {
                Some((column, rank)) => ranked.push((rank, column, position)),
                None if cell.text.is_empty() => {}
                None => unknown.push(shown(&cell.text)),
            }
        }
        // Stable: of two columns with the same name the first counts.
        ranked.sort_by_key(|(rank, ..)| *rank);
        let known: Vec<_> = ranked.into_iter().map(|(_, column, position)| (column, position)).collect();
        let is_known = |column: &Column| known.iter().any(|(known, _)| known == column);
        let missing: Vec<_> = REQUIRED
            .iter()
            .filter(|(columns, _)| !columns.iter().any(is_known))
            .map(|(_, name)| *name)
            .collect();
        if missing.is_empty() {
            Ok(Self { known, unknown })
        } else {
            Err(NoHeader { known: known.len(), missing })
        }
    }

    /// Returns the first cell of `row` with this content that is not empty, and its position.
    pub(super) fn cell<'r>(&self, column: Column, row: &'r [Cell]) -> Option<(usize, &'r Cell)> {
        let positions =
            self.known.iter().filter(|(known, _)| *known == column).map(|(_, position)| *position);
        positions
            .filter_map(|position| Some((position, row.get(position)?)))
            .find(|(_, cell)| !cell.text.is_empty())
    }
}

/// Returns the beginning of a name, in one line.
fn shown(name: &str) -> String {
    let visible = name.chars().filter(|c| !is_invisible(*c));
    visible.map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_CHARACTERS).collect()
}

/// Returns the column with this folded name, and the position of the name among its names.
fn find(folded: &str) -> Option<(Column, usize)> {
    NAMES.iter().find_map(|(column, names)| {
        names.iter().position(|name| fold(name) == folded).map(|rank| (*column, rank))
    })
}

/// Returns a column name in lower case, with one form of each Arabic letter, without spaces, marks and punctuation.
pub(super) fn fold(name: &str) -> String {
    let fold_char = |c: char| match c {
        'أ' | 'إ' | 'آ' | 'ٱ' => Some('ا'),
        'ة' => Some('ه'),
        'ى' | 'ی' | 'ې' | 'ئ' => Some('ي'),
        'ک' => Some('ك'),
        'ؤ' => Some('و'),
        'ـ' => None,
        c if is_invisible(c) => None,
        c => ascii_digit(c).or_else(|| c.is_alphabetic().then_some(c)),
    };
    // Vowel signs are alphabetic by Unicode.
    let is_vowel_sign = |c: &char| matches!(c, '\u{64B}'..='\u{65F}' | '\u{670}');
    name.chars().filter(|c| !is_vowel_sign(c)).filter_map(fold_char).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &[&str]) -> Vec<Cell> {
        names.iter().map(|name| Cell { text: (*name).to_owned(), number: None }).collect()
    }

    fn read(names: &[&str]) -> Result<Vec<(Column, usize)>, NoHeader> {
        Columns::read(&header(names)).map(|columns| columns.known)
    }

    #[test]
    fn column_names_are_recognized_in_both_languages() {
        let known = [(Column::FirstName, 0), (Column::Mobile, 2), (Column::Email, 3)];
        for names in [
            ["first_name", "Points", "mobile", "email"],
            ["\u{200F}الاسم الأول", "النقاط", "رقم الجوال\u{200F} *", "البرید الإلکترونی"],
            ["الاِسم_الاوّل:", "النقاط", "رقم-الجوال", "البريد الالكترونى"],
        ] {
            let mut found = read(&names).unwrap();
            found.sort_by_key(|(_, position)| *position);
            assert_eq!(found, known, "{names:?}");
        }
        for name in ["الإيميل", "الايميل", "البريد", "Email Address", "E-mail"] {
            assert_eq!(find(&fold(name)).map(|found| found.0), Some(Column::Email), "{name}");
        }
        for name in ["رقم الهاتف", "الهاتف", "جوال", "Phone Number", "PHONE"] {
            assert_eq!(find(&fold(name)).map(|found| found.0), Some(Column::Mobile), "{name}");
        }
    }

    #[test]
    fn best_name_counts_and_other_columns_fill_its_gaps() {
        let columns = Columns::read(&header(&["phone", "name", "Mobile", "Mobile"])).unwrap();
        let cell = |row: &[&str]| columns.cell(Column::Mobile, &header(row)).map(|(position, _)| position);
        assert_eq!(cell(&["1", "a", "2", "3"]), Some(2));
        assert_eq!(cell(&["1", "a", "", "3"]), Some(3));
        assert_eq!(cell(&["1", "a"]), Some(0));
        assert_eq!(cell(&["", "a"]), None);
    }

    #[test]
    fn missing_columns_are_named() {
        for (names, missing) in [
            (&["first_name", "email"][..], &["mobile (رقم الجوال)"][..]),
            (&["mobile"], &["first_name (الاسم الأول)"]),
            (&[], &["first_name (الاسم الأول)", "mobile (رقم الجوال)"]),
        ] {
            assert_eq!(read(names).unwrap_err().missing, missing);
        }
    }

    #[test]
    fn no_two_columns_share_a_name() {
        for (column, names) in NAMES {
            for name in *names {
                assert_eq!(find(&fold(name)).map(|found| found.0), Some(*column), "{name}");
            }
        }
    }

    #[test]
    fn template_contains_every_column() {
        let names: Vec<_> =
            TEMPLATE.trim_start_matches('\u{FEFF}').lines().next().unwrap().split(',').collect();
        let columns = Columns::read(&header(&names)).unwrap();
        assert_eq!((columns.known.len(), columns.unknown.len()), (names.len(), 0));
    }
}
