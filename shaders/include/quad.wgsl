// Four values of a signal's row, as they are stored: in f32, or (half) in f16, two pairs of bits.
{# defaults: half=0 #}
{%- if half %}
alias Quad = vec2<u32>;

fn unpacked(q: Quad) -> vec4<f32> { return vec4<f32>(unpack2x16float(q.x), unpack2x16float(q.y)); }

// What f16 cannot hold becomes infinite, all four values: WGSL leaves it open, and it must be seen.
fn packed(v: vec4<f32>) -> Quad {
    let fits = all(abs(v) <= vec4<f32>(65504.0));
    return select(vec2<u32>(0x7c007c00u), vec2<u32>(pack2x16float(v.xy), pack2x16float(v.zw)), fits);
}
{%- else %}
alias Quad = vec4<f32>;

fn unpacked(q: Quad) -> vec4<f32> { return q; }

fn packed(v: vec4<f32>) -> Quad { return v; }
{%- endif %}
