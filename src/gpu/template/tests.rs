use super::*;

/// A kernel with loops, a branch, a comment and a tag of several lines, and an included file, as a template; `NN` numbers are
/// lines.
const LOOPS: &str = "// Sums.
{# defaults: parts=2
   a comment of
   several lines #}
{%- set factors = [
    1, 2,
    3] %}
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
override WG_SUMS: u32 = 64u;
{%- set adds = \"group_sum\" %}
{%- set summed = \"f32\" %}
{% include \"include/group_sum.wgsl\" %}

@compute @workgroup_size(WG_SUMS)
fn main(@builtin(local_invocation_id) lid: vec3<u32>) {
    {%- for i in range(parts) %}
    let a{{ i }} = f32({{ factors[i] }});
    {%- if i %}
    // BODY
    {%- endif %}
    {%- endfor %}
    let total = group_sum(a0, lid.x);
    if lid.x == 0u { y[0] = total; }
}
";

fn shaders() -> ShaderSource {
    ShaderSource::default()
}

fn template<'a>(source: &'a ShaderSource, text: &str, sets: &[(&str, i64)]) -> Template<'a> {
    let values = sets.iter().map(|(name, v)| ((*name).to_owned(), Value::from(*v))).collect();
    Template::new(source, "conv1d/90_mine", Cow::Owned(text.to_owned()), values)
}

/// What is said of a wrong text, at this line of it.
fn message(text: &str, sets: &[(&str, i64)], line: usize) -> String {
    let source = shaders();
    let template = template(&source, text, sets);
    let done = template.module().and_then(|m| template.validate(&m));
    let said = done.expect_err("a wrong text is refused").to_string();
    assert!(said.starts_with(&format!("shaders/conv1d/90_mine.wgsl:{line}: ")), "{said}");
    said
}

/// The line of a text that holds a part.
fn line_of(text: &str, part: &str) -> usize {
    1 + text.lines().position(|l| l.contains(part)).expect("a line")
}

#[test]
fn a_right_template_is_taken() {
    let source = shaders();
    let template = template(&source, LOOPS, &[("subgroup", 0), ("parts", 3)]);
    let text = template.expand().expect("expanded");
    assert!(text.contains("let a2 = f32(3);"), "{text}");
    let module = template.module().expect("parsed");
    template.validate(&module).expect("validated");
    assert_eq!(template.command(), "exgnet shader conv1d/90_mine --set parts=3 --set subgroup=0");
    // markers change nothing but white space and comments
    let marked = template.render(&|name, text| marked(name, &text)).expect("expanded");
    let mut bare = String::new();
    let mut rest = marked.as_str();
    while let Some((before, after)) = rest.split_once(MARK) {
        bare.push_str(before);
        rest = after.split_once("*/").expect("a marker's end").1;
    }
    bare.push_str(rest);
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&bare), words(&text));
}

#[test]
fn an_error_behind_loops_names_the_line_of_the_template() {
    // the last one parses, but the types do not fit
    for (wrong, words) in [
        ("let b = a{{ i }} + nothing;", "nothing"),
        ("let b: u32 = a1 +;", "expected expression"),
        ("y[0] = lid.x;", ""),
    ] {
        let text = LOOPS.replace("// BODY", wrong);
        let line = line_of(&text, wrong);
        let said = message(&text, &[("subgroup", 0), ("parts", 3)], line);
        assert!(said.contains(words) && said.contains(&format!("{line} | {wrong}")), "{said}");
        assert!(said.contains("HINT: `exgnet shader conv1d/90_mine --set parts=3 --set subgroup=0`"), "{said}");
    }
    // behind everything: the last line
    let text = format!("{LOOPS}garbage");
    message(&text, &[("subgroup", 0)], text.lines().count());
}

#[test]
fn an_error_in_an_included_file_names_that_file() {
    let included = shaders().text("include/group_sum").expect("there");
    let refused = |text: &str, sets: &[(&str, i64)]| {
        let source = shaders();
        template(&source, text, sets).module().expect_err("a wrong text is refused").to_string()
    };
    // the including file gives the type that the sum is made in
    let said = refused(&LOOPS.replace("= \"f32\"", "= \"vec9<f32>\""), &[("subgroup", 0)]);
    let line = line_of(&included, "var<workgroup>");
    assert!(said.starts_with(&format!("shaders/include/group_sum.wgsl:{line}: ")), "{said}");
    assert!(said.contains("included by shaders/conv1d/90_mine.wgsl"), "{said}");
    // and the constant
    let said = refused(LOOPS, &[]);
    let line = line_of(&included, "if subgroup");
    assert!(said.starts_with(&format!("shaders/include/group_sum.wgsl:{line}: ")), "{said}");
    assert!(said.contains("`subgroup`") && said.contains("--set subgroup=1"), "{said}");
}

#[test]
fn plain_text_has_lines_too() {
    let said = message("fn one() -> f32 {\n    return 1u;\n}\n", &[], 2);
    assert!(said.contains("2 | return 1u;"), "{said}");
    message("fn one() -> f32 { return 1.0; }\nbla bla\n", &[], 2);
    message("fn one() -> f32 {\n    return 1.0;\n", &[], 2);
}

#[test]
fn a_constant_without_a_value_is_named() {
    let text = LOOPS.replace("range(parts)", "range(prats)");
    let said = message(&text, &[("subgroup", 0), ("parts", 2)], line_of(&text, "prats"));
    assert!(said.contains("`prats`") && said.contains("did you mean `parts`?"), "{said}");
    // a template's own mistake
    message("// One.\n{% for i in range(2) %}\n{% endif %}\n", &[], 3);
    let said = message("// One.\n{% include \"include/nothing.wgsl\" %}\n", &[], 2);
    assert!(said.contains("include/nothing"), "{said}");
}

#[test]
fn names_are_those_that_are_not_set_inside() {
    let all = names(&shaders(), LOOPS);
    assert!(["subgroup", "parts"].iter().all(|n| all.contains(*n)), "{all:?}");
    assert!(["factors", "i", "WG_SUMS", "range"].iter().all(|n| !all.contains(*n)), "{all:?}");
    assert!(names(&shaders(), "fn f() {}").is_empty());
}
