// For the weight gradients over rows: where the sum of a tap goes, within its slice.
// Writes tap j of rows ra of a and rb of b.
fn put(slice: u32, ra: u32, rb: u32, j: u32, sum: f32) {
    {%- if swap %}
    let o = rb;
    let u = ra;
    let tap = {{ taps - 1 }} - i32(j);
    {%- else %}
    let o = ra;
    let u = rb;
    let tap = i32(j);
    {%- endif %}
    let k = i32(p.stride) * (tap + p.first) + i32(u % p.phases) + p.pad;
    let c = u / p.phases;
    if o < p.out && c < p.c_in && k >= 0 && k < i32(p.kernel) {
        {{ part }}[((slice * p.out + o) * p.c_in + c) * p.kernel + u32(k)] = sum;
    }
}
