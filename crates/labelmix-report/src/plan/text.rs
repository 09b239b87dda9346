//! A plan as text for the terminal.

use labelmix_econ::{
    Allocation, Estimate, IsoquantPoint, Pilot, Plan, Quantity, Regime, RegimeProbabilities, TargetPlan, Tariff,
};
use labelmix_store::Sampling;

use super::{BudgetStep, MethodPlan, PlanReport};
use crate::notation::{change, count, dollars, number, percent, price, prices_in_words, proportion, purchase, range};
use crate::text_table::{Style, align_right, bold, plain_table, table_with_header};

/// The plan as text: what to buy, how sure that is, what would make it surer, and how it changes with budget and prices.
pub fn render_plan(report: &PlanReport, style: Style) -> String {
    let mut sections =
        vec![heading(report), answer(report, style), pilot(&report.plan), warnings(report), to_label(report)];
    sections.push(methods(report, style));
    sections.push(budgets(report, style));
    sections.push(price_ratios(report, style));
    sections.push(equal_accuracy(report, style));
    sections.retain(|section| !section.is_empty());
    sections.join("\n\n") + "\n"
}

fn heading(report: &PlanReport) -> String {
    let PlanReport { plan, measured, .. } = report;
    let have = match plan.have {
        Allocation { n_weak: 0, n_gold: 0 } => format!("{} to spend", dollars(report.budget_usd)),
        have => format!(
            "{} to spend, on top of {} that cost {}",
            dollars(plan.budget_usd),
            purchase(have.n_weak, have.n_gold),
            dollars(report.have_usd)
        ),
    };
    format!(
        "{}: {have}. {}.\nMeasured: {} runs of {} allocations, {} {}.",
        report.study,
        prices_in_words(&report.tariff),
        count(measured.runs),
        count(measured.allocations),
        measured.seeds,
        if measured.seeds == 1 { "seed" } else { "seeds" },
    )
}

/// The answer, a line for each of its parts.
fn answer(report: &PlanReport, style: Style) -> String {
    let PlanReport { plan, marginal, .. } = report;
    let mut table = plain_table(style);
    let mut line = |name: &str, text: String| {
        table.add_row([name.to_owned(), text]);
    };
    let far = if report.extrapolated { ", far beyond what was measured" } else { "" };
    line("accuracy", format!("{}{far}", estimate(plan.accuracy)));
    let [low, high] = report.best_between.map(|labels| purchase(labels.n_weak, labels.n_gold));
    line("the best split is between", if low == high { low } else { format!("{low} and {high}") });
    let good = plan.good_fractions;
    line(
        "within a point of it",
        format!("{} to {} of the money on weak labels", percent(good.low), percent(good.high)),
    );
    line("best spent on", regime(plan.probabilities, plan.verdict));
    let against = |other: usize, gain| if other == 0 { "it is that".to_owned() } else { difference(gain) };
    line("against all weak", against(plan.buy.n_gold, plan.gain_over_all_weak));
    line("against all gold", against(plan.buy.n_weak, plan.gain_over_all_gold));
    line(
        "confidence",
        format!(
            "{:.2} that no split is better by more than a point; {} is lost on average",
            plan.confidence,
            proportion(plan.expected_regret)
        ),
    );
    if let Some(target) = &plan.target {
        for (name, text) in target_lines(target, plan.have) {
            line(name, text);
        }
    }
    line(
        "the next dollar then adds",
        format!(
            "{} points if spent on weak labels, {} on gold labels",
            hundredths(marginal.weak_per_usd),
            hundredths(marginal.gold_per_usd)
        ),
    );
    line("a gold label is then worth", format!("{} weak ones", quantity(marginal.weak_per_gold)));
    let buy = if plan.buy == Allocation::default() {
        "Buy nothing: no label fits into what is left".to_owned()
    } else {
        format!(
            "Buy {} with {}, for {} ({} of it on weak labels)",
            purchase(plan.buy.n_weak, plan.buy.n_gold),
            plan.method,
            dollars(plan.cost_usd),
            percent(weak_share(plan.buy, &report.tariff))
        )
    };
    format!("{}\n{}", bold(&buy, style), table.trim_fmt())
}

