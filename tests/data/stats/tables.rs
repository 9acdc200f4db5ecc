//! Tables in three forms.

use crate::common::markdown;
use exgnet::tables::latex::TEXT_WIDTH;
use exgnet::tables::{Best, Cell, Column, Table};
use proptest::prelude::*;

fn example() -> Table {
    let columns = vec![
        Column::new("F1", 1).unit("%").best(Best::Largest),
        Column::new("error", 2).best(Best::Smallest),
        Column::new("p", 3),
        Column::new("note", 0),
    ];
    let mut t = Table::new("A & B_1", "method", columns);
    let text = |s: &str| Cell::Text(s.into());
    let interval = Cell::Interval { value: 0.123456, low: -0.0001, high: 0.25 };
    let mean = |mean, sd| Cell::MeanSd { mean, sd };
    t.push("plain", vec![mean(95.52, 0.61), Cell::Value(0.2), Cell::Missing, text("100 % a|b")]).unwrap();
    t.push("guided, 50%", vec![mean(96.04, f64::NAN), interval, Cell::PValue(0.0004), text("")]).unwrap();
    let prior = vec![Cell::Value(97.01), Cell::Value(f64::NAN), Cell::PValue(0.0625), text("x_1 \"q\"")];
    t.push_row("[prior]", prior, true).unwrap();
    t
}

#[test]
fn a_table_in_three_forms() {
    let t = example();
    let markdown = r#"**A &amp; B\_1**

| method      |     F1 (%) |                 error |      p | note       |
| ----------- | ---------: | --------------------: | -----: | ---------- |
| plain       | 95.5 ± 0.6 |                  0.20 |      - | 100 % a\|b |
| guided, 50% |   **96.0** | **0.12 [0.00, 0.25]** | <0.001 | -          |
| \[prior\]   |       97.0 |                     - |  0.062 | x\_1 "q"   |
"#;
    assert_eq!(t.markdown(), markdown);
    assert_eq!(
        t.csv(),
        "method,F1_mean (%),F1_sd (%),error,error_low,error_high,p,note\n\
         plain,95.52,0.61,0.2,,,,100 % a|b\n\
         \"guided, 50%\",96.04,,0.123456,-0.0001,0.25,0.0004,\n\
         [prior],97.01,,,,,0.0625,\"x_1 \"\"q\"\"\"\n"
    );
    let latex = t.latex("A & B_1, 2");
    for line in [
        r"% needs \usepackage{booktabs}",
        r"\begin{table*}",
        r"\caption{A \& B\_1}",
        r"\label{tab:A---B-1--2}",
        r"\begin{tabular}{@{}lrrrl@{}}",
        r"method & F1 & error & p & note \\",
        r" & (\%) &  &  &  \\",
        r"plain & $95.5 \pm 0.6$ & $0.20$ & - & 100 \% a\textbar{}b \\",
        r"guided, 50\% & $\mathbf{96.0}$ & $\mathbf{0.12 [0.00, 0.25]}$ & $<0.001$ & - \\",
        r"{[}prior{]} & $97.0$ & - & $0.062$ & x\_1 {\char34}q{\char34} \\",
    ] {
        assert!(latex.lines().any(|l| l == line), "{line}\n{latex}");
    }
    // a rule between the best of all and what it is compared with
    assert!(latex.contains("$<0.001$ & - \\\\\n\\midrule\n{[}prior{]}"), "{latex}");
}

