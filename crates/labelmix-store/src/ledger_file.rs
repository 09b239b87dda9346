//! The ledger of a run as a file.

use labelmix_econ::Ledger;

/// A ledger as CSV: a line for every look at a label.
pub(crate) fn to_csv(ledger: &Ledger) -> Vec<u8> {
    const INTO_MEMORY: &str = "text and numbers can be written into memory";
    let mut writer = csv::Writer::from_writer(Vec::new());
    for entry in ledger.entries() {
        writer.serialize(entry).expect(INTO_MEMORY);
    }
    writer.into_inner().expect(INTO_MEMORY)
}

#[cfg(test)]
mod tests {
    use labelmix_econ::{LabelKind, Prices, Purpose};

    use super::*;

    #[test]
    fn the_file_that_programs_read() {
        let mut ledger = Ledger::new(Prices::new(0.1, 1.0).unwrap());
        ledger.enter("6437b3ac38465133".to_owned(), LabelKind::Weak, Purpose::Query);
        ledger.enter("6437b3ac38465133".to_owned(), LabelKind::Weak, Purpose::Validation);
        ledger.enter("an id, with a comma".to_owned(), LabelKind::Gold, Purpose::Shot);
        insta::assert_snapshot!(String::from_utf8(to_csv(&ledger)).unwrap(), @r#"
        id,kind,purpose,price_usd
        6437b3ac38465133,weak,query,0.1
        6437b3ac38465133,weak,validation,0.0
        "an id, with a comma",gold,shot,1.0
        "#);
    }
}
