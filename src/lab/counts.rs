//! What a kernel's text holds, counted in the SPIR-V that naga makes of it: loads, stores, multiply-adds, shuffles, barriers.
//! The counts are static: calls are followed, the body of a loop counts once, and both branches of an `if` count.

use crate::gpu::settled;
use naga::back::spv::{Options, PipelineOptions, ZeroInitializeWorkgroupMemoryMode, write_vec};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::ops::AddAssign;

/// Instructions of a kernel by what they do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Loads from storage buffers; a vector is one.
    pub loads: usize,
    /// Stores to storage buffers; a vector is one.
    pub stores: usize,
    /// Loads from and stores to workgroup memory.
    pub shared: usize,
    /// Multiplications of floats whose product is added, and `fma`; each component of a vector is one.
    pub multiply_adds: usize,
    /// Subgroup operations that give values to other lanes: broadcasts, shuffles, reductions.
    pub shuffles: usize,
    /// Workgroup and subgroup barriers.
    pub barriers: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.loads += other.loads;
        self.stores += other.stores;
        self.shared += other.shared;
        self.multiply_adds += other.multiply_adds;
        self.shuffles += other.shuffles;
        self.barriers += other.barriers;
    }
}

impl Counts {
    /// Counts of entry point `entry` of an expanded WGSL text, its `override`s as `constants` say; and the threads of its
    /// workgroups.
    pub fn of(text: &str, entry: &str, constants: &[(String, f64)]) -> Result<(Self, usize), String> {
        let (words, width) = spirv(text, entry, constants)?;
        let counts = count(&words).ok_or_else(|| "naga wrote SPIR-V that cannot be read".to_owned())?;
        Ok((counts, width))
    }
}

/// SPIR-V of one entry point as it is compiled: without what its constants rule out; but without bounds checks, and without
/// memory that is set to zero first. And the threads of a workgroup.
fn spirv(text: &str, entry: &str, constants: &[(String, f64)]) -> Result<(Vec<u32>, usize), String> {
    let mut module = naga::front::wgsl::parse_str(text).map_err(|e| e.emit_to_string(text))?;
    module.entry_points.retain(|point| point.name == entry);
    let module = settled(module, &constants.iter().cloned().collect())?;
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    let info = validator.validate(&module).map_err(|e| e.emit_to_string(text))?;
    let options = Options {
        lang_version: (1, 3),
        zero_initialize_workgroup_memory: ZeroInitializeWorkgroupMemoryMode::None,
        ..Default::default()
    };
    let pipeline = PipelineOptions { shader_stage: naga::ShaderStage::Compute, entry_point: entry.to_owned() };
    let words = write_vec(&module, &info, &options, Some(&pipeline)).map_err(|e| e.to_string())?;
    let width = module.entry_points.first().map_or(1, |point| point.workgroup_size.iter().product::<u32>());
    Ok((words, width as usize))
}

/// Numbers of the SPIR-V specification.
mod op {
    pub const EXT_INST: u32 = 12;
    pub const ENTRY_POINT: u32 = 15;
    pub const TYPE_VECTOR: u32 = 23;
    pub const TYPE_POINTER: u32 = 32;
    pub const FUNCTION: u32 = 54;
    pub const FUNCTION_PARAMETER: u32 = 55;
    pub const FUNCTION_CALL: u32 = 57;
    pub const VARIABLE: u32 = 59;
    pub const LOAD: u32 = 61;
    pub const STORE: u32 = 62;
    pub const ACCESS_CHAIN: u32 = 65;
    pub const IN_BOUNDS_ACCESS_CHAIN: u32 = 66;
    pub const F_ADD: u32 = 129;
    pub const F_SUB: u32 = 131;
    pub const F_MUL: u32 = 133;
    pub const VECTOR_TIMES_SCALAR: u32 = 142;
    pub const DOT: u32 = 148;
    pub const CONTROL_BARRIER: u32 = 224;
    pub const BROADCAST: u32 = 337;
    pub const BROADCAST_FIRST: u32 = 338;
    pub const SHUFFLE: u32 = 345;
    pub const QUAD_SWAP: u32 = 366;
    /// Of the extended instructions for GLSL.
    pub const FMA: u32 = 50;
    /// Storage classes.
    pub const WORKGROUP: u32 = 4;
    pub const STORAGE_BUFFER: u32 = 12;
}

