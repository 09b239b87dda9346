"""Writes what both programs of the LoRA step benchmark load: a random Llama checkpoint, a batch, an adapter.

    python make_llama.py OUT [--hidden 384 --intermediate 1024 --layers 6 --heads 6 --vocab 512 --seed 0]
        [--sequences 8 --tokens 128 --behind 0]

OUT gets config.json and model.safetensors (the Hugging Face layout of LlamaForCausalLM, f32),
batch.safetensors (`token_ids` i64 [sequences, behind + tokens], of which all begin with the same `behind` tokens, as
behind one prompt; `targets` f32 [sequences], soft labels) and adapter_init.safetensors (PEFT names; LoRA A
Kaiming-uniform with a = sqrt(5), B zero, score normal * 0.01).
"""

import argparse
import math
from pathlib import Path

import torch
from peft import get_peft_model_state_dict
from safetensors.torch import save_file
from torch import nn
from torch_lora_step import load_classifier
from transformers import LlamaConfig, LlamaForCausalLM

MODEL = dict(hidden=384, intermediate=1024, layers=6, heads=6, vocab=512, seed=0)
BATCH = dict(sequences=8, tokens=128, behind=0)


def write_benchmark(
    out: Path,
    *,
    hidden: int,
    intermediate: int,
    layers: int,
    heads: int,
    vocab: int,
    seed: int,
    sequences: int,
    tokens: int,
    behind: int,
    context: int = 1024,
) -> None:
    torch.manual_seed(seed)
    config = LlamaConfig(
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        vocab_size=vocab,
        max_position_embeddings=context,
        initializer_range=1 / math.sqrt(hidden),
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).save_pretrained(out)
    (out / "generation_config.json").unlink(missing_ok=True)

    prompt = torch.randint(1, vocab, (1, behind)).expand(sequences, behind)  # 0 is for padding
    token_ids = torch.cat([prompt, torch.randint(1, vocab, (sequences, tokens))], dim=1)
    save_file({"token_ids": token_ids, "targets": torch.rand(sequences)}, out / "batch.safetensors")

    model = load_classifier(out)
    adapter = {}
    for name, tensor in get_peft_model_state_dict(model).items():
        value = torch.empty(tensor.shape)
        if "lora_A" in name:
            nn.init.kaiming_uniform_(value, a=math.sqrt(5))
        elif "lora_B" in name:
            value.zero_()
        else:
            nn.init.normal_(value).mul_(0.01)
        adapter[name] = value
    save_file(adapter, out / "adapter_init.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    for name, default in {**MODEL, **BATCH}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    write_benchmark(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
