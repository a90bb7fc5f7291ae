//! Customers of one merchant, and the texts that identify them.
//!
//! What belongs here: the fields of a customer and what makes each of them valid.

use std::str::FromStr;

use jiff::{Timestamp, civil::Date};

use crate::text::Name;
use crate::{CustomerId, GroupId};

/// A first or last name: at most 25 characters (contract §2.2).
pub type PersonName = Name<25>;

/// Why the text of a field is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CustomerError {
    /// The text is not a mobile number.
    #[error("must be a number of at most 64 characters, without the country code")]
    Mobile,
    /// The text is not the country code of a mobile number.
    #[error("must have 1 to 1024 characters, such as +966")]
    MobileCode,
    /// The text is not an email address.
    #[error("must be an email address of at most 255 characters")]
    Email,
    /// The text is neither `male` nor `female`.
    #[error("must be male or female")]
    Gender,
}

/// A mobile number without its country code: a numeric text of at most 64 characters.
///
/// The contract accepts every numeric text, including `+777` and `1e3`, and compares numbers as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mobile(String);

/// Maximum length of a mobile number, in characters.
pub const MOBILE_MAX: usize = 64;
/// Maximum length of a country code, in characters.
pub const MOBILE_CODE_MAX: usize = 1024;
/// Maximum length of an email address, in characters.
pub const EMAIL_MAX: usize = 255;

impl Mobile {
    /// Returns the text as received: `0512` and `512` are different numbers.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the number shown in responses: truncated to an integer, saturated to 64 bits.
    pub fn number(&self) -> i64 {
        if let Ok(number) = self.0.parse() {
            return number;
        }
        let number = self.0.parse::<f64>().unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, as documented")]
        let truncated = number as i64;
        truncated
    }
}

impl FromStr for Mobile {
    type Err = CustomerError;

    fn from_str(text: &str) -> Result<Self, CustomerError> {
        // Rust also parses "inf" and "nan".
        let has_numeric_characters = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
        let is_valid = text.len() <= MOBILE_MAX && has_numeric_characters && text.parse::<f64>().is_ok();
        if is_valid { Ok(Self(text.to_owned())) } else { Err(CustomerError::Mobile) }
    }
}

/// The country code of a mobile number, with a plus sign. The contract accepts any text; a text that is not a number is
/// stored unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MobileCode(String);

impl MobileCode {
    /// Returns the text, for example `+966`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the country of this code, if its name is known to Zumra.
    pub fn country(&self) -> Option<&'static Country> {
        COUNTRIES.iter().find(|country| country.mobile_code == self.0)
    }
}

impl FromStr for MobileCode {
    type Err = CustomerError;

    /// Parses the code with a plus sign, with `00` or without either. A plus sign in front of digits does not count for the
    /// length, so that a stored code is valid when it is read again.
    fn from_str(text: &str) -> Result<Self, CustomerError> {
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let counted = text.strip_prefix('+').filter(|digits| is_number(digits)).unwrap_or(text);
        if text.is_empty() || counted.chars().count() > MOBILE_CODE_MAX {
            return Err(CustomerError::MobileCode);
        }
        // `00` is the plus sign as it is dialed.
        let dialed = text.strip_prefix("00").filter(|code| code.starts_with(|digit: char| digit != '0'));
        let code = dialed.unwrap_or(text);
        Ok(Self(if is_number(text) { format!("+{code}") } else { text.to_owned() }))
    }
}

/// A country as shown in responses.
#[derive(Debug, PartialEq, Eq)]
pub struct Country {
    /// Country code of its mobile numbers, with a plus sign.
    pub mobile_code: &'static str,
    /// ISO 3166 code, two letters.
    pub code: &'static str,
    /// Arabic name.
    pub name: &'static str,
}

/// Countries that responses derive from the country code of the mobile number.
const COUNTRIES: [Country; 10] = [
    Country { mobile_code: "+966", code: "SA", name: "السعودية" },
    Country { mobile_code: "+971", code: "AE", name: "الإمارات" },
    Country { mobile_code: "+965", code: "KW", name: "الكويت" },
    Country { mobile_code: "+974", code: "QA", name: "قطر" },
    Country { mobile_code: "+973", code: "BH", name: "البحرين" },
    Country { mobile_code: "+968", code: "OM", name: "عُمان" },
    Country { mobile_code: "+967", code: "YE", name: "اليمن" },
    Country { mobile_code: "+962", code: "JO", name: "الأردن" },
    Country { mobile_code: "+964", code: "IQ", name: "العراق" },
    Country { mobile_code: "+20", code: "EG", name: "مصر" },
];

/// An email address: two non-empty parts around an `@`, at most 255 characters.
///
/// The crate `zumra-validation` checks the syntax of the parts, including quoted ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// Returns the address as received.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the form in which addresses are compared: lower case.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl FromStr for Email {
    type Err = CustomerError;

    fn from_str(text: &str) -> Result<Self, CustomerError> {
        let has_parts =
            text.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
        let is_valid = has_parts && text.chars().count() <= EMAIL_MAX && !text.contains('\0');
        if is_valid { Ok(Self(text.to_owned())) } else { Err(CustomerError::Email) }
    }
}

