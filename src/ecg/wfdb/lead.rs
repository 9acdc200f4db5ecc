//! Names of leads, as recorders and databases write them: `II`, `MLII`, `Lead II`, `DII`, `ECG_II`, `lead 2`.

/// The twelve leads under their usual names.
const TWELVE: [&str; 12] = ["I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6"];

/// Words that say that a signal is an ECG lead, but not which.
const COMMON: [&str; 28] = [
    "ECG",
    "EKG",
    "LEAD",
    "LEADS",
    "LIMB",
    "STANDARD",
    "EINTHOVEN",
    "MODIFIED",
    "CH",
    "CHANNEL",
    "DERIVATION",
    "DERIVACION",
    "DERIVACI\u{d3}N",
    "DERIV",
    "ABLEITUNG",
    "SIGNAL",
    "RAW",
    "FILTERED",
    "CLEAN",
    "CLEANED",
    // ISO/IEEE 11073 names: `MDC_ECG_LEAD_II`, `MDC_ECG_ELEC_POTL_II`
    "MDC",
    "ELEC",
    "POTL",
    "MOD",
    "MV",
    "UV",
    "CHEST",
    "AUGMENTED",
];

/// Which of `names` is the lead `wanted`: the one written so but for case and surrounding blanks; else one that means
/// the same lead, one with electrodes moved to the trunk (`MLII` of Holter recorders for `II`) last.
///
/// ```
/// use exgnet::ecg::wfdb::find_lead;
/// assert_eq!(find_lead(["V5", "ECG lead II"], "II"), Some(1));
/// assert_eq!(find_lead(["MLII", "Lead II"], "ii"), Some(1));
/// assert_eq!(find_lead(["ECG 1", "-aVR"], "I"), None);
/// ```
pub fn find_lead<'a>(names: impl IntoIterator<Item = &'a str>, wanted: &str) -> Option<usize> {
    let names: Vec<&str> = names.into_iter().collect();
    let exact = |n: &&str| n.trim() == wanted.trim();
    let but_for_case = |n: &&str| n.trim().to_uppercase() == wanted.trim().to_uppercase();
    let position = |found: &dyn Fn(&&str) -> bool| names.iter().position(found);
    position(&exact).or_else(|| position(&but_for_case)).or_else(|| {
        let wanted = Meaning::of(wanted)?;
        let means = |same: &dyn Fn(&Meaning) -> bool| {
            names.iter().position(|n| Meaning::of(n).is_some_and(|m| m.lead == wanted.lead && same(&m)))
        };
        means(&|m| m.modified == wanted.modified).or_else(|| means(&|_| true))
    })
}

/// True where both names mean the same lead, by the rule of [`find_lead`].
pub fn same_lead(a: &str, b: &str) -> bool {
    find_lead([a], b).is_some()
}

/// Whether a name says that the signal is an ECG: one of the twelve leads, or a name that speaks of leads.
fn is_ecg(name: &str) -> bool {
    let known = Meaning::of(name).is_some_and(|m| TWELVE.contains(&m.lead.as_str()));
    let upper = name.to_uppercase();
    let mut words = upper.split(|c: char| !c.is_alphanumeric());
    known || words.any(|w| ["ECG", "EKG", "LEAD", "MCL"].iter().any(|p| w.starts_with(p)))
}

/// Which of a record's signals, each with its name and whether its unit is a voltage, is read where the lead asked for is
/// not there: the first that is an ECG by its name, else the first voltage, else the first.
pub(super) fn substitute<'a>(signals: impl IntoIterator<Item = (&'a str, bool)>) -> usize {
    let signals: Vec<_> = signals.into_iter().collect();
    let ecg = signals.iter().position(|&(name, voltage)| voltage && is_ecg(name));
    ecg.or_else(|| signals.iter().position(|&(_, voltage)| voltage)).unwrap_or(0)
}

/// What a name means.
#[derive(Debug, PartialEq, Eq)]
struct Meaning {
    /// One of [`TWELVE`], or the name's own words.
    lead: String,
    /// Electrodes on the trunk in place of the limbs.
    modified: bool,
}

