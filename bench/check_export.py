"""Exports runs, runs what was exported with transformers and PEFT, and compares log-odds with those that the store keeps.

    python check_export.py LABELMIX [--checkpoint DIR ...] [--data DIR]

LABELMIX is the binary. Every checkpoint is fine-tuned for a few steps on the repository's example, or on train.jsonl and
test.jsonl of another folder: the named ones, and tiny ones with random weights that are made here (BERT, through its pooler
and averaged, DistilBERT, RoBERTa, Llama, Gemma 2, GPT-2). Of each run the adapter and the merged checkpoint are exported, and of
decoders prompted runs and an ensemble. Needs torch, transformers, peft and blake3.
"""

import argparse
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import blake3
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers import BertConfig, DistilBertConfig, Gemma2Config, GPT2Config, LlamaConfig, RobertaConfig
from transformers import AutoModel, AutoModelForCausalLM
from transformers.utils import logging

TOLERANCE = 1e-4
EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "reviews"

STUDY = """
name = "check"
[task]
train = "{data}/train.jsonl"
test = "{data}/test.jsonl"
max_test = 60
[model]
path = "{checkpoint}"
too_long = "cut"
{model}
[prompt]
{words}
between = " . "
[grid]
budgets = [16]
weak_fractions = [0.5]
seeds = [0]
[recipe]
{recipe}
{methods}
"""
ENSEMBLE = '[[methods]]\nname = "seq-sft"\n[[methods]]\nname = "ensemble"\nmembers = 2\n'
PROMPTED = ENSEMBLE + '[[methods]]\nname = "verbalizer"\n[[methods]]\nname = "few-shot"\nshots = 3\n'


