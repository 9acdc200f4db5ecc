//! `+ - * /` of tensors and numbers. As shapes may not fit, each gives a [`Result`]: `(&a + &b)?`.

use crate::error::Result;
use crate::ops::{add_scalar, neg, recip, scale};
use crate::tensor::Tensor;
use std::ops::{Add, Div, Mul, Neg, Sub};

macro_rules! operator {
    ($operator:ident $name:ident, |$number:ident, $x:ident| $reversed:expr) => {
        operator!($operator $name, &Tensor, &Tensor, |a, b| Tensor::$name(a, b));
        operator!($operator $name, &Tensor, Tensor, |a, b| Tensor::$name(a, &b));
        operator!($operator $name, Tensor, &Tensor, |a, b| Tensor::$name(&a, b));
        operator!($operator $name, Tensor, Tensor, |a, b| Tensor::$name(&a, &b));
        operator!($operator $name, &Tensor, f32, |a, b| Tensor::$name(a, b));
        operator!($operator $name, Tensor, f32, |a, b| Tensor::$name(&a, b));
        operator!($operator $name, f32, &Tensor, |$number, $x| $reversed);
        operator!($operator $name, f32, Tensor, |a, b| $operator::$name(a, &b));
    };
    ($operator:ident $name:ident, $left:ty, $right:ty, |$a:ident, $b:ident| $value:expr) => {
        impl $operator<$right> for $left {
            type Output = Result<Tensor>;

            fn $name(self, other: $right) -> Result<Tensor> {
                let ($a, $b) = (self, other);
                $value
            }
        }
    };
}

operator!(Add add, |number, x| add_scalar(x, number));
operator!(Sub sub, |number, x| add_scalar(&neg(x)?, number));
operator!(Mul mul, |number, x| scale(x, number));
operator!(Div div, |number, x| scale(&recip(x)?, number));

impl Neg for &Tensor {
    type Output = Result<Tensor>;

    fn neg(self) -> Result<Tensor> {
        neg(self)
    }
}

impl Neg for Tensor {
    type Output = Result<Tensor>;

    fn neg(self) -> Result<Tensor> {
        neg(&self)
    }
}
