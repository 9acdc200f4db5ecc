//! Two columns of a workbook's first sheet (ECMA-376 part 1, SpreadsheetML), read as a stream.
//!
//! Counts and dimensions that a workbook declares (`uniqueCount`, `dimension`, `spans`) are not believed, nor used.

use crate::ecg::wfdb::read_limited;
use crate::error::{Error, Result};
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, Event};
use std::io::{Cursor, Read};
use std::path::Path;
use zip::ZipArchive;
use zip::result::ZipError;

/// The largest workbook that is read, in bytes.
const MAX_FILE: u64 = 1 << 25;
/// The largest part of it that is unpacked, in bytes; Chapman's sheet has 6 MB.
const MAX_PART: u64 = 1 << 26;
/// The longest text of a cell that is used, in bytes.
const MAX_TEXT: usize = 128;
/// Rows and columns of a sheet at most, as in Excel.
const MAX_ROWS: usize = 1 << 20;
const MAX_COLUMNS: usize = 1 << 14;

/// The rows below the header row in two columns, which are found by name. Rows that lack both are left out.
pub fn two_columns(path: &Path, names: [&str; 2]) -> Result<Vec<[String; 2]>> {
    let bytes = read_limited(path, MAX_FILE, "workbook")?;
    let fail = |what: String| Error::file(path, format!("is no workbook to read: {what}"), "fetch the file again");
    let mut archive =
        ZipArchive::new(Cursor::new(bytes.as_slice())).map_err(|e| fail(format!("no ZIP archive, or cut off: {e}")))?;
    let mut part = |name: &str| part(&mut archive, name);
    let mut read = || {
        let workbook = part("xl/workbook.xml")?.ok_or("no xl/workbook.xml")?;
        let relations = part("xl/_rels/workbook.xml.rels")?.unwrap_or_default();
        let sheet = first_sheet(&workbook, &relations)?;
        let strings = Strings::parse(&part("xl/sharedStrings.xml")?.unwrap_or_default())?;
        let text = part(&sheet)?.ok_or_else(|| format!("no {sheet}"))?;
        rows(&text, &strings, names)
    };
    read().map_err(fail)
}

/// A part's text; `None` where there is no part of that name. It grows as it is inflated, up to a limit: no size that
/// the archive declares decides an allocation.
fn part(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str) -> Result<Option<String>, String> {
    let file = match archive.by_name(name) {
        Ok(file) => file,
        Err(ZipError::FileNotFound) => return Ok(None),
        Err(e) => return Err(format!("{name}: {e}")),
    };
    let mut content = Vec::new();
    file.take(MAX_PART + 1).read_to_end(&mut content).map_err(|e| format!("{name} cannot be unpacked: {e}"))?;
    if content.len() as u64 > MAX_PART {
        return Err(format!("{name} unpacks to more than {MAX_PART} bytes"));
    }
    String::from_utf8(content).map(Some).map_err(|_| format!("{name} is no UTF-8 text"))
}

/// The next event, empty elements as start and end.
fn next<'a>(reader: &mut Reader<&'a [u8]>) -> Result<Event<'a>, String> {
    reader.read_event().map_err(|e| format!("broken XML: {e}"))
}

fn reader(text: &str) -> Reader<&[u8]> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    reader
}

/// An attribute's value as written.
fn attribute(e: &BytesStart, name: &str) -> Option<String> {
    let value = e.try_get_attribute(name).ok()??.value;
    (value.len() <= MAX_TEXT).then(|| value.to_string())
}

/// What `get` makes of the first element of this name of which it makes something.
fn find<T>(xml: &str, name: &str, get: impl Fn(&BytesStart) -> Option<T>) -> Result<Option<T>, String> {
    let mut events = reader(xml);
    loop {
        match next(&mut events)? {
            Event::Start(e) if e.local_name().as_ref() == name => match get(&e) {
                None => {}
                found => return Ok(found),
            },
            Event::Eof => return Ok(None),
            _ => {}
        }
    }
}

/// The part that holds the first sheet.
fn first_sheet(workbook: &str, relations: &str) -> Result<String, String> {
    let is_id = |a: &Attribute| a.key.local_name().as_ref() == "id";
    let id_of = |e: &BytesStart| {
        let id = e.attributes().with_checks(false).filter_map(Result::ok).find(is_id);
        Some(id.map(|a| a.value.to_string()))
    };
    let id = find(workbook, "sheet", id_of)?.flatten();
    let target = |e: &BytesStart| attribute(e, "Target").filter(|_| id.is_some() && attribute(e, "Id") == id);
    Ok(match find(relations, "Relationship", target)? {
        Some(target) => target.strip_prefix('/').map_or_else(|| format!("xl/{target}"), String::from),
        None => "xl/worksheets/sheet1.xml".into(),
    })
}

