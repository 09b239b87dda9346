//! How amounts are written for people.

use labelmix_econ::{PriceSchedule, Tariff};
use labelmix_stats::Interval;

/// Dollars: `$64`, `$0.50`, `$1,024`. Whole dollars go without cents; less than a cent is written out.
pub(crate) fn dollars(usd: f64) -> String {
    let cents = (usd * 100.0).round() as usize;
    match (cents / 100, cents % 100) {
        (0, 0) => format!("${usd}"),
        (whole, 0) => format!("${}", count(whole)),
        (whole, rest) => format!("${}.{rest:02}", count(whole)),
    }
}

/// A count with its thousands set apart: `12,345`.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A model's size as the field writes it: `22.71M`, `8B`.
pub(crate) fn parameters(count: f64) -> String {
    let (unit, letter) = match count {
        1e9.. => (1e9, "B"),
        1e6.. => (1e6, "M"),
        1e3.. => (1e3, "k"),
        _ => (1.0, ""),
    };
    format!("{}{letter}", number(count / unit))
}

/// A proportion to three places, as the field's tables have it: `.742`.
pub(crate) fn proportion(value: f64) -> String {
    let written = format!("{value:.3}");
    written.strip_prefix('0').map(str::to_owned).unwrap_or(written)
}

/// Any number, to four digits: `2013`, `0.3333`, `-1.5`. Whole numbers are written out.
pub(crate) fn number(value: f64) -> String {
    const DIGITS: i32 = 4;
    if value.fract() == 0.0 {
        return value.to_string();
    }
    let places = DIGITS - 1 - value.abs().log10().floor() as i32;
    let written = format!("{value:.*}", places.max(0) as usize);
    match written.split_once('.') {
        Some(_) => written.trim_end_matches('0').trim_end_matches('.').to_owned(),
        None => written,
    }
}

/// Any text as a short name: on one line, its end left out if it is long.
pub(crate) fn one_line(text: &str) -> String {
    one_line_of(text, 30)
}

/// Any text on one line of at most so many characters.
pub(crate) fn one_line_of(text: &str, most_characters: usize) -> String {
    let line = text.replace(char::is_control, " ");
    if line.chars().count() <= most_characters {
        return line;
    }
    line.chars().take(most_characters - 1).chain(['…']).collect()
}

/// An interval of proportions: `.710–.771`.
pub(crate) fn range(interval: Interval) -> String {
    format!("{}–{}", proportion(interval.low), proportion(interval.high))
}

/// A difference of proportions: `+.031`, `-.012`, `.000` where it rounds to nothing.
pub(crate) fn signed(difference: f64) -> String {
    let written = proportion(difference.abs());
    match written.as_str() {
        ".000" => written,
        _ if difference < 0.0 => format!("-{written}"),
        _ => format!("+{written}"),
    }
}

/// An interval of differences: `-.012 to +.074`.
pub(crate) fn signed_range(interval: Interval) -> String {
    format!("{} to {}", signed(interval.low), signed(interval.high))
}

/// A p-value: `.042`, `<.001`.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 { "<.001".to_owned() } else { proportion(p) }
}

/// A mean with its standard deviation, where there is one: `.742 ± .013`.
pub(crate) fn mean_and_deviation(mean: f64, deviation: Option<f64>) -> String {
    match deviation {
        Some(deviation) => format!("{} ± {}", proportion(mean), proportion(deviation)),
        None => proportion(mean),
    }
}

/// A change of a proportion, with its sign: `+.031`, `−.004`, `.000`.
pub(crate) fn change(value: f64) -> String {
    let written = proportion(value.abs());
    match written.as_str() {
        ".000" => written,
        _ if value < 0.0 => format!("−{written}"),
        _ => format!("+{written}"),
    }
}

/// A difference of accuracies in points, without its sign's plus: `0.4`, `−1.2`.
pub(crate) fn points(difference: f64) -> String {
    let written = format!("{:.1}", 100.0 * difference.abs());
    if difference < 0.0 && written != "0.0" { format!("−{written}") } else { written }
}

/// The price of a label, with as many places as it takes: `$0.005`, `$0.10`.
pub(crate) fn price(usd: f64) -> String {
    if usd < 0.1 { format!("${}", number(usd)) } else { dollars(usd) }
}

/// A share in whole percent: `40%`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0}%", 100.0 * share)
}

