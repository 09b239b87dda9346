"""One LoRA training step in PyTorch, transformers and peft: the twin that our own step is measured against.

    python torch_lora_step.py CHECKPOINT [--mode batch|accumulate] [--precision f32|bf16] [--threads 2]

CHECKPOINT is a folder from make_llama.py. For each line `step` on standard input, one optimisation step on
the folder's batch (zero_grad, forward, loss, backward, clip, AdamW; all of it timed), answered on standard
output by a line of JSON: {"seconds": ..., "loss": ..., "peak_rss_mb": ...}. `batch` is one forward of all
sequences, `accumulate` one for each, with their gradients added up: the same loss. With `bf16` the frozen
projections are kept in bf16, which spares autocast their conversion, and the forward pass runs under its bf16 autocast.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model, set_peft_model_state_dict
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import LlamaForSequenceClassification
from transformers.utils import logging

LEARNING_RATE = 5e-4
PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def load_classifier(folder: Path) -> PeftModel:
    """The checkpoint with a two-class `score` head and LoRA of rank 8 on its seven projections."""
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    # transformers wants a padding token for batches; the benchmark's batch has none of these.
    warnings.filterwarnings("ignore", category=FutureWarning)
    model = LlamaForSequenceClassification.from_pretrained(folder, num_labels=2, pad_token_id=0, dtype=torch.float32)
    config = LoraConfig(task_type=TaskType.SEQ_CLS, r=8, lora_alpha=8, lora_dropout=0.0, target_modules=PROJECTIONS)
    return get_peft_model(model, config)


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """-sum[(1 - y) log p(0) + y log p(1)] for logits [n, 2] and targets y [n]."""
    log_p = torch.log_softmax(logits, dim=-1)
    return -((1 - targets) * log_p[:, 0] + targets * log_p[:, 1]).sum()


def peak_rss_mb() -> float:
    """The largest resident set of this process in MiB. (ru_maxrss would count the parent's, before the exec.)"""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmHWM in /proc/self/status")


def answer_steps(step: Callable[[], float]) -> None:
    """Makes a step, which returns its loss, for every line that comes in."""
    for line in sys.stdin:
        if line.strip() != "step":
            sys.exit(f"unknown request {line.strip()!r}, expected 'step'")
        started = time.perf_counter()
        loss = step()
        seconds = time.perf_counter() - started
        print(json.dumps({"seconds": seconds, "loss": loss, "peak_rss_mb": peak_rss_mb()}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--mode", choices=["batch", "accumulate"], default="batch")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    model = load_classifier(arguments.checkpoint)
    set_peft_model_state_dict(model, load_file(arguments.checkpoint / "adapter_init.safetensors"))
    model.train()
    half = arguments.precision == "bf16"
    if half:
        for name, parameter in model.named_parameters():
            if name.endswith("base_layer.weight"):
                parameter.data = parameter.data.to(torch.bfloat16)
    batch = load_file(arguments.checkpoint / "batch.safetensors")
    token_ids, targets = batch["token_ids"], batch["targets"]
    micro_batch = len(token_ids) if arguments.mode == "batch" else 1

    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.01)

    def step() -> float:
        optimizer.zero_grad()
        total = 0.0
        for ids, soft in zip(token_ids.split(micro_batch), targets.split(micro_batch)):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
                logits = model(input_ids=ids).logits
            loss = soft_cross_entropy(logits.float(), soft) / len(token_ids)
            loss.backward()
            total += loss.item()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return total

    answer_steps(step)


if __name__ == "__main__":
    main()
