//! NumPy's `.npy` format, versions 1 to 3: a one-dimensional array.

use crate::ecg::wfdb::read_limited;
use crate::error::{Error, Result};
use std::path::Path;

/// The largest file that is read, in bytes.
const MAX_NPY: u64 = 1 << 30;

/// Reads the samples of a `.npy` file.
pub(super) fn read(path: &Path) -> Result<Vec<f32>> {
    parse(path, &read_limited(path, MAX_NPY, "NumPy file")?)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<f32>> {
    let fault = |what: String, hint: &str| Error::file(path, what, hint);
    let damaged = "save it again with numpy.save(path, strip.astype('float32'))";
    let Some(rest) = bytes.strip_prefix(b"\x93NUMPY") else {
        return Err(fault("does not begin as a NumPy file".into(), damaged));
    };
    let short = || fault(format!("is truncated inside its header ({} bytes)", bytes.len()), damaged);
    // version 1 gives the header's length in two bytes, 2 and 3 in four
    let (length, body) = match rest {
        [1, _, a, b, body @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), body),
        [2 | 3, _, a, b, c, d, body @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, body),
        [v, _, ..] if *v == 0 || *v > 3 => {
            return Err(fault(format!("has format version {v}, expected 1 to 3"), damaged));
        }
        _ => return Err(short()),
    };
    let header = body.get(..length).ok_or_else(short)?;
    let data = &body[length..];
    let header = String::from_utf8_lossy(header);
    let value = |key: &str| {
        let at = header.find(&format!("'{key}'")).map(|i| i + key.len() + 2)?;
        header.get(at..)?.trim_start().strip_prefix(':').map(str::trim_start)
    };
    let entry = |key: &str| value(key).ok_or_else(|| fault(format!("its header has no `{key}`"), damaged));

    let descr = entry("descr")?;
    let kind = descr.strip_prefix('\'').and_then(|d| d.split('\'').next()).unwrap_or("a structured type");
    let (size, decode): (usize, fn(&[u8]) -> f32) = match kind {
        "<f4" => (4, |b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        "<f8" => (8, |b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32),
        "<i2" => (2, |b| f32::from(i16::from_le_bytes([b[0], b[1]]))),
        "<i4" => (4, |b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32),
        _ => {
            let shown: String = kind.chars().take(20).collect();
            return Err(fault(format!("holds `{shown}`, expected <f4, <f8, <i2 or <i4"), damaged));
        }
    };
    let shape = entry("shape")?;
    let inner = shape.strip_prefix('(').and_then(|s| s.split_once(')')).map(|(s, _)| s);
    let dims: Option<Vec<usize>> = inner.and_then(|s| {
        s.split(',').map(str::trim).filter(|d| !d.is_empty()).map(|d| d.trim_end_matches('L').parse().ok()).collect()
    });
    let dims = dims.ok_or_else(|| fault("its header has no readable shape".into(), damaged))?;
    // a row and a column are the same in memory, so the order of axes does not matter
    if dims.is_empty() || dims.iter().filter(|&&d| d != 1).count() > 1 {
        return Err(fault(format!("has shape {dims:?}, expected one strip: [n] or [1, n]"), "save a single strip"));
    }
    entry("fortran_order")?;
    let n = dims.iter().copied().find(|&d| d != 1).unwrap_or(1);
    if n.checked_mul(size) != Some(data.len()) {
        return Err(fault(
            format!("announces {n} samples of {size} bytes, but {} bytes follow", data.len()),
            "the file is cut off or damaged: save it again",
        ));
    }
    Ok(data.chunks_exact(size).map(decode).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
        let mut b = b"\x93NUMPY".to_vec();
        b.extend([version, 0]);
        if version == 1 {
            b.extend((header.len() as u16).to_le_bytes());
        } else {
            b.extend((header.len() as u32).to_le_bytes());
        }
        b.extend(header.as_bytes());
        b.extend(data);
        b
    }

    fn f4(shape: &str) -> String {
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}        \n")
    }

    fn data() -> Vec<u8> {
        [1.5_f32, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    #[test]
    fn reads_types_and_shapes() {
        let p = Path::new("x.npy");
        for shape in ["(2,)", "(1, 2)", "(2, 1)", "(1, 1, 2)"] {
            for version in 1..=3 {
                assert_eq!(parse(p, &file(version, &f4(shape), &data())).unwrap(), [1.5, -2.0]);
            }
        }
        let i2 = "{'shape':(2,),'fortran_order':True,'descr':'<i2'}\n";
        assert_eq!(parse(p, &file(1, i2, &[1, 0, 0xff, 0xff])).unwrap(), [1.0, -1.0]);
        let f8 = f4("(1,)").replace("<f4", "<f8");
        assert_eq!(parse(p, &file(1, &f8, &0.25_f64.to_le_bytes())).unwrap(), [0.25]);
    }

    #[test]
    fn says_what_is_wrong() {
        for (bytes, part) in [
            (vec![], "begin"),
            (b"\x93NUMPY".to_vec(), "truncated"),
            (file(9, "", &[]), "version 9"),
            (file(1, &f4("(3,)"), &data()), "announces 3"),
            (file(1, &f4("(2, 12)"), &data()), "[2, 12]"),
            (file(1, &f4("()"), &data()), "shape"),
            (file(1, &f4("(18446744073709551615,)"), &data()), "announces"),
            (file(1, &f4("(99999999999999999999999,)"), &data()), "shape"),
            (file(1, &f4("(2,)").replace("<f4", ">f4"), &data()), ">f4"),
            (file(1, &f4("(2,)").replace("'<f4'", "[('a', '<f4')]"), &data()), "structured"),
            (file(1, "{}", &data()), "descr"),
        ] {
            let e = parse(Path::new("x.npy"), &bytes).unwrap_err().to_string();
            assert!(e.contains(part) && e.contains("HINT"), "{e}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(edits in proptest::collection::vec((0usize..200, any::<u8>()), 0..8), cut in 0usize..200) {
            let mut bytes = file(1, &f4("(2,)"), &data());
            for (at, b) in edits {
                let n = bytes.len();
                bytes[at % n] = b;
            }
            let _ = parse(Path::new("x"), &bytes);
            bytes.truncate(cut);
            let _ = parse(Path::new("x"), &bytes);
        }
    }
}