/// The texts that cells refer to by number.
#[derive(Default)]
struct Strings {
    text: String,
    /// Where each ends in `text`.
    ends: Vec<u32>,
}

impl Strings {
    fn parse(xml: &str) -> Result<Self, String> {
        let mut strings = Self::default();
        let mut events = reader(xml);
        let (mut inside, mut spoken) = (false, false);
        loop {
            match next(&mut events)? {
                Event::Start(e) => match e.local_name().as_ref() {
                    "t" => inside = !spoken,
                    "rPh" => spoken = true,
                    _ => {}
                },
                Event::End(e) => match e.local_name().as_ref() {
                    "t" => inside = false,
                    "rPh" => spoken = false,
                    "si" => strings.ends.push(strings.text.len() as u32),
                    _ => {}
                },
                Event::Eof => return Ok(strings),
                event if inside => add_text(&event, &mut strings.text),
                _ => {}
            }
        }
    }

    fn get(&self, i: usize) -> Option<&str> {
        let end = *self.ends.get(i)? as usize;
        let start = i.checked_sub(1).and_then(|i| self.ends.get(i)).map_or(0, |&s| s as usize);
        self.text.get(start..end)
    }
}

/// Adds the text of an event, entities resolved.
fn add_text(event: &Event, to: &mut String) {
    match event {
        Event::Text(t) => to.push_str(&t.xml10_content()),
        Event::CData(t) => to.push_str(&t.xml10_content()),
        Event::GeneralRef(r) => match r.resolve_char_ref() {
            Ok(Some(c)) => to.push(c),
            _ => to.push_str(resolve_predefined_entity(r).unwrap_or_default()),
        },
        _ => {}
    }
}

/// A cell on its way.
#[derive(Default)]
struct Cell {
    column: usize,
    shared: bool,
    text: String,
    /// Inside a value or a text.
    inside: bool,
}

impl Cell {
    /// The text; `None` where it is too long or there is no such shared text.
    fn value<'a>(&'a self, strings: &'a Strings) -> Option<&'a str> {
        let text = if self.shared { strings.get(self.text.trim().parse().ok()?)? } else { &self.text };
        Some(text.trim()).filter(|t| t.len() <= MAX_TEXT)
    }
}

/// Rows of a sheet below its first one.
fn rows(xml: &str, strings: &Strings, names: [&str; 2]) -> Result<Vec<[String; 2]>, String> {
    let mut found = Vec::new();
    let mut wanted: [Option<usize>; 2] = [None; 2];
    let mut heading = true;
    let mut row: [String; 2] = Default::default();
    let mut cell = Cell::default();
    let mut number = 0;
    let mut events = reader(xml);
    loop {
        match next(&mut events)? {
            Event::Start(e) => match e.local_name().as_ref() {
                "row" => cell.column = 0,
                "c" => {
                    let place = attribute(&e, "r").and_then(|r| column(&r));
                    let column = place.unwrap_or(cell.column);
                    let shared = attribute(&e, "t").is_some_and(|t| t == "s");
                    cell.text.clear();
                    cell = Cell { column, shared, text: std::mem::take(&mut cell.text), inside: false };
                }
                "v" | "t" => cell.inside = true,
                _ => {}
            },
            Event::End(e) => match e.local_name().as_ref() {
                "v" | "t" => cell.inside = false,
                "c" => {
                    let value = cell.value(strings).unwrap_or_default();
                    for ((name, place), own) in names.iter().zip(&mut wanted).zip(&mut row) {
                        if heading && value.eq_ignore_ascii_case(name) {
                            *place = place.or(Some(cell.column));
                        } else if !heading && *place == Some(cell.column) {
                            own.clear();
                            own.push_str(value);
                        }
                    }
                    cell.column = (cell.column + 1).min(MAX_COLUMNS);
                }
                "row" => {
                    number += 1;
                    if number > MAX_ROWS {
                        return Err(format!("more than {MAX_ROWS} rows"));
                    }
                    if heading {
                        if let Some((name, _)) = names.iter().zip(wanted).find(|(_, place)| place.is_none()) {
                            return Err(format!("no column {name} in the first row of the first sheet"));
                        }
                        heading = false;
                    } else if row.iter().any(|text| !text.is_empty()) {
                        found.push(std::mem::take(&mut row));
                    }
                }
                "sheetData" => break,
                _ => {}
            },
            Event::Eof => return Err("the sheet is cut off".into()),
            event if cell.inside => add_text(&event, &mut cell.text),
            _ => {}
        }
    }
    if heading {
        return Err("the first sheet is empty".into());
    }
    Ok(found)
}

