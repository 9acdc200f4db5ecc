//! What confusion matrices say (`K x K` records, true class by row): one class against the rest, and means over classes.
//! This file alone knows which classes a mean is over.

/// One class against the rest. A ratio 0/0 counts as 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneClass {
    /// All records.
    pub records: f64,
    /// Records of the class.
    pub support: f64,
    /// Records predicted as the class.
    pub predicted: f64,
    /// Records of the class predicted as it.
    pub hits: f64,
}

impl OneClass {
    /// Class `c` of a confusion matrix. Missing entries count as 0 records.
    pub fn of(confusion: &[Vec<u64>], c: usize) -> Self {
        Self::among(total(confusion), confusion, c)
    }

    // sums in f64: exact up to 2^53 records, and no sum of any counts overflows
    fn among(records: f64, confusion: &[Vec<u64>], c: usize) -> Self {
        Self {
            records,
            support: confusion[c].iter().map(|&n| n as f64).sum(),
            predicted: confusion.iter().filter_map(|row| row.get(c)).map(|&n| n as f64).sum(),
            hits: confusion[c].get(c).map_or(0.0, |&n| n as f64),
        }
    }

    /// Share of the class's records that are found.
    pub fn sensitivity(&self) -> f64 {
        ratio(self.hits, self.support)
    }

    /// Share of the other records that are not taken for the class.
    pub fn specificity(&self) -> f64 {
        ratio(self.records + self.hits - self.support - self.predicted, self.records - self.support)
    }

    /// Share of right ones among those predicted as the class.
    pub fn ppv(&self) -> f64 {
        ratio(self.hits, self.predicted)
    }

    /// Harmonic mean of sensitivity and PPV.
    pub fn f1(&self) -> f64 {
        ratio(2.0 * self.hits, self.support + self.predicted)
    }

    /// Whether the class is that of a record or of a prediction.
    pub fn occurs(&self) -> bool {
        self.support + self.predicted > 0.0
    }
}

/// Mean over the classes that occur among the true or the predicted ones, as scikit-learn's `average="macro"` without
/// `labels`; 0 where none occurs.
pub fn macro_mean(confusion: &[Vec<u64>], of: impl Fn(&OneClass) -> f64) -> f64 {
    let records = total(confusion);
    let classes = (0..confusion.len()).map(|c| OneClass::among(records, confusion, c)).filter(OneClass::occurs);
    let (sum, n) = classes.fold((0.0, 0.0), |(sum, n), class| (sum + of(&class), n + 1.0));
    ratio(sum, n)
}

/// Classes that no record is of, true or predicted: those that [`macro_mean`] leaves out.
pub fn absent(confusion: &[Vec<u64>]) -> Vec<usize> {
    (0..confusion.len()).filter(|&c| !OneClass::of(confusion, c).occurs()).collect()
}

/// Share of records on the diagonal; 0 where there are none.
pub fn accuracy(confusion: &[Vec<u64>]) -> f64 {
    let records = total(confusion);
    let hits: f64 = (0..confusion.len()).map(|c| OneClass::among(records, confusion, c).hits).sum();
    ratio(hits, records)
}

/// F1, as [`macro_mean`]: scikit-learn's `f1_score(average="macro")`.
pub fn macro_f1(confusion: &[Vec<u64>]) -> f64 {
    macro_mean(confusion, OneClass::f1)
}

/// Mean of F1 over the classes that are the true one of some record; 0 where there is none.
pub fn macro_f1_of_true(confusion: &[Vec<u64>]) -> f64 {
    let classes = (0..confusion.len()).map(|c| OneClass::of(confusion, c)).filter(|class| class.support > 0.0);
    let (sum, n) = classes.fold((0.0, 0.0), |(sum, n), class| (sum + class.f1(), n + 1.0));
    ratio(sum, n)
}

/// Sensitivity, as [`macro_mean`]: scikit-learn's `recall_score(average="macro")`.
pub fn macro_sensitivity(confusion: &[Vec<u64>]) -> f64 {
    macro_mean(confusion, OneClass::sensitivity)
}

/// Specificity, as [`macro_mean`].
pub fn macro_specificity(confusion: &[Vec<u64>]) -> f64 {
    macro_mean(confusion, OneClass::specificity)
}

fn total(confusion: &[Vec<u64>]) -> f64 {
    confusion.iter().flatten().map(|&n| n as f64).sum()
}

fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}