/// A function's own instructions, and those that it calls.
#[derive(Default)]
struct Function {
    own: Counts,
    calls: Vec<u32>,
}

/// Types of a module, and which type its values have.
#[derive(Default)]
struct Types {
    /// Components of vector types.
    vectors: HashMap<u32, u32>,
    /// Storage classes of pointer types.
    classes: HashMap<u32, u32>,
    /// Pointers, and values that are vectors.
    values: HashMap<u32, u32>,
}

impl Types {
    /// Storage class of what a pointer points to.
    fn class(&self, pointer: u32) -> Option<u32> {
        self.classes.get(self.values.get(&pointer)?).copied()
    }

    /// Components of a type; 1 for one that is no vector.
    fn width(&self, ty: u32) -> usize {
        self.vectors.get(&ty).map_or(1, |n| *n as usize)
    }
}

/// Walks a module. `None` where words are missing.
fn count(words: &[u32]) -> Option<Counts> {
    // header: magic, version, generator, bound, schema
    let mut rest = words.get(5..)?;
    let mut types = Types::default();
    let mut products: HashSet<u32> = HashSet::new();
    let mut functions: HashMap<u32, Function> = HashMap::new();
    let (mut entry, mut here) = (None, 0);
    while let Some(&first) = rest.first() {
        let (length, code) = ((first >> 16) as usize, first & 0xffff);
        let words = rest.get(1..length)?;
        rest = &rest[length..];
        let word = |i: usize| words.get(i).copied();
        match code {
            op::TYPE_VECTOR => drop(types.vectors.insert(word(0)?, word(2)?)),
            op::TYPE_POINTER => drop(types.classes.insert(word(0)?, word(1)?)),
            op::ENTRY_POINT => entry = word(1),
            op::FUNCTION => {
                here = word(1)?;
                functions.insert(here, Function::default());
            }
            op::VARIABLE | op::FUNCTION_PARAMETER | op::ACCESS_CHAIN | op::IN_BOUNDS_ACCESS_CHAIN => {
                types.values.insert(word(1)?, word(0)?);
            }
            _ => {}
        }
        // those that return a vector: a dot product has the width of its operands
        if let (Some(ty), Some(id)) = (word(0), word(1))
            && types.vectors.contains_key(&ty)
        {
            types.values.insert(id, ty);
        }
        let Some(function) = functions.get_mut(&here) else { continue };
        let own = &mut function.own;
        match code {
            op::FUNCTION_CALL => function.calls.push(word(2)?),
            op::LOAD | op::STORE => {
                let pointer = if code == op::LOAD { word(2)? } else { word(0)? };
                match types.class(pointer) {
                    Some(op::STORAGE_BUFFER) if code == op::LOAD => own.loads += 1,
                    Some(op::STORAGE_BUFFER) => own.stores += 1,
                    Some(op::WORKGROUP) => own.shared += 1,
                    _ => {}
                }
            }
            op::F_MUL | op::VECTOR_TIMES_SCALAR => drop(products.insert(word(1)?)),
            op::F_ADD | op::F_SUB if [word(2)?, word(3)?].iter().any(|id| products.remove(id)) => {
                own.multiply_adds += types.width(word(0)?);
            }
            op::DOT => own.multiply_adds += types.values.get(&word(2)?).map_or(1, |ty| types.width(*ty)),
            op::EXT_INST if word(3)? == op::FMA => own.multiply_adds += types.width(word(0)?),
            op::CONTROL_BARRIER => own.barriers += 1,
            op::BROADCAST | op::BROADCAST_FIRST | op::SHUFFLE..=op::QUAD_SWAP => own.shuffles += 1,
            _ => {}
        }
    }
    Some(with_calls(&functions, entry?))
}

