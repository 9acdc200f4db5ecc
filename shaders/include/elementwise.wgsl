// Functions of one value and of two, for elementwise: one case each, by the code of its row in src/ops/elementwise/table.rs.
// Value is f32, or a vector that is done at once. a, b are the row's scalars. OP is a constant, so that the switch costs nothing.
override OP: u32 = 0u;

// 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to v, within 2e-7: near 0 an odd polynomial, from 15/16 on 1 - exp of one
// (fitted to the least largest error), and from 4 on 1.
fn erf(v: Value) -> Value {
    let t = min(abs(v), Value(4.0));
    let s = t * t;
    var near = 8.29661003e-05 * s - 0.000812580693;
    near = near * s + 0.00519960001;
    near = near * s - 0.0268588513;
    near = near * s + 0.11283686;
    near = near * s - 0.376126319;
    near = near * s + 1.12837923;
    var far = 2.13626845e-05 * t - 0.000437551062;
    far = far * t + 0.004186003;
    far = far * t - 0.0251587145;
    far = far * t + 0.108340777;
    far = far * t + 0.633291781;
    far = far * t + 1.12954223;
    far = far * t - 0.000180349103;
    return sign(v) * select(1.0 - exp(-far), t * near, t < Value(0.9375));
}

// The share of a standard normal distribution below v, and its density.
fn normal_cdf(v: Value) -> Value { return 0.5 + 0.5 * erf(0.707106781 * v); }
fn normal_pdf(v: Value) -> Value { return 0.398942280 * exp(-0.5 * v * v); }

// exp of a negative number only: no overflow on either side
fn sigmoid(v: Value) -> Value {
    let e = exp(-abs(v));
    return select(e, Value(1.0), v >= Value(0.0)) / (1.0 + e);
}

// Twice what the GELU's other form takes the tanh of: (1 + tanh(u)) / 2 = sigmoid(2 u).
fn gelu_inner(v: Value) -> Value { return 1.59576912 * (v + 0.044715 * v * v * v); }

// u^v. Of a negative number only whole powers are real: others are no number, as log's.
fn power(u: Value, v: Value) -> Value {
    let m = pow(abs(u), v);
    let whole = v == floor(v);
    let odd = floor(0.5 * v) != 0.5 * v;
    let real = select(log(u), select(m, -m, (u < Value(0.0)) & odd), (u >= Value(0.0)) | whole);
    let at_0 = select(select(1.0 / abs(u), Value(1.0), v == Value(0.0)), Value(0.0), v > Value(0.0));
    return select(real, at_0, u == Value(0.0));
}

// v^a: a product where a is a small whole number.
fn raised(v: Value, a: f32) -> Value {
    let n = abs(a);
    if n > 16.0 || n != floor(n) { return power(v, Value(a)); }
    var bits = u32(n);
    var square = v;
    var y = Value(1.0);
    for (var i = 0u; i < 5u; i++) {
        if (bits & 1u) == 1u { y *= square; }
        square *= square;
        bits >>= 1u;
    }
    if a < 0.0 { return 1.0 / y; }
    return y;
}

fn of_one(v: Value, a: f32, b: f32) -> Value {
    switch OP {
        case 0u: { return -v; }
        case 1u: { return a * v; }
        case 2u: { return v + a; }
        case 3u: { return max(v, Value(0.0)); }
        case 4u: { return sigmoid(v); }
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
        case 15u: { return erf(v); }
        // the GELU, and its derivative; far from 0 they are 0 or v, and 0 or 1
        case 16u: { return v * normal_cdf(v); }
        case 17u: { let w = clamp(v, Value(-14.0), Value(14.0)); return normal_cdf(w) + w * normal_pdf(w); }
        // its other form, and the derivative
        case 18u: { return v * sigmoid(gelu_inner(clamp(v, Value(-14.0), Value(14.0)))); }
        case 19u: {
            let w = clamp(v, Value(-14.0), Value(14.0));
            let s = sigmoid(gelu_inner(w));
            return s + w * s * (1.0 - s) * (1.59576912 + 0.214070427 * w * w);
        }
        case 20u: { return v * sigmoid(v); }
        case 21u: { return raised(v, a); }
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
        case 7u: { return max(u, v); }
        case 8u: { return min(u, v); }
        case 9u: { return power(u, v); }
        case 10u: { return select(Value(0.0), Value(1.0), u > v); }
        case 11u: { return select(Value(0.0), Value(1.0), u >= v); }
        case 12u: { return select(Value(0.0), Value(1.0), u < v); }
        case 13u: { return select(Value(0.0), Value(1.0), u <= v); }
        case 14u: { return select(Value(0.0), Value(1.0), u == v); }
        case 15u: { return select(Value(0.0), Value(1.0), u != v); }
        // 1 where u is the larger, half where they are equal: what of a gradient the maximum gives to u
        case 16u: { return select(select(Value(0.0), Value(0.5), u == v), Value(1.0), u > v); }
        // the two parts of a choice by a condition
        case 17u: { return select(Value(0.0), u, v != Value(0.0)); }
        case 18u: { return select(Value(0.0), u, v == Value(0.0)); }
        default: { return u; }
    }
}
