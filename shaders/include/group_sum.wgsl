// The sum of a value over the WG_SUMS threads of a workgroup, in its first thread: the function `adds` of values of the type
// `summed`. subgroup: the workgroup is one subgroup, which adds without barriers; else a tree.
{%- if subgroup %}
fn {{ adds }}(own: {{ summed }}, lid: u32) -> {{ summed }} { return subgroupAdd(own); }
{%- else %}
var<workgroup> {{ adds }}_tree: array<{{ summed }}, WG_SUMS>;

fn {{ adds }}(own: {{ summed }}, lid: u32) -> {{ summed }} {
    {{ adds }}_tree[lid] = own;
    for (var half = WG_SUMS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lid < half { {{ adds }}_tree[lid] += {{ adds }}_tree[lid + half]; }
    }
    return {{ adds }}_tree[0];
}
{%- endif %}
