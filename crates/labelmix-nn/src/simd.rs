//! Elementary functions that the compiler can vectorise.
//!
//! A plain release build targets the oldest processor of the architecture, so each kernel of this crate carries a
//! `multiversion` attribute, which compiles it for the newer instruction sets as well and picks one at run time.
//! What a kernel calls must be inlined into it, hence the `inline(always)` here, and must not be one of the C
//! library's functions, which work on one number at a time, hence these of our own.

/// e^x, within 2 units in the last place; underflows to about 1e-38 rather than to zero.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding and subtracting 1.5·2^23 rounds to the nearest integer in the floating-point adder itself.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    // Minimax polynomial of (e^r - 1 - r) / r² on [-ln2/2, ln2/2] (Cephes' expf).
    let p = 1.987_569_2e-4;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let value = p * r * r + r + 1.0;
    // The low bits of `shifted` hold n; adding n to the exponent multiplies by 2^n.
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    value * power
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Hyperbolic tangent, within 2e-7.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

/// The error function, within 2e-7 (Abramowitz & Stegun 7.1.26).
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    let magnitude = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * magnitude);
    let p = 1.061_405_4;
    let p = p * t - 1.453_152;
    let p = p * t + 1.421_413_7;
    let p = p * t - 0.284_496_74;
    let p = p * t + 0.254_829_6;
    let value = 1.0 - p * t * exp(-magnitude * magnitude);
    value.copysign(x)
}

/// The sum of `f` over the values, in sixteen interleaved partial sums: a strict left-to-right sum of floats cannot be
/// vectorised, and is less accurate.
#[inline(always)]
pub(crate) fn sum(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = values.as_chunks::<16>();
    let mut lanes = [0.0_f32; 16];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += f(*value);
        }
    }
    rest.iter().map(|value| f(*value)).sum::<f32>() + sum_of_lanes(lanes)
}

/// The sum of `f` over pairs of values of two slices of one length, as [`sum`].
#[inline(always)]
pub(crate) fn sum_of_pairs(left: &[f32], right: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    assert_eq!(left.len(), right.len());
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks::<16>(), right.as_chunks::<16>());
    let mut lanes = [0.0_f32; 16];
    for (left, right) in left.iter().zip(right) {
        for ((lane, left), right) in lanes.iter_mut().zip(left).zip(right) {
            *lane += f(*left, *right);
        }
    }
    left_rest.iter().zip(right_rest).map(|(left, right)| f(*left, *right)).sum::<f32>() + sum_of_lanes(lanes)
}

#[inline(always)]
fn sum_of_lanes(mut lanes: [f32; 16]) -> f32 {
    for width in [8, 4, 2, 1] {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
    }
    lanes[0]
}

/// The largest element; negative infinity for none.
#[inline(always)]
pub(crate) fn maximum(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 16];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = if *value > *lane { *value } else { *lane };
        }
    }
    rest.iter().chain(&lanes).fold(f32::NEG_INFINITY, |largest, &value| if value > largest { value } else { largest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elementary_functions_agree_with_the_standard_library() {
        for step in -8_000..=8_000 {
            let x = step as f32 * 0.01;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) - exact).abs() <= 3e-7 * exact, "exp({x})");
            assert!((f64::from(tanh(x)) - f64::from(x).tanh()).abs() < 3e-7, "tanh({x})");
            let exact = 1.0 / (1.0 + (-f64::from(x)).exp());
            assert!((f64::from(sigmoid(x)) - exact).abs() < 2e-7, "sigmoid({x})");
        }
        // Values of the error function to seven digits (Abramowitz & Stegun, table 7.1).
        for (x, exact) in [(0.0, 0.0), (0.1, 0.112_462_92), (0.5, 0.520_499_9), (1.0, 0.842_700_8), (2.0, 0.995_322_3)]
        {
            assert!((erf(x) - exact).abs() < 3e-7, "erf({x})");
            assert!((erf(-x) + exact).abs() < 3e-7, "erf(-{x})");
        }
    }

    #[test]
    fn reductions_take_every_element_once() {
        for length in 0..70 {
            let values: Vec<f32> = (0..length).map(|i| (i * i % 37) as f32).collect();
            assert_eq!(sum(&values, |value| 2.0 * value), 2.0 * values.iter().sum::<f32>());
            let squares: f32 = values.iter().map(|value| value * value).sum();
            assert_eq!(sum_of_pairs(&values, &values, |a, b| a * b), squares);
            assert_eq!(maximum(&values), values.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        }
    }
}
