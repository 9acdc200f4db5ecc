// Four values from the s-th of a on.
fn shifted(a: vec4<f32>, b: vec4<f32>, s: u32) -> vec4<f32> {
    let two = select(a, vec4<f32>(a.zw, b.xy), s >= 2u);
    let next = select(b.x, b.z, s >= 2u);
    return select(two, vec4<f32>(two.yzw, next), (s & 1u) == 1u);
}
