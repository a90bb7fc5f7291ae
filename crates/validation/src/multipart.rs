//! Fields and uploaded files of `multipart/form-data` (RFC 7578), parsed like PHP.

use crate::Map;
use crate::budget::{Budget, InputTooLarge};
use crate::form::Form;

/// Parses the fields of a body; uploaded files are skipped. `content_type` contains the boundary.
pub(crate) fn parse(content_type: &[u8], body: &[u8], budget: &mut Budget) -> Result<Map, InputTooLarge> {
    let mut form = Form::default();
    let mut added = Ok(());
    for_each_part(content_type, body, &mut |part| {
        if added.is_ok()
            && let Some(Part { name, value, is_file: false }) = parse_part(part)
        {
            added = form.add(&name, value.to_vec(), budget);
        }
    });
    added.map(|()| form.into_map())
}

/// Returns the uploaded file with a name; the last one if there are several. Returns `None` if there is no such file.
pub fn file<'a>(content_type: &[u8], body: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut found = None;
    for_each_part(content_type, body, &mut |part| {
        if let Some(part @ Part { is_file: true, .. }) = parse_part(part)
            && part.name == name.as_bytes()
        {
            found = Some(part.value);
        }
    });
    found
}

/// Returns the value of the field with a name that is not a file; the last one if there are several.
pub fn text<'a>(content_type: &[u8], body: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut found = None;
    for_each_part(content_type, body, &mut |part| {
        if let Some(part @ Part { is_file: false, .. }) = parse_part(part)
            && part.name == name.as_bytes()
        {
            found = Some(part.value);
        }
    });
    found
}

/// Passes every part, with its headers, to `visit`.
fn for_each_part<'a>(content_type: &[u8], body: &'a [u8], visit: &mut dyn FnMut(&'a [u8])) {
    let Some(boundary) = find_boundary(content_type) else { return };
    let delimiter = [b"\n--", boundary].concat();
    let mut rest = find_first_part(body, &delimiter);
    while let Some(part) = rest {
        let (part, after) =
            split_once(part, &delimiter).map_or((part, None), |(part, after)| (part, Some(after)));
        visit(part);
        rest = after.and_then(skip_delimiter);
    }
}

/// Returns the boundary from a content type. PHP accepts it anywhere, quoted or not.
fn find_boundary(content_type: &[u8]) -> Option<&[u8]> {
    let lower = content_type.to_ascii_lowercase();
    let parameter = find(&lower, b"boundary")?;
    let value_start = parameter + find(&lower[parameter..], b"=")? + 1;
    let value = &content_type[value_start..];
    let boundary = match value {
        [b'"', quoted @ ..] => split_once(quoted, b"\"")?.0,
        plain => plain.split(|byte| matches!(byte, b',' | b';')).next()?,
    };
    (!boundary.is_empty()).then_some(boundary)
}

/// Returns the bytes after the first delimiter, which may be at the start of the body.
fn find_first_part<'a>(body: &'a [u8], delimiter: &[u8]) -> Option<&'a [u8]> {
    let after = body.strip_prefix(&delimiter[1..]);
    skip_delimiter(after.or_else(|| split_once(body, delimiter).map(|(_, after)| after))?)
}

/// Returns the bytes after the line of a delimiter, or `None` after the final one, which ends with two hyphens.
fn skip_delimiter(after: &[u8]) -> Option<&[u8]> {
    if after.starts_with(b"--") {
        return None;
    }
    split_once(after, b"\n").map(|(_, part)| part)
}

/// A part of a body.
struct Part<'a> {
    name: Vec<u8>,
    value: &'a [u8],
    is_file: bool,
}

