// The sum of a value over the WG threads of a workgroup, in its first thread. `summed` is the value's type; `lanes` that of a
// subgroup that is the whole workgroup and adds without barriers, or 0: a tree.
{# defaults: lanes=0 #}
{%- set summed = summed if summed is defined else "f32" %}
override WG: u32 = 64u;
{%- if lanes %}
fn group_sum(own: {{ summed }}, lid: u32) -> {{ summed }} { return subgroupAdd(own); }
{%- else %}
var<workgroup> tree: array<{{ summed }}, WG>;

fn group_sum(own: {{ summed }}, lid: u32) -> {{ summed }} {
    tree[lid] = own;
    for (var half = WG / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lid < half { tree[lid] += tree[lid + half]; }
    }
    return tree[0];
}
{%- endif %}
