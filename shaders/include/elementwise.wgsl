// Functions of one value and of two, for elementwise: one case each, by the code of its row in src/ops/elementwise.rs. Value is
// f32, or a vector that is done at once. a, b are the row's scalars. OP is a constant, so that the switch costs nothing.
override OP: u32 = 0u;

fn of_one(v: Value, a: f32, b: f32) -> Value {
    switch OP {
        case 0u: { return -v; }
        case 1u: { return a * v; }
        case 2u: { return v + a; }
        case 3u: { return max(v, Value(0.0)); }
        // exp of a negative number only: no overflow on either side
        case 4u: { let e = exp(-abs(v)); return select(e, Value(1.0), v >= Value(0.0)) / (1.0 + e); }
        case 5u: { let e = exp(-2.0 * abs(v)); return sign(v) * (1.0 - e) / (1.0 + e); }
        case 6u: { return exp(v); }
        case 7u: { return log(v); }
        case 8u: { return sqrt(v); }
        case 9u: { return 1.0 / sqrt(v); }
        case 10u: { return abs(v); }
        case 11u: { return v * v; }
        case 12u: { return clamp(v, Value(a), Value(b)); }
        case 13u: { return 1.0 / v; }
        // Huber's function with beta 1 (the core of smooth-L1)
        case 14u: { let m = abs(v); return select(m - 0.5, 0.5 * v * v, m < Value(1.0)); }
        default: { return v; }
    }
}

fn of_two(u: Value, v: Value, a: f32, b: f32) -> Value {
    switch OP {
        case 0u: { return u + v; }
        case 1u: { return u - v; }
        case 2u: { return u * v; }
        case 3u: { return u / v; }
        // u where v is positive: the gradient of relu
        case 4u: { return select(Value(0.0), u, v > Value(0.0)); }
        // u with v's sign: the gradient of abs
        case 5u: { return u * sign(v); }
        // u where v lies between the limits: the gradient of clamp
        case 6u: { return select(Value(0.0), u, (v >= Value(a)) & (v <= Value(b))); }
        default: { return u; }
    }
}
