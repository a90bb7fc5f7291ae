//! Valid files, damaged files and attacks.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::io::{Cursor, Write};
use std::ops::ControlFlow;

use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;
use zumra_spreadsheet::{FileError, FileLimits, Row, Spreadsheet, TextEncoding, cell_name};

type Rows = Vec<(u32, Vec<String>)>;

/// Returns the rows of the first table as text.
fn read_with(file: &[u8], limits: &FileLimits) -> Result<Rows, FileError> {
    read_table(&mut Spreadsheet::open(file, limits, None)?, 0)
}

fn read_table(file: &mut Spreadsheet<'_>, table: usize) -> Result<Rows, FileError> {
    let mut rows = Vec::new();
    file.read_rows(table, &mut |row: Row| {
        rows.push((row.number, row.cells.into_iter().map(|cell| cell.text).collect()));
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

fn read(file: &[u8]) -> Result<Rows, FileError> {
    read_with(file, &FileLimits::default())
}

fn row(number: u32, cells: &[&str]) -> (u32, Vec<String>) {
    (number, cells.iter().map(|cell| (*cell).to_owned()).collect())
}

/// Builds a workbook from the XML of its sheet and of its shared strings.
fn workbook(sheet: &str, strings: &str) -> Vec<u8> {
    workbook_of(&[("Customers", "visible", sheet)], strings)
}

/// Builds a workbook from its sheets, each with name, state and XML.
fn workbook_of(sheets: &[(&str, &str, &str)], strings: &str) -> Vec<u8> {
    let declaration = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let relations = "http://schemas.openxmlformats.org/package/2006/relationships";
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let types = "http://schemas.openxmlformats.org/package/2006/content-types";
    let numbered = || (1..).zip(sheets);
    let entry = |(number, (name, state, _)): (u32, &(&str, &str, &str))| {
        format!(r#"<sheet name="{name}" sheetId="{number}" state="{state}" r:id="s{number}"/>"#)
    };
    let entries: String = numbered().map(entry).collect();
    let relation = |(number, _)| {
        format!(
            r#"<Relationship Id="s{number}" Type="{office}/worksheet" Target="worksheets/sheet{number}.xml"/>"#
        )
    };
    let relations_of_sheets: String = numbered().map(relation).collect();
    let mut parts: Vec<(String, String)> = [
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
                r#"<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{entries}</sheets></workbook>"#
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                r#"<Relationships xmlns="{relations}">{relations_of_sheets}<Relationship Id="r2" Type="{office}/styles" Target="styles.xml"/><Relationship Id="r3" Type="{office}/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#
            ),
        ),
        (
            "xl/styles.xml",
            format!(
                r#"<styleSheet xmlns="{main}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>"#
            ),
        ),
        ("xl/sharedStrings.xml", format!(r#"<sst xmlns="{main}">{strings}</sst>"#)),
    ]
    .into_iter()
    .map(|(name, xml)| (name.to_owned(), xml))
    .collect();
    parts.extend(numbered().map(|(number, (_, _, sheet))| {
        let xml = format!(r#"<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>"#);
        (format!("xl/worksheets/sheet{number}.xml"), xml)
    }));
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
    assert_eq!(read_with(b"a\n\n,\n\nb\n\nc\n\n", &limits).unwrap().len(), 3, "blank rows do not count");
    assert_eq!(rejected(b"a,b\n1,2,3"), FileError::Columns(2));
    assert_eq!(rejected(b"a\n123456"), FileError::Cell { row: 2, limit: 5 });
    let cell = |reference: &str, row: u32| {
        workbook(&format!(r#"<row r="{row}"><c r="{reference}"><v>1</v></c></row>"#), "")
    };
    assert_eq!(rejected(&cell("XFD1", 1)), FileError::Columns(2));
    assert_eq!(read_with(&cell("A1048576", 1_048_576), &limits).unwrap(), [row(1_048_576, &["1"])]);
}

#[test]
fn rows_with_too_many_empty_cells_are_rejected() {
    let commas = ",".repeat(1 << 20);
    assert_eq!(read(commas.as_bytes()), Err(FileError::Columns(64)));
    let widest = format!("a,b\n{}\n1{}\n", ",".repeat(16_383), ",".repeat(16_383));
    assert_eq!(read(widest.as_bytes()).unwrap(), [row(1, &["a", "b"]), row(3, &["1"])]);
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
fn sheets_that_share_a_part_are_read_a_few_times() {
    let entry = |number| format!(r#"{number}" sheetId="{number}" r:id="s1"/><sheet name=""#);
    let same_part: String = (0..400).map(entry).collect();
    let blank = " ".repeat(1 << 20);
    let file = workbook_of(&[(&format!("{same_part}last"), "visible", &blank)], "");
    let mut file = Spreadsheet::open(&file, &FileLimits::default(), None).unwrap();
    assert_eq!(file.tables(), 255);
    let results: Vec<_> = (0..file.tables()).map(|table| read_table(&mut file, table)).collect();
    let read_tables = results.iter().filter(|result| **result == Err(FileError::Empty)).count();
    assert!((2..128).contains(&read_tables), "{read_tables}");
    assert!(matches!(results.last(), Some(Err(FileError::Damaged(_)))), "{:?}", results.last());
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

#[test]
fn unclosed_quotation_mark_is_rejected_with_its_row() {
    for (file, row) in [
        ("a,b\n1,\"2\n3,4\n", 2),
        ("a,b\n1,2\n3,\"4", 3),
        ("\n\na,b\n\n1,\"2\n", 5),
        ("a,b\n\"1\n1\",\"2\n3,4\n", 2),
        // The mark that closes the cell belongs to another one.
        ("a,b\n1,\"2\n3,\"4\"\n5,6\n", 2),
    ] {
        assert_eq!(read(file.as_bytes()), Err(FileError::Quote(row)), "{file:?}");
    }
    let long = format!("a,b\n1,\"2\n{}\"\n", "3,4\n".repeat(2000));
    assert_eq!(read(long.as_bytes()), Err(FileError::Quote(2)));
    let legal = "a,\"b\n\"\"c\"\"\"\n1 \"x\",\"2\" 3\n";
    assert_eq!(read(legal.as_bytes()).unwrap(), [row(1, &["a", "b\n\"c\""]), row(2, &["1 \"x\"", "2 3"])]);
}

#[test]
fn blank_rows_are_no_rows_and_cost_little() {
    let blanks = [
        ("\n", 250_000),
        (",,\n", 250_000),
        (" , \n", 10),
        ("\u{200F},\u{FEFF}\u{A0}\n", 10),
        ("\"\",\"=\"\"\"\"\"\n", 10),
        ("',\n", 10),
        ("=\"\",\n", 10),
    ];
    for (blank, count) in blanks {
        let file = format!("{blank}a,b\n{}1,2\n{blank}", blank.repeat(count));
        let last = u32::try_from(count).unwrap() + 3;
        assert_eq!(
            read(file.as_bytes()).unwrap(),
            [row(2, &["a", "b"]), row(last, &["1", "2"])],
            "{blank:?}"
        );
    }
    // Rows with a format, an empty formula and an error.
    let formatted = |number: u32| {
        format!(
            r#"<row r="{number}"><c r="A{number}" s="1"/><c r="B{number}" t="str"><f>A1</f><v></v></c><c r="C{number}" t="e"><v>#N/A</v></c></row>"#
        )
    };
    let sheet: String = (1..=20_000).map(formatted).collect();
    let sheet = format!(r#"{sheet}<row r="20001"><c r="A20001"><v>1</v></c></row>"#);
    let limits = FileLimits { rows: 1, ..FileLimits::default() };
    assert_eq!(read_with(&workbook(&sheet, ""), &limits).unwrap(), [row(20_001, &["1"])]);
}

#[test]
fn delimiter_line_names_the_delimiter_and_is_not_a_row() {
    for (line, delimiter) in
        [("sep=;", ";"), ("SEP=|\r", "|"), ("\"sep=,\"", ","), ("sep=\t", "\t"), ("\u{FEFF}sep=;", ";")]
    {
        let file = format!("{line}\na{delimiter}b\n1{delimiter}2\n");
        let mut file = Spreadsheet::open(file.as_bytes(), &FileLimits::default(), None).unwrap();
        assert_eq!(file.tables(), 1);
        let rows = read_table(&mut file, 0).unwrap();
        assert_eq!(rows, [row(1, &["a", "b"]), row(2, &["1", "2"])], "{line:?}");
    }
    let title = "Report, 2026\na;b;c\n1;2;3\n";
    let mut file = Spreadsheet::open(title.as_bytes(), &FileLimits::default(), None).unwrap();
    let tables: Vec<_> = (0..file.tables()).map(|table| read_table(&mut file, table).unwrap()).collect();
    assert!(tables.contains(&vec![
        row(1, &["Report, 2026"]),
        row(2, &["a", "b", "c"]),
        row(3, &["1", "2", "3"])
    ]));
}

#[test]
fn windows_1256_is_recognized_only_when_it_is_certain() {
    let windows_1256 = |text: &str| encoding_rs::WINDOWS_1256.encode(text).0.into_owned();
    let encoding = |file: &[u8]| {
        Spreadsheet::open(file, &FileLimits::default(), None).map(|file| file.encoding().unwrap())
    };
    for arabic in [
        "الاسم الأول,اسم العائلة,رقم الجوال,البريد الإلكتروني\nعلي,سعد,0501110005,a5@example.com\n",
        "first_name,last_name,mobile\nسارة,القحطاني,0512345678\nAli,محمد,0512345679\n",
        "name,mobile\nفاطمة الزهراء,0512345678\n",
    ] {
        let file = windows_1256(arabic);
        assert_eq!(encoding(&file), Ok("windows-1256"), "{arabic}");
        let mut spreadsheet = Spreadsheet::open(&file, &FileLimits::default(), None).unwrap();
        assert!(read_table(&mut spreadsheet, 0).unwrap()[1].1[0].chars().count() >= 3);
        assert_eq!(spreadsheet.into_converted().as_deref(), Some(arabic));
    }
    for western in [
        "name,city\nJosé,Málaga\nRené,Orléans\n",
        "name,city\nMÜLLER,KÖLN\nGROSSMANN,DÜSSELDORF\n",
        "nom,ville\nÉ,à\nHélène,Besançon\n",
        "navn;by\nÅse;Tromsø\nØyvind;Ålesund\n",
        "name,city\nÀÉÈÇ,ÇÀÉ\n",
    ] {
        let file = encoding_rs::WINDOWS_1252.encode(western).0.into_owned();
        assert_eq!(encoding(&file), Err(FileError::Encoding), "{western}");
    }
    for (other, text) in [
        (encoding_rs::WINDOWS_1251, "имя,город\nАлексей,Москва\nМарина,Казань\n"),
        (encoding_rs::WINDOWS_1253, "όνομα,πόλη\nΓιώργος,Αθήνα\nΜαρία,Πάτρα\n"),
        (encoding_rs::WINDOWS_1254, "ad,şehir\nAyşe,İstanbul\nÇağrı,Eskişehir\n"),
        (encoding_rs::WINDOWS_1255, "שם,עיר\nדוד,ירושלים\n"),
    ] {
        assert_eq!(encoding(&other.encode(text).0), Err(FileError::Encoding), "{text}");
    }
}

#[test]
fn named_encoding_is_used() {
    let open = |file: &'static [u8], label: &str| {
        let encoding = TextEncoding::from_label(label).unwrap();
        let mut file = Spreadsheet::open(file, &FileLimits::default(), Some(encoding))?;
        read_table(&mut file, 0)
    };
    assert_eq!(open(b"a,b\n\xE3\xC7,1", "Windows-1256").unwrap()[1], row(2, &["ما", "1"]));
    assert_eq!(open(b"a,b\nJos\xE9,1", "windows-1252").unwrap()[1], row(2, &["José", "1"]));
    assert_eq!(open(b"a\n\xE3\xC7", "utf-8"), Err(FileError::GivenEncoding("UTF-8")));
    assert_eq!(TextEncoding::from_label("arabic-ish"), None);
    assert_eq!(TextEncoding::from_label("replacement"), None);
}

#[test]
fn visible_sheets_are_the_tables_of_a_workbook() {
    let sheet =
        |text: &str| format!(r#"<row r="1"><c r="A1" t="inlineStr"><is><t>{text}</t></is></c></row>"#);
    let (lists, blank, customers) = (sheet("list"), String::new(), sheet("customer"));
    let file = workbook_of(
        &[
            ("Lists", "hidden", &lists),
            ("Secret", "veryHidden", &lists),
            ("Blank", "visible", &blank),
            ("Customers", "visible", &customers),
        ],
        "",
    );
    let mut file = Spreadsheet::open(&file, &FileLimits::default(), None).unwrap();
    assert_eq!(
        (file.tables(), file.sheet(0), file.sheet(1), file.encoding()),
        (2, Some("Blank"), Some("Customers"), None)
    );
    assert_eq!(read_table(&mut file, 0), Err(FileError::Empty));
    assert_eq!(read_table(&mut file, 1).unwrap(), [row(1, &["customer"])]);
}

#[test]
fn long_name_of_a_sheet_is_cut() {
    let file =
        workbook_of(&[(&"ص".repeat(1 << 20), "visible", r#"<row r="1"><c r="A1"><v>1</v></c></row>"#)], "");
    let mut file = Spreadsheet::open(&file, &FileLimits::default(), None).unwrap();
    assert_eq!(file.sheet(0), Some(&*"ص".repeat(31)));
    assert_eq!(read_table(&mut file, 0).unwrap(), [row(1, &["1"])]);
}

#[test]
fn numbers_of_cells_are_kept_regardless_of_their_format() {
    let sheet = r#"<row r="1"><c r="A1" s="1"><v>35584</v></c><c r="B1"><v>9.66501E+11</v></c><c r="C1" t="str"><v>9.66501E+11</v></c></row>"#;
    let mut numbers = Vec::new();
    let file = workbook(sheet, "");
    let mut file = Spreadsheet::open(&file, &FileLimits::default(), None).unwrap();
    file.read_rows(0, &mut |row| {
        numbers.extend(row.cells.into_iter().map(|cell| (cell.text, cell.number)));
        ControlFlow::Continue(())
    })
    .unwrap();
    let expected =
        [("1997-06-03", Some(35584.0)), ("966501000000", Some(966_501_000_000.0)), ("9.66501E+11", None)];
    assert_eq!(numbers, expected.map(|(text, number)| (text.to_owned(), number)));
}

#[test]
fn cells_have_the_names_of_a_spreadsheet() {
    for (column, row, name) in
        [(0, 1, "A1"), (2, 7, "C7"), (25, 1, "Z1"), (26, 2, "AA2"), (701, 1, "ZZ1"), (702, 9, "AAA9")]
    {
        assert_eq!(cell_name(column, row), name);
    }
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

    #[test]
    fn text_is_read_like_the_csv_crate_reads_it(text in "([a-c]|,|\"|\n|\r\n| ){0,60}") {
        let Ok(ours) = read_with(text.as_bytes(), &FileLimits::default()) else { return Ok(()) };
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let theirs = reader.records().map(|record| {
            let mut cells: Vec<_> = record.unwrap().iter().map(|cell| cell.trim().to_owned()).collect();
            while cells.last().is_some_and(String::is_empty) {
                cells.pop();
            }
            cells
        });
        let theirs: Vec<_> = theirs.filter(|cells| !cells.is_empty()).collect();
        prop_assert_eq!(ours.into_iter().map(|(_, cells)| cells).collect::<Vec<_>>(), theirs);
    }
}
