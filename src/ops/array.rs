//! Host arrays in f64: what the oracles compute with.

use crate::tensor::numel;

/// A dense row-major f64 array on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Extent of each dimension.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub data: Vec<f64>,
}

impl Array {
    /// From values in row-major order.
    pub fn new(shape: &[usize], data: Vec<f64>) -> Self {
        assert_eq!(numel(shape), data.len(), "array of shape {shape:?}");
        Self { shape: shape.to_vec(), data }
    }

    /// Zeros.
    pub fn zeros(shape: &[usize]) -> Self {
        Self::new(shape, vec![0.0; numel(shape)])
    }

    /// A single value of shape `[1]`.
    pub fn scalar(v: f64) -> Self {
        Self::new(&[1], vec![v])
    }

    /// Extent of dimension `d`, 1 past the end.
    pub fn dim(&self, d: usize) -> usize {
        self.shape.get(d).copied().unwrap_or(1)
    }

    /// Applies `f` to each value.
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self::new(&self.shape, self.data.iter().map(|&v| f(v)).collect())
    }

    /// The value at `index` of an array that is broadcast to a shape of `index.len()` dimensions.
    pub fn broadcast_at(&self, index: &[usize]) -> f64 {
        let skip = index.len() - self.shape.len();
        let flat = self.shape.iter().zip(&index[skip..]).fold(0, |f, (&d, &i)| f * d + if d == 1 { 0 } else { i });
        self.data[flat]
    }

    /// An array of `shape` whose values come from their index.
    pub fn from_index(shape: &[usize], mut f: impl FnMut(&[usize]) -> f64) -> Self {
        let mut index = vec![0; shape.len()];
        let mut data = Vec::with_capacity(numel(shape));
        for _ in 0..numel(shape) {
            data.push(f(&index));
            for d in (0..shape.len()).rev() {
                index[d] += 1;
                if index[d] < shape[d] {
                    break;
                }
                index[d] = 0;
            }
        }
        Self::new(shape, data)
    }
}
