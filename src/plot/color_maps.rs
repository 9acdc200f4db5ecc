//! Maps from 0..1 to colours: viridis, and blues for matrices.

use crate::plot::style::{NONE, Rgb, mix};

/// Viridis (van der Walt and Smith, 2015, CC0), at 20 equally spaced anchors; linear between them.
const VIRIDIS: [Rgb; 20] = [
    [0x44, 0x01, 0x54],
    [0x48, 0x15, 0x67],
    [0x48, 0x26, 0x77],
    [0x45, 0x37, 0x81],
    [0x40, 0x47, 0x88],
    [0x39, 0x56, 0x8c],
    [0x33, 0x63, 0x8d],
    [0x2d, 0x70, 0x8e],
    [0x28, 0x7d, 0x8e],
    [0x23, 0x8a, 0x8d],
    [0x1f, 0x96, 0x8b],
    [0x20, 0xa3, 0x87],
    [0x29, 0xaf, 0x7f],
    [0x3c, 0xbb, 0x75],
    [0x55, 0xc6, 0x67],
    [0x73, 0xd0, 0x55],
    [0x95, 0xd8, 0x40],
    [0xb8, 0xde, 0x29],
    [0xdc, 0xe3, 0x19],
    [0xfd, 0xe7, 0x25],
];

/// The colour of `t` in 0..1 (clamped) on the viridis map; grey where `t` is not a number.
pub fn viridis(t: f64) -> Rgb {
    if t.is_nan() {
        return NONE;
    }
    let x = t.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let i = (x as usize).min(VIRIDIS.len() - 2);
    mix(VIRIDIS[i], VIRIDIS[i + 1], x - i as f64)
}

/// The colour of `t` in 0..1 (clamped) on a map from white to deep blue whose lightness falls evenly (a path through
/// Oklab, Ottosson 2020), so that it keeps its order in grey; grey where `t` is not a number.
pub fn blues(t: f64) -> Rgb {
    if t.is_nan() {
        return NONE;
    }
    let t = t.clamp(0.0, 1.0);
    let lightness = 0.985 - 0.655 * t;
    let chroma = 0.13 * (t * (1.0 - 0.35 * t) / 0.65).min(1.0);
    let hue = (248.0 + 12.0 * t).to_radians();
    oklab_to_srgb(lightness, chroma * hue.cos(), chroma * hue.sin())
}

fn oklab_to_srgb(l: f64, a: f64, b: f64) -> Rgb {
    let (p, q, r) = (
        (l + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3),
        (l - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3),
        (l - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3),
    );
    let linear = [
        4.076_741_662_1 * p - 3.307_711_591_3 * q + 0.230_969_929_2 * r,
        -1.268_438_004_6 * p + 2.609_757_401_1 * q - 0.341_319_396_5 * r,
        -0.004_196_086_3 * p - 0.703_418_614_7 * q + 1.707_614_701_0 * r,
    ];
    linear.map(|v| {
        let v = v.clamp(0.0, 1.0);
        let v = if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
        (v * 255.0).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::style::luminance;

    #[test]
    fn colour_maps_keep_their_order_in_grey() {
        for (map, rising) in [(viridis as fn(f64) -> Rgb, true), (blues, false)] {
            let l: Vec<f64> = (0..=100).map(|i| luminance(map(f64::from(i) / 100.0))).collect();
            assert!(l.windows(2).all(|w| if rising { w[1] >= w[0] } else { w[1] <= w[0] }), "{l:?}");
        }
        assert_eq!(viridis(0.0), [0x44, 0x01, 0x54]);
        assert_eq!(viridis(7.0), [0xfd, 0xe7, 0x25]);
        assert_eq!((viridis(f64::NAN), blues(f64::NAN)), (NONE, NONE));
    }
}
