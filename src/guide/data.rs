/// Signals of 48 samples: noise (class 0), with a bump upwards (1), or downwards (2), and where the bump is.
pub fn signals(n: usize) -> (Vec<f32>, Vec<u32>, Vec<usize>) {
    let place = |i: usize| 8 + i * 13 % 32;
    let value = |i: usize, t: usize| {
        let noise = ((i * 48 + t) as f32 * 12.9898).sin() * 437.585 % 0.5;
        let bump = (-((t as f32 - place(i) as f32) / 3.0).powi(2)).exp();
        noise + [0.0, 2.0, -2.0][i % 3] * bump
    };
    let x = (0..n).flat_map(|i| (0..48).map(move |t| (i, t))).map(|(i, t)| value(i, t)).collect();
    (x, (0..n).map(|i| (i % 3) as u32).collect(), (0..n).map(place).collect())
}
