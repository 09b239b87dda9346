//! From files to pools: texts with gold and weak labels, cleaned, split, and put in the order of their sale.
//!
//! [`Dataset::load`] reads [files of texts](TextFiles) and cleans them; a [`Task`] does so for datasets whose rows are no texts
//! yet; [`Dataset::pools`] puts the training examples up for sale, in an order that depends on a seed alone;
//! [`validation_split`] sets a part of the bought labels apart. Nothing here depends on the order of rows in a file: the same
//! examples shuffled make the same dataset, byte for byte. (One exception: of two rows of a task with the same text the first
//! is kept.)

mod account;
mod annotation;
mod cell;
mod clean;
mod dataset;
mod error;
mod example;
mod field;
mod labeler;
mod order;
mod place;
mod pools;
mod prompt;
mod read;
mod split;
mod summary;
mod table;
mod task;
mod text_files;
mod write;

pub use account::{Account, Accounted};
pub use annotation::{
    AnnotationError, AnnotationFormat, CollectedLabel, CollectedLabels, Identity, IfMissing, LabeledRows, RequestFile,
    label_requests, read_collected_labels, with_labels,
};
pub use clean::{Balance, CleaningOptions};
pub use dataset::Dataset;
pub use error::{ContradictingRow, DataError};
pub use example::{Example, ExampleId, ForSale, Round, bought_hash, content_hash, weak_class};
pub use field::FieldValue;
pub use labeler::labeler_split;
pub use order::SeededOrder;
pub use place::{Place, RowNumber};
pub use pools::{Boundary, Pools, order_of_sale};
pub use prompt::PromptTemplate;
pub use read::{Encoding, ReadingProgress, TableFile, TableNotes, UnknownEncoding, field_names, observe_reading};
pub use split::{ValidationSplit, validation_split};
pub use summary::{
    DataSummary, Dropped, KindCounts, LeftOut, NearTest, NearText, PoolCounts, SplitSummary, TextNotes, WeakFileSummary,
};
pub use table::{TableColumns, TableRow, read_table};
pub use task::{
    AnswerIs, BinaryTable, DataSource, FilterTable, HubTable, LoadOptions, LocalTable, MergeVotes, MultipleChoiceTable,
    OneOrMore, PreferenceTable, RenderedExample, SplitFiles, SplitsTable, Task, TaskCheck, TaskDefinition,
    TaskDescription, TaskError, WeakTable,
};
pub use text_files::{
    Contradictions, LabelValues, RowText, TestSize, TestTexts, TextColumns, TextFiles, TextOptions, TextSource,
    read_gold, read_texts,
};
pub use write::{IfThere, TableWriteError, TableWriter, write_table};
