//! Reads the settings file.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::options::Options;
use crate::failure::Failure;

/// The settings file that is read by default, if it exists.
const FILE_DEFAULT: &str = "zumra.toml";

/// Reads the file at `named_path`, or else the default file. Returns the settings, and the path if a file was read.
pub(super) fn read(named_path: Option<&Path>) -> Result<(Options, Option<PathBuf>), Failure> {
    let path = named_path.unwrap_or(Path::new(FILE_DEFAULT));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && named_path.is_none() => {
            return Ok((Options::default(), None));
        }
        Err(error) => {
            let path = path.display();
            return Err(Failure::usage(format!("settings: cannot read {path}: {error}")));
        }
    };
    let options =
        parse(&text).map_err(|problem| Failure::usage(format!("settings: {}: {problem}", path.display())))?;
    Ok((options, Some(path.to_owned())))
}

/// Parses a settings file. The error has the line, the key and the problem, but not the text, which may contain a
/// password.
fn parse(text: &str) -> Result<Options, String> {
    let explain = |key: Option<String>, error: &toml::de::Error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        let key = key.filter(|key| key != ".").map_or(String::new(), |key| format!("{key}: "));
        format!("line {line}: {key}{}", error.message().replace('\n', " "))
    };
    let deserializer = toml::Deserializer::parse(text).map_err(|error| explain(None, &error))?;
    serde_path_to_error::deserialize(deserializer)
        .map_err(|error| explain(Some(error.path().to_string()), error.inner()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_contain_line_and_key() {
        let cases = [
            (
                "listen = \"127.0.0.1:1\"\nlisten_on = 1\n",
                "line 2: listen_on: unknown field `listen_on`, expected one of",
            ),
            (
                "[limits]\n\nbody_byte = 1\n",
                "line 3: limits.body_byte: unknown field `body_byte`, expected one of",
            ),
            (
                "[limits]\nreaders = \"4\"\n",
                "line 2: limits.readers: invalid type: string \"4\", expected u32",
            ),
            ("[limits]\nreaders = -4\n", "line 2: limits.readers: invalid value: integer `-4`, expected u32"),
            ("listen = \"here\"\n", "line 1: listen: must be an IP address and a port"),
            ("[log]\nformat = \"xml\"\n", "line 2: log.format: must be json or pretty"),
            ("\nlisten\n", "line 2: "),
        ];
        for (text, expected) in cases {
            let problem = parse(text).unwrap_err();
            assert!(problem.starts_with(expected), "{problem}");
            assert!(!problem.contains('\n'), "{problem}");
        }
    }

    #[test]
    fn errors_contain_no_password() {
        let problem = parse("database = \"postgres://z:s3cret@db/z\" nonsense\n").unwrap_err();
        assert!(!problem.contains("s3cret"), "{problem}");
    }
}