/// The share of what labels cost that goes to weak ones, at the prices of first labels.
fn weak_share(labels: Allocation, tariff: &Tariff) -> f64 {
    tariff.weak.cost_usd(labels.n_weak) / tariff.cost_usd(labels).max(f64::MIN_POSITIVE)
}

fn target_lines(target: &TargetPlan, have: Allocation) -> Vec<(&'static str, String)> {
    let TargetPlan { probability, cheapest } = target;
    let mix = |labels: Option<Allocation>| match labels {
        Some(labels) => {
            let more = purchase(labels.n_weak - have.n_weak, labels.n_gold - have.n_gold);
            format!("{more}{}", if have == Allocation::default() { "" } else { " more" })
        }
        None => "none within reach".to_owned(),
    };
    let far = if cheapest.extrapolation.is_some_and(|extrapolation| extrapolation.is_far()) {
        ", far beyond what was measured"
    } else {
        ""
    };
    vec![
        ("reaches the target", format!("{} with probability {probability:.2}", proportion(cheapest.target))),
        ("the target costs", money(cheapest.cost_usd)),
        ("cheapest mix for it", format!("{}{far}", mix(cheapest.expected))),
        ("safe in 9 of 10 cases", mix(cheapest.safe)),
    ]
}

fn pilot(plan: &Plan) -> String {
    let Some(Pilot { method, buy, cost_usd, expected_gain, confidence, settles }) = &plan.pilot else {
        return String::new();
    };
    if !settles && *confidence < plan.confidence + 0.005 {
        return "It is not certain, and no pilot that was tried is expected to make it more so: where splits are nearly as \
                good as each other, little is lost by either."
            .to_owned();
    }
    let bought = purchase(buy.n_weak, buy.n_gold);
    let comes_to = if *settles {
        format!("is expected to settle it (confidence {confidence:.2})")
    } else {
        format!("lifts the confidence to {confidence:.2}, the most of all that were tried")
    };
    format!(
        "It is not certain. Buy and measure {bought} first ({method}, {} of the budget): that {comes_to},\nand the accuracy that \
         the budget buys rises by {} on average.",
        dollars(*cost_usd),
        proportion(expected_gain.max(0.0))
    )
}

fn warnings(report: &PlanReport) -> String {
    let of_measurements = report.warnings.iter().map(|warning| format!("warning: {warning}"));
    let of_methods =
        report.not_planned.iter().map(|method| format!("{} is not planned: {}", method.method, method.reason));
    of_measurements.chain(of_methods).collect::<Vec<_>>().join("\n")
}

/// The lists of texts that were written.
fn to_label(report: &PlanReport) -> String {
    let Some(purchase) = &report.purchase else { return String::new() };
    let chosen = match &purchase.sampling {
        Sampling::PoolOrder { seed } => format!("in the order in which the study's seed {seed} sells them"),
        Sampling::Coverage => "gold ones so that they cover the others, weak ones in the order of sale".to_owned(),
        Sampling::LeastCertain { n_weak, .. } => format!(
            "gold ones where the classifier of {} weak labels is least certain, weak ones in the order of sale",
            count(*n_weak)
        ),
    };
    let mut lines = vec![format!("Texts to label, chosen {chosen}:")];
    lines.extend(purchase.lists.iter().map(|list| {
        let texts = if list.texts == 1 { "text" } else { "texts" };
        format!("  {}: {} {texts} for {} labels", list.file.display(), count(list.texts), list.kind.name())
    }));
    if purchase.lacking != Allocation::default() {
        let lacking = self::purchase(purchase.lacking.n_weak, purchase.lacking.n_gold);
        lines.push(format!(
            "warning: the training data has no texts left for {lacking}: add rows with a text and no label"
        ));
    }
    lines.join("\n")
}

fn methods(report: &PlanReport, style: Style) -> String {
    if report.methods.len() < 2 {
        return String::new();
    }
    let mut table = table_with_header(style, ["method", "buy", "accuracy", "best spent on"].map(str::to_owned));
    for MethodPlan { method, plan } in &report.methods {
        let buy = purchase(plan.buy.n_weak, plan.buy.n_gold);
        table.add_row([method.clone(), buy, estimate(plan.accuracy), regime(plan.probabilities, plan.verdict)]);
    }
    format!("The same money with each method\n{}", table.trim_fmt())
}

