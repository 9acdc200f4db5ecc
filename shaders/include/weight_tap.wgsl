// For the weight gradients over rows: where the sums of a window's taps go, within their slice.

// Of the sums of two rows: whether they are any weights', their first weight, and the tap j = 0 in it.
struct Place { inside: bool, first: u32, k: i32 }

// The place of rows ra of a and rb of b.
fn place(slice: u32, ra: u32, rb: u32) -> Place {
    let o = {{ "rb" if swap else "ra" }};
    let u = {{ "ra" if swap else "rb" }};
    let c = u / p.phases;
    let tap = p.first{{ " + " ~ (taps - 1) if swap }};
    let k = i32(p.stride) * tap + i32(u % p.phases) + p.pad;
    return Place(o < p.out && c < p.c_in, ((slice * p.out + o) * p.c_in + c) * p.kernel, k);
}

// Writes the sum of tap j.
fn put(to: Place, j: u32, sum: f32) {
    let k = to.k {{ "-" if swap else "+" }} i32(p.stride * j);
    if to.inside && k >= 0 && k < i32(p.kernel) { {{ part }}[to.first + u32(k)] = sum; }
}
