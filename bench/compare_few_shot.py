"""Measures few-shot scoring behind a shared prefix: ours with its cache, without it, and transformers.

    python compare_few_shot.py --ours COMMAND [--checkpoint FOLDER] [--queries 200] [--rounds 5] [--threads 2]

A copy of the checkpoint (without one: a random Llama of 10.6 M parameters, from make_llama.py) goes to a temporary
folder, with prompt.safetensors beside it: `prefix` i64 [tokens], 32 labelled examples; `queries` i64 [tokens] and
`offsets` i64 [queries + 1]. Examples and queries are random tokens of 6 to 14, so that 32 of them fit a context of 512;
an example has two more, for its label and the blank line. In every round each way scores all queries: ours twice
(`COMMAND FOLDER` speaks its protocol, a word in and a line of JSON out), and transformers query by query with
prefix and query in one forward pass. The logits of all ways must agree. Ratios are medians over the rounds.
"""

import argparse
import json
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from make_llama import BATCH, MODEL, write_benchmark
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging

SHOTS = 32
TOLERANCE = 1e-3


def write_prompt(folder: Path, vocabulary: int, queries: int) -> None:
    generator = torch.Generator().manual_seed(0)

    def text(extra: int = 0) -> torch.Tensor:
        length = int(torch.randint(6, 15, (1,), generator=generator)) + extra
        return torch.randint(3, vocabulary, (length,), generator=generator)

    prefix = torch.cat([text(2) for _ in range(SHOTS)])
    texts = [text() for _ in range(queries)]
    offsets = torch.tensor([0, *(len(text) for text in texts)]).cumsum(0)
    save_file({"prefix": prefix, "queries": torch.cat(texts), "offsets": offsets}, folder / "prompt.safetensors")


def transformers_logits(model, prompt: dict[str, torch.Tensor]) -> torch.Tensor:
    offsets = prompt["offsets"].tolist()
    rows = []
    with torch.inference_mode():
        for first, last in zip(offsets, offsets[1:]):
            ids = torch.cat([prompt["prefix"], prompt["queries"][first:last]])[None]
            rows.append(model(input_ids=ids, use_cache=False, logits_to_keep=1).logits[0, -1])
    return torch.stack(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True, help="our program's command line, without the folder")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="torch's threads")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    logging.disable_progress_bar()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.checkpoint:
            shutil.copytree(arguments.checkpoint, folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
        else:
            write_benchmark(folder, **MODEL, **BATCH)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        write_prompt(folder, model.config.vocab_size, arguments.queries)
        prompt = load_file(folder / "prompt.safetensors")
        ours = subprocess.Popen(
            [*shlex.split(arguments.ours), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

        def seconds_of(mode: str) -> float:
            ours.stdin.write(f"{mode}\n")
            ours.stdin.flush()
            answer = ours.stdout.readline()
            if not answer:
                sys.exit(f"ours ended with exit code {ours.wait()}")
            return json.loads(answer)["seconds"]

        times: dict[str, list[float]] = {"cached": [], "uncached": [], "transformers": []}
        for round_ in range(arguments.rounds + 1):
            for mode in ["cached", "uncached"]:
                times[mode].append(seconds_of(mode))
            started = time.perf_counter()
            reference = transformers_logits(model, prompt)
            times["transformers"].append(time.perf_counter() - started)
            for mode in ["cached", "uncached"]:
                logits = load_file(folder / f"logits_{mode}.safetensors")["logits"]
                difference = (logits - reference).abs().max().item()
                if difference > TOLERANCE * reference.abs().max().item():
                    sys.exit(f"{mode} logits differ by {difference:.2e} from transformers'")
        ours.stdin.close()
        ours.wait()

    print(f"{arguments.queries} queries behind {len(prompt['prefix'])} tokens; largest difference {difference:.1e}\n")
    print("| way | median | with the cache, times faster |")
    print("|---|---|---|")
    for way, seconds in times.items():
        seconds = seconds[1:]  # the first round warms up
        ratio = statistics.median(a / b for a, b in zip(seconds, times["cached"][1:]))
        print(f"| {way} | {1e3 * statistics.median(seconds):.1f} ms | {ratio:.1f} |")


if __name__ == "__main__":
    main()
