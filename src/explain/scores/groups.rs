//! Means of the scores of many maps: over all strips, and over those of each class.

use super::MapScores;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Means of [`MapScores`] over a group of strips.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanScores {
    /// Mean [`MapScores::ncc`].
    pub ncc: f64,
    /// Mean [`MapScores::ncc_beats`].
    pub ncc_beats: f64,
    /// Mean [`MapScores::ncc_intervals`].
    pub ncc_intervals: f64,
    /// Mean [`MapScores::energy`].
    pub energy: f64,
    /// Share of maps that point at a beat or into the target.
    pub pointing: f64,
}

/// A group of strips: all of them, or those of one class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GroupScores {
    /// Strips of the group.
    pub strips: usize,
    /// Those with a valid target; only they count in the means.
    pub valid: usize,
    /// Valid ones whose map is dead; they count in the means, with 0.
    pub dead: usize,
    /// The means; `None` without a valid strip.
    pub means: Option<MeanScores>,
}

/// Scores of many maps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Every strip alike, whatever its class.
    pub overall: GroupScores,
    /// One entry a class, in the order of the classes.
    pub per_class: Vec<ClassScores>,
}

/// One class of a [`Summary`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Name of the class.
    pub class: String,
    /// Its strips and their means.
    #[serde(flatten)]
    pub scores: GroupScores,
}

/// Means per class and overall of the scores of maps: `rows` are a class's index (of the true or of the predicted
/// class, as the caller likes) and what [`MapScores::against`] said of a strip.
pub fn summary(rows: &[(usize, Option<MapScores>)], classes: &[String]) -> Result<Summary> {
    if let Some((row, (class, _))) = rows.iter().enumerate().find(|(_, (class, _))| *class >= classes.len()) {
        return Err(Error::data(
            "explanation scores",
            format!("row {row} is of class {class}, expected a number below {}", classes.len()),
            "score the maps with the classes of the model that made them",
        ));
    }
    let group = |class: Option<usize>| {
        group(rows.iter().filter(|(c, _)| class.is_none_or(|wanted| wanted == *c)).map(|(_, scores)| scores.as_ref()))
    };
    let class = |(c, name): (usize, &String)| ClassScores { class: name.clone(), scores: group(Some(c)) };
    Ok(Summary { overall: group(None), per_class: classes.iter().enumerate().map(class).collect() })
}

fn group<'a>(rows: impl Iterator<Item = Option<&'a MapScores>> + Clone) -> GroupScores {
    let valid: Vec<&MapScores> = rows.clone().flatten().collect();
    let mean = |of: fn(&MapScores) -> f64| valid.iter().map(|s| of(s)).sum::<f64>() / valid.len() as f64;
    let means = || MeanScores {
        ncc: mean(|s| s.ncc),
        ncc_beats: mean(|s| s.ncc_beats),
        ncc_intervals: mean(|s| s.ncc_intervals),
        energy: mean(|s| s.energy),
        pointing: mean(|s| f64::from(s.pointing)),
    };
    GroupScores {
        strips: rows.count(),
        valid: valid.len(),
        dead: valid.iter().filter(|s| s.dead).count(),
        means: (!valid.is_empty()).then(means),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_per_class() {
        let names = ["SR", "AF", "SB"].map(String::from);
        let one = |v: f64| MapScores {
            ncc: v,
            ncc_beats: -v,
            ncc_intervals: 0.5 * v,
            energy: v / 4.0,
            pointing: v > 0.5,
            dead: v == 0.0,
        };
        let rows = [(0, Some(one(0.2))), (1, None), (0, Some(one(0.0))), (2, Some(one(0.7))), (0, None)];
        let found = summary(&rows, &names).unwrap();
        let counts = |g: &GroupScores| (g.strips, g.valid, g.dead);
        assert_eq!(counts(&found.overall), (5, 3, 1));
        let means = found.overall.means.unwrap();
        assert!((means.ncc - 0.3).abs() < 1e-15 && (means.ncc_beats + 0.3).abs() < 1e-15);
        assert!((means.ncc_intervals - 0.15).abs() < 1e-15 && (means.energy - 0.075).abs() < 1e-15);
        assert!((means.pointing - 1.0 / 3.0).abs() < 1e-15);
        let [sr, af, sb] = &found.per_class[..] else { panic!("{found:?}") };
        assert_eq!((sr.class.as_str(), counts(&sr.scores), sr.scores.means.unwrap().ncc), ("SR", (3, 2, 1), 0.1));
        assert_eq!((counts(&af.scores), af.scores.means), ((1, 0, 0), None));
        assert_eq!((counts(&sb.scores), sb.scores.means.unwrap().pointing), ((1, 1, 0), 1.0));
        let json = serde_json::to_value(&found).unwrap();
        assert!(json["per_class"][1]["means"].is_null() && json["per_class"][1]["strips"] == 1);
        assert_eq!(serde_json::from_value::<Summary>(json).unwrap(), found);
        let text = summary(&[(0, None), (3, None)], &names).unwrap_err().to_string();
        assert!(text.contains("row 1 is of class 3") && text.contains("HINT"), "{text}");
        assert_eq!(summary(&[], &[]).unwrap().overall.means, None);
    }
}
