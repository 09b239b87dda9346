"""Loads what a run trained with peft and transformers, and compares the log-odds of the test texts with ours.

    python check_adapter.py RUN TEST.jsonl [--text text]

RUN is a folder of a store's runs/, of a decoder; TEST.jsonl is the test file that its study names.
"""

import argparse
import json
import sys
from pathlib import Path

import blake3
import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast
from transformers.utils import logging

TOLERANCE = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--text", default="text", help="the column of texts")
    arguments = parser.parse_args()
    logging.disable_progress_bar()

    run = json.loads((arguments.run / "run.json").read_text())
    stage = arguments.run.parents[2] / "stages" / run["stages"][-1]
    ours = json.loads((stage / "test_log_odds.json").read_text())
    # An example's id is the beginning of its text's BLAKE3 hash.
    rows = (json.loads(line)[arguments.text] for line in arguments.test.read_text().splitlines())
    texts = {blake3.blake3(text.encode()).hexdigest()[:16]: text for text in rows}

    folder = run["model_path"]
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{folder}/tokenizer.json")
    base = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, stage).eval()
    largest = 0.0
    for id_, log_odds in zip(ours["ids"], ours["log_odds"]):
        ids = torch.tensor([tokenizer(texts[id_])["input_ids"]])
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0]
        largest = max(largest, abs((logits[1] - logits[0]).item() - log_odds))
    print(f"{len(ours['ids'])} test texts; largest difference of log-odds {largest:.1e}")
    if largest > TOLERANCE:
        sys.exit(f"more than {TOLERANCE}")


if __name__ == "__main__":
    main()
