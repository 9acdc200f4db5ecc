//! NumPy's legacy random numbers.

/// The Mersenne Twister as NumPy's `RandomState(seed)` seeds and uses it.
pub struct Mt19937(rand_mt::Mt);

impl Mt19937 {
    /// The generator for an integer seed.
    pub fn new(seed: u32) -> Self {
        Self(rand_mt::Mt::new(seed))
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
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
