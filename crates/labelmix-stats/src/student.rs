//! How far an estimate may be from the truth where its deviation is itself estimated from few values: Student's t.

use libm::{erfc, lgamma};

use crate::accuracy::Interval;

/// An estimate whose error, divided by `deviation`, follows Student's t distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StudentEstimate {
    pub value: f64,
    /// Its standard deviation, estimated.
    pub deviation: f64,
    /// The degrees of freedom of the deviation's estimate, above 0: 2 where it comes from three values, infinite where it is
    /// known.
    pub degrees_of_freedom: f64,
}

/// As many degrees of freedom as make Student's distribution the normal one, to all digits that matter.
const NORMAL_FROM: f64 = 1e7;

impl StudentEstimate {
    /// The interval in which the truth is with a probability of `level`, such as 0.95.
    ///
    /// # Panics
    /// If the level is not between 0 and 1.
    pub fn interval(&self, level: f64) -> Interval {
        assert!(level > 0.0 && level < 1.0, "a level between 0 and 1, not {level}");
        let half_width = self.deviation * quantile(1.0 - level, self.degrees_of_freedom);
        Interval { low: self.value - half_width, high: self.value + half_width }
    }

    /// The probability of an estimate at least as far from 0, on either side, if the truth is 0. An estimate of exactly
    /// 0 has 1, whatever its deviation.
    pub fn p_value(&self) -> f64 {
        if self.value == 0.0 {
            return 1.0;
        }
        two_tails(self.value.abs() / self.deviation, self.degrees_of_freedom)
    }
}

/// The probability that |t| exceeds `t`: the regularised incomplete beta function I(x; ν/2, ½) at x = ν / (ν + t²).
fn two_tails(t: f64, degrees_of_freedom: f64) -> f64 {
    assert!(degrees_of_freedom > 0.0, "degrees of freedom are above 0");
    if degrees_of_freedom >= NORMAL_FROM {
        return erfc(t * std::f64::consts::FRAC_1_SQRT_2);
    }
    let (nu, squared) = (degrees_of_freedom, t * t);
    if squared.is_infinite() {
        return 0.0;
    }
    // Both shares are computed from t: one minus the other would lose the digits of the smaller.
    let (x, rest) = (nu / (nu + squared), squared / (nu + squared));
    if x < (nu / 2.0 + 1.0) / (nu / 2.0 + 2.5) {
        incomplete_beta(nu / 2.0, 0.5, x, rest)
    } else {
        1.0 - incomplete_beta(0.5, nu / 2.0, rest, x)
    }
}

/// I(x; a, b) by its continued fraction (Abramowitz and Stegun 26.5.8, evaluated as Lentz does), for x below (a + 1) /
/// (a + b + 2), where it converges fast; `rest` is 1 − x.
fn incomplete_beta(a: f64, b: f64, x: f64, rest: f64) -> f64 {
    const MOST_TERMS: u32 = 100_000;
    const TINY: f64 = 1e-300;
    if x == 0.0 {
        return 0.0;
    }
    let nonzero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut above, mut below) = (1.0, 1.0 / nonzero(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = below;
    for term in 1..MOST_TERMS {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for coefficient in [even, odd] {
            below = 1.0 / nonzero(1.0 + coefficient * below);
            above = nonzero(1.0 + coefficient / above);
            change = above * below;
            fraction *= change;
        }
        if (change - 1.0_f64).abs() < 1e-15 {
            break;
        }
    }
    let factor = a * x.ln() + b * rest.ln() + lgamma(a + b) - lgamma(a) - lgamma(b);
    factor.exp() * fraction / a
}

/// What |t| exceeds with this probability: by halving, since the distribution function is all that is at hand.
fn quantile(probability: f64, degrees_of_freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while two_tails(high, degrees_of_freedom) > probability {
        (low, high) = (high, 2.0 * high);
    }
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            return middle;
        }
        if two_tails(middle, degrees_of_freedom) > probability {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Z_95;

    fn estimate(value: f64, degrees_of_freedom: f64) -> StudentEstimate {
        StudentEstimate { value, deviation: 0.5, degrees_of_freedom }
    }

    #[test]
    fn two_degrees_of_freedom_in_closed_form() {
        // Of two degrees of freedom the distribution function is ½ + t / (2√(2 + t²)).
        let t: f64 = 3.0;
        let p = 1.0 - t / (2.0 + t * t).sqrt();
        assert!((estimate(1.5, 2.0).p_value() - p).abs() < 1e-12);
        assert!((estimate(-1.5, 2.0).p_value() - p).abs() < 1e-12);
    }

    #[test]
    fn a_known_deviation_is_the_normal_distribution() {
        let interval = estimate(1.0, f64::INFINITY).interval(0.95);
        assert!((interval.high - 1.0 - 0.5 * Z_95).abs() < 1e-7, "{interval:?}");
        assert!((interval.low - 1.0 + 0.5 * Z_95).abs() < 1e-7, "{interval:?}");
    }

    #[test]
    fn the_interval_leaves_out_zero_where_the_p_value_is_small() {
        for degrees_of_freedom in [1.0, 2.0, 3.7, 20.0, 1e4, 1e8] {
            let half_width = estimate(0.0, degrees_of_freedom).interval(0.95).high;
            assert!(estimate(half_width * 1.0001, degrees_of_freedom).p_value() < 0.05);
            assert!(estimate(half_width * 0.9999, degrees_of_freedom).p_value() > 0.05);
        }
    }

    #[test]
    fn nothing_differs_where_nothing_varies() {
        let certain = |value| StudentEstimate { value, deviation: 0.0, degrees_of_freedom: 2.0 };
        assert_eq!((certain(0.0).p_value(), certain(0.1).p_value()), (1.0, 0.0));
        assert_eq!(certain(0.1).interval(0.95), Interval { low: 0.1, high: 0.1 });
    }
}
