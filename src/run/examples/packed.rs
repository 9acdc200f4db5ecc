//! Signals as few bytes: zlib of differences, the low bytes of all values before the high ones.

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use std::io::{Read, Write};

/// Steps a mV: 1 µV each where that suits the strip.
const STEPS: f32 = 1000.0;
/// Largest values, mV, that it suits.
const SUITED: std::ops::Range<f32> = 0.25..32.0;
/// Stands for a value that is no finite number.
const NONE: i16 = i16::MIN;

/// How many steps a strip is stored in, a mV.
pub(super) fn steps(signal: &[f32]) -> f32 {
    let most = signal.iter().filter(|v| v.is_finite()).fold(0.0_f32, |m, v| m.max(v.abs()));
    if SUITED.contains(&most) || most == 0.0 { STEPS } else { (f32::from(i16::MAX) / most).min(f32::MAX) }
}

/// Strips of one length, each in its steps a mV.
pub(super) fn pack_signals<'a>(strips: impl Iterator<Item = (&'a [f32], f32)>) -> Vec<u8> {
    let (mut low, mut high) = (Vec::new(), Vec::new());
    for (signal, steps) in strips {
        let mut before = 0_i16;
        for v in signal {
            // a conversion of floats saturates
            let value = if v.is_finite() { ((v * steps).round() as i16).max(-i16::MAX) } else { NONE };
            let [l, h] = value.wrapping_sub(before).to_le_bytes();
            low.push(l);
            high.push(h);
            before = value;
        }
    }
    low.append(&mut high);
    pack(&low)
}

/// The strips that [`pack_signals`] had, one for each of `steps`.
pub(super) fn unpack_signals(bytes: &[u8], steps: &[f32]) -> Result<Vec<Vec<f32>>, String> {
    let bytes = unpack(bytes)?;
    let (low, high) = bytes.split_at(bytes.len() / 2);
    let length = low.len().checked_div(steps.len()).unwrap_or(0);
    if low.len() != high.len() || length * steps.len() != low.len() {
        return Err(format!("signals of {} bytes, expected {} of one length", bytes.len(), steps.len()));
    }
    let strip = |(i, steps): (usize, &f32)| {
        let mut value = 0_i16;
        let range = i * length..(i + 1) * length;
        let next = |(l, h): (&u8, &u8)| {
            value = value.wrapping_add(i16::from_le_bytes([*l, *h]));
            if value == NONE { f32::NAN } else { f32::from(value) / steps }
        };
        low[range.clone()].iter().zip(&high[range]).map(next).collect()
    };
    Ok(steps.iter().enumerate().map(strip).collect())
}

/// zlib of bytes.
pub(super) fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).and_then(|()| packed.finish()).expect("writing into memory cannot fail")
}

/// The bytes that [`pack`] had.
pub(super) fn unpack(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut found = Vec::new();
    ZlibDecoder::new(bytes).read_to_end(&mut found).map_err(|e| format!("packed values: {e}"))?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_come_back_to_half_a_step() {
        let beat = |i: i32| 1.2 * (-((f64::from(i % 200) - 100.0) / 4.0).powi(2)).exp() as f32;
        let usual: Vec<f32> = (0..2500).map(beat).collect();
        let small: Vec<f32> = usual.iter().map(|v| v * 1e-4).collect();
        let large: Vec<f32> = usual.iter().map(|v| v * -1e6).collect();
        let mut odd = vec![0.0; 2500];
        (odd[7], odd[8], odd[9]) = (f32::NAN, f32::INFINITY, -0.5);
        let all = [usual, small, large, odd, vec![0.0; 2500]];
        let all_steps: Vec<f32> = all.iter().map(|s| steps(s)).collect();
        assert_eq!((all_steps[0], all_steps[3], all_steps[4]), (1000.0, 1000.0, 1000.0));
        let bytes = pack_signals(all.iter().map(Vec::as_slice).zip(all_steps.iter().copied()));
        assert!(bytes.len() < 2 * 5 * 2500 / 4, "{}", bytes.len());
        let found = unpack_signals(&bytes, &all_steps).unwrap();
        for ((found, given), steps) in found.iter().zip(&all).zip(&all_steps) {
            let near = |(a, b): (&f32, &f32)| a.is_nan() && !b.is_finite() || (a - b).abs() <= 0.501 / steps;
            assert!(found.len() == 2500 && found.iter().zip(given).all(near));
        }
        assert!(unpack_signals(&bytes, &all_steps[..3]).unwrap_err().contains("expected 3 of one length"));
        assert!(unpack(b"nothing packed").is_err());
        assert_eq!(unpack_signals(&pack_signals(std::iter::empty()), &[]), Ok(Vec::new()));
    }
}
