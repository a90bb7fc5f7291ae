//! Valid files, damaged files and attacks.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::io::{Cursor, Write};
use std::ops::ControlFlow;

use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;
use zumra_spreadsheet::{FileError, FileLimits, read_rows};

fn read_with(file: &[u8], limits: &FileLimits) -> Result<Vec<(u32, Vec<String>)>, FileError> {
    let mut rows = Vec::new();
    read_rows(file, limits, &mut |row| {
        rows.push((row.number, row.cells));
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

fn read(file: &[u8]) -> Result<Vec<(u32, Vec<String>)>, FileError> {
    read_with(file, &FileLimits::default())
}

fn row(number: u32, cells: &[&str]) -> (u32, Vec<String>) {
    (number, cells.iter().map(|cell| (*cell).to_owned()).collect())
}

/// Builds a workbook from the XML of its sheet and of its shared strings.
fn workbook(sheet: &str, strings: &str) -> Vec<u8> {
    let declaration = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let relations = "http://schemas.openxmlformats.org/package/2006/relationships";
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let types = "http://schemas.openxmlformats.org/package/2006/content-types";
    let parts = [
        ("[Content_Types].xml", format!(r#"<Types xmlns="{types}"/>"#)),
        (
            "_rels/.rels",
            format!(
                r#"<Relationships xmlns="{relations}"><Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                r#"<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="Customers" sheetId="1" r:id="r1"/></sheets></workbook>"#
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                r#"<Relationships xmlns="{relations}"><Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="{office}/styles" Target="styles.xml"/><Relationship Id="r3" Type="{office}/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#
            ),
        ),
        (
            "xl/styles.xml",
            format!(
                r#"<styleSheet xmlns="{main}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>"#
            ),
        ),
        ("xl/sharedStrings.xml", format!(r#"<sst xmlns="{main}">{strings}</sst>"#)),
        (
            "xl/worksheets/sheet1.xml",
            format!(r#"<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>"#),
        ),
    ];
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, xml) in parts {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(format!("{declaration}{xml}").as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn workbook_cells_are_read_as_displayed() {
    let sheet = r#"
        <row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="inlineStr"><is><t> رقم الجوال </t></is></c><c r="D1" t="s"><v>1</v></c></row>
        <row r="3"><c r="A3" t="s"><v>2</v></c><c r="B3"><v>512345678</v></c><c r="C3" s="1"/><c r="D3" s="1"><v>35584</v></c></row>
        <row r="4"><c r="A4" t="s"><v>3</v></c></row>
        <row r="7"><c r="A7" t="str"><f>A1</f><v>x</v></c><c r="B7"><v>5.0E8</v></c><c r="C7" t="b"><v>1</v></c><c r="D7" t="e"><v>#REF!</v></c></row>"#;
    let strings = "<si><t>الاسم الأول</t></si><si><t>birthday</t></si><si><r><t>سا</t></r><r><t>رة</t></r></si><si><t>  </t></si>";
    let expected = [
        row(1, &["الاسم الأول", "رقم الجوال", "", "birthday"]),
        row(3, &["سارة", "512345678", "", "1997-06-03"]),
        row(7, &["x", "500000000", "true"]),
    ];
    assert_eq!(read(&workbook(sheet, strings)).unwrap(), expected);
}

#[test]
fn text_is_read_with_every_common_delimiter_and_encoding() {
    let expected = [row(1, &["a", "b;c"]), row(2, &["سارة", "x,y\nz"]), row(4, &["", "1"])];
    let text = "a,b;c\nسارة,\"x,y\nz\"\r\n , \n,1\n";
    assert_eq!(read(text.as_bytes()).unwrap(), expected);
    assert_eq!(read(format!("\u{FEFF}{text}").as_bytes()).unwrap(), expected);
    let tabs = "a\tb\r\nسارة\t\"x\ty\"\r\n";
    let utf_16: Vec<u8> = tabs.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let expected = [row(1, &["a", "b"]), row(2, &["سارة", "x\ty"])];
    assert_eq!(read(&[b"\xFF\xFE".as_slice(), &utf_16].concat()).unwrap(), expected);
    assert_eq!(read(b"a;b\n1;2").unwrap(), [row(1, &["a", "b"]), row(2, &["1", "2"])]);
}

#[test]
fn unreadable_files_are_rejected_with_their_reason() {
    for empty in [b"".as_slice(), b"\n , \n", "\u{FEFF}".as_bytes(), &workbook("", "")] {
        assert_eq!(read(empty), Err(FileError::Empty));
    }
    assert_eq!(read(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\0\0"), Err(FileError::UnknownFormat));
    assert_eq!(read("a,b\nÃ,\u{e9}".replace('\u{e9}', "").as_bytes()).map(|rows| rows.len()), Ok(2));
    assert_eq!(read(b"a,b\n\xE3\xC7"), Err(FileError::Encoding));
    let whole = workbook(r#"<row r="1"><c r="A1"><v>1</v></c></row>"#, "");
    assert!(matches!(read(&whole[..whole.len() / 2]), Err(FileError::Damaged(_))));
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("holiday.jpg", SimpleFileOptions::default()).unwrap();
    assert!(matches!(read(&zip.finish().unwrap().into_inner()), Err(FileError::Damaged(_))));
}

#[test]
fn files_over_a_limit_are_rejected() {
    let limits = FileLimits { rows: 3, columns: 2, cell_bytes: 5, unpacked_bytes: 1 << 20 };
    let rejected = |file: &[u8]| read_with(file, &limits).expect_err("too large");
    assert_eq!(rejected(b"a\nb\nc\nd"), FileError::Rows(3));
    assert_eq!(rejected(b"a,b\n1,2,3"), FileError::Columns(2));
    assert_eq!(rejected(b"a\n123456"), FileError::Cell { row: 2, limit: 5 });
    let cell = |reference: &str, row: u32| {
        workbook(&format!(r#"<row r="{row}"><c r="{reference}"><v>1</v></c></row>"#), "")
    };
    assert_eq!(rejected(&cell("XFD1", 1)), FileError::Columns(2));
    assert_eq!(rejected(&cell("A1048576", 1_048_576)), FileError::Rows(3));
}

#[test]
fn decompression_bombs_are_rejected() {
    // A few hundred kilobytes that decompress to 200 MiB.
    let bomb = workbook(&" ".repeat(200 << 20), "");
    assert!(bomb.len() < 1 << 20);
    assert_eq!(read(&bomb), Err(FileError::Unpacked(128 << 20)));
    let strings = workbook("", &"<si><t/></si>".repeat(12_000_000));
    assert_eq!(read(&strings), Err(FileError::Unpacked(128 << 20)));
    let mut many = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..1001 {
        many.start_file(index.to_string(), SimpleFileOptions::default()).unwrap();
    }
    assert!(matches!(read(&many.finish().unwrap().into_inner()), Err(FileError::Damaged(_))));
}

#[test]
fn false_sizes_in_the_archive_directory_are_not_trusted() {
    let correct = workbook(&" ".repeat(2 << 20), "");
    // The directory claims a size of one byte for every file.
    let mut false_sizes = correct.clone();
    let mut position = 0;
    while let Some(found) = false_sizes[position..].windows(4).position(|window| window == b"PK\x01\x02") {
        position += found;
        false_sizes[position + 24..position + 28].copy_from_slice(&1_u32.to_le_bytes());
        position += 4;
    }
    let limits = FileLimits { unpacked_bytes: 1 << 20, ..FileLimits::default() };
    assert!(read_with(&false_sizes, &limits).is_err());
}

#[test]
fn xml_entities_are_not_expanded() {
    let sheet = r#"<row r="1"><c r="A1" t="inlineStr"><is><t>&lol9;</t></is></c></row>"#;
    let read = read(&workbook(sheet, ""));
    assert!(read.is_err() || read.unwrap()[0].1[0].len() < 100);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), start in 0_usize..2000) {
        let _ = read(&bytes);
        let mut broken = workbook(r#"<row r="1"><c r="A1" t="s"><v>0</v></c></row>"#, "<si><t>a</t></si>");
        for (target, byte) in broken.iter_mut().skip(start).zip(&bytes) {
            *target = *byte;
        }
        let _ = read(&broken);
    }

    #[test]
    fn written_csv_is_read_back(cells in proptest::collection::vec(proptest::collection::vec("[a-z\"أ-ي,; ]{1,9}", 3), 1..9)) {
        let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(",");
        let text = cells.iter().map(line).collect::<Vec<_>>().join("\r\n");
        let expected: Vec<_> = (1..).zip(cells).map(|(number, row)| {
            let mut row: Vec<_> = row.iter().map(|cell| cell.trim().to_owned()).collect();
            while row.last().is_some_and(String::is_empty) {
                row.pop();
            }
            (number, row)
        }).filter(|(_, row)| !row.is_empty()).collect();
        prop_assume!(!expected.is_empty());
        prop_assert_eq!(read(text.as_bytes()).unwrap(), expected);
    }
}