impl Meaning {
    /// `None` for a name without letters or digits, and for one with a minus before it: its polarity is another.
    fn of(name: &str) -> Option<Self> {
        let upper =
            name.trim().to_uppercase().replace('\u{2160}', "I").replace('\u{2161}', "II").replace('\u{2162}', "III");
        if upper.starts_with(['-', '\u{2212}', '\u{2013}']) {
            return None;
        }
        let words: Vec<&str> = upper.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
        // a number alone is a lead's only where the name speaks of leads: `lead 2`, but not `ECG 2` or `channel 2`
        let of_leads = words.iter().any(|w| matches!(*w, "LEAD" | "LIMB" | "EINTHOVEN"));
        let own: Vec<&str> = words.iter().copied().filter(|w| !COMMON.contains(w) && !is_channel(w)).collect();
        let modified = words.iter().any(|w| matches!(*w, "MODIFIED" | "MOD"));
        let known = match own[..] {
            [word] => twelve(word, of_leads),
            // `D II`, `ML II`, `V 1`, `aV R`; but `I-II` is a difference of two
            [first @ ("D" | "ML" | "MV" | "V" | "AV" | "L"), second] => twelve(&format!("{first}{second}"), false),
            // `Lead 2 (II)`: all say the same
            _ => {
                let mut all = own.iter().map(|word| twelve(word, of_leads));
                let first = all.next().flatten();
                first.filter(|first| all.all(|other| other.is_some_and(|o| o.0 == first.0)))
            }
        };
        if let Some((lead, moved)) = known {
            return Some(Self { lead: lead.into(), modified: moved || modified });
        }
        // names beyond the twelve: what is common to all may be missing, as long as a letter is left
        let rest = own.join(" ");
        let lead = if rest.chars().any(char::is_alphabetic) { rest } else { words.join(" ") };
        (!lead.is_empty()).then_some(Self { lead, modified })
    }
}

