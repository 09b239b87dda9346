"""Measures our step of training every weight of a small language model against PyTorch's, interleaved.

    python compare_pretraining_step.py --ours "COMMAND" [--rounds 15] [--steps 3] [--threads 2] [--json]

Makes a checkpoint of the sandbox's strong model's shape, with random weights, and a batch of 512 rows of 10 tokens
in a temporary folder, and starts `COMMAND FOLDER` and torch_pretraining_step.py in f32 and under bf16 autocast. The
programs take turns as in compare_lora_step.py, and their losses must agree.
"""

import argparse
import json
import shlex
import sys
import tempfile
from pathlib import Path

import torch
from compare_lora_step import HERE, Stepper, compare, print_table
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

# PyTorch's Muon orthogonalises in bf16, and so does everything under autocast.
LOSS_TOLERANCE = 3e-2
SHAPE = {"vocab_size": 640, "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 4}
SHAPE |= {"num_attention_heads": 4, "max_position_embeddings": 256, "tie_word_embeddings": True}
ROWS, LENGTH = 512, 10


def make_checkpoint(folder: Path) -> None:
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**SHAPE)).save_pretrained(folder)
    token_ids = torch.randint(1, SHAPE["vocab_size"], (ROWS, LENGTH))
    save_file({"token_ids": token_ids}, folder / "batch.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True, help="our program's command line, without the folder")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=3, help="steps of each program in a round")
    parser.add_argument("--threads", type=int, default=2, help="torch's threads")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        make_checkpoint(Path(folder))
        twin = [sys.executable, str(HERE / "torch_pretraining_step.py"), folder, "--threads", str(arguments.threads)]
        ours = Stepper("ours", [*shlex.split(arguments.ours), folder])
        twins = [Stepper(f"torch {p}", [*twin, "--precision", p]) for p in ("f32", "bf16")]
        try:
            result = compare(ours, twins, arguments.rounds, arguments.steps, LOSS_TOLERANCE)
        finally:
            for stepper in [ours, *twins]:
                stepper.close()
    for stepper in result:
        result[stepper]["tokens_per_second"] = ROWS * (LENGTH - 1) / result[stepper]["median_seconds"]
    if arguments.json:
        print(json.dumps(result, indent=1))
    else:
        print_table(result)
        for name, row in result.items():
            print(f"{name}: {row['tokens_per_second']:.0f} tokens a second")


if __name__ == "__main__":
    main()
