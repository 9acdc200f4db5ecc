//! The SNOMED CT codes of PhysioNet's 12-lead databases, and what each says about the rhythm.
//!
//! Every code of the official lists of the Challenges 2020 and 2021 (scored and unscored, 133 codes, with their
//! abbreviations) and four more that the ecg-arrhythmia database uses. A rhythm is what drives the ventricles:
//!
//! - AV and sinoatrial block (but for the complete one), bundle branch block and pre-excitation change how a beat is
//!   conducted: the rhythm is named beside them.
//! - Premature and escape beats, in pairs, bigeminy and trigeminy too, happen within a rhythm (`prepare --ectopic drop`
//!   leaves such windows of long records out).
//! - `bradycardia`, `cardiac dysrhythmia` and `brady tachy syndrome` say that there is some rhythm, not which.

use super::Rhythm;
use Meaning::{Is, Not, Open};
use Rhythm::{Bradycardia, Fibrillation, Irregularity, Other, Sinus, Supraventricular, Tachycardia};

/// What a code says about the rhythm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It names this rhythm.
    Is(Rhythm),
    /// It names a rhythm of several that belong to different classes.
    Open,
    /// Nothing: it is about waves, conduction, single beats or an illness.
    Not,
}

/// A code of the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// SNOMED CT identifier.
    pub code: &'static str,
    /// Abbreviation of the Challenge.
    pub abbreviation: &'static str,
    /// Name of the Challenge.
    pub name: &'static str,
    /// What it says about the rhythm.
    pub meaning: Meaning,
}

const fn row(code: &'static str, abbreviation: &'static str, name: &'static str, meaning: Meaning) -> Code {
    Code { code, abbreviation, name, meaning }
}

