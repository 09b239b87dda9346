//! Which labels of files of texts are for sale: each kind is balanced by its own labels.

use crate::clean::Balance;
use crate::example::{Example, ForSale, Round, weak_class};
use crate::summary::{KindCounts, PoolCounts};

/// Decides which labels of the examples, which stand in the order that all seeds and runs share, are for sale.
///
/// With balance the surplus of a kind's larger class is not, from the end of the order. Rounds of buying are gone through one
/// after the other, and nothing of an earlier one is taken back: what was surplus, and is not any more because others were
/// bought, is sold in the later round.
pub(crate) fn offer(examples: &mut [Example], balance: Balance) -> PoolCounts {
    let gold = of_kind(
        examples,
        balance,
        |example| example.gold.map(|class| (class, example.rounds[0])),
        |for_sale| &mut for_sale.gold,
    );
    let weak = of_kind(
        examples,
        balance,
        |example| example.weak.map(|weak| (weak_class(weak), example.rounds[1])),
        |for_sale| &mut for_sale.weak,
    );
    PoolCounts { gold, weak }
}

/// The same of a kind of labels, of which `label` tells the class and the round.
fn of_kind(
    examples: &mut [Example],
    balance: Balance,
    label: impl Fn(&Example) -> Option<(bool, Round)>,
    place: impl Fn(&mut ForSale) -> &mut Option<Round>,
) -> KindCounts {
    // The places of each class by their rounds, those of a round in their order.
    let mut of_class: [Vec<(Round, usize)>; 2] = [Vec::new(), Vec::new()];
    for (index, example) in examples.iter().enumerate() {
        if let Some((class, round)) = label(example) {
            of_class[usize::from(class)].push((round, index));
        }
    }
    for places in &mut of_class {
        places.sort_unstable();
    }
    let all = of_class.each_ref().map(Vec::len);
    let mut sold = [0; 2];
    let mut rounds: Vec<Round> = of_class.iter().flatten().map(|(round, _)| *round).collect();
    rounds.sort_unstable();
    rounds.dedup();
    let mut offers: Vec<(usize, Round)> = Vec::new();
    for round in rounds {
        let there = of_class.each_ref().map(|places| places.partition_point(|(other, _)| *other <= round));
        let smaller = there[0].min(there[1]);
        for (class, places) in of_class.iter().enumerate() {
            let until = if balance == Balance::Undersample { smaller } else { there[class] };
            offers.extend(places[sold[class].min(until)..until].iter().map(|(_, index)| (*index, round)));
            sold[class] = sold[class].max(until);
        }
    }
    for example in examples.iter_mut() {
        *place(&mut example.for_sale) = None;
    }
    for (index, round) in offers {
        *place(&mut examples[index].for_sale) = Some(round);
    }
    KindCounts { all, for_sale: sold }
}