/// WGSL has no recursion: the calls end.
fn with_calls(functions: &HashMap<u32, Function>, id: u32) -> Counts {
    let Some(function) = functions.get(&id) else { return Counts::default() };
    let mut all = function.own;
    function.calls.iter().for_each(|&called| all += with_calls(functions, called));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "struct Params { n: u32 }
        @group(0) @binding(0) var<uniform> p: Params;
        @group(0) @binding(1) var<storage, read> x: array<f32>;
        @group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
        @group(0) @binding(3) var<storage, read_write> y: array<f32>;
        var<workgroup> tile: array<f32, 64>;
        override WG: u32 = 64u;
        ";

    fn counts(body: &str) -> Counts {
        let main = format!(
            "{HEAD}@compute @workgroup_size(WG) fn main(@builtin(local_invocation_index) id: u32,
             @builtin(subgroup_invocation_id) lane: u32) {{ {body} }}"
        );
        let (counts, width) = Counts::of(&main, "main", &[("WG".to_owned(), 8.0)]).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(width, 8);
        counts
    }

    #[test]
    fn memory_is_counted_by_its_kind() {
        let none = Counts::default();
        assert_eq!(counts("y[id] = x[id + 1u] + x[id];"), Counts { loads: 2, stores: 1, ..none });
        // neither parameters nor local variables are memory
        assert_eq!(counts("var a = p.n; a += p.n; y[id] = f32(a);"), Counts { stores: 1, ..none });
        let shared = counts("tile[id] = v[id].x; workgroupBarrier(); y[id] = tile[7u - id];");
        assert_eq!(shared, Counts { loads: 1, stores: 1, shared: 2, barriers: 1, ..none });
    }

    #[test]
    fn products_count_with_their_sum() {
        let adds = |body: &str| counts(body).multiply_adds;
        assert_eq!(adds("y[id] = x[0] * x[1] + x[2];"), 1);
        assert_eq!(adds("y[id] = x[0] * x[1];"), 0);
        assert_eq!(adds("y[id] = x[0] * x[1] + x[2] * x[3];"), 1);
        assert_eq!(adds("y[id] = fma(x[0], x[1], x[2]);"), 1);
        assert_eq!(adds("let s = v[0] * v[1] + v[2]; y[id] = s.x;"), 4);
        assert_eq!(adds("let s = v[0] * x[0] - v[2]; y[id] = s.x;"), 4);
        assert_eq!(adds("y[id] = dot(v[0], v[1]);"), 4);
        // integers are indices
        assert_eq!(adds("y[id * 3u + 1u] = 1.0;"), 0);
    }

    #[test]
    fn loops_count_once_and_calls_each_time() {
        let body = "var s = 0.0; for (var i = 0u; i < 9u; i++) { s += x[i] * x[id]; } y[id] = s;";
        assert_eq!(counts(body), Counts { loads: 2, stores: 1, multiply_adds: 1, ..Counts::default() });
        let text = format!(
            "{HEAD}fn at(i: u32) -> f32 {{ return x[i] * x[i] + 1.0; }} fn two(i: u32) -> f32 {{ return at(i) + at(i + 1u); }}
             @compute @workgroup_size(WG) fn main() {{ y[0] = two(0u) + at(7u); }}
             @compute @workgroup_size(1) fn other() {{ y[0] = x[0]; }}"
        );
        let of = |entry| Counts::of(&text, entry, &[]).map(|found| found.0);
        assert_eq!(of("main"), Ok(Counts { loads: 6, stores: 1, multiply_adds: 3, ..Counts::default() }));
        assert_eq!(of("other"), Ok(Counts { loads: 1, stores: 1, ..Counts::default() }));
        assert!(of("nonesuch").is_err());
    }

    #[test]
    fn what_constants_rule_out_does_not_count() {
        let text = format!(
            "{HEAD}override OP: u32 = 0u;
             @compute @workgroup_size(WG) fn main(@builtin(local_invocation_index) id: u32) {{
                switch OP {{ case 0u: {{ y[id] = x[id]; }} default: {{ y[id] = x[id] + x[id + 1u]; }} }} }}"
        );
        let loads = |op: f64| Counts::of(&text, "main", &[("OP".to_owned(), op)]).map(|found| found.0.loads);
        assert_eq!((loads(0.0), loads(1.0)), (Ok(1), Ok(2)));
    }

    #[test]
    fn lanes_that_exchange_values_are_counted() {
        let body = "let a = subgroupBroadcast(x[0], 3u) + subgroupShuffle(x[1], lane ^ 1u); y[id] = subgroupAdd(a);";
        assert_eq!(counts(body).shuffles, 3);
    }

    #[test]
    fn text_that_is_no_wgsl_is_refused_with_its_line() {
        assert!(Counts::of("fn main( {", "main", &[]).is_err_and(|e| e.contains("wgsl:1")), "a line");
        assert_eq!(count(&[0x0723_0203]), None);
    }
}
