"""One step of training every weight of a language model in PyTorch and transformers: the twin of our own.

    python torch_pretraining_step.py CHECKPOINT [--precision f32|bf16] [--threads 2]

CHECKPOINT is a folder from compare_pretraining_step.py. Speaks the protocol of torch_lora_step.py. Muon steps the
matrices inside the blocks, AdamW the rest. With `bf16` the forward pass runs under autocast.
"""

import argparse
import re
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from torch_lora_step import answer_steps
from transformers import LlamaForCausalLM
from transformers.utils import logging


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    logging.disable_progress_bar()

    model = LlamaForCausalLM.from_pretrained(arguments.checkpoint, dtype=torch.float32).train()
    ids = load_file(arguments.checkpoint / "batch.safetensors")["token_ids"]
    named = list(model.named_parameters())
    inside = re.compile(r"layers\.\d+\.(self_attn|mlp)\.\w+\.weight$")
    muon = torch.optim.Muon([p for n, p in named if inside.search(n)], lr=0.002, weight_decay=0.0)
    adamw = torch.optim.AdamW([p for n, p in named if not inside.search(n)], lr=3e-4, betas=(0.9, 0.95), weight_decay=0.0)

    def step() -> float:
        model.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=arguments.precision == "bf16"):
            logits = model(input_ids=ids[:, :-1]).logits
        loss = cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        muon.step()
        adamw.step()
        return loss.item()

    answer_steps(step)


if __name__ == "__main__":
    main()
