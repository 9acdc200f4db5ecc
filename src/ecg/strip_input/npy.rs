//! NumPy's `.npy` format, versions 1 to 3: a one-dimensional array.

use crate::ecg::wfdb::read_limited;
use crate::error::{Error, Result};
use std::path::Path;

/// The largest file that is read, in bytes.
const MAX_NPY: u64 = 1 << 30;

pub(super) fn read(path: &Path) -> Result<Vec<f64>> {
    parse(path, &read_limited(path, MAX_NPY, "NumPy file")?)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<f64>> {
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
    let Some(kind) = Kind::of(kind) else {
        let shown: String = kind.chars().take(20).collect();
        let expected =
            "expected whole numbers of 8 to 64 bits or floats of 16 to 64 bits (i1 to i8, u1 to u8, f2 to f8)";
        return Err(fault(format!("holds `{shown}`, {expected}"), damaged));
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
    if n.checked_mul(kind.size) != Some(data.len()) {
        return Err(fault(
            format!("announces {n} samples of {} bytes, but {} bytes follow", kind.size, data.len()),
            "the file is cut off or damaged: save it again",
        ));
    }
    let samples: Vec<f64> = data.chunks_exact(kind.size).map(|bytes| kind.number(bytes)).collect();
    if let Some(i) = samples.iter().position(|v| v.is_finite() && !(*v as f32).is_finite()) {
        return Err(fault(format!("sample {i} is {}, beyond the range of f32", samples[i]), "give the signal in mV"));
    }
    Ok(samples)
}

/// A type of numbers as NumPy names it: order of bytes, kind, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    big_endian: bool,
    letter: u8,
    size: usize,
}

impl Kind {
    /// Of a name such as `<f4`, `>i2`, `|u1` or `=f8`.
    fn of(descr: &str) -> Option<Self> {
        let [order @ (b'<' | b'>' | b'|' | b'='), letter @ (b'i' | b'u' | b'f'), size] = *descr.as_bytes() else {
            return None;
        };
        let size = usize::from(size.wrapping_sub(b'0'));
        let known = matches!((letter, size), (b'i' | b'u', 1 | 2 | 4 | 8) | (b'f', 2 | 4 | 8));
        // `|` says that there is no order, which is true of single bytes only
        let ordered = order != b'|' || size == 1;
        let big_endian = order == b'>' || (order == b'=' && cfg!(target_endian = "big"));
        (known && ordered).then_some(Self { big_endian, letter, size })
    }

    /// The number in `size` bytes.
    fn number(self, bytes: &[u8]) -> f64 {
        let mut raw = [0; 8];
        raw[..self.size].copy_from_slice(bytes);
        if self.big_endian {
            raw[..self.size].reverse();
        }
        let bits = u64::from_le_bytes(raw);
        match (self.letter, self.size) {
            (b'f', 2) => half::f16::from_bits(bits as u16).to_f64(),
            (b'f', 4) => f64::from(f32::from_bits(bits as u32)),
            (b'f', _) => f64::from_bits(bits),
            (b'u', _) => bits as f64,
            // the sign is that of the number's own highest bit
            _ => ((bits << (64 - 8 * self.size)) as i64 >> (64 - 8 * self.size)) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
        let length = &(header.len() as u32).to_le_bytes()[..if version == 1 { 2 } else { 4 }];
        [b"\x93NUMPY", &[version, 0][..], length, header.as_bytes(), data].concat()
    }

    fn f4(shape: &str) -> String {
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}        \n")
    }

    fn data() -> Vec<u8> {
        [1.5_f32, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    #[test]
    fn every_shape_of_one_strip() {
        for shape in ["(2,)", "(1, 2)", "(2, 1)", "(1, 1, 2)"] {
            assert_eq!(parse(Path::new("x.npy"), &file(1, &f4(shape), &data())).unwrap(), [1.5, -2.0]);
        }
    }

    #[test]
    fn every_type_of_number_in_both_orders() {
        let cases: [(&str, &[u8], f64); 12] = [
            ("i1", &(-3_i8).to_le_bytes(), -3.0),
            ("u1", &250_u8.to_le_bytes(), 250.0),
            ("i2", &(-300_i16).to_le_bytes(), -300.0),
            ("u2", &65_000_u16.to_le_bytes(), 65_000.0),
            ("i4", &(-70_000_i32).to_le_bytes(), -70_000.0),
            ("u4", &4_000_000_000_u32.to_le_bytes(), 4e9),
            ("i8", &(-5_000_000_000_i64).to_le_bytes(), -5e9),
            ("u8", &(1_u64 << 63).to_le_bytes(), 2.0_f64.powi(63)),
            ("f2", &half::f16::from_f32(-0.375).to_le_bytes(), -0.375),
            ("f4", &1.25_f32.to_le_bytes(), 1.25),
            ("f8", &0.1_f64.to_le_bytes(), 0.1),
            ("f8", &(-1e-9_f64).to_le_bytes(), -1e-9),
        ];
        for (kind, little, expected) in cases {
            let big: Vec<u8> = little.iter().rev().copied().collect();
            for (order, data) in [("<", little), (">", &big), ("=", little)] {
                for fortran in ["True", "False"] {
                    let header = format!("{{'descr': '{order}{kind}', 'fortran_order': {fortran}, 'shape': (1,), }}\n");
                    for version in 1..=3 {
                        let read = parse(Path::new("x.npy"), &file(version, &header, data));
                        assert_eq!(read.unwrap(), [expected], "{header}");
                    }
                }
            }
        }
        assert_eq!(parse(Path::new("x"), &file(1, &f4("(2,)").replace("<f4", "|u1"), &[7, 9])).unwrap(), [7.0, 9.0]);
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
            (file(1, &f4("(2,)").replace("<f4", "<c8"), &data()), "<c8"),
            (file(1, &f4("(2,)").replace("<f4", "|b1"), &data()), "|b1"),
            (file(1, &f4("(2,)").replace("<f4", "<f3"), &data()), "<f3"),
            (file(1, &f4("(1,)").replace("<f4", "<f8"), &1e300_f64.to_le_bytes()), "beyond the range"),
            (file(1, &f4("(2,)").replace("'<f4'", "[('a', '<f4')]"), &data()), "structured"),
            (file(1, "{}", &data()), "descr"),
        ] {
            let e = parse(Path::new("x.npy"), &bytes).unwrap_err().to_string();
            assert!(e.contains(part) && e.contains("HINT"), "{e}");
        }
    }
}