/// What labels cost, as a sentence without its stop.
pub(crate) fn prices_in_words(tariff: &Tariff) -> String {
    let schedule = |schedule: &PriceSchedule| {
        let tiers: Vec<String> = schedule
            .tiers()
            .iter()
            .map(|tier| match tier.from_label {
                1 => dollars(tier.usd_per_label),
                from => format!("{} from the {} label on", dollars(tier.usd_per_label), ordinal(from)),
            })
            .collect();
        let setup = match schedule.setup_usd() {
            0.0 => String::new(),
            usd => format!(" and {} to set it up", dollars(usd)),
        };
        tiers.join(", ") + &setup
    };
    format!("A weak label costs {}, a gold label {}", schedule(&tariff.weak), schedule(&tariff.gold))
}

fn ordinal(number: usize) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{}{ending}", count(number))
}

/// What was bought: `160 weak + 48 gold`, one of the two, or `no label`.
pub(crate) fn purchase(n_weak: usize, n_gold: usize) -> String {
    match (n_weak, n_gold) {
        (0, 0) => "no label".to_owned(),
        (0, _) => format!("{} gold", count(n_gold)),
        (_, 0) => format!("{} weak", count(n_weak)),
        _ => format!("{} weak + {} gold", count(n_weak), count(n_gold)),
    }
}

/// The values in rising order, each once.
pub(crate) fn rising(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_as_people_write_it() {
        let written = [0.0, 64.0, 0.5, 63.9, 1024.0, 1_234_567.5, 0.001, 0.999, 9.999].map(dollars);
        assert_eq!(written, ["$0", "$64", "$0.50", "$63.90", "$1,024", "$1,234,567.50", "$0.001", "$1", "$10"]);
    }

    #[test]
    fn sizes_of_models() {
        let written = [500.0, 260_032.0, 22_713_216.0, 5e8, 8e9, 7.62e10].map(parameters);
        assert_eq!(written, ["500", "260k", "22.71M", "500M", "8B", "76.2B"]);
    }

    #[test]
    fn proportions_to_three_places() {
        let written = [0.0, 0.7423, 0.9996, 1.0].map(proportion);
        assert_eq!(written, [".000", ".742", "1.000", "1.000"]);
        assert_eq!(mean_and_deviation(0.742, Some(0.0131)), ".742 ± .013");
        assert_eq!(mean_and_deviation(0.742, None), ".742");
        assert_eq!(range(Interval { low: 0.7101, high: 0.7713 }), ".710–.771");
    }

    #[test]
    fn differences_have_a_sign() {
        assert_eq!([0.0314, -0.0123, -0.0002, 0.0, 1.0].map(signed), ["+.031", "-.012", ".000", ".000", "+1.000"]);
        assert_eq!(signed_range(Interval { low: -0.012, high: 0.074 }), "-.012 to +.074");
        assert_eq!([0.0421, 0.0009, 1.0].map(p_value), [".042", "<.001", "1.000"]);
    }

    #[test]
    fn numbers_to_four_digits() {
        let written = [2013.0, 1.0 / 3.0, -1.5, 1234.56, 12345.6, 0.000_012_345, 0.0, 1e9].map(number);
        assert_eq!(written, ["2013", "0.3333", "-1.5", "1235", "12346", "0.00001234", "0", "1000000000"]);
    }

    #[test]
    fn changes_have_signs() {
        assert_eq!([0.031, -0.0042, 0.0004, -0.0004].map(change), ["+.031", "−.004", ".000", ".000"]);
        assert_eq!([0.0, 0.4, 0.025, 1.0].map(percent), ["0%", "40%", "2%", "100%"]);
        assert_eq!([0.0123, -0.004, -0.0001].map(points), ["1.2", "−0.4", "0.0"]);
        assert_eq!([0.005, 0.05, 0.1, 2.0].map(price), ["$0.005", "$0.05", "$0.10", "$2"]);
    }

    #[test]
    fn prices_with_their_tiers() {
        let tier = |from_label, usd_per_label| labelmix_econ::Tier { from_label, usd_per_label };
        let weak = PriceSchedule::new(50.0, vec![tier(1, 0.1), tier(1001, 0.05)]).unwrap();
        let tariff = Tariff::new(weak, PriceSchedule::flat(1.0).unwrap());
        assert_eq!(
            prices_in_words(&tariff),
            "A weak label costs $0.10, $0.05 from the 1,001st label on and $50 to set it up, a gold label $1"
        );
        assert_eq!([11, 12, 22, 103].map(ordinal), ["11th", "12th", "22nd", "103rd"]);
    }

    #[test]
    fn purchases_name_what_there_is() {
        assert_eq!(purchase(160, 48), "160 weak + 48 gold");
        assert_eq!(purchase(10_240, 0), "10,240 weak");
        assert_eq!(purchase(0, 64), "64 gold");
    }
}
