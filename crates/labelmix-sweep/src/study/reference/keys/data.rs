//! The keys about the data, the models and the money.

use super::super::KeyHelp;
use super::super::Need::{Optional, Required, Sometimes};
use super::key;

pub(super) const TOP: &[KeyHelp] = &[
    key(
        "name",
        "letters, digits, `-`, `_`, `.`",
        Required,
        "\"reviews\"",
        &["\"\"", "\"a b\"", "\"a/b\"", "3"],
        "The study's name, in tables and in the store.",
    ),
    key(
        "methods",
        "list of names",
        Optional,
        "[\"seq-sft\", \"few-shot\"]",
        &["[]", "[\"magic\"]"],
        "The methods to try, with their defaults. With options, each has a table `[[methods]]` instead.",
    ),
];

pub(super) const TASK: &[KeyHelp] = &[
    key(
        "train",
        "file: JSONL, CSV or Parquet",
        Sometimes,
        "\"train.jsonl\"",
        &["3"],
        "The file whose labels are for sale, relative to the study file. Needed for files of texts.",
    ),
    key(
        "test",
        "file",
        Sometimes,
        "\"test.jsonl\"",
        &["3"],
        "The file to measure accuracy on. Needed for files of texts.",
    ),
    key("text", "column", Optional, "\"text\"", &["3"], "The column of texts, for files of texts."),
    key(
        "gold",
        "column of 0 or 1",
        Optional,
        "\"gold\"",
        &["3"],
        "The column of gold labels, for files of texts; empty where a row has none.",
    ),
    key(
        "name",
        "text",
        Sometimes,
        "\"sciq\"",
        &["3"],
        "A task that labelmix knows; `labelmix tasks` lists them. A task needs this or `file`.",
    ),
    key("file", "file: TOML", Sometimes, "\"mine.toml\"", &["3"], "A task of your own."),
    key("folder", "folder", Optional, "\"data\"", &["3"], "A folder to take a task's data from, in place of the Hub."),
    key(
        "template",
        "text in Jinja",
        Optional,
        "\"{{ question }} {{ answer }}\"",
        &["3"],
        "How a task's row becomes a text, in place of the task's template.",
    ),
    key(
        "proxy",
        "text in Jinja",
        Optional,
        "\"{{ answer }}\"",
        &["3"],
        "What a cheap labeler sees of a task's row in place of the text.",
    ),
    key(
        "weak",
        "column of numbers from 0 to 1; for a task also a list of columns, or the table `[task.weak]`",
        Optional,
        "\"weak\"",
        &["3"],
        "The weak labels: 0, 1 or the probability of class 1; empty where a row has none.",
    ),
    key(
        "merge",
        "`\"mean\"`, `\"majority\"`, `\"dawid-skene\"`",
        Optional,
        "\"majority\"",
        &["\"median\""],
        "How the votes of several columns become one label of a task.",
    ),
    key("max_test", "number", Optional, "500", &["-1", "1.5"], "The largest number of test examples that are used."),
    key(
        "balance",
        "true or false",
        Optional,
        "false",
        &["1"],
        "Whether both splits are balanced by leaving out examples of the larger class.",
    ),
    key(
        "gold_pool",
        "number",
        Optional,
        "2000",
        &["-1"],
        "How many training examples' gold labels are for sale; the others are sold with weak labels. Without it: what the \
         grid's most gold-hungry point needs, and at most half.",
    ),
];

pub(super) const TASK_WEAK: &[KeyHelp] = &[
    key(
        "columns",
        "column, or list of columns",
        Required,
        "[\"ann\", \"bob\"]",
        &["3"],
        "A column for each annotator.",
    ),
    key("file", "file", Optional, "\"crowd.jsonl\"", &["3"], "The file that has them, if it is not the data's own."),
    key(
        "key",
        "column",
        Optional,
        "\"question\"",
        &["3"],
        "The column of both files by whose value rows belong together. Without it the file's column `id` holds the \
         examples' ids.",
    ),
];