/// Gender of a customer (contract §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gender {
    /// `male`
    Male,
    /// `female`
    Female,
}

impl Gender {
    /// Returns the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
        }
    }
}

impl FromStr for Gender {
    type Err = CustomerError;

    fn from_str(text: &str) -> Result<Self, CustomerError> {
        match text {
            "male" => Ok(Self::Male),
            "female" => Ok(Self::Female),
            _ => Err(CustomerError::Gender),
        }
    }
}

/// The details of a customer. A new customer gets its id from the storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCustomer {
    /// First name; the only required detail.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: Option<PersonName>,
    /// Mobile number without country code; unique within the merchant.
    pub mobile: Option<Mobile>,
    /// Country code of the mobile number.
    pub mobile_code: Option<MobileCode>,
    /// Email address; unique within the merchant, ignoring case.
    pub email: Option<Email>,
    /// Gender; `None` if unknown.
    pub gender: Option<Gender>,
    /// Date of birth.
    pub birthday: Option<Date>,
    /// City; free text.
    pub city: Option<String>,
    /// Street and building; free text.
    pub location: Option<String>,
}

impl NewCustomer {
    /// Creates a customer with only a first name.
    pub fn new(first_name: PersonName) -> Self {
        Self {
            first_name,
            last_name: None,
            mobile: None,
            mobile_code: None,
            email: None,
            gender: None,
            birthday: None,
            city: None,
            location: None,
        }
    }

    /// Applies a change to the details. The groups of the change are not details and are ignored.
    #[must_use]
    pub fn with_change(mut self, change: CustomerChange) -> Self {
        self.first_name = change.first_name.unwrap_or(self.first_name);
        self.last_name = change.last_name.or(self.last_name);
        self.mobile = change.mobile.or(self.mobile);
        self.mobile_code = change.mobile_code.or(self.mobile_code);
        self.email = change.email.unwrap_or(self.email);
        self.gender = change.gender.unwrap_or(self.gender);
        self.birthday = change.birthday.unwrap_or(self.birthday);
        self
    }
}

/// A change to a customer. `None` keeps the current value; `Some(None)` clears an optional one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerChange {
    /// New first name.
    pub first_name: Option<PersonName>,
    /// New last name.
    pub last_name: Option<PersonName>,
    /// New mobile number.
    pub mobile: Option<Mobile>,
    /// New country code.
    pub mobile_code: Option<MobileCode>,
    /// New email address.
    pub email: Option<Option<Email>>,
    /// New gender.
    pub gender: Option<Option<Gender>>,
    /// New date of birth.
    pub birthday: Option<Option<Date>>,
    /// All groups that the customer is a member of after the change. The default group is always kept.
    pub groups: Option<Vec<GroupId>>,
}

/// A stored customer with its current groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Unique within the merchant.
    pub id: CustomerId,
    /// The details.
    pub details: NewCustomer,
    /// When the customer was created in Zumra.
    pub created_at: Timestamp,
    /// When a detail last changed. Joining or leaving a group does not count.
    pub updated_at: Timestamp,
    /// Why the customer is banned from ordering; `None` if not banned.
    pub ban_reason: Option<String>,
    /// Ids of the groups, ascending.
    pub groups: Vec<GroupId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mobile_numbers_are_numeric_and_country_codes_get_a_plus() {
        let number = |text: &str| text.parse::<Mobile>().map(|mobile| mobile.number());
        for (text, expected) in
            [("512345678", 512_345_678), ("+777", 777), ("0512", 512), ("1e3", 1000), (".5", 0), ("-5", -5)]
        {
            assert_eq!(number(text), Ok(expected), "{text}");
        }
        assert_eq!(number(&"5".repeat(60)), Ok(i64::MAX));
        for bad in ["", "inf", "nan", "5 1", "0x1A", "٥", &"5".repeat(65)] {
            assert_eq!(number(bad), Err(CustomerError::Mobile), "{bad}");
        }
        let code = |text: &str| text.parse::<MobileCode>().map(|code| code.as_str().to_owned());
        assert_eq!(
            (code("966"), code("+966"), code("abc")),
            (Ok("+966".into()), Ok("+966".into()), Ok("abc".into()))
        );
        let longest = code(&"9".repeat(MOBILE_CODE_MAX)).unwrap();
        assert_eq!(code(&longest), Ok(longest.clone()), "a stored code is read again");
        assert_eq!(code(&"9".repeat(MOBILE_CODE_MAX + 1)), Err(CustomerError::MobileCode));
        assert_eq!(
            (code("00966"), code("00"), code("000")),
            (Ok("+966".into()), Ok("+00".into()), Ok("+000".into()))
        );
    }
}
