use super::*;

fn label(lines: &[&str]) -> Result<HeaderRhythm, String> {
    header_label(&lines.iter().map(|s| (*s).to_string()).collect::<Vec<_>>())
}

#[test]
fn dx_lines_in_every_published_shape() {
    let comments: Vec<String> = ["Age: 3", "Dx: 1, 2,,2,", "dx:3;"].iter().map(|s| (*s).to_string()).collect();
    assert_eq!(dx_codes(&comments), ["1", "2", "3"]);
    assert!(dx_codes(&["Dx:".into(), "Dx: ,".into()]).is_empty());
}

#[test]
fn codes_of_classes_lead_back_to_them() {
    for (i, class) in RHYTHM6.classes.iter().enumerate() {
        let Meaning::Is(rhythm) = snomed::find(snomed_of_class(class).unwrap()).unwrap().meaning else { panic!() };
        assert_eq!(RHYTHM6.class_of(rhythm), Some(i));
    }
}

/// Rhythm and whether several were named.
fn decided(lines: &[&str]) -> Option<(Rhythm, bool)> {
    label(lines).ok().map(|found| (found.rhythm, found.conflict))
}

#[test]
fn several_codes_go_by_priority() {
    use Rhythm::*;
    assert_eq!(decided(&["Dx: 426783006,426177001,"]), Some((Bradycardia, true)));
    assert_eq!(decided(&["Dx: 427393009,426177001"]), Some((Bradycardia, true)));
    assert_eq!(decided(&["Dx: 164889003,164890007"]), Some((Fibrillation, false)));
    assert_eq!(decided(&["Dx: 427084000,713422000,164890007"]), Some((Supraventricular, true)));
    assert_eq!(decided(&["Dx: 426783006,314208002"]), Some((Fibrillation, true)));
    assert_eq!(decided(&["Dx: 426783006 282825002", "Dx: 59118001"]), Some((Fibrillation, true)));
    assert_eq!(decided(&["Dx: 427084000,67198005"]), Some((Supraventricular, true)));
    assert_eq!(decided(&["Dx: 426783006,17366009"]), Some((Supraventricular, true)));
    assert_eq!(decided(&["Dx: 426783006,59118001,284470004,11157007,270492004"]), Some((Sinus, false)));
    assert_eq!(decided(&["Rhythm: Irregular sinus rhythm."]), Some((Irregularity, false)));
    assert_eq!(decided(&["Rhythm: Atrial flutter, typical."]), Some((Fibrillation, false)));
    assert_eq!(decided(&["Rhythm: Junctional tachycardia"]), Some((Other, false)));
}

#[test]
fn no_weaker_rhythm_decides_beside_a_stronger_or_unknown_one() {
    use Rhythm::*;
    for code in ["164895002", "425856008", "10370003", "29320008", "49260003", "27885002"] {
        let HeaderRhythm { rhythm, conflict, named } = label(&[&format!("Dx: 426783006, {code}")]).unwrap();
        assert_eq!((rhythm, conflict), (Other, true), "{code}");
        assert!(named.contains(code), "{named}");
    }
    let reason = |lines: &[&str]| label(lines).unwrap_err();
    assert!(reason(&["Dx: 426783006,49436004"]).contains("49436004"));
    assert!(reason(&["Dx: 49436004"]).contains("49436004"));
    assert!(reason(&["Dx: 426783006,426627000"]).contains("bradycardia"));
    assert!(reason(&["Dx: 164889003", "Rhythm: Wandering"]).contains("`Wandering`"));
    assert!(reason(&["Dx: 59118001"]).contains("no code of a rhythm"));
    assert!(reason(&["Rhythm: Wandering pacemaker"]).contains("Wandering pacemaker"));
    assert!(reason(&["Dx: Unknown"]).contains("no diagnosis"));
    assert!(reason(&[]).contains("no diagnosis"));
}

#[test]
fn schemes() {
    assert_eq!(Scheme::by_name("rhythm6").unwrap().classes[4], "AFIB/AFL");
    let four = Scheme::by_name("rhythm4").unwrap();
    let names: Vec<_> = PRIORITY[1..].iter().map(|&r| four.classes[four.class_of(r).unwrap()]).collect();
    assert_eq!(names, ["GSVT", "AFIB", "GSVT", "SB", "SR", "SR"]);
    assert_eq!(PRIORITY.map(|r| AF3.classes[AF3.class_of(r).unwrap()]), ["O", "O", "A", "O", "O", "O", "N"]);
    assert_eq!((RHYTHM6.class_of(Rhythm::Other), AF3.class_of(Rhythm::Other)), (None, Some(2)));
    assert!(Scheme::by_name("rhythm7").unwrap_err().to_string().contains("rhythm6"));
}

#[test]
fn rate_rule_is_strict_at_60_and_100() {
    assert_eq!(by_rate(&[0, 360, 720], 360.0), Some(Rhythm::Sinus));
    assert_eq!(by_rate(&[0, 361, 721], 360.0), Some(Rhythm::Bradycardia));
    assert_eq!(by_rate(&[0, 216, 432], 360.0), Some(Rhythm::Sinus));
    assert_eq!(by_rate(&[0, 215, 431], 360.0), Some(Rhythm::Tachycardia));
    assert_eq!(by_rate(&[5], 360.0), None);
    assert_eq!(by_rate(&[5, 5], 360.0), None);
    assert_eq!(rhythm_note("(AFL\0"), NoteRhythm::Named(Rhythm::Fibrillation));
    assert_eq!(rhythm_note("(B"), NoteRhythm::Named(Rhythm::Other));
    assert_eq!((rhythm_note("(XY"), rhythm_note(")")), (NoteRhythm::Unknown, NoteRhythm::Unknown));
}

#[test]
fn names_of_tables() {
    use Rhythm::*;
    let columns = [
        "Sinus Rhythm",
        "Sinus Bradycardia",
        "sinus_tachycardia ",
        "Sinus Irregularity",
        "Atrial Fibrillation_Atrial Flutter",
        "Supraventricular Tachycardia_Atrial Tachycardia",
        "Others",
    ];
    let all = [Sinus, Bradycardia, Tachycardia, Irregularity, Fibrillation, Supraventricular, Other];
    assert_eq!(columns.map(|c| class_column(c).unwrap()), all);
    assert_eq!((class_column("Sinus"), class_column("17"), class_column("")), (None, None, None));
    let words = ["SB", "SR", "AFIB", "ST", "SVT", "AF", "SA", "SI", "AT", "AVNRT", "AVRT", "SAAWR"];
    let of = [Bradycardia, Sinus, Fibrillation, Tachycardia, Supraventricular, Fibrillation, Irregularity];
    assert_eq!(words.map(|w| chapman_acronym(w).unwrap())[..7], of);
    assert!(words[8..].iter().all(|w| chapman_acronym(w) == Some(Supraventricular)));
    assert_eq!(chapman_acronym("VT"), None);
    assert_eq!(["N", "A", "O", "~"].map(challenge_2017), [Some(Sinus), Some(Fibrillation), Some(Other), None]);
    assert_eq!(deciding(&[Sinus, Other, Irregularity]), Some((Other, true)));
    assert_eq!(deciding(&[Sinus, Irregularity]), Some((Irregularity, true)));
    assert_eq!(deciding(&[Other]), Some((Other, false)));
    assert_eq!(deciding(&[]), None);
}
