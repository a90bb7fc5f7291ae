//! Types of settings that parse their text.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// An IP address and port to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListenAddress(pub(crate) SocketAddr);

impl FromStr for ListenAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse()
            .map(Self)
            .map_err(|_| "must be an IP address and a port, such as 127.0.0.1:8723 or [::1]:8723")
    }
}

impl Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The URL that links in responses start with. Has no slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicUrl(String);

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        let is_plain = |c: char| c.is_ascii_graphic() && !"@?#'\"\\<>`$".contains(c);
        match rest {
            Some(rest)
                if !rest.is_empty()
                    && !rest.starts_with('/')
                    && !rest.ends_with('/')
                    && rest.chars().all(is_plain) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err("must be a URL such as https://shop.example.com, without a slash at the end"),
        }
    }
}

impl Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogStyle {
    /// One JSON object per line.
    Json,
    /// Text, with colors on a terminal.
    Pretty,
}

impl FromStr for LogStyle {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "pretty" => Ok(Self::Pretty),
            _ => Err("must be json or pretty"),
        }
    }
}

impl Display for LogStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "json",
            Self::Pretty => "pretty",
        })
    }
}

impl PublicUrl {
    /// Returns the URL of a service that clients reach at its listen address.
    pub(crate) fn from_address(listen: SocketAddr) -> Self {
        Self(format!("http://{listen}"))
    }
}

/// Deserializes a string of a file with [`FromStr`].
pub(super) fn from_text<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    String::deserialize(deserializer)?.parse().map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_urls_are_plain_without_trailing_slash() {
        for good in ["http://127.0.0.1:8723", "https://shop.example.com", "https://example.com/zumra"] {
            assert!(good.parse::<PublicUrl>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "http://",
            "https://example.com/",
            "ftp://example.com",
            "http://a b",
            "http://u:p@h",
            "http:///a",
        ] {
            assert!(bad.parse::<PublicUrl>().is_err(), "{bad}");
        }
    }
}
