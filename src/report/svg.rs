//! Drawings made fit to stand in a page beside others: nothing in them runs or is fetched, and their ids are their own.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, Writer, XmlVersion};

/// Elements that draw, in small letters. Others are left out with all that is in them: they may run, fetch, or be of other
/// languages. Style sheets are among those: they would hold for the whole page.
const DRAWING: &str = "svg g a defs symbol use title desc path rect circle ellipse line polyline polygon text tspan \
                       textpath image clippath mask pattern marker lineargradient radialgradient stop switch view";

/// The `<svg>` of a document, with `prefix` before every id and every reference to one. Scripts, event handlers and
/// whatever would be fetched are left out, and so is what stands before the element (declaration, document type).
///
/// # Errors
/// In words, where the text is no SVG.
pub fn embedded(document: &str, prefix: &str) -> Result<String, String> {
    let mut reader = Reader::from_str(document);
    let mut writer = Writer::new(Vec::new());
    // open elements; how many of them are left out
    let (mut depth, mut hidden) = (0_usize, 0_usize);
    let mut begun = false;
    loop {
        let event = reader.read_event().map_err(|e| format!("no SVG: {e}"))?;
        let out = match event {
            Event::Eof => break,
            Event::Start(start) => {
                depth += 1;
                let name = local(&start);
                if !begun && name != "svg" {
                    return Err(format!("no SVG: its first element is <{name}>"));
                }
                if hidden > 0 || !draws(&name) {
                    hidden += 1;
                    continue;
                }
                begun = true;
                Event::Start(cleaned(&start, prefix)?)
            }
            Event::Empty(start) => {
                let name = local(&start);
                if hidden > 0 || !draws(&name) || !begun {
                    continue;
                }
                Event::Empty(cleaned(&start, prefix)?)
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                if hidden > 0 {
                    hidden -= 1;
                    continue;
                }
                Event::End(end)
            }
            Event::Text(text) if hidden == 0 && depth > 0 => Event::Text(text),
            // HTML knows such sections in few places
            Event::CData(text) if hidden == 0 && depth > 0 => {
                Event::Text(text.escape().map_err(|e| format!("no SVG: {e}"))?)
            }
            Event::GeneralRef(name) if hidden == 0 && depth > 0 => {
                // others need a document type, which the page has not
                if !["lt", "gt", "amp", "quot", "apos"].contains(&&*name) && !name.starts_with('#') {
                    return Err("no SVG: it names an entity of its own".into());
                }
                Event::GeneralRef(name)
            }
            _ => continue,
        };
        writer.write_event(out).map_err(|e| format!("no SVG: {e}"))?;
    }
    if !begun || depth > 0 {
        return Err("no SVG: it ends too early".into());
    }
    String::from_utf8(writer.into_inner()).map_err(|e| format!("no SVG: {e}"))
}

fn draws(name: &str) -> bool {
    DRAWING.split(' ').any(|known| known == name)
}

/// A name without its namespace, in small letters as HTML reads it.
fn local(start: &BytesStart<'_>) -> String {
    start.local_name().as_ref().to_ascii_lowercase()
}

fn cleaned(start: &BytesStart<'_>, prefix: &str) -> Result<BytesStart<'static>, String> {
    let mut clean = BytesStart::new(start.name().as_ref().to_owned());
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| format!("no SVG: {e}"))?;
        let key = attribute.key.as_ref().to_owned();
        let value =
            attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|e| format!("no SVG: {e}"))?.into_owned();
        if let Some(value) = attribute_value(&key, value, prefix) {
            clean.push_attribute((key.as_str(), value.as_str()));
        }
    }
    Ok(clean)
}