/// `CH2`, `ECG1`: the number of a channel.
fn is_channel(word: &str) -> bool {
    let number = ["CH", "CHANNEL", "ECG", "EKG"].iter().find_map(|p| word.strip_prefix(p));
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// The lead of the twelve that a word in capitals is, and whether it is a modified one.
fn twelve(word: &str, of_leads: bool) -> Option<(&'static str, bool)> {
    let exactly = |word: &str| TWELVE.into_iter().find(|lead| *lead == word);
    let number = |word: &str| match word {
        "1" => Some("I"),
        "2" => Some("II"),
        "3" => Some("III"),
        _ => None,
    };
    let limb = |word: &str| exactly(word).filter(|lead| lead.starts_with('I')).or_else(|| number(word));
    if let Some(lead) = exactly(word).or_else(|| number(word).filter(|_| of_leads)) {
        return Some((lead, false));
    }
    // run together: `LEADII`, `LEAD2`, `ECGII`, `EKGV1`, `ECGLEADII`, `LEADMLII`
    if let Some((prefix, rest)) = ["LEAD", "ECG", "EKG"].iter().find_map(|p| Some((*p, word.strip_prefix(p)?))) {
        return if rest.is_empty() { None } else { twelve(rest, prefix == "LEAD") };
    }
    if let Some(lead) = word.strip_prefix("ML").and_then(|rest| limb(rest).or_else(|| exactly(rest))) {
        return Some((lead, true));
    }
    if let Some(lead) = word.strip_prefix('M').and_then(exactly).filter(|lead| lead.starts_with('V')) {
        return Some((lead, true));
    }
    // `DII` and `D2` (derivation), `LII`
    let plain = word.strip_prefix('D').and_then(limb);
    plain.or_else(|| word.strip_prefix('L').and_then(exactly).filter(|l| l.starts_with('I'))).map(|lead| (lead, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_lead() {
        let writings = [
            (
                "II",
                "II|ii| II |Lead II|lead ii|LEAD_II|Lead-II|LeadII|lead_2|Lead 2|lead2|DII|D2|D II|ECG lead II|\
                 ECG II|ECG_II|ECGII|EKG-II|MLII|ML II|ML2|Limb lead II|Modified lead II|ECG:II|CH II|II (mV)|\
                 ECG II filtered|LII|Einthoven II|\u{2161}|Derivation II|CH2: II|ECG1 II|Lead 2 (II)|II lead|\
                 MDC_ECG_LEAD_II|MDC_ECG_ELEC_POTL_II|ECGLeadII|LeadMLII|Derivaci\u{f3}n II|DERIV II|mod II|II_clean|\
                 ECG Lead: II",
            ),
            ("I", "I|i|Lead I|DI|D1|ECG I|MLI|lead_1|\u{2160}"),
            ("III", "III|Lead III|DIII|D3|MLIII|lead iii"),
            ("aVR", "AVR|avr|aVR|Lead aVR|ECG aVR|aV R|lead_avr"),
            ("V1", "v1|V1|CH V1|MV1|Lead V1|ECG V1|V 1|ECG_V1|chest lead V1"),
            ("V6", "V6|lead v6|ECG V6|MV6"),
        ];
        for (lead, names) in writings {
            for name in names.split('|') {
                assert_eq!(find_lead(["resp", name], lead), Some(1), "{name} is {lead}");
                assert!(same_lead(lead, name) && same_lead(name, name), "{name}");
                for (other, _) in writings.iter().filter(|w| w.0 != lead) {
                    assert!(!same_lead(name, other), "{name} is not {other}");
                }
            }
        }
    }

    #[test]
    fn what_is_another_lead() {
        for (name, lead) in [
            ("ECG 1", "I"),
            ("ECG1", "I"),
            ("channel 2", "II"),
            ("ch2", "II"),
            ("2", "II"),
            ("I-II", "III"),
            ("II-III", "II"),
            ("-aVR", "aVR"),
            ("MCL1", "V1"),
            ("V", "V1"),
            ("V10", "V1"),
            ("VII", "II"),
            ("vx", "V1"),
            ("aVR", "aVL"),
            ("", "II"),
            ("ECG", "II"),
            ("resp", "II"),
            ("ECG 1", "CH 1"),
            ("CH2", "II"),
            ("ch1 I-II", "II"),
            ("Lead 2 (I)", "I"),
        ] {
            assert!(!same_lead(name, lead) && !same_lead(lead, name), "{name} is not {lead}");
        }
    }

    #[test]
    fn an_ecg_is_read_in_the_place_of_a_lead() {
        let of = |signals: &[(&str, bool)]| substitute(signals.iter().copied());
        assert_eq!(of(&[("V5", true), ("V2", true)]), 0);
        assert_eq!(of(&[("RESP", true), ("V5", true)]), 1);
        assert_eq!(of(&[("PLETH", true), ("ECG", true)]), 1);
        assert_eq!(of(&[("EEG", true), ("MCL1", true)]), 1);
        assert_eq!(of(&[("ABP", false), ("x", true)]), 1);
        assert_eq!(of(&[("RESP", true), ("x", true)]), 0);
        assert_eq!(of(&[("ABP", false), ("CO2", false)]), 0);
        assert_eq!(of(&[("ECG1", true), ("ECG2", true)]), 0);
    }

    #[test]
    fn what_is_written_so_comes_first() {
        assert_eq!(find_lead(["MLII", "Lead II", "II"], "II"), Some(2));
        assert_eq!(find_lead(["MLII", "Lead II"], "II"), Some(1));
        assert_eq!(find_lead(["Lead II", "MLII"], "ml2"), Some(1));
        assert_eq!(find_lead(["ECG I filtered", "ECG I"], "ecg i"), Some(1));
        assert_eq!(find_lead(["ECG I", "ECG I filtered"], "I"), Some(0));
        assert_eq!(find_lead(["ii", "II"], "II"), Some(1));
        // names beyond the twelve
        assert_eq!(find_lead(["V", "ECG"], "ecg"), Some(1));
        assert_eq!(find_lead(["ECG V"], "V"), Some(0));
        assert_eq!(find_lead(["CM5", "CC5"], "Lead CC5"), Some(1));
        assert_eq!(find_lead(["ECG_1", "ECG_2"], "ECG 2"), Some(1));
        assert_eq!(find_lead([], "II"), None);
        assert_eq!(find_lead(["--"], "  "), None);
    }
}
