// Four values as they are stored: in f32, or (half) in f16, two pairs of bits. Number is what kernels compute with: f32, or
// (native) f16, of which Quad is then a vector. Included first of all: it may enable f16.
{# defaults: half=0 native=0 #}
{%- if native is defined and native %}
enable f16;
alias Number = f16;
alias Quad = vec4<f16>;

fn unpacked(q: Quad) -> Quad { return q; }
{%- elif half %}
alias Number = f32;
alias Quad = vec2<u32>;

fn unpacked(q: Quad) -> vec4<f32> { return vec4<f32>(unpack2x16float(q.x), unpack2x16float(q.y)); }

// What f16 cannot hold becomes infinite, all four values: WGSL leaves it open, and it must be seen.
fn packed(v: vec4<f32>) -> Quad {
    let fits = all(abs(v) <= vec4<f32>(65504.0));
    return select(vec2<u32>(0x7c007c00u), vec2<u32>(pack2x16float(v.xy), pack2x16float(v.zw)), fits);
}
{%- if software and int64 %}

// Eight values, as in include/words.wgsl.
alias Octet = vec2<u64>;

fn unpacked8(q: Octet) -> Eight {
    let w = vec4<u32>(u32(q.x), u32(q.x >> 32u), u32(q.y), u32(q.y >> 32u));
    return Eight(unpacked(w.xy), unpacked(w.zw));
}
{%- endif %}
{%- else %}
alias Number = f32;
alias Quad = Words;

fn unpacked(q: Quad) -> vec4<f32> { return values(q); }
{%- if software and int64 %}

alias Octet = Words8;

fn unpacked8(q: Octet) -> Eight { return values8(q); }
{%- endif %}

fn packed(v: vec4<f32>) -> Quad { return words(v); }
{%- endif %}
{% include "include/words.wgsl" %}