/// Every code that is known.
#[rustfmt::skip]
pub static CODES: [Code; 137] = [
    // sinus rhythms; the first row of a rhythm is the code that is written for its class
    row("426783006", "NSR", "sinus rhythm", Is(Sinus)),
    row("426177001", "SB", "sinus bradycardia", Is(Bradycardia)),
    row("427084000", "STach", "sinus tachycardia", Is(Tachycardia)),
    row("427393009", "SA", "sinus arrhythmia", Is(Irregularity)),
    // fibrillation and flutter, however fast or lasting
    row("164889003", "AF", "atrial fibrillation", Is(Fibrillation)),
    row("314208002", "RAF", "rapid atrial fibrillation", Is(Fibrillation)),
    row("282825002", "PAF", "paroxysmal atrial fibrillation", Is(Fibrillation)),
    row("426749004", "CAF", "chronic atrial fibrillation", Is(Fibrillation)),
    row("164890007", "AFL", "atrial flutter", Is(Fibrillation)),
    row("195080001", "AFAFL", "atrial fibrillation and flutter", Is(Fibrillation)),
    // tachycardias from above the ventricles; wandering pacemakers with them, as Zheng et al. 2020 group them
    row("426761007", "SVT", "supraventricular tachycardia", Is(Supraventricular)),
    row("67198005", "PSVT", "paroxysmal supraventricular tachycardia", Is(Supraventricular)),
    row("713422000", "ATach", "atrial tachycardia", Is(Supraventricular)),
    row("251166008", "AVNRT", "atrioventricular node reentrant tachycardia", Is(Supraventricular)),
    row("233896004", "AVNRT", "atrioventricular node reentrant tachycardia", Is(Supraventricular)),
    row("233897008", "AVRT", "atrioventricular reentrant tachycardia", Is(Supraventricular)),
    row("17366009", "SAAWR", "sinus atrium to atrial wandering rhythm", Is(Supraventricular)),
    row("195101003", "WAP", "wandering atrial pacemaker", Is(Supraventricular)),
    // another pacemaker drives the ventricles: ventricular, junctional, escape, paced; complete block, dissociation, arrest
    row("164895002", "VTach", "ventricular tachycardia", Is(Other)),
    row("425856008", "PVT", "paroxysmal ventricular tachycardia", Is(Other)),
    row("164896001", "VF", "ventricular fibrillation", Is(Other)),
    row("111288001", "VFL", "ventricular flutter", Is(Other)),
    row("49260003", "IR", "idioventricular rhythm", Is(Other)),
    row("61277005", "AIVR", "accelerated idioventricular rhythm", Is(Other)),
    row("81898007", "VEsR", "ventricular escape rhythm", Is(Other)),
    row("426648003", "JTach", "junctional tachycardia", Is(Other)),
    row("426664006", "AJR", "accelerated junctional rhythm", Is(Other)),
    row("29320008", "AVJR", "atrioventricular junctional rhythm", Is(Other)),
    row("106068003", "ARH", "atrial rhythm", Is(Other)),
    row("233892002", "AAR", "accelerated atrial escape rhythm", Is(Other)),
    row("10370003", "PR", "pacing rhythm", Is(Other)),
    row("251268003", "AP", "atrial pacing pattern", Is(Other)),
    row("251266004", "VPP", "ventricular pacing pattern", Is(Other)),
    row("27885002", "CHB", "complete heart block", Is(Other)),
    row("50799005", "AVD", "atrioventricular dissociation", Is(Other)),
    row("5609005", "SARR", "sinus arrest", Is(Other)),
    // some rhythm: which, they leave open
    row("426627000", "Brady", "bradycardia", Open),
    row("698247007", "CD", "cardiac dysrhythmia", Open),
    row("74615001", "BTS", "brady tachy syndrome", Open),
    // conduction beside a rhythm
    row("270492004", "IAVB", "1st degree AV block", Not),
    row("233917008", "AVB", "AV block", Not),
    row("195042002", "IIAVB", "2nd degree AV block", Not),
    row("54016002", "MoI", "mobitz type I wenckebach atrioventricular block", Not),
    row("426183003", "IIAVBII", "mobitz type II atrioventricular block", Not),
    row("28189009", "2AVB2", "2nd degree AV block type II", Not),
    row("204384007", "CIAHB", "congenital incomplete atrioventricular heart block", Not),
    row("65778007", "SAB", "sinoatrial block", Not),
    row("6374002", "BBB", "bundle branch block", Not),
    row("164909002", "LBBB", "left bundle branch block", Not),
    row("733534002", "CLBBB", "complete left bundle branch block", Not),
    row("251120003", "ILBBB", "incomplete left bundle branch block", Not),
    row("59118001", "RBBB", "right bundle branch block", Not),
    row("713427006", "CRBBB", "complete right bundle branch block", Not),
    row("713426002", "IRBBB", "incomplete right bundle branch block", Not),
    row("445118002", "LAnFB", "left anterior fascicular block", Not),
    row("445211001", "LPFB", "left posterior fascicular block", Not),
    row("698252002", "NSIVCB", "nonspecific intraventricular conduction disorder", Not),
    row("82226007", "DIB", "diffuse intraventricular block", Not),
    row("195060002", "VPEx", "ventricular pre excitation", Not),
    row("74390002", "WPW", "wolff parkinson white pattern", Not),
    row("164947007", "LPR", "prolonged PR interval", Not),
    row("49578007", "SPRI", "shortened PR interval", Not),
    // single beats and their patterns (bigeminy, trigeminy) within a rhythm
    row("284470004", "PAC", "premature atrial contraction", Not),
    row("63593006", "SVPB", "supraventricular premature beats", Not),
    row("251170000", "BPAC", "blocked premature atrial contraction", Not),
    row("251164006", "JPC", "junctional premature complex", Not),
    row("427172004", "PVC", "premature ventricular contractions", Not),
    row("17338001", "VPB", "ventricular premature beats", Not),
    row("164884008", "VEB", "ventricular ectopics", Not),
    row("251182009", "VPVC", "paired ventricular premature complexes", Not),
    row("13640000", "FB", "fusion beats", Not),
    row("251187003", "AED", "atrial escape beat", Not),
    row("426995002", "JE", "junctional escape", Not),
    row("75532003", "VEsB", "ventricular escape beat", Not),
    row("251173003", "AB", "atrial bigeminy", Not),
    row("251168009", "SVB", "supraventricular bigeminy", Not),
    row("11157007", "VBig", "ventricular bigeminy", Not),
    row("251180001", "VTrig", "ventricular trigeminy", Not),
    // waves, intervals, axes, hypertrophy, infarction, illness
    row("39732003", "LAD", "left axis deviation", Not),
    row("251146004", "LQRSV", "low QRS voltages", Not),
    row("365413008", "PRWP", "poor R wave progression", Not),
    row("111975006", "LQT", "prolonged QT interval", Not),
    row("164917005", "QAb", "Q wave abnormal", Not),
    row("47665007", "RAD", "right axis deviation", Not),
    row("164934002", "TAb", "T wave abnormal", Not),
    row("59931005", "TInv", "T wave inversion", Not),
    row("164951009", "abQRS", "abnormal QRS", Not),
    row("251139008", "ALR", "suspect arm ECG leads reversed", Not),
    row("57054005", "AMI", "acute myocardial infarction", Not),
    row("413444003", "AMIs", "acute myocardial ischemia", Not),
    row("426434006", "AnMIs", "anterior ischemia", Not),
    row("54329005", "AnMI", "anterior myocardial infarction", Not),
    row("195126007", "AH", "atrial hypertrophy", Not),
    row("418818005", "BRU", "brugada", Not),
    row("251199005", "CCR", "counterclockwise rotation", Not),
    row("61721007", "CVCL/CCVCL", "clockwise or counterclockwise vectorcardiographic loop", Not),
    row("53741008", "CHD", "coronary heart disease", Not),
    row("413844008", "CMI", "chronic myocardial ischemia", Not),
    row("251198002", "CR", "clockwise rotation", Not),
    row("428417006", "ERe", "early repolarization", Not),
    row("164942001", "FQRS", "fQRS wave", Not),
    row("84114007", "HF", "heart failure", Not),
    row("368009", "HVD", "heart valve disorder", Not),
    row("251259000", "HTV", "high T-voltage", Not),
    row("251200008", "ICA", "indeterminate cardiac axis", Not),
    row("425419005", "IIs", "inferior ischaemia", Not),
    row("704997005", "ISTD", "inferior ST segment depression", Not),
    row("253352002", "LAA", "left atrial abnormality", Not),
    row("67741000119109", "LAE", "left atrial enlargement", Not),
    row("446813000", "LAH", "left atrial hypertrophy", Not),
    row("425623009", "LIs", "lateral ischaemia", Not),
    row("164873001", "LVH", "left ventricular hypertrophy", Not),
    row("55827005", "LVHV", "left ventricular high voltage", Not),
    row("370365005", "LVS", "left ventricular strain", Not),
    row("164865005", "MI", "myocardial infarction", Not),
    row("164861001", "MIs", "myocardial ischemia", Not),
    row("428750005", "NSSTTA", "nonspecific ST T abnormality", Not),
    row("164867002", "OldMI", "old myocardial infarction", Not),
    row("251205003", "PPW", "prolonged P wave", Not),
    row("164912004", "PWC", "P wave change", Not),
    row("253339007", "RAAb", "right atrial abnormality", Not),
    row("164921003", "RAb", "R wave abnormal", Not),
    row("446358003", "RAH", "right atrial hypertrophy", Not),
    row("67751000119106", "RAHV", "right atrial high voltage", Not),
    row("89792004", "RVH", "right ventricular hypertrophy", Not),
    row("60423000", "SND", "sinus node dysfunction", Not),
    row("77867006", "SQT", "decreased QT interval", Not),
    row("55930002", "STC", "ST changes", Not),
    row("429622005", "STD", "ST depression", Not),
    row("164931005", "STE", "ST elevation", Not),
    row("164930006", "STIAb", "ST interval abnormal", Not),
    row("266257000", "TIA", "transient ischemic attack", Not),
    row("251223006", "TPW", "tall P wave", Not),
    row("164937009", "UAb", "U wave abnormal", Not),
    row("266249003", "VH", "ventricular hypertrophy", Not),
    row("251147008", "LVQRSLL", "low QRS voltages in the limb leads", Not),
    row("251148003", "LVQRSCL", "low QRS voltages in the chest leads", Not),
];

