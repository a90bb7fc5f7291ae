//! The columns that an import knows, by their names in the first row.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    FirstName,
    LastName,
    /// First and last name in one.
    Name,
    Mobile,
    MobileCode,
    Email,
    Gender,
    Birthday,
    City,
    Location,
}

/// The names of each, folded by [`fold`]. A file may bring columns that are not here; nobody reads them.
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

/// A file with every column and one row, as comma-separated text.
pub const TEMPLATE: &str =
    "\u{FEFF}first_name,last_name,mobile_code,mobile,email,gender,birthday,city,location
سارة,القحطاني,+966,512345678,sarah@example.com,female,1997-06-03,الرياض,حي الملقا
";

/// Where the columns are in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns(Vec<Option<Column>>);

impl Columns {
    /// Reads the first row. Nothing if customers could not be made of the rest.
    pub(super) fn read(header: &[String]) -> Option<Self> {
        let mut columns: Vec<Option<Column>> = Vec::with_capacity(header.len());
        for cell in header {
            let name = fold(cell);
            let known = NAMES.iter().find(|(_, names)| names.contains(&name.as_str()));
            // Of two with one name the first counts.
            columns.push(known.map(|(column, _)| *column).filter(|column| !columns.contains(&Some(*column))));
        }
        let has = |column| columns.contains(&Some(column));
        let is_enough = (has(Column::FirstName) || has(Column::Name)) && has(Column::Mobile);
        is_enough.then_some(Self(columns))
    }

    /// The cells of a row that have a known column.
    pub(super) fn cells<'a>(&'a self, row: &'a [String]) -> impl Iterator<Item = (Column, &'a str)> {
        let cells = self.0.iter().zip(row);
        cells.filter_map(|(column, cell)| Some((column.as_ref().copied()?, cell.as_str())))
    }
}

/// Lower case, one form of each Arabic letter, underscores for what stands between words.
fn fold(name: &str) -> String {
    let one = |c: char| match c {
        'أ' | 'إ' | 'آ' => Some('ا'),
        'ة' => Some('ه'),
        'ى' => Some('ي'),
        'ـ' | '\u{64B}'..='\u{652}' | '*' => None,
        c if c.is_whitespace() || c == '-' => Some('_'),
        other => Some(other),
    };
    let name: String = name.chars().filter_map(one).flat_map(char::to_lowercase).collect();
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
    fn columns_are_known_in_both_languages() {
        let known = Some(vec![Some(Column::FirstName), None, Some(Column::Mobile), Some(Column::Email)]);
        assert_eq!(read(&["First Name", "Points", " mobile", "E-mail"]), known);
        assert_eq!(read(&["الاسم الأول", "النقاط", "رقم الجوال *", "البريد الإلكتروني"]), known);
        assert_eq!(
            read(&["Name", "Mobile", "mobile"]),
            Some(vec![Some(Column::Name), Some(Column::Mobile), None])
        );
        for poor in [&["first_name", "email"][..], &["mobile"], &[]] {
            assert_eq!(read(poor), None);
        }
    }

    #[test]
    fn the_template_names_every_column() {
        let header: Vec<_> =
            TEMPLATE.trim_start_matches('\u{FEFF}').lines().next().unwrap().split(',').collect();
        assert!(read(&header).unwrap().iter().all(Option::is_some));
    }
}
