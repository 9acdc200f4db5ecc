//! NumPy's legacy random numbers.

/// The Mersenne Twister of Matsumoto and Nishimura 1998, seeded by `init_genrand`: NumPy's `RandomState(seed)`.
#[derive(Clone)]
pub struct Mt19937 {
    state: [u32; 624],
    next: usize,
}

impl Mt19937 {
    /// The generator for an integer seed.
    pub fn new(seed: u32) -> Self {
        let mut state = [seed; 624];
        for i in 1..624 {
            let before: u32 = state[i - 1];
            state[i] = 1_812_433_253_u32.wrapping_mul(before ^ before >> 30).wrapping_add(i as u32);
        }
        Self { state, next: 624 }
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.next == 624 {
            for i in 0..624 {
                let y = self.state[i] & 0x8000_0000 | self.state[(i + 1) % 624] & 0x7fff_ffff;
                let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + 397) % 624] ^ y >> 1 ^ odd;
            }
            self.next = 0;
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c_5680;
        y ^= y << 15 & 0xefc6_0000;
        y ^ y >> 18
    }

    /// A uniform number in `0..=max` by masked rejection.
    fn interval(&mut self, max: usize) -> usize {
        let mask = max.checked_next_power_of_two().map_or(usize::MAX, |p| if p == max { 2 * p - 1 } else { p - 1 });
        loop {
            let mut draw = self.next_u32() as usize;
            if max > u32::MAX as usize {
                draw = draw << 32 | self.next_u32() as usize;
            }
            if draw & mask <= max {
                return draw & mask;
            }
        }
    }

    /// NumPy's legacy shuffle, in place.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.interval(i);
            items.swap(i, j);
        }
    }

    /// NumPy's `RandomState.permutation(n)`.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }
}
