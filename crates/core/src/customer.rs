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
    #[error("must be a number of at most 64 characters, without the country code")]
    Mobile,
    /// Not the country code of a mobile number.
    #[error("must have 1 to 1024 characters, such as +966")]
    MobileCode,
    /// Not an e-mail address.
    #[error("must be an e-mail address of at most 255 characters")]
    Email,
    /// Neither male nor female.
    #[error("must be male or female")]
    Gender,
}

/// A mobile number without its country code: the text of a number, at most 64 characters. The contract takes whatever
/// reads as a number, `+777` and `1e3` among them, and compares it as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mobile(String);

/// Characters of a mobile number at most.
pub const MOBILE_MAX: usize = 64;
/// Characters of the country code of a mobile number at most.
pub const MOBILE_CODE_MAX: usize = 1024;
/// Characters of an e-mail address at most.
pub const EMAIL_MAX: usize = 255;

impl Mobile {
    /// The text, as it was given: `0512` and `512` are two numbers here.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number that answers show: whole, and what is beyond 64 bits is cut down to them.
    pub fn number(&self) -> i64 {
        if let Ok(number) = self.0.parse() {
            return number;
        }
        let number = self.0.parse::<f64>().unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, reason = "saturates, which is what is wanted")]
        let whole = number as i64;
        whole
    }
}

impl FromStr for Mobile {
    type Err = CustomerError;

    fn from_str(text: &str) -> Result<Self, CustomerError> {
        // Words that are numbers to Rust alone: "inf", "nan".
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
        let fits = text.len() <= MOBILE_MAX && plain && text.parse::<f64>().is_ok();
        if fits { Ok(Self(text.to_owned())) } else { Err(CustomerError::Mobile) }
    }
}

/// The country code of a mobile number, with its plus sign. The contract takes any text; one that is no number is kept
/// as it is.
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
        if !(1..=MOBILE_CODE_MAX).contains(&text.chars().count()) {
            return Err(CustomerError::MobileCode);
        }
        let is_number = text.bytes().all(|b| b.is_ascii_digit());
        Ok(Self(if is_number { format!("+{text}") } else { text.to_owned() }))
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

/// An e-mail address: a part, an `@`, a part; at most 255 characters. What may stand in the parts is the business of
/// validation, which knows quoted ones with spaces in them.
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
        let fits = parts && text.chars().count() <= EMAIL_MAX && !text.contains('\0');
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
    /// A customer of whom nothing but the first name is known.
    pub fn new(id: CustomerId, first_name: PersonName) -> Self {
        Self {
            id,
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

    /// The customer with a change made. What the change says of groups is no detail.
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

/// What is to change in a customer. Nothing stands for "as it is"; of what may be unknown, `Some(None)` forgets it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerChange {
    /// Another first name.
    pub first_name: Option<PersonName>,
    /// Another last name.
    pub last_name: Option<PersonName>,
    /// Another mobile number.
    pub mobile: Option<Mobile>,
    /// Another country code.
    pub mobile_code: Option<MobileCode>,
    /// Another e-mail address.
    pub email: Option<Option<Email>>,
    /// Another gender.
    pub gender: Option<Option<Gender>>,
    /// Another day of birth.
    pub birthday: Option<Option<Date>>,
    /// All groups that the customer is to be in. The default group stays whatever this says.
    pub groups: Option<Vec<GroupId>>,
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
    /// Why the customer may not order, if that is so.
    pub ban_reason: Option<String>,
    /// The groups, ids ascending.
    pub groups: Vec<GroupId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mobiles_are_numbers_and_codes_carry_a_plus() {
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
    }
}