pub(super) const MODEL: &[KeyHelp] = &[
    key(
        "path",
        "folder, or `organisation/name` with `@revision` if not the newest",
        Required,
        "\"Qwen/Qwen1.5-0.5B\"",
        &["3"],
        "A checkpoint in the Hugging Face layout, or a repository of the Hub.",
    ),
    key(
        "weights",
        "`\"auto\"`, `\"f32\"`, `\"bf16\"`, `\"nf4\"`",
        Optional,
        "\"nf4\"",
        &["\"f16\""],
        "The precision in which the frozen weights are kept; `auto` is the checkpoint's, and bf16 on a graphics processor.",
    ),
    key(
        "matmul_precision",
        "`\"f32\"`, `\"bf16\"`",
        Optional,
        "\"bf16\"",
        &["\"nf4\""],
        "To what the factors of products with the frozen weights are rounded.",
    ),
    key(
        "activation_checkpointing",
        "true or false",
        Optional,
        "true",
        &["1"],
        "Whether activations are computed twice instead of kept: a third more work, much less memory.",
    ),
    key(
        "pooling",
        "`\"last\"`, `\"pooler\"`, `\"mean\"`",
        Optional,
        "\"mean\"",
        &["\"max\""],
        "How a text becomes one vector. Without it: what suits the checkpoint.",
    ),
    key(
        "max_length",
        "number of tokens, at least 1",
        Optional,
        "256",
        &["0", "-1", "1.5"],
        "The longest text in tokens, with the special ones; the longest prompt, for methods that have one, which loses shots \
         to fit. At most what the model reads, which is the default.",
    ),
    key(
        "too_long",
        "`\"error\"`, `\"drop\"`, `\"cut\"`",
        Optional,
        "\"cut\"",
        &["\"ignore\""],
        "What to do with texts that are longer than `max_length`, or than what the model reads: stop with an error that names \
         the first, leave them out, or cut their end.",
    ),
];

pub(super) const LABELER: &[KeyHelp] = &[
    key(
        "kind",
        "`\"model\"`, `\"symmetric\"`, `\"class-dependent\"`, `\"margin\"`",
        Optional,
        "\"model\"",
        &["\"asymmetric\""],
        "What makes the labels: a fine-tuned model, or an annotator who is simulated by flipping gold labels.",
    ),
    key(
        "model",
        "as `path` of `[model]`, or a table like `[model]`",
        Sometimes,
        "\"Qwen/Qwen1.5-0.5B\"",
        &["3"],
        "The small model that is fine-tuned. Needed for the kinds `model` and `margin`.",
    ),
    key(
        "gold_file",
        "file",
        Optional,
        "\"own.jsonl\"",
        &["3"],
        "Texts with gold labels of the labeler's own. Without it, it takes them from the training examples.",
    ),
    key(
        "train",
        "number, at least 1",
        Optional,
        "4000",
        &["0"],
        "Gold labels to train on, and at most half of those there are.",
    ),
    key(
        "validation",
        "number, at least 1",
        Optional,
        "500",
        &["0"],
        "Gold labels that choose the checkpoint. With `target_accuracy` the default is 4,000.",
    ),
    key("epochs", "number, at least 1", Optional, "3", &["0"], "Passes over the labels that it is trained on."),
    key(
        "learning_rate",
        "positive",
        Optional,
        "5e-4",
        &["0.0", "-1.0", "nan"],
        "The learning rate at the end of the warm-up.",
    ),
    key("micro_batch_tokens", "number, at least 1", Optional, "1024", &["0"], "Tokens that are processed at once."),
    key(
        "target_accuracy",
        "above 0.5, at most 1",
        Sometimes,
        "0.8",
        &["0.5", "1.2", "nan"],
        "How often labels are to be right. Without it a model keeps its best checkpoint. Needed for the kinds `symmetric` \
         and `margin`.",
    ),
    key(
        "sensitivity",
        "0 to 1",
        Sometimes,
        "0.9",
        &["1.8", "-0.1"],
        "How often class 1 is labelled 1. Needed for, and only for, the kind `class-dependent`.",
    ),
    key("specificity", "0 to 1", Sometimes, "0.7", &["1.8", "-0.1"], "How often class 0 is labelled 0. The same."),
    key(
        "shuffle_errors",
        "true or false",
        Optional,
        "true",
        &["1"],
        "Whether errors are dealt out anew: labels as good, whose errors cannot be learned from the texts.",
    ),
    key(
        "include_own_examples",
        "true or false",
        Optional,
        "true",
        &["1"],
        "Whether the examples that the model was trained on get weak labels too.",
    ),
    key("proxy", "true or false", Optional, "true", &["1"], "Whether the model reads the task's `proxy` text."),
    key("seed", "number", Optional, "1", &["-1"], "Decides its own examples, its training, and how errors fall."),
];

pub(super) const PRICES: &[KeyHelp] = &[
    key(
        "weak",
        "positive, or `{ setup, tiers }`",
        Optional,
        "0.05",
        &["0.0", "-1", "\"cheap\"", "{ tiers = [] }"],
        "A weak label. With tiers: `{ setup = 50, tiers = [{ from_label = 1, usd_per_label = 0.1 }, …] }`.",
    ),
    key("gold", "positive, or `{ setup, tiers }`", Optional, "2.0", &["0.0", "-1"], "A gold label, in the same way."),
];