/// Column of a place such as `B12`, from 0.
fn column(place: &str) -> Option<usize> {
    let letters = place.bytes().take_while(u8::is_ascii_alphabetic);
    let number =
        letters.fold(0_usize, |n, b| (26 * n + usize::from(b.to_ascii_uppercase() - b'A') + 1).min(MAX_COLUMNS));
    number.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    fn pack(parts: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in parts {
            archive.start_file(*name, SimpleFileOptions::default()).unwrap();
            archive.write_all(content).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    const NAMES: [&str; 2] = ["FileName", "Rhythm"];
    const WORKBOOK: &str = r#"<workbook><sheets><sheet name="S" sheetId="1" r:id="rId7"/></sheets></workbook>"#;
    const RELATIONS: &str = r#"<Relationships><Relationship Id="rId1" Target="styles.xml"/><Relationship Id="rId7" Target="worksheets/data.xml"/></Relationships>"#;
    const STRINGS: &str = r#"<sst uniqueCount="18446744073709551615"><si><t>FileName</t></si><si><r><t>Rhy</t></r><r><t>thm</t></r><rPh><t>x</t></rPh></si><si><t>a&amp;b&#49;</t></si><si/></sst>"#;
    const SHEET: &str = r#"<worksheet><dimension ref="A1:XFD1048576"/><sheetData><row r="1"><c r="B1" t="s"><v>0</v></c><c r="D1" t="s"><v>1</v></c></row><row><c t="n"><v>7</v></c><c t="s"><v>2</v></c><c/><c t="inlineStr"><is><t> SB </t></is></c></row><row/><row><c r="D9999999" t="str"><v>SR</v></c><c r="B5" t="s"><v>99</v></c></row></sheetData></worksheet>"#;

    fn read(parts: &[(&str, &[u8])]) -> Result<Vec<[String; 2]>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.xlsx");
        std::fs::write(&path, pack(parts)).unwrap();
        two_columns(&path, NAMES)
    }

    fn workbook<'a>(strings: &'a str, sheet: &'a str) -> [(&'a str, &'a [u8]); 4] {
        [
            ("xl/workbook.xml", WORKBOOK.as_bytes()),
            ("xl/_rels/workbook.xml.rels", RELATIONS.as_bytes()),
            ("xl/sharedStrings.xml", strings.as_bytes()),
            ("xl/worksheets/data.xml", sheet.as_bytes()),
        ]
    }

    #[test]
    fn cells_of_every_kind() {
        let found = read(&workbook(STRINGS, SHEET)).unwrap();
        assert_eq!(found, [["a&b1", "SB"], ["", "SR"]]);
        assert_eq!(["A1", "Z9", "AA1", "XFD1048576"].map(column), [Some(0), Some(25), Some(26), Some(16_383)]);
        assert_eq!((column("12"), column(&"Z".repeat(100))), (None, Some(MAX_COLUMNS - 1)));
    }

    #[test]
    fn parts_that_swell_are_refused() {
        let zeros = vec![b' '; MAX_PART as usize + 1];
        let mut parts = workbook(STRINGS, SHEET);
        parts[2].1 = &zeros;
        assert!(pack(&parts).len() < 200_000);
        assert!(read(&parts).unwrap_err().to_string().contains("unpacks to more"));
    }

    #[test]
    fn what_is_wrong_is_reported() {
        let without = SHEET.replace("<v>1</v>", "<v>2</v>");
        for (strings, sheet, part) in [
            (STRINGS, without.as_str(), "no column Rhythm"),
            (STRINGS, "<worksheet><sheetData/></worksheet>", "empty"),
            (STRINGS, &SHEET[..SHEET.find("</row>").unwrap()], "cut off"),
            (STRINGS, &SHEET[..200], "broken XML"),
            ("<sst><si></sst>", SHEET, "broken XML"),
        ] {
            let e = read(&workbook(strings, sheet)).unwrap_err().to_string();
            assert!(e.contains(part) && e.contains("HINT"), "{e}");
        }
        assert!(read(&[]).unwrap_err().to_string().contains("no xl/workbook.xml"));
        assert!(read(&workbook(STRINGS, SHEET)[..3]).unwrap_err().to_string().contains("no xl/worksheets/data.xml"));
    }

    proptest! {
        /// Behind the checksums, where damage of the file itself does not reach.
        #[test]
        fn damaged_sheets_never_panic(
            edits in proptest::collection::vec((0_usize..3, 0_usize..700, "[<>&;/a-z\"= 0-9]{0,3}"), 0..6),
        ) {
            let mut texts = [WORKBOOK.to_string(), STRINGS.to_string(), SHEET.to_string()];
            for (which, at, with) in edits {
                let text = &mut texts[which];
                let at = at % (text.len() + 1);
                text.replace_range(at..(at + with.len() / 2).min(text.len()), &with);
            }
            let _ = first_sheet(&texts[0], RELATIONS);
            if let Ok(strings) = Strings::parse(&texts[1]) {
                let _ = rows(&texts[2], &strings, NAMES);
            }
        }
    }
}