/// The row of a code.
pub fn find(code: &str) -> Option<&'static Code> {
    CODES.iter().find(|row| row.code == code)
}

/// The row of a rhythm's name in words, in any case.
pub(super) fn find_name(name: &str) -> Option<&'static Code> {
    CODES.iter().find(|row| row.meaning != Not && row.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_comes_once() {
        let codes: BTreeSet<&str> = CODES.iter().map(|row| row.code).collect();
        assert_eq!(codes.len(), CODES.len());
        assert!(CODES.iter().all(|row| row.code.parse::<u64>().is_ok() && !row.name.is_empty()));
    }

    /// Identifiers of SNOMED CT end in a check digit (Verhoeff's): a mistyped code has another one.
    #[test]
    fn codes_have_their_check_digit() {
        let five = |a: u8, b: u8| match (a < 5, b < 5) {
            (true, true) => (a + b) % 5,
            (true, false) => 5 + (a + b) % 5,
            (false, true) => 5 + (a - b) % 5,
            (false, false) => (5 + a - b) % 5,
        };
        let permuted = |digit: u8, times: usize| {
            let next = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
            (0..times % 8).fold(digit, |d, _| next[usize::from(d)])
        };
        let digit = |code: &str| code.bytes().rev().enumerate().fold(0, |sum, (i, b)| five(sum, permuted(b - b'0', i)));
        assert_eq!((digit("236"), digit("237")), (0, 1), "Verhoeff's own example");
        let wrong: Vec<&str> = CODES.iter().map(|row| row.code).filter(|code| digit(code) != 0).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn variants_of_a_rhythm_are_that_rhythm() {
        let rhythm = |codes: &[&str]| -> Vec<Meaning> { codes.iter().map(|c| find(c).unwrap().meaning).collect() };
        let fibrillation = ["164889003", "164890007", "195080001", "314208002", "282825002", "426749004"];
        assert_eq!(rhythm(&fibrillation), [Is(Fibrillation); 6]);
        let above = ["426761007", "67198005", "713422000", "251166008", "233896004", "233897008", "17366009"];
        assert_eq!(rhythm(&above), [Is(Supraventricular); 7]);
        assert_eq!(rhythm(&["195101003", "164896001", "10370003"]), [Is(Supraventricular), Is(Other), Is(Other)]);
        assert_eq!(rhythm(&["59118001", "426627000"]), [Not, Open]);
        assert_eq!(find("49436004"), None);
        assert_eq!(find_name("Paroxysmal Supraventricular Tachycardia").unwrap().abbreviation, "PSVT");
        assert_eq!(find_name("AV block"), None);
    }
}