fn budgets(report: &PlanReport, style: Style) -> String {
    let header = ["budget", "weak", "gold", "on weak labels", "accuracy", "best spent on", ""].map(str::to_owned);
    let mut table = table_with_header(style, header);
    for BudgetStep { step, probabilities } in &report.budgets {
        let far = if step.extrapolation.is_far() { "extrapolated" } else { "" };
        table.add_row([
            dollars(step.budget_usd),
            count(step.allocation.n_weak),
            count(step.allocation.n_gold),
            format!(
                "{} ({}–{})",
                percent(weak_share(step.allocation, &report.tariff)),
                percent(step.interval.low),
                percent(step.interval.high)
            ),
            estimate(step.accuracy),
            regime(*probabilities, probabilities.decided()),
            far.to_owned(),
        ]);
    }
    align_right(&mut table, &[0, 1, 2]);
    format!("Other budgets, from nothing\n{}", table.trim_fmt())
}

fn price_ratios(report: &PlanReport, style: Style) -> String {
    let header = ["weak label", "all weak", "mixed", "all gold", "on weak labels", ""].map(str::to_owned);
    let mut table = table_with_header(style, header);
    let gold_usd = report.tariff.gold.next_label_usd(0);
    for at in &report.price_ratios {
        let probability = |regime| format!("{:.2}", at.probabilities.of(regime));
        let [weak, mixed, gold] = Regime::ALL.map(probability);
        let far = if at.extrapolation.is_far() { "extrapolated" } else { "" };
        table.add_row([price(at.at * gold_usd), weak, mixed, gold, percent(at.weak_fraction), far.to_owned()]);
    }
    align_right(&mut table, &[0, 1, 2, 3, 4]);
    format!(
        "How {} are best spent where a weak label costs this (gold: {})\n{}",
        dollars(report.budget_usd),
        dollars(gold_usd),
        table.trim_fmt()
    )
}

fn equal_accuracy(report: &PlanReport, style: Style) -> String {
    let mut table = table_with_header(style, ["weak", "gold"].map(str::to_owned));
    for IsoquantPoint { n_weak, n_gold, .. } in &report.equal_accuracy.mixes {
        table.add_row([count(*n_weak), quantity(*n_gold)]);
    }
    align_right(&mut table, &[0]);
    format!("Mixes that reach {}\n{}", proportion(report.equal_accuracy.accuracy), table.trim_fmt())
}

fn estimate(estimate: Estimate) -> String {
    format!("{} ({})", proportion(estimate.mean), range(estimate.interval))
}

fn difference(estimate: Estimate) -> String {
    format!("{} ({} to {})", change(estimate.mean), change(estimate.interval.low), change(estimate.interval.high))
}

/// A small gain in points, to two digits, with its interval.
fn hundredths(gain: Estimate) -> String {
    let points = |value: f64| {
        let written = format!("{:.3}", 100.0 * value.abs());
        if value < 0.0 && written != "0.000" { format!("−{written}") } else { written }
    };
    format!("{} ({} to {})", points(gain.mean), points(gain.interval.low), points(gain.interval.high))
}

fn quantity(Quantity { median, low, high }: Quantity) -> String {
    between(median, low, high, number_of_labels)
}

fn money(Quantity { median, low, high }: Quantity) -> String {
    between(median, low, high, |value| dollars(value.round()))
}

/// A median with its interval; what does not exist is more than can be said.
fn between(median: Option<f64>, low: Option<f64>, high: Option<f64>, written: impl Fn(f64) -> String) -> String {
    let end = |value: Option<f64>| value.map_or("∞".to_owned(), &written);
    match (median, low) {
        (None, None) => "more than can be said".to_owned(),
        _ => format!("{} ({}–{})", end(median), end(low), end(high)),
    }
}

fn number_of_labels(labels: f64) -> String {
    if labels >= 10.0 { count(labels.round() as usize) } else { number((labels * 10.0).round() / 10.0) }
}

fn regime(probabilities: RegimeProbabilities, verdict: Option<Regime>) -> String {
    let leading = probabilities.leading();
    let probability = probabilities.of(leading);
    match verdict {
        Some(_) => format!("{} ({probability:.2})", leading.name()),
        None => format!("undecided: {} ({probability:.2})", leading.name()),
    }
}
