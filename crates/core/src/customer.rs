//! Customers: buyers known to one merchant.

use std::str::FromStr;

use jiff::{Timestamp, civil::Date};

use crate::text::Name;
use crate::{CustomerId, GroupId};

/// A first or last name: at most 25 characters (contract §2.2).
pub type PersonName = Name<25>;

/// Why a text is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CustomerError {
    /// Not a mobile number.
    #[error("must have 1 to 15 digits, without the country code")]
    Mobile,
    /// Not the country code of a mobile number.
    #[error("must be a plus sign and 1 to 4 digits, such as +966")]
    MobileCode,
    /// Not an e-mail address.
    #[error("must be an e-mail address of at most 254 characters")]
    Email,
    /// Neither male nor female.
    #[error("must be male or female")]
    Gender,
}

/// A mobile number without its country code: 1 to 15 ASCII digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mobile(String);

impl Mobile {
    /// The digits, as they were given: `0512` and `512` are two numbers here.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number that answers show.
    pub fn number(&self) -> u64 {
        self.0.bytes().fold(0, |n, digit| n * 10 + u64::from(digit - b'0'))
    }
}

impl FromStr for Mobile {
    type Err = CustomerError;

    fn from_str(text: &str) -> Result<Self, CustomerError> {
        let fits = (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if fits { Ok(Self(text.to_owned())) } else { Err(CustomerError::Mobile) }
    }
}

/// The country code of a mobile number, with its plus sign.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MobileCode(String);

impl MobileCode {
    /// The text, `+966`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The country that it belongs to, if it is one of those that Zumra knows by name.
    pub fn country(&self) -> Option<&'static Country> {
        COUNTRIES.iter().find(|country| country.mobile_code == self.0)
    }
}

impl FromStr for MobileCode {
    type Err = CustomerError;

    /// Reads the code with its plus sign or without.
    fn from_str(text: &str) -> Result<Self, CustomerError> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let fits = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if fits { Ok(Self(format!("+{digits}"))) } else { Err(CustomerError::MobileCode) }
    }
}

/// A country as answers show it.
#[derive(Debug, PartialEq, Eq)]
pub struct Country {
    /// The code before its mobile numbers.
    pub mobile_code: &'static str,
    /// Its ISO 3166 code.
    pub code: &'static str,
    /// Its Arabic name.
    pub name: &'static str,
}

/// The countries that a customer is taken to live in by the code of the mobile number alone.
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

/// An e-mail address: a part, an `@`, a part; at most 254 bytes, no white space.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form by which two addresses are the same: without regard to case.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl FromStr for Email {
    type Err = CustomerError;

    fn from_str(text: &str) -> Result<Self, CustomerError> {
        let parts =
            text.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
        let fits = parts && text.len() <= 254 && !text.chars().any(char::is_whitespace);
        if fits { Ok(Self(text.to_owned())) } else { Err(CustomerError::Email) }
    }
}

/// As the contract knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gender {
    /// `male`
    Male,
    /// `female`
    Female,
}

impl Gender {
    /// Its name on the wire.
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

/// What is known of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCustomer {
    /// The id.
    pub id: CustomerId,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: Option<PersonName>,
    /// Mobile number without country code; unique within the merchant.
    pub mobile: Option<Mobile>,
    /// Country code of the mobile number.
    pub mobile_code: Option<MobileCode>,
    /// E-mail address; unique within the merchant, whatever its case.
    pub email: Option<Email>,
    /// Gender.
    pub gender: Option<Gender>,
    /// Day of birth.
    pub birthday: Option<Date>,
    /// City.
    pub city: Option<String>,
    /// Street and building.
    pub location: Option<String>,
}

impl NewCustomer {
    /// The text that a keyword is looked for in: names, e-mail and mobile number, folded by [`fold_keyword`].
    pub fn search_text(&self) -> String {
        let code = self.mobile_code.as_ref().map_or("", |code| &code.as_str()[1..]);
        let mobile = self.mobile.as_ref().map_or("", Mobile::as_str);
        let last_name = self.last_name.as_ref().map_or("", PersonName::as_str);
        let email = self.email.as_ref().map_or("", Email::as_str);
        fold_keyword(&format!("{} {last_name}\n{email}\n{code}{mobile}", self.first_name))
    }
}

/// Folds what a person types into what is searched: lower case, Arabic-Indic digits as ASCII, outer white space
/// gone.
pub fn fold_keyword(keyword: &str) -> String {
    let fold_digit = |c: char| match c {
        '٠'..='٩' => char::from_digit(c as u32 - '٠' as u32, 10).unwrap_or(c),
        '۰'..='۹' => char::from_digit(c as u32 - '۰' as u32, 10).unwrap_or(c),
        other => other,
    };
    keyword.trim().chars().map(fold_digit).flat_map(char::to_lowercase).collect()
}

/// A customer as it is kept, with the groups that it is in now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// What is known.
    pub details: NewCustomer,
    /// When Zumra came to know it.
    pub created_at: Timestamp,
    /// When a detail changed last. Groups are no detail: joining one leaves this as it is.
    pub updated_at: Timestamp,
    /// The groups, ids ascending.
    pub groups: Vec<GroupId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mobiles_are_digits_and_codes_carry_a_plus() {
        assert_eq!("512345678".parse::<Mobile>().map(|m| m.number()), Ok(512_345_678));
        assert_eq!("966".parse::<MobileCode>().map(|c| c.as_str().to_owned()), Ok("+966".to_owned()));
        for bad in ["", "+512", "51234567890123456", "5 1"] {
            assert!(bad.parse::<Mobile>().is_err(), "{bad}");
        }
    }

    #[test]
    fn keywords_fold_case_and_digits() {
        assert_eq!(fold_keyword(" ٩٦٦٥١١ Ahmed۱ "), "966511 ahmed1");
    }
}
