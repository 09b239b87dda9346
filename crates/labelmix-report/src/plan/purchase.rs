//! The texts of a purchase, as lists for annotators.

use std::path::{Path, PathBuf};

use labelmix_data::{AnnotationFormat, label_requests};
use labelmix_econ::{Allocation, LabelKind};
use labelmix_files::write_files;
use labelmix_store::{NextTexts, Sampling};
use serde::Serialize;

use super::{PlanError, PlanReport};

/// What is bought and where its texts are: `purchase.json` beside the lists.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedPurchase {
    /// The study's name.
    pub study: String,
    /// The method that it is bought for.
    pub method: String,
    /// The labels that there were before.
    pub have: Allocation,
    /// The labels that are bought.
    pub buy: Allocation,
    /// What they cost, in dollars.
    pub cost_usd: f64,
    /// How the lists are written.
    pub format: AnnotationFormat,
    /// How the texts for gold labels were chosen.
    pub sampling: Sampling,
    pub lists: Vec<PurchaseList>,
    /// Labels to be bought for which the data has no texts left.
    pub lacking: Allocation,
}

/// A list of texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PurchaseList {
    /// The kind of label that each is to get.
    pub kind: LabelKind,
    pub texts: usize,
    pub file: PathBuf,
}

const RECORD_FILE: &str = "purchase.json";

impl PlanReport {
    /// Writes the lists of a plan's texts into a folder, which is made if need be, and takes note of them.
    ///
    /// # Errors
    /// [`PlanError`] for a list that is there already, and for the first file or folder that cannot be written.
    pub fn write_purchase(
        &mut self,
        texts: &NextTexts<'_>,
        format: AnnotationFormat,
        folder: &Path,
    ) -> Result<(), PlanError> {
        let (mut files, mut lists) = (Vec::new(), Vec::new());
        for (kind, examples) in [(LabelKind::Weak, &texts.weak), (LabelKind::Gold, &texts.gold)] {
            let requests = label_requests(format, kind, examples);
            let list = requests.first().map(|first| folder.join(&first.name));
            lists.extend(list.map(|file| PurchaseList { kind, texts: examples.len(), file }));
            files.extend(requests.into_iter().map(|request| (request.name, request.content)));
        }
        let purchase = PlannedPurchase {
            study: self.study.clone(),
            method: self.plan.method.clone(),
            have: self.plan.have,
            buy: self.plan.buy,
            cost_usd: self.plan.cost_usd,
            format,
            sampling: texts.sampling.clone(),
            lists,
            lacking: texts.lacking,
        };
        let record = serde_json::to_string_pretty(&purchase).expect("strings and numbers become JSON");
        // The record is written last: without it the lists are not whole.
        let path = folder.join(RECORD_FILE);
        if path.exists() {
            return Err(PlanError::ListExists { path });
        }
        files.push((RECORD_FILE.to_owned(), record + "\n"));
        write_files(folder, files)?;
        self.purchase = Some(purchase);
        Ok(())
    }
}
