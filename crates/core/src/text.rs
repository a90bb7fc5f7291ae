//! Names with a maximum length, and hexadecimal text.

use std::fmt;

/// A trimmed text of 1 to `MAX` Unicode code points.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name<const MAX: usize>(String);

/// Why a text is not a valid [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty or white space only.
    #[error("must not be blank")]
    Blank,
    /// The text has more code points than the limit in the field.
    #[error("must have at most {0} characters")]
    TooLong(usize),
}

impl<const MAX: usize> Name<MAX> {
    /// Trims and checks `text`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(NameError::Blank);
        }
        if text.chars().count() > MAX {
            return Err(NameError::TooLong(MAX));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Name<MAX> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Returns `bytes` as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_limit_counts_code_points_after_trimming() {
        assert_eq!(Name::<4>::parse("  زمرة ").map(|n| n.as_str().to_owned()), Ok("زمرة".to_owned()));
        assert_eq!(Name::<3>::parse("زمرة"), Err(NameError::TooLong(3)));
        assert_eq!(Name::<3>::parse(" \t"), Err(NameError::Blank));
    }
}
