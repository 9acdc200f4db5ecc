//! Names of what `exgnet figures` can draw.

/// A kind of figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Losses, learning rate and metrics over the epochs.
    Training,
    /// Confusion matrices, pooled and by fold.
    Confusion,
    /// ROC, precision and recall; reliability.
    Ranking,
    /// Metrics per class; variants against each other.
    Performance,
    /// Strips with their maps; plain against guided; means about the R peak.
    Gradcam,
    /// Scores of the maps; deletion and insertion.
    Scores,
    /// The 17 features per class; regressed against measured.
    Features,
    /// The network with shapes and parameters.
    Network,
    /// Roofline, versions, step, growth, ladders.
    Kernels,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Training,
        Self::Confusion,
        Self::Ranking,
        Self::Performance,
        Self::Gradcam,
        Self::Scores,
        Self::Features,
        Self::Network,
        Self::Kernels,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Confusion => "confusion",
            Self::Ranking => "ranking",
            Self::Performance => "performance",
            Self::Gradcam => "gradcam",
            Self::Scores => "scores",
            Self::Features => "features",
            Self::Network => "network",
            Self::Kernels => "kernels",
        }
    }

    /// Its figures by name, each with its title in words. Those of one variant of several have the variant's name after
    /// that, with a dash between.
    pub fn figures(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Training => &[("losses", "Losses and learning rate"), ("metrics", "Metrics over the epochs")],
            Self::Confusion => {
                &[("confusion", "Confusion matrix"), ("confusion-folds", "Confusion matrices of the folds")]
            }
            Self::Ranking => &[("ranking", "ROC, precision and recall"), ("reliability", "Reliability")],
            Self::Performance => &[("per-class", "Metrics per class"), ("ablation", "Variants against each other")],
            Self::Gradcam => &[
                ("gradcam", "Grad-CAM of a strip of each class"),
                ("gradcam-compare", "Grad-CAM, two variants on the same strips"),
                ("gradcam-aligned", "Grad-CAM averaged about the R peak"),
            ],
            Self::Scores => &[("scores", "Scores of the maps"), ("perturbation", "Deletion and insertion")],
            Self::Features => {
                &[("features", "Features per class"), ("features-regressed", "Features regressed and measured")]
            }
            Self::Network => &[("network", "The network")],
            Self::Kernels => &[
                ("roofline", "Roofline"),
                ("variants", "Versions of the kernels"),
                ("step-share", "Share of a training step"),
                ("scaling", "Growth with the sizes"),
                ("ladder", "Versions of a kernel in their order"),
            ],
        }
    }

    /// Which of its figures has this stem, with what follows its name: the variant, or nothing.
    pub fn figure_of(self, stem: &str) -> Option<(&'static str, &'static str, String)> {
        let rest = |name: &str| {
            let rest = stem.strip_prefix(name)?;
            if rest.is_empty() { Some(String::new()) } else { rest.strip_prefix('-').map(str::to_owned) }
        };
        let fitting = self.figures().iter().filter_map(|(name, title)| Some((*name, *title, rest(name)?)));
        // `gradcam-aligned` is none of a variant `aligned`
        fitting.max_by_key(|(name, ..)| name.len())
    }
}

/// What is asked for: a kind, or one figure of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The kind.
    pub kind: Kind,
    /// The figure's name; `None` for all of the kind.
    pub figure: Option<&'static str>,
}

impl Wanted {
    /// What a name of a kind or of a figure asks for.
    ///
    /// # Errors
    /// In words, with every name, for any other.
    pub fn parse(name: &str) -> Result<Self, String> {
        if let Some(kind) = Kind::ALL.into_iter().find(|k| k.name() == name) {
            return Ok(Self { kind, figure: None });
        }
        let figures = Kind::ALL.into_iter().flat_map(|kind| kind.figures().iter().map(move |f| (kind, f.0)));
        let found = figures.into_iter().find(|(_, figure)| *figure == name);
        found.map(|(kind, figure)| Self { kind, figure: Some(figure) }).ok_or_else(|| {
            format!(
                "expected a kind, one of {}, or the name of a figure (--list tells them)",
                Kind::ALL.map(Kind::name).join(", ")
            )
        })
    }

    /// Whether a figure with this stem is asked for.
    pub fn has(&self, stem: &str) -> bool {
        self.figure.is_none_or(|name| self.kind.figure_of(stem).is_some_and(|found| found.0 == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_kinds_and_figures() {
        let (kind, one) = (Wanted::parse("gradcam"), Wanted::parse("gradcam-aligned"));
        assert_eq!(kind, Ok(Wanted { kind: Kind::Gradcam, figure: None }), "the kind, not its first figure");
        let one = one.expect("a figure");
        assert!(one.has("gradcam-aligned") && !one.has("gradcam-both"));
        assert!(Wanted::parse("metrics").is_ok_and(|w| w.kind == Kind::Training && !w.has("losses")));
        let message = Wanted::parse("pictures").expect_err("no kind");
        assert!(Kind::ALL.iter().all(|k| message.contains(k.name())), "{message}");
        let of = |stem| Kind::Confusion.figure_of(stem).map(|f| (f.0, f.2));
        assert_eq!(of("confusion-folds-both"), Some(("confusion-folds", "both".into())));
        assert_eq!((of("confusion"), of("confusing")), (Some(("confusion", String::new())), None));
    }
}
