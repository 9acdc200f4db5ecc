//! Files of measurements are read as far as they go: what is not a number becomes NaN, and of a list what fits is kept.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A number; whatever is none, such as the `null` of one that is not finite, is not a number.
pub(super) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Value::deserialize(from)?.as_f64().unwrap_or(f64::NAN))
}

/// The elements that are what they should be.
pub(crate) fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    let all = Vec::<Value>::deserialize(from)?;
    Ok(all.into_iter().filter_map(|v| serde_json::from_value(v).ok()).collect())
}
