// Four f32 as they are moved. A CPU that plays the GPU loads and stores lane by lane and word by word, each word behind a
// test of its own: two f32 to a word of 64 bits are half the work.
struct Eight { a: vec4<f32>, b: vec4<f32> }
{%- if software and int64 %}

alias Words = vec2<u64>;
alias Pair = u64;
const PER_WORD: u32 = 2u;

fn values(w: Words) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(u32(w.x), u32(w.x >> 32u), u32(w.y), u32(w.y >> 32u)));
}

// f32 number i of an array: of its word w = a[i / 4u][i % 4u / PER_WORD].
fn value(w: u64, i: u32) -> f32 { return bitcast<f32>(select(u32(w), u32(w >> 32u), (i & 1u) == 1u)); }

fn pair(low: f32, high: f32) -> Pair { return u64(bitcast<u32>(low)) | (u64(bitcast<u32>(high)) << 32u); }

fn words(v: vec4<f32>) -> Words { return Words(pair(v.x, v.y), pair(v.z, v.w)); }

// One load of eight takes little longer than one of four.
alias Words8 = vec4<u64>;

fn values8(w: Words8) -> Eight { return Eight(values(w.xy), values(w.zw)); }
{%- else %}
alias Words = vec4<f32>;
alias Pair = vec2<f32>;
const PER_WORD: u32 = 1u;

fn values(w: Words) -> vec4<f32> { return w; }

fn value(w: f32, i: u32) -> f32 { return w; }

fn pair(low: f32, high: f32) -> Pair { return vec2<f32>(low, high); }

fn words(v: vec4<f32>) -> Words { return v; }
{%- endif %}
