"""Makes this example's files: the reviews with both kinds of labels, and the tiny pretrained checkpoint.

    python make.py [--out FOLDER] [--steps 1000] [--seed 0]

Needs torch, transformers, tokenizers; takes two minutes or so on one core. The checkpoint is a Llama of about
190,000 parameters, trained as a language model on reviews without their labels. That teaches it what
follows what, and so that all sentences of a review share an opinion, but not which opinions are good.
"""

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging
from world import Review, review, vocabulary, weak_label

TRAIN_ROWS, TEST_ROWS = 3200, 600
STRETCH = 200  # divides both, so that each file is balanced
CORPUS_LENGTHS = (2, 3, 6, 10)  # sentences; long reviews are what shows that opinions cohere
BATCH, PEAK_LEARNING_RATE, WARMUP_STEPS = 32, 4e-3, 100
UNKNOWN, START, END = "<unk>", "<s>", "</s>"


def distinct_reviews(random: Random, count: int) -> list[Review]:
    """Good and bad reviews, no two the same, in random order. Every STRETCH of them is balanced."""
    texts: set[str] = set()
    found: list[Review] = []
    while len(found) < count:
        stretch: list[Review] = []
        wanted = [STRETCH // 2, STRETCH // 2]
        while sum(wanted):
            candidate = review(random)
            if wanted[candidate.gold] and candidate.text not in texts:
                texts.add(candidate.text)
                stretch.append(candidate)
                wanted[candidate.gold] -= 1
        random.shuffle(stretch)
        found += stretch
    return found


def write_rows(path: Path, reviews: list[Review]) -> None:
    rows = ({"text": r.text, "gold": r.gold, "weak": weak_label(r.text)} for r in reviews)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    right = [(weak_label(r.text) > 0.5) == bool(r.gold) for r in reviews]
    print(f"{path.name}: {len(reviews)} rows, weak labels right in {100 * sum(right) / len(right):.1f}%")


def write_tokenizer(folder: Path) -> Tokenizer:
    words = [UNKNOWN, START, END, *vocabulary()]
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.add_special_tokens([UNKNOWN, START, END])
    tokenizer.post_processor = TemplateProcessing(
        single=f"{START} $A", pair=f"{START} $A {START} $B:1", special_tokens=[(START, 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": UNKNOWN,
        "bos_token": START,
        "eos_token": END,
        "model_max_length": 256,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    return tokenizer


def corpus_batches(tokenizer: Tokenizer, random: Random, held_out: set[str]) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless (token ids, targets) of fresh reviews that are not among the labeled ones; -100 where padded."""
    end = tokenizer.token_to_id(END)
    while True:
        texts = [text for text in (review(random, CORPUS_LENGTHS).text for _ in range(BATCH)) if text not in held_out]
        sequences = [torch.tensor([*encoding.ids, end]) for encoding in tokenizer.encode_batch(texts)]
        ids = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True, padding_value=end)
        targets = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True, padding_value=-100)
        yield ids, targets


def pretrain(tokenizer: Tokenizer, held_out: set[str], steps: int, seed: int) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=64,
            intermediate_size=160,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=256,
            initializer_range=0.1,
            tie_word_embeddings=False,
        )
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.05)
    average = 0.0
    for step, (ids, targets) in zip(range(steps), corpus_batches(tokenizer, Random(f"corpus {seed}"), held_out)):
        decay = 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = PEAK_LEARNING_RATE * min(decay, (step + 1) / WARMUP_STEPS)
        loss = model(input_ids=ids, labels=targets).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average = loss.item() if step == 0 else 0.98 * average + 0.02 * loss.item()
        if (step + 1) % 200 == 0:
            print(f"step {step + 1}: loss {average:.4f}", flush=True)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--steps", type=int, default=1000, help="pretraining steps")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable_progress_bar()

    checkpoint = arguments.out / "checkpoint"
    checkpoint.mkdir(parents=True, exist_ok=True)
    labeled = distinct_reviews(Random(f"reviews {arguments.seed}"), TRAIN_ROWS + TEST_ROWS)
    train, test = labeled[:TRAIN_ROWS], labeled[TRAIN_ROWS:]
    write_rows(arguments.out / "train.jsonl", train)
    write_rows(arguments.out / "test.jsonl", test)

    tokenizer = write_tokenizer(checkpoint)
    model = pretrain(tokenizer, {r.text for r in labeled}, arguments.steps, arguments.seed)
    model.half().save_pretrained(checkpoint)
    (checkpoint / "generation_config.json").unlink(missing_ok=True)
    print(f"checkpoint: {sum(p.numel() for p in model.parameters()):,} parameters")


if __name__ == "__main__":
    main()
