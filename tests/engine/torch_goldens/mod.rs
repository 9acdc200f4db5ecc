//! Parity with PyTorch on the committed goldens (`tests/goldens/torch/make.py` made them in f64).
//! Logits within 1e-4, gradients within 1e-3 of the tensor's scale; each test prints the worst error it saw.

mod networks;
mod operations;
mod optimizers;