/// The attribute's value in the page; nothing where it would run or fetch.
fn attribute_value(key: &str, value: String, prefix: &str) -> Option<String> {
    let lower = key.to_ascii_lowercase();
    let name = lower.rsplit(':').next().unwrap_or_default();
    if name.starts_with("on") && !lower.starts_with("xmlns") {
        return None;
    }
    match name {
        "id" => Some(format!("{prefix}{value}")),
        "aria-labelledby" | "aria-describedby" => {
            Some(value.split_whitespace().map(|id| format!("{prefix}{id}")).collect::<Vec<_>>().join(" "))
        }
        "href" | "src" => match value.strip_prefix('#') {
            Some(id) => Some(format!("#{prefix}{id}")),
            None => value.starts_with("data:image/png;base64,").then_some(value),
        },
        _ if lower.starts_with("xmlns") => Some(value),
        _ => references(&value, prefix),
    }
}

/// A value with its `url(#id)` prefixed; nothing where one leads out of the document.
fn references(value: &str, prefix: &str) -> Option<String> {
    let lower = value.to_ascii_lowercase();
    if lower.contains("javascript:") || lower.contains("@import") || lower.contains('\\') {
        return None;
    }
    // small letters have the same places only in ASCII; elsewhere nothing is rewritten, and nothing may refer
    if lower.len() != value.len() {
        return (!lower.contains("url(")).then(|| value.to_owned());
    }
    let (mut out, mut rest) = (String::new(), 0);
    while let Some(at) = lower[rest..].find("url(") {
        let inside = rest + at + 4;
        let skip = value[inside..].len() - value[inside..].trim_start_matches([' ', '"', '\'']).len();
        let id = inside + skip;
        if !value[id..].starts_with('#') {
            return None;
        }
        out += &value[rest..=id];
        out += prefix;
        rest = id + 1;
    }
    Some(out + &value[rest..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_prefixed_with_their_references() {
        let svg = "<?xml version=\"1.0\"?>\n<!DOCTYPE svg>\n<svg xmlns=\"http://www.w3.org/2000/svg\" \
                   xmlns:xlink=\"http://www.w3.org/1999/xlink\"><defs><clipPath id=\"c\"><rect/></clipPath></defs>\
                   <g clip-path=\"url(#c)\" style=\"fill:url('#c');stroke:url(#d)\"><use xlink:href=\"#c\"/>\
                   <text>a &lt; b &#38; c</text></g></svg>\n";
        let out = embedded(svg, "f1-").unwrap();
        assert!(out.starts_with("<svg xmlns=") && out.ends_with("</svg>"), "{out}");
        for part in [
            "id=\"f1-c\"",
            "clip-path=\"url(#f1-c)\"",
            "#f1-c",
            "stroke:url(#f1-d)",
            "href=\"#f1-c\"",
            "a &lt; b &#38; c",
        ] {
            assert!(out.contains(part), "{part}: {out}");
        }
    }

    #[test]
    fn nothing_runs_or_is_fetched() {
        let svg = "<svg onload=\"x()\"><script>x<b/>()</script><style>@import url(http://a/b)</style>\
                   <a href=\"javascript:x()\"><rect fill=\"url(http://a/b#c)\" width=\"1\" ONCLICK=\"x()\"/></a>\
                   <foreignObject><p>no</p></foreignObject><image href=\"http://a/b.png\"/>\
                   <image href=\"data:image/png;base64,AA==\"/><g style=\"fill:u\\72l(http://a)\"/>tail</svg>";
        let out = embedded(svg, "p").unwrap();
        for bad in ["script", "onload", "ONCLICK", "http", "javascript", "no</p>", "u\\72l", "style"] {
            assert!(!out.contains(bad), "{bad}: {out}");
        }
        assert!(out.contains("data:image/png") && out.contains("width=\"1\"") && out.contains("tail"));
        for broken in ["", "text", "<svg>", "<html><svg/></html>", "<svg><g></svg>", "<svg a=b/>", "<svg>&own;</svg>"] {
            assert!(embedded(broken, "p").is_err(), "{broken}");
        }
    }
}