def tiny(folder):
    """Tiny checkpoints with random weights and the example's tokenizer: name, folder, lines of [model], [prompt], [recipe]."""
    size = dict(vocab_size=243, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=64)
    decoder = dict(size, num_key_value_heads=2, max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    gpt2 = dict(vocab_size=243, n_embd=32, n_layer=3, n_head=4, n_positions=64, bos_token_id=1, eos_token_id=2)
    distil = dict(vocab_size=243, dim=32, n_layers=3, n_heads=4, hidden_dim=64, max_position_embeddings=64)
    # Positions begin behind the number of the padding token, which is to be no token of a text.
    roberta = dict(size, vocab_size=244, pad_token_id=243, max_position_embeddings=244 + 64)
    made = [
        ("BERT, pooler", AutoModel, BertConfig(**size, max_position_embeddings=64), ""),
        ("BERT, mean", AutoModel, BertConfig(**size, max_position_embeddings=64), 'pooling = "mean"\nmax_length = 12'),
        ("BERT, last", AutoModel, BertConfig(**size, max_position_embeddings=64), 'pooling = "last"'),
        ("DistilBERT", AutoModel, DistilBertConfig(**distil), ""),
        ("RoBERTa", AutoModel, RobertaConfig(**roberta), ""),
        ("Llama", AutoModelForCausalLM, LlamaConfig(**decoder), ""),
        ("Llama, mean", AutoModelForCausalLM, LlamaConfig(**decoder), 'pooling = "mean"'),
        ("Llama, nf4", AutoModelForCausalLM, LlamaConfig(**decoder), 'weights = "nf4"'),
        ("Gemma 2", AutoModelForCausalLM, Gemma2Config(**decoder, head_dim=8, query_pre_attn_scalar=8, sliding_window=4), ""),
        ("GPT-2", AutoModelForCausalLM, GPT2Config(**gpt2), "max_length = 12"),
    ]
    for number, (name, auto, config, lines) in enumerate(made):
        torch.manual_seed(number)
        place = folder / f"tiny-{number}"
        model = auto.from_config(config)
        for parameter in model.parameters():
            # The initial weights of so small a model make every text alike.
            parameter.data += 0.1 * torch.randn_like(parameter)
        model.save_pretrained(place)
        shutil.copy(EXAMPLE / "checkpoint" / "tokenizer.json", place)
        yield name, place, lines, 'targets = ["slow", "perfect"]\nbefore_target = " is "', "total_examples = 800\nlearning_rate = 1e-2"


def run(*command, fails=False):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if (done.returncode != 0) != fails:
        sys.exit(f"{command}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout if not fails else done.stderr


def script_of(folder):
    spec = importlib.util.spec_from_file_location("classify", folder / "classify.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def kept_log_odds(run_folder, texts):
    """The texts of the store's test set with their log-odds."""
    run_file = json.loads((run_folder / "run.json").read_text())
    stage = run_folder.parents[2] / "stages" / run_file["stages"][-1]
    kept = json.loads((stage / "test_log_odds.json").read_text())
    return [texts[id_] for id_ in kept["ids"]], kept["log_odds"]


def difference(ours, theirs):
    return max(abs(our - their) for our, their in zip(ours, theirs, strict=True))


def by_class(folder, texts):
    """Log-odds by transformers' own classes from a merged checkpoint, in one padded batch."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    batch = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        logits = model(**batch).logits
    return (logits[:, 1] - logits[:, 0]).tolist()


def refuses_the_class(folder):
    try:
        AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    except (OSError, ValueError):
        return True
    return False


def check(labelmix, name, checkpoint, lines, words, recipe, data, folder):
    decoder = "CausalLM" in (checkpoint / "config.json").read_text() or "LMHead" in (checkpoint / "config.json").read_text()
    methods = PROMPTED if decoder and "pooling" not in lines else ENSEMBLE
    study = STUDY.format(data=data, checkpoint=checkpoint, model=lines, methods=methods, words=words, recipe=recipe)
    folder.mkdir()
    (folder / "study.toml").write_text(study)
    run(labelmix, "sweep", folder / "study.toml", "--json")
    rows = (json.loads(line)["text"] for line in (data / "test.jsonl").read_text().splitlines())
    # An example's id is the beginning of its text's BLAKE3 hash.
    texts = {blake3.blake3(text.encode()).hexdigest()[:16]: text for text in rows}
    worst = 0.0
    for run_folder in sorted((folder / "labelmix-store" / "runs" / "check").iterdir()):
        asked, ours = kept_log_odds(run_folder, texts)
        for form in ([], ["--merged"]):
            out = folder / "-".join([run_folder.name, *form])
            command = [labelmix, "export", run_folder, "--out", out, *form, "--json"]
            if form and run_folder.name.startswith("few-shot") or not form and "nf4" in lines:
                if run_folder.name.startswith("few-shot") and not form:
                    continue
                run(*command, fails=True)
                continue
            exported = json.loads(run(*command))
            found = difference(ours, script_of(out).log_odds(asked))
            worst = max(worst, found)
            line = f"{name:14} {run_folder.name:22} {'merged' if form else 'adapter':8} {exported['class']:36} {found:.1e}"
            line += f" of up to {max(map(abs, ours)):.2f}"
            if form and exported["with_head"] and exported["classifiers"] == 1 and not exported["prompted"]:
                by_transformers = difference(ours, by_class(out, asked))
                worst = max(worst, by_transformers)
                line += f"  by the class itself {by_transformers:.1e}"
            elif not exported["with_head"] and exported["classifiers"] == 1:
                if not refuses_the_class(out):
                    sys.exit(f"{out}: loads as a sequence classifier")
                line += "  refused by the class for sequences"
            print(line, flush=True)
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labelmix", type=Path)
    parser.add_argument("--checkpoint", type=Path, nargs="*", default=[])
    parser.add_argument("--data", type=Path, default=EXAMPLE, help="a folder with train.jsonl and test.jsonl")
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    labelmix = arguments.labelmix.resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        cases = list(tiny(folder))
        words, recipe = 'targets = [" bad", " good"]\nbefore_target = " is"', "total_examples = 96\nlearning_rate = 1e-3"
        cases += [(path.name, path.resolve(), "", words, recipe) for path in arguments.checkpoint]
        worst = max(
            check(labelmix, *case, arguments.data.resolve(), folder / f"study-{number}") for number, case in enumerate(cases)
        )
    print(f"largest difference of log-odds {worst:.1e}")
    if worst > TOLERANCE:
        sys.exit(f"more than {TOLERANCE}")


if __name__ == "__main__":
    main()
