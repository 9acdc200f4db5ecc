//! Expressions over named numbers, as the headers of kernels hold them.

use minijinja::{Environment, Value};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

/// Bytes of an expression at most: the engine that evaluates it walks it by recursion.
const LONGEST: usize = 4096;

/// A named number of a launch. Floats are equal where their bits are, so that numbers can be keys.
#[derive(Debug, Clone, Copy)]
pub enum Number {
    /// Sizes, flags (0 and 1), settings.
    Int(i64),
    /// Factors.
    Float(f64),
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(v) => v.fmt(f),
            Self::Float(v) => v.fmt(f),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.bits() == other.bits()
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits().hash(state);
    }
}

impl Number {
    /// As the template engine takes it.
    pub(crate) fn value(self) -> Value {
        match self {
            Self::Int(v) => Value::from(v),
            Self::Float(v) => Value::from(v),
        }
    }

    fn bits(self) -> (bool, u64) {
        match self {
            Self::Int(v) => (false, v as u64),
            Self::Float(v) => (true, v.to_bits()),
        }
    }

    pub(super) fn float(self) -> f64 {
        match self {
            Self::Int(v) => v as f64,
            Self::Float(v) => v,
        }
    }
}

/// Numbers by name.
pub type Values = BTreeMap<String, Number>;

/// Numbers of a launch as the host gives them, in the order in which it does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Sizes(Vec<(&'static str, Number)>);

impl Sizes {
    /// Sets one, in the place of an earlier one of that name.
    pub fn set(&mut self, name: &'static str, number: Number) {
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = number,
            None => self.0.push((name, number)),
        }
    }

    /// As expressions take them.
    pub fn values(&self) -> Values {
        self.0.iter().map(|&(name, v)| (name.to_owned(), v)).collect()
    }
}

/// An expression of the template language over named numbers.
#[derive(Clone)]
pub(super) struct Expression {
    text: String,
    compiled: std::sync::Arc<minijinja::Expression<'static, 'static>>,
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// The number up to `most` that wastes least of `n`, larger ones first: channels that a group computes.
fn even(n: i64, most: i64) -> i64 {
    let up = |c: i64| n.div_euclid(c) + i64::from(n.rem_euclid(c) > 0);
    // no group computes more
    (1..=most.min(n).min(1 << 12)).rev().min_by_key(|&c| up(c) * c + up(c)).unwrap_or(1)
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.max(1) } else { gcd(b, a.wrapping_rem(b)) }
}

fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut env = Environment::new();
        env.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        // a divisor of 0 is a fault of a header, which its number shows
        let ceil = |a: i64, b: i64| a.saturating_add(b.max(1) - 1).div_euclid(b.max(1));
        env.add_function("ceil", ceil);
        env.add_function("up", move |a: i64, b: i64| ceil(a, b).saturating_mul(b.max(1)));
        env.add_function("min", |a: i64, b: i64| a.min(b));
        env.add_function("max", |a: i64, b: i64| a.max(b));
        env.add_function("even", even);
        env.add_function("gcd", gcd);
        env
    })
}

impl Expression {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("found an expression of {} bytes, expected at most {LONGEST}", text.len()));
        }
        let compiled = environment().compile_expression_owned(text.to_owned()).map_err(|e| format!("{e:#}"))?;
        Ok(Self { text: text.to_owned(), compiled: compiled.into() })
    }

    fn evaluate(&self, values: &Values) -> Result<Value, String> {
        let context: BTreeMap<&str, Value> = values.iter().map(|(name, v)| (name.as_str(), v.value())).collect();
        let done = self.compiled.eval(context);
        let unknown = || {
            let mut names: Vec<String> = self.compiled.undeclared_variables(false).into_iter().collect();
            names.retain(|n| {
                !values.contains_key(n) && !["ceil", "up", "min", "max", "even", "gcd"].contains(&n.as_str())
            });
            names.sort();
            let name = names.first()?.clone();
            let near = crate::error::nearest(&name, values.keys().map(String::as_str));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            Some(format!("{}: found no number that is called `{name}`{near}", self.text))
        };
        done.map_err(|e| unknown().unwrap_or_else(|| format!("{}: {e:#}", self.text)))
    }

    pub(super) fn number(&self, values: &Values) -> Result<Number, String> {
        let value = self.evaluate(values)?;
        if let Ok(v) = i64::try_from(value.clone()) {
            return Ok(Number::Int(v));
        }
        match bool::try_from(value.clone()) {
            Ok(v) => Ok(Number::Int(v.into())),
            Err(_) => f64::try_from(value.clone())
                .map(Number::Float)
                .map_err(|_| format!("{}: found {value}, expected a number", self.text)),
        }
    }

    pub(super) fn holds(&self, values: &Values) -> Result<bool, String> {
        Ok(self.evaluate(values)?.is_true())
    }

    /// A count: an integer of at least 0.
    pub(super) fn count(&self, values: &Values) -> Result<usize, String> {
        match self.number(values)? {
            Number::Int(v) if v >= 0 => Ok(v as usize),
            v => Err(format!("{}: found {v}, expected an integer of at least 0", self.text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_count() {
        let values = Values::from([("a".into(), Number::Int(85)), ("software".into(), Number::Int(1))]);
        let of = |text: &str| Expression::new(text).and_then(|e| e.number(&values));
        assert_eq!(of("ceil(a, 8) + up(a, 8) * 2"), Ok(Number::Int(11 + 176)));
        assert_eq!(of("8 if software else 64"), Ok(Number::Int(8)));
        assert_eq!(of("a // 2 % 5 if a > 3 and not software else even(a, 5)"), Ok(Number::Int(5)));
        assert_eq!(of("a < 3 or software == 1"), Ok(Number::Int(1)));
        assert_eq!(of("a * 0.5"), Ok(Number::Float(42.5)));
        let said = of("softwire + 1").expect_err("unknown");
        assert!(said.contains("softwire") && said.contains("software"), "{said}");
        assert!(Expression::new("a +").is_err());
        assert!(of(&format!("1{}", " + 1".repeat(1000))).is_ok());
        assert!(Expression::new(&format!("1{}", " + 1".repeat(200_000))).is_err(), "too long");
        assert_eq!(of("gcd(-9223372036854775807 - 1, -1)"), Ok(Number::Int(1)));
    }

    #[test]
    fn blocks_waste_little() {
        assert_eq!((even(5, 8), even(10, 8), even(22, 8), even(32, 8)), (5, 5, 8, 8));
        assert_eq!((even(85, 5), even(86, 5)), (5, 5));
    }
}