fn parse_part(part: &[u8]) -> Option<Part<'_>> {
    let mut rest = part;
    let mut disposition = None;
    loop {
        let (line, after) = split_once(rest, b"\n")?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        rest = after;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = split_once(line, b":")
            && name.trim_ascii().eq_ignore_ascii_case(b"content-disposition")
        {
            disposition = Some(value);
        }
    }
    let Parameters { name, has_file } = parse_parameters(disposition?);
    let value = rest.strip_suffix(b"\r").unwrap_or(rest);
    Some(Part { name: name?, value, is_file: has_file })
}

#[derive(Default)]
struct Parameters {
    name: Option<Vec<u8>>,
    has_file: bool,
}

/// Parses parameters such as `form-data; name="a"; filename="b"`.
fn parse_parameters(disposition: &[u8]) -> Parameters {
    let mut parameters = Parameters::default();
    let mut rest = disposition;
    while let Some((_, after)) = split_once(rest, b";") {
        let Some((key, value)) = split_once(after, b"=") else { break };
        let (value, after) = parse_parameter_value(value.trim_ascii_start());
        match key.trim_ascii().to_ascii_lowercase().as_slice() {
            b"name" => parameters.name = Some(value),
            b"filename" => parameters.has_file = true,
            _ => {}
        }
        rest = after;
    }
    parameters
}

/// Parses a value with or without quotes. Returns it with the remaining bytes.
fn parse_parameter_value(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let [b'"', quoted @ ..] = bytes else {
        let length = bytes.iter().position(|byte| *byte == b';').unwrap_or(bytes.len());
        return (bytes[..length].trim_ascii().to_vec(), &bytes[length..]);
    };
    let mut value = Vec::new();
    let mut position = 0;
    while let Some(byte) = quoted.get(position) {
        let escaped = quoted.get(position + 1).filter(|next| *byte == b'\\' && matches!(next, b'"' | b'\\'));
        match (byte, escaped) {
            (_, Some(escaped)) => {
                value.push(*escaped);
                position += 1;
            }
            (b'"', None) => return (value, &quoted[position + 1..]),
            (other, None) => value.push(*other),
        }
        position += 1;
    }
    (value, &[])
}

fn split_once<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    find(bytes, separator).map(|index| (&bytes[..index], &bytes[index + separator.len()..]))
}

/// Returns the position of the first `needle`. Linear for the needles used here: none repeats its first byte.
fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    debug_assert!(!needle.is_empty());
    bytes.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    /// Parses a body that is not too large.
    fn parse(content_type: &[u8], body: &[u8]) -> Map {
        super::parse(content_type, body, &mut Budget::new(body.len())).unwrap()
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn fields_are_parsed_and_files_are_skipped() {
        let body = concat!(
            "preamble\r\n--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n2\r\n",
            "--B\r\nX: y\r\ncontent-disposition: form-data; name=c[]\r\nContent-Type: text/plain\r\n\r\n3\r\n",
            "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\nfile\r\n--B--\r\n",
            "--B\r\nContent-Disposition: form-data; name=\"late\"\r\n\r\n1\r\n",
        );
        let map = parse(b"multipart/form-data; boundary=B; charset=utf-8", body.as_bytes());
        assert_eq!(map.len(), 2);
        assert_eq!(map["a"], text("1\r\n2"));
        assert_eq!(map["c"].get("0"), Some(&text("3")));
    }

    #[test]
    fn quoted_parameters_and_bare_line_feeds_are_accepted() {
        let body = "--a b\nContent-Disposition: form-data; name=\"x\\\"y;z\"\n\n1\n--a b--";
        let map = parse(b"multipart/form-data; BOUNDARY=\"a b\"", body.as_bytes());
        assert_eq!(map.get("x\"y;z"), Some(&text("1")));
    }

    #[test]
    fn truncated_body_keeps_complete_headers() {
        let body = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1";
        assert_eq!(parse(b"multipart/form-data; boundary=B", body.as_bytes()).get("a"), Some(&text("1")));
        assert!(parse(b"multipart/form-data", body.as_bytes()).is_empty());
        assert!(parse(b"multipart/form-data; boundary=\"B", body.as_bytes()).is_empty());
    }
}
