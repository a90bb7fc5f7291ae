//! The known columns of an import, by their names in the first row.

/// The content of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    FirstName,
    LastName,
    /// First and last name together.
    Name,
    Mobile,
    MobileCode,
    Email,
    Gender,
    Birthday,
    City,
    Location,
}

/// The names of each column in the form that [`fold`] returns. Other columns of a file are ignored.
const NAMES: &[(Column, &[&str])] = &[
    (Column::FirstName, &["first_name", "الاسم_الاول", "firstname"]),
    (Column::LastName, &["last_name", "الاسم_الاخير", "اسم_العائله", "lastname"]),
    (Column::Name, &["name", "full_name", "الاسم", "اسم_العميل", "الاسم_الكامل", "customer_name"]),
    (Column::Mobile, &["mobile", "phone", "رقم_الجوال", "الجوال", "mobile_number"]),
    (
        Column::MobileCode,
        &["mobile_code", "mobile_code_country", "رمز_الدوله", "مفتاح_الدوله", "country_code"],
    ),
    (Column::Email, &["email", "e_mail", "البريد_الالكتروني"]),
    (Column::Gender, &["gender", "الجنس", "النوع"]),
    (Column::Birthday, &["birthday", "تاريخ_الميلاد", "birth_date", "date_of_birth"]),
    (Column::City, &["city", "المدينه"]),
    (Column::Location, &["location", "address", "العنوان"]),
];

/// An example file in CSV format: a header with every column, and one row.
pub const TEMPLATE: &str =
    "\u{FEFF}first_name,last_name,mobile_code,mobile,email,gender,birthday,city,location
سارة,القحطاني,+966,512345678,sarah@example.com,female,1997-06-03,الرياض,حي الملقا
";

/// The columns of a file in their order; `None` is a column that is ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns(Vec<Option<Column>>);

impl Columns {
    /// Reads the first row. Returns `None` if it lacks a column for a first name or for a mobile number.
    pub(super) fn read(header: &[String]) -> Option<Self> {
        let mut columns: Vec<Option<Column>> = Vec::with_capacity(header.len());
        for cell in header {
            let name = fold(cell);
            let known = NAMES.iter().find(|(_, names)| names.contains(&name.as_str()));
            // Of two columns with the same content the first counts.
            columns.push(known.map(|(column, _)| *column).filter(|column| !columns.contains(&Some(*column))));
        }
        let has = |column| columns.contains(&Some(column));
        let has_required = (has(Column::FirstName) || has(Column::Name)) && has(Column::Mobile);
        has_required.then_some(Self(columns))
    }

    /// Returns the cells of a row that are in known columns.
    pub(super) fn cells<'a>(&'a self, row: &'a [String]) -> impl Iterator<Item = (Column, &'a str)> {
        let cells = self.0.iter().zip(row);
        cells.filter_map(|(column, cell)| Some((column.as_ref().copied()?, cell.as_str())))
    }
}

/// Returns a column name in lower case, with one form of each Arabic letter and underscores between words.
fn fold(name: &str) -> String {
    let fold_char = |c: char| match c {
        'أ' | 'إ' | 'آ' => Some('ا'),
        'ة' => Some('ه'),
        'ى' => Some('ي'),
        'ـ' | '\u{64B}'..='\u{652}' | '*' => None,
        c if c.is_whitespace() || c == '-' => Some('_'),
        other => Some(other),
    };
    let name: String = name.chars().filter_map(fold_char).flat_map(char::to_lowercase).collect();
    name.trim_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &[&str]) -> Option<Vec<Option<Column>>> {
        let header: Vec<_> = header.iter().map(|name| (*name).to_owned()).collect();
        Columns::read(&header).map(|columns| columns.0)
    }

    #[test]
    fn column_names_are_recognized_in_both_languages() {
        let known = Some(vec![Some(Column::FirstName), None, Some(Column::Mobile), Some(Column::Email)]);
        assert_eq!(read(&["First Name", "Points", " mobile", "E-mail"]), known);
        assert_eq!(read(&["الاسم الأول", "النقاط", "رقم الجوال *", "البريد الإلكتروني"]), known);
        assert_eq!(
            read(&["Name", "Mobile", "mobile"]),
            Some(vec![Some(Column::Name), Some(Column::Mobile), None])
        );
        for incomplete in [&["first_name", "email"][..], &["mobile"], &[]] {
            assert_eq!(read(incomplete), None);
        }
    }

    #[test]
    fn template_contains_every_column() {
        let header: Vec<_> =
            TEMPLATE.trim_start_matches('\u{FEFF}').lines().next().unwrap().split(',').collect();
        assert!(read(&header).unwrap().iter().all(Option::is_some));
    }
}
