//! The keys about what is tried, and how.

use super::super::KeyHelp;
use super::super::Need::{Optional, Required};
use super::key;

pub(super) const GRID: &[KeyHelp] = &[
    key("budgets", "list of positive numbers", Optional, "[16, 64]", &["[]", "[-4]", "[0]"], "Budgets in dollars."),
    key(
        "weak_fractions",
        "list of numbers from 0 to 1",
        Optional,
        "[0.0, 0.5, 1.0]",
        &["[]", "[1.5]", "[-0.1]"],
        "Shares of a budget that are spent on weak labels. With numbers of labels there are none unless they are given.",
    ),
    key(
        "weak_counts",
        "list of numbers of labels, with `gold_counts`",
        Optional,
        "[0, 80, 640]",
        &["[-8]", "80", "[0]"],
        "Each of these numbers of weak labels goes with each number of gold ones, on the smallest budget that pays for both.",
    ),
    key(
        "gold_counts",
        "list of numbers of labels, with `weak_counts`",
        Optional,
        "[0, 16, 64]",
        &["[-8]", "16", "[0]"],
        "The numbers of gold labels.",
    ),
    key(
        "seeds",
        "list of numbers",
        Optional,
        "[0, 1, 2]",
        &["[]", "[-1]"],
        "Each seed has its own pools, initial weights and batches. Intervals need two, and are better with more.",
    ),
];

pub(super) const METHODS: &[KeyHelp] = &[
    key(
        "name",
        "letters, digits, `-`, `_`, `.`; each once",
        Required,
        "\"seq-sft\"",
        &["\"a b\"", "7"],
        "The method, or, for a variant, a name of your own.",
    ),
    key(
        "method",
        "a method's name",
        Optional,
        "\"few-shot-sft\"",
        &["\"magic\"", "7"],
        "The method, if `name` is your own.",
    ),
];

pub(super) const PROMPT: &[KeyHelp] = &[
    key(
        "targets",
        "list of two texts",
        Optional,
        "[\"no\", \"yes\"]",
        &["[\"no\"]", "3"],
        "What stands for class 0 and for class 1. Their first tokens must differ.",
    ),
    key("before_target", "text", Optional, "\"\\n\"", &["3"], "What stands between a text and its target."),
    key("between", "text", Optional, "\"\\n\\n\"", &["3"], "What stands between two examples."),
];

pub(super) const RECIPE: &[KeyHelp] = &[
    key(
        "total_examples",
        "number, at least 1",
        Optional,
        "30000",
        &["0"],
        "Examples that a stage looks at in all: it passes over its n labels `total_examples / n` times, at least once, \
         unless early stopping ends it before.",
    ),
    key("learning_rate", "positive", Optional, "5e-4", &["0.0", "-1.0", "nan"], "At the end of the warm-up."),
    key("batch_size", "number, at least 1", Optional, "32", &["0"], "Examples of one optimisation step."),
    key(
        "warmup_steps",
        "number",
        Optional,
        "40",
        &["-1"],
        "Steps of warm-up; never more than one pass has, never fewer than 2.",
    ),
    key(
        "validation_fraction",
        "at least 0, below 1",
        Optional,
        "0.2",
        &["1.0", "-0.1"],
        "The share of a stage's labels that it validates on. They are bought labels.",
    ),
    key(
        "evaluate_every",
        "number, at least 1",
        Optional,
        "50",
        &["0"],
        "Steps between two evaluations; never more than one pass has.",
    ),
    key(
        "patience",
        "number, at least 1",
        Optional,
        "4",
        &["0"],
        "Evaluations in a row without improvement after which a stage stops.",
    ),
    key(
        "minimum_improvement",
        "zero or positive",
        Optional,
        "0.01",
        &["-0.1"],
        "By how much validation AUROC must rise to count as an improvement.",
    ),
    key("lora_rank", "number, at least 1", Optional, "8", &["0"], "The rank of the LoRA factors."),
    key(
        "lora_alpha",
        "positive",
        Optional,
        "8.0",
        &["0.0"],
        "LoRA's product is multiplied by `lora_alpha / lora_rank`.",
    ),
    key("beta1", "at least 0, below 1", Optional, "0.9", &["1.0"], "AdamW's decay of the mean gradient."),
    key("beta2", "at least 0, below 1", Optional, "0.95", &["1.0"], "AdamW's decay of the mean squared gradient."),
    key("epsilon", "positive", Optional, "1e-8", &["0.0"], "AdamW's epsilon."),
    key("weight_decay", "zero or positive", Optional, "0.01", &["-1.0"], "AdamW's weight decay, but of biases."),
    key("max_gradient_norm", "positive", Optional, "1.0", &["0.0"], "The largest norm of the gradient of a step."),
    key(
        "schedule",
        "`\"early-stopping\"`, `\"by-count\"`",
        Optional,
        "\"by-count\"",
        &["\"cosine\""],
        "How batches and passes follow from the number of labels, and whether a stage validates.",
    ),
    key(
        "micro_batch_tokens",
        "number, at least 1",
        Optional,
        "1024",
        &["0"],
        "Tokens that are processed at once: less memory, the same result but for rounding.",
    ),
];

pub(super) const SLURM: &[KeyHelp] = &[
    key("partition", "text", Optional, "\"gpu\"", &["3"], "The partition."),
    key("account", "text", Optional, "\"nlp\"", &["3"], "The account that is charged."),
    key("gres", "text", Optional, "\"gpu:1\"", &["3"], "Generic resources."),
    key("time", "text", Optional, "\"02:00:00\"", &["3"], "The time limit of a task."),
    key("cpus_per_task", "number up to 65,535", Optional, "4", &["-1", "70000"], "Processors of a task."),
    key("memory", "text", Optional, "\"8G\"", &["3"], "Memory of a task."),
    key(
        "stages_per_task",
        "number, at least 1",
        Optional,
        "4",
        &["0"],
        "Stages that a task does, one after the other.",
    ),
    key(
        "warning_seconds",
        "number",
        Optional,
        "120",
        &["-1"],
        "How long before its time limit a task is told to keep what it has and go back to the queue.",
    ),
    key(
        "options",
        "list of texts",
        Optional,
        "[\"--constraint=a100\"]",
        &["[\"-C a100\"]", "[\"--array=1\"]"],
        "Other options of sbatch, but those that labelmix sets itself.",
    ),
    key(
        "setup",
        "list of texts",
        Optional,
        "[\"module load cuda\"]",
        &["3"],
        "Lines of shell that run before labelmix.",
    ),
];