#[test]
fn columns_for_a_paper() {
    let columns = ["one", "two", "three"].map(|name| Column::new(name, 3));
    let mut t = Table::new("t", "row", columns.into());
    t.note_on(&["one", "two"], "A number.");
    t.note_on(&["three"], "Another.");
    t.push("r", vec![Cell::Value(1.0), Cell::Value(2.0), Cell::Value(3.0)]).unwrap();
    let two = t.select(&["Three", " one"]).unwrap();
    assert_eq!(two.names(), ["three", "one"]);
    assert!(two.csv().ends_with("\nr,3,1\n") && two.markdown().contains("\nA number. Another.\n"));
    assert!(!t.select(&["three"]).unwrap().latex("t").contains("A number."));
    let said = t.select(&["four"]).unwrap_err().to_string();
    assert!(said.contains("no column 'four'") && said.contains("one, two, three"), "{said}");
    // by importance, in their own order, without the empty one
    let columns = (0..9).map(|c| Column::new(format!("column {c}"), 3)).collect();
    let mut wide = Table::new("t", "row", columns);
    let mut cells = vec![Cell::Interval { value: -0.5, low: -0.75, high: 0.25 }; 9];
    cells[8] = Cell::Missing;
    wide.push("a row", cells).unwrap();
    let names = ["column 8", "column 5", "column 0", "column 0", "no column", "column 3", "column 1", "column 2"];
    let fitted = wide.fitted(names);
    assert_eq!(fitted.names(), ["column 0", "column 3", "column 5"]);
    assert!(fitted.latex_width() <= TEXT_WIDTH && wide.latex_width() > TEXT_WIDTH);
    assert!(fitted.latex("t").contains("\\begin{table*}") && two.latex("t").contains("\\begin{table}"));
}

#[test]
fn heads_groups_and_pages_in_latex() {
    let columns = vec![
        Column::new("records", 0),
        Column::new("SR", 0).group("records"),
        Column::new("plain", 3).group("accuracy").unit("%"),
        Column::new("xai", 3).group("accuracy").unit("%"),
    ];
    let mut t = Table::new("patients", "patient", columns);
    t.note("the note");
    for p in 0..90 {
        t.push(format!("p{}", p / 2), vec![Cell::Value(f64::from(p)); 4]).unwrap();
    }
    assert!(t.csv().starts_with("patient,records,\"records, SR\",\"accuracy, plain (%)\""), "{}", t.csv());
    let latex = t.latex("patients");
    let head = " & & \\multicolumn{1}{c}{records} & \\multicolumn{2}{c}{accuracy} \\\\\n\
                \\cmidrule(lr){3-3}\\cmidrule(lr){4-5}\npatient & records & SR & plain & xai \\\\\n &  &  & (\\%) & (\\%) \\\\";
    assert_eq!(latex.matches(head).count(), 3, "{latex}");
    assert_eq!(latex.matches("\\label").count() + latex.matches("the note").count(), 2);
    assert_eq!((latex.matches("\\addtocounter{table}{-1}").count(), latex.matches(" (3 of 3)}").count()), (2, 1));
    // every row once, a label at the first of its two, which are on one page
    for p in 0..90 {
        let label = if p % 2 == 0 { format!("p{}", p / 2) } else { String::new() };
        assert_eq!(latex.matches(&format!("\n{label} & ${p}$ & ")).count(), 1, "{p}");
    }
    let most = latex.split("\\end{table").map(|page| page.matches("$ \\\\").count()).max();
    assert_eq!((latex.matches("\\end{tabular}").count(), most), (3, Some(30)));
}

#[test]
fn notes_stand_below_a_table() {
    let (plain, mut t) = (example(), example());
    t.note("A & B");
    t.note("second_");
    assert_eq!(t.markdown(), plain.markdown() + "\nA &amp; B\n\nsecond\\_\n");
    assert_eq!(t.csv(), plain.csv());
    let notes = "\\end{tabular}\n\n\\smallskip\n\\begin{minipage}{\\linewidth}\\footnotesize\\raggedright\nA \\& B\\par\n\
                 second\\_\n\\end{minipage}\n";
    assert_eq!(t.latex("t"), plain.latex("t").replace("\\end{tabular}\n", notes));
}

#[test]
fn a_row_has_a_cell_for_every_column_and_bold_needs_a_rival() {
    let mut t = Table::new("", "", vec![Column::new("a", 1).best(Best::Largest)]);
    assert!(t.push("r", vec![]).unwrap_err().to_string().contains("found 0 cells, expected 1"));
    assert!(t.push("r", vec![Cell::Missing; 2]).is_err());
    assert!(t.markdown().starts_with("| "));
    t.push("r", vec![Cell::Value(1.01)]).unwrap();
    t.push("s", vec![Cell::Value(1.04)]).unwrap();
    assert!(!t.markdown().contains('*') && !t.latex("t").contains("mathbf"));
    t.push("t", vec![Cell::Value(0.0)]).unwrap();
    assert_eq!(t.markdown().matches("**1.0**").count(), 2);
    assert_eq!(Table::new("x", "", vec![]).csv(), "\"\"\n");
}

