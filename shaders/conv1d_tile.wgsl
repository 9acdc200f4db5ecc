// 1-D convolution of stride 1 over padded rows, in register tiles, for adapters where a subgroup is the workgroup:
//   dst[b, v, n] = sum over u, j of w[v, u, j] src[b, u, n + first + j]
// Both directions of a strided convolution are this, with the phases of the strided side as virtual channels: see
// conv1d_rows and conv1d_tile_weights. Dilation and groups are left to conv1d.wgsl.
//
// src  from conv1d_rows    w  from conv1d_tile_weights    dst  [B, channels, T]
// A template (minijinja); its constants:
//   lanes   of a subgroup; lane i owns the positions [i P, i P + P) of a tile of lanes P
//   oc, p   virtual channels and positions a thread computes; p a multiple of 4
//   taps    of the window; shift, 0 to 3: values between a vec4 and the window's start
//   mo, mq  channels and positions whose sums are in flight together: 8 in all is what registers hold
//   split   phases of the output: virtual channel v is phase v % split of channel v / split, position n is n split + phase
//   add     adds to what dst holds
// Operands: the window's first p values are loaded by their lane, those behind it come from the next lane (the last
// lane's from an extra load); weights are loaded once a subgroup, a vec4 a lane, and broadcast. A load costs as much as
// a hundred multiply-adds on a software adapter, a broadcast as much as ten.
// Dispatch: one group per (b, block of oc channels, tile), folded over two dimensions.
{%- set xyzw = ["x", "y", "z", "w"] %}
{%- set tail = shift + taps - 1 %}
{%- set edges = (tail + 4 * lanes - 1) // (4 * lanes) %}
{%- set loads = (taps * oc + 4 * lanes - 1) // (4 * lanes) %}

struct Params {
    n: u32, tiles: u32, blocks: u32, depth: u32,
    pitch: u32, rows: u32, first_row: u32, offset: u32,   // pitch and offset in vec4s
    channels: u32, first: u32, len: u32, width: u32,      // dst: all channels, the first, T, virtual channels
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> src: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dst: array<f32>;

fn put(row: u32, t: u32, v: f32) {
    if t < p.len { dst[row + t] {{ "+=" if add else "=" }} v; }
}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = wid.y * nwg.x + wid.x;
    if id >= p.n { return; }
    let tile = id % p.tiles;
    let block = id / p.tiles % p.blocks;
    let b = id / p.tiles / p.blocks;
    let next = (lane + 1u) % {{ lanes }}u;
    let last = lane == {{ lanes - 1 }}u;

    {%- for o in range(oc) %}
    {% for q in range(p) %}var a{{ o }}_{{ q }} = 0.0; {% endfor %}
    {%- endfor %}
    var row = (b * p.rows + p.first_row) * p.pitch + p.offset + tile * {{ lanes * p // 4 }}u;
    var wi = block * p.depth * {{ loads * lanes }}u + lane;
    var depth = p.depth;
    loop {
        {%- for i in range(p // 4) %}
        let v{{ i }} = src[row + lane * {{ p // 4 }}u + {{ i }}u];
        {%- endfor %}
        {%- for i in range(edges) %}
        let e{{ i }} = src[row + {{ lanes * p // 4 + i * lanes }}u + lane];
        {%- endfor %}
        {%- for i in range(loads) %}
        let w{{ i }} = w[wi + {{ i * lanes }}u];
        {%- endfor %}
        {%- for j in range(p + tail) %}
        {%- if j < p %}
        let x{{ j }} = v{{ j // 4 }}.{{ xyzw[j % 4] }};
        {%- else %}
        {%- set f = j - p %}
        let x{{ j }} = select(subgroupShuffle(x{{ f }}, next), subgroupBroadcast(e{{ f // (4 * lanes) }}.{{ xyzw[f % 4] }}, {{ f % (4 * lanes) // 4 }}u), last);
        {%- endif %}
        {%- endfor %}
        {%- for f in range(taps * oc) %}
        let k{{ f // oc }}_{{ f % oc }} = subgroupBroadcast(w{{ f // (4 * lanes) }}.{{ xyzw[f % 4] }}, {{ f % (4 * lanes) // 4 }}u);
        {%- endfor %}
        {%- for o0 in range(0, oc, mo) %}
        {%- for q0 in range(0, p, mq) %}
        {%- for j in range(taps) %}
        {% for o in range(o0, [o0 + mo, oc]|min) %}{% for q in range(q0, [q0 + mq, p]|min) %}a{{ o }}_{{ q }} += k{{ j }}_{{ o }} * x{{ q + j + shift }}; {% endfor %}{% endfor %}
        {%- endfor %}
        {%- endfor %}
        {%- endfor %}
        row += p.pitch;
        wi += {{ loads * lanes }}u;
        depth--;
        continuing { break if depth == 0u; }
    }

    let n = (tile * {{ lanes }}u + lane) * {{ p }}u;
    let v = block * {{ oc }}u;
    {%- for o in range(oc) %}
    if v + {{ o }}u < p.width {
        let to = (b * p.channels + p.first + (v + {{ o }}u) / {{ split }}u) * p.len;
        let t = n * {{ split }}u + (v + {{ o }}u) % {{ split }}u;
        {% for q in range(p) %}put(to, t + {{ q * split }}u, a{{ o }}_{{ q }}); {% endfor %}
    }
    {%- endfor %}
}
