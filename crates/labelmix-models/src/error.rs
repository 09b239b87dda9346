//! What can be wrong with a checkpoint or a text.

use std::path::{Path, PathBuf};

use miette::Diagnostic;

/// The result of reading or running a model.
pub type Result<T> = std::result::Result<T, Error>;

/// A problem with a checkpoint, a tokenizer, a text, or a computation.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum Error {
    /// A file of the checkpoint cannot be read.
    #[error("{}: {source}", path.display())]
    #[diagnostic(help(
        "a checkpoint is a folder in the Hugging Face layout: config.json, tokenizer.json and model.safetensors \
         (or several, with model.safetensors.index.json)"
    ))]
    Read {
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    #[error("{} has no chat template", folder.display())]
    #[diagnostic(help("leave `chat` out of the study's [prompt]: a base model has none, and reads texts without"))]
    NoChatTemplate { folder: PathBuf },
    #[error("{} changed while it was in use", path.display())]
    #[diagnostic(help(
        "nothing that was computed meanwhile is kept: put the checkpoint there again, whole, and repeat the command"
    ))]
    Changed { path: PathBuf },
    /// A file cannot be written.
    #[error("{}: {source}", path.display())]
    #[diagnostic(help("choose a folder that you may write to, on a disk with space"))]
    Write {
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A JSON file of the checkpoint does not say what it should.
    #[error("{}: {reason}", path.display())]
    #[diagnostic(help("{help}"))]
    Config {
        path: PathBuf,
        /// What is wrong, with the value.
        reason: String,
        /// What to do about it.
        help: String,
    },
    /// A folder, or an index of it, does not lead to a checkpoint that can be run.
    #[error("{}: {reason}", path.display())]
    #[diagnostic(help("{help}"))]
    Folder {
        /// The folder, or the file in it that something is wrong with.
        path: PathBuf,
        /// What is wrong.
        reason: String,
        /// What to do about it.
        help: String,
    },
    #[error("{}: this is a Git LFS pointer, not the file", path.display())]
    #[diagnostic(help(
        "the repository was cloned without its large files: run `git lfs pull` in it (after `git lfs install`), or \
         download the file"
    ))]
    LfsPointer { path: PathBuf },
    /// The checkpoint's weights are quantised already.
    #[error("{}: the checkpoint is quantised: {what}", path.display())]
    #[diagnostic(help(
        "name the checkpoint that it was made of, in f32, f16 or bf16; `weights = \"nf4\"` in the study's [model] table \
         (`--weights nf4`) quantises its weights to 4 bits here"
    ))]
    Quantised {
        /// The file that says so.
        path: PathBuf,
        /// How, with the key or the weight.
        what: String,
    },
    /// A file of weights is damaged or lacks something.
    #[error("{}: {reason}", path.display())]
    #[diagnostic(help("download or copy the checkpoint again; this one is incomplete or damaged"))]
    Weights {
        /// The file, or the folder where several files lack something together.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An adapter does not fit the model.
    #[error("{}: {reason}", path.display())]
    #[diagnostic(help("the adapter was trained on another model, or with other LoRA settings"))]
    Adapter {
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    #[error("the text {text:?} has {tokens} tokens; at most {limit} are read")]
    #[diagnostic(help(
        "set `too_long` in the study's [model] table: \"drop\" leaves such texts out, \"cut\" cuts them to the limit, which is \
         `max_length` there, or what the model reads"
    ))]
    TooLong {
        /// The text's beginning.
        text: String,
        /// Its length in tokens.
        tokens: usize,
        /// The largest number that is read.
        limit: usize,
    },
    #[error("`max_length` = {max_length}: the model reads from {} to {context} tokens", special + 1)]
    #[diagnostic(help(
        "set `max_length` in the study's [model] table to a number in between, or leave it out for all that the model reads"
    ))]
    MaxLength {
        /// What was asked for.
        max_length: usize,
        /// The special tokens that every text has.
        special: usize,
        /// The model's context.
        context: usize,
    },
    #[error("{tokens} tokens, with the prefix if there is one; the model reads at most {limit}")]
    #[diagnostic(help("give fewer examples in the prompt, or shorter texts"))]
    PastContext {
        /// The length of the longest text, in tokens.
        tokens: usize,
        /// The model's context.
        limit: usize,
    },
    #[error("{architecture} is an encoder: it has no head that gives the next token")]
    #[diagnostic(help("prompts need a decoder, such as Llama, Qwen, Gemma, Mistral, GPT-NeoX or GPT-2"))]
    NoLanguageHead { architecture: String },
    #[error("the text {text:?} has no tokens")]
    #[diagnostic(help("the tokenizer drops all of its characters; remove the row"))]
    NoTokens { text: String },
    /// The tokenizer failed on a text.
    #[error("tokenizing {text:?}: {reason}")]
    #[diagnostic(help("check that tokenizer.json belongs to the checkpoint"))]
    Tokenize {
        /// The text's beginning.
        text: String,
        /// The tokenizer's message.
        reason: String,
    },
    /// A computation failed: an error of this program.
    #[error(transparent)]
    #[diagnostic(code(internal))]
    Computation(#[from] labelmix_nn::Error),
}

impl Error {
    /// The pooling asks for what the checkpoint does not have.
    pub(crate) fn no_pooler(folder: &Path) -> Self {
        Self::Config {
            path: folder.join("config.json"),
            reason: "the pooling is \"pooler\", but this checkpoint has no pooler".into(),
            help: "use \"mean\", or leave `pooling` out".into(),
        }
    }
}