#[test]
fn what_is_missing_is_never_a_number() {
    let mut t = Table::new("", "row", vec![Column::new("v", 2)]);
    let nothing = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    for v in nothing {
        t.push("r", vec![Cell::Value(v)]).unwrap();
        t.push("r", vec![Cell::PValue(v)]).unwrap();
        t.push("r", vec![Cell::MeanSd { mean: v, sd: 0.0 }]).unwrap();
        t.push("r", vec![Cell::Interval { value: v, low: v, high: v }]).unwrap();
    }
    t.push("r", vec![Cell::Missing]).unwrap();
    t.push("r", vec![Cell::Text(" ".into())]).unwrap();
    assert!(t.markdown().lines().skip(2).all(|l| l.replace(' ', "") == "|r|-|"), "{}", t.markdown());
    assert_eq!(t.latex("t").lines().filter(|l| l.ends_with(r" & - \\")).count(), 14);
    let mut t = Table::new("", "row", vec![Column::new("v", 2)]);
    t.push("r", vec![Cell::Interval { value: -0.001, low: f64::NAN, high: f64::INFINITY }]).unwrap();
    assert!(t.markdown().contains("| 0.00 [-, -] |"), "{}", t.markdown());
    assert!(t.latex("t").contains(r"$0.00 [\mbox{-}, \mbox{-}]$"));
    assert!(t.csv().ends_with("r,-0.001,,\n"));
}

fn any_cell() -> impl Strategy<Value = Cell> {
    let v = || prop_oneof![any::<f64>(), -2.0..2.0_f64, Just(-0.0), Just(f64::NAN)];
    prop_oneof![
        Just(Cell::Missing),
        v().prop_map(Cell::Value),
        (v(), v()).prop_map(|(mean, sd)| Cell::MeanSd { mean, sd }),
        (v(), v(), v()).prop_map(|(value, low, high)| Cell::Interval { value, low, high }),
        v().prop_map(Cell::PValue),
        any::<String>().prop_map(Cell::Text),
    ]
}

proptest! {
    #[test]
    fn tables_take_anything(
        title: String, labels: String, names in prop::collection::vec(any::<String>(), 2), decimals: usize,
        rows in prop::collection::vec((any::<String>(), any_cell(), any_cell()), 0..6),
    ) {
        let columns = names.iter().zip([Best::Largest, Best::Smallest])
            .map(|(name, best)| Column::new(name, decimals).unit("a|b").best(best)).collect();
        let mut t = Table::new(title, labels, columns);
        for (label, a, b) in &rows {
            t.push(label, vec![a.clone(), b.clone()]).unwrap();
        }
        let markdown = t.markdown();
        let lines: Vec<&str> = markdown.lines().skip_while(|l| !l.starts_with('|')).collect();
        prop_assert_eq!(lines.len(), rows.len() + 2);
        prop_assert!(lines.iter().all(|l| markdown::cells(l).len() == 3), "{}", markdown);
        // every line of the body ends its row, with three cells
        let latex = t.latex("t");
        let body = latex.lines().skip_while(|l| *l != r"\toprule").filter(|l| l.ends_with(r" \\"));
        let ampersands = |l: &str| l.matches('&').count() - l.matches(r"\&").count();
        // heads, units, rows
        prop_assert_eq!(body.clone().count(), rows.len() + 2);
        prop_assert!(body.clone().all(|l| ampersands(l) == 2), "{}", latex);
        let csv = t.csv();
        prop_assert!(!csv.is_empty() && csv.ends_with('\n'));
        prop_assert_eq!(csv_rows(&csv), rows.len() + 1);
    }
}

/// Line breaks outside quotes.
fn csv_rows(text: &str) -> usize {
    let mut quoted = false;
    text.chars()
        .filter(|&c| {
            quoted ^= c == '"';
            c == '\n' && !quoted
        })
        .count()
}
