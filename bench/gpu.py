"""Steps and scores of labelmix's torch worker against plain transformers + peft, on random Llamas of real shapes.

    python gpu.py OUT [--sizes 0.5b,8b] [--steps 12] [--texts 32] [--tokens 128]

Writes OUT/results.json. The two do the same: LoRA of rank 8 on all linear layers of the blocks, bf16 weights, AdamW, one
step on 32 texts; each in a process of its own, so that the other's memory is not counted. `tiny` as a size tries the
script on a processor.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

WORKER = Path(__file__).resolve().parent.parent / "crates/labelmix-engine/src/worker/labelmix_worker.py"
# hidden, intermediate, layers, heads, heads of keys and values, vocabulary
SHAPES = {
    "tiny": (64, 128, 2, 4, 2, 512),
    "0.5b": (896, 4864, 24, 14, 2, 151_936),
    "8b": (4096, 14_336, 32, 32, 8, 128_256),
}
# A stage of the published recipe looks at 30,000 texts, 32 at a time; the largest cells of Table 1 have two stages, and three
# seeds, five budgets and five splits are swept for each method.
STEPS_OF_A_STAGE = 30_000 // 32


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--sizes", default="0.5b,8b")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--texts", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--peft", help="(inside) time plain transformers + peft on this checkpoint")
    arguments = parser.parse_args()
    if arguments.peft:
        print(json.dumps(time_peft(arguments.peft, arguments)))
        return
    results = []
    for size in arguments.sizes.split(","):
        folder = arguments.out / f"llama-{size}"
        if not (folder / "config.json").exists():
            print(f"writing a random Llama of {size}", flush=True)
            write_llama(folder, SHAPES[size])
        result = {"size": size, "worker": time_worker(folder, arguments, "stored")}
        command = [sys.executable, __file__, str(arguments.out), "--peft", str(folder)]
        command += ["--steps", str(arguments.steps), "--texts", str(arguments.texts), "--tokens", str(arguments.tokens)]
        finished = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        result["peft"] = json.loads(finished.stdout) if finished.returncode == 0 else None
        try:
            import bitsandbytes  # noqa: F401

            result["worker_nf4"] = time_worker(folder, arguments, "nf4")
        except ImportError:
            pass
        results.append(result)
        report(result)
        (arguments.out / "results.json").write_text(json.dumps(results, indent=1))


def write_llama(folder, shape):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    hidden, intermediate, layers, heads, key_values, vocabulary = shape
    config = LlamaConfig(
        hidden_size=hidden, intermediate_size=intermediate, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=key_values, vocab_size=vocabulary, max_position_embeddings=4096, dtype="bfloat16",
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        LlamaForCausalLM(config).save_pretrained(folder)
    torch.set_default_dtype(torch.float32)


def texts_of(arguments):
    """Token ids and soft labels, the same for both."""
    import random

    random.seed(1)
    texts = [[random.randrange(3, 500) for _ in range(arguments.tokens)] for _ in range(arguments.texts)]
    return texts, [random.random() for _ in texts]


def seconds_of(step, steps):
    """The median of so many steps after two that warm up; and the losses."""
    losses, times = [], []
    for number in range(steps + 2):
        began = time.perf_counter()
        losses.append(step())
        if number >= 2:
            times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2], losses


class Worker:
    """labelmix's worker, asked as labelmix asks it."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-u", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.asked = 0

    def ask(self, what, **request):
        self.asked += 1
        self.process.stdin.write(json.dumps({"id": self.asked, "do": what, **request}) + "\n")
        self.process.stdin.flush()
        while True:
            line = json.loads(self.process.stdout.readline())
            if line.get("id") == self.asked:
                if "error" in line:
                    raise RuntimeError(line["error"]["message"])
                return line["ok"]
            if "note" in line:
                print("note:", line["note"], flush=True)


def time_worker(folder, arguments, linear):
    worker = Worker()
    began = time.perf_counter()
    hello = worker.ask("hello", protocol=1)
    compute = "f32" if hello["device"] == "cpu" else "bf16"
    shape = worker.ask("load", folder=str(folder.resolve()), linear=linear, compute=compute)
    loaded = time.perf_counter() - began
    adapter = write_adapter(shape, arguments.out / "adapter.safetensors")
    settings = {"beta1": 0.9, "beta2": 0.95, "epsilon": 1e-8, "weight_decay": 0.1, "max_gradient_norm": 1.0, "batch_tokens": 8192}
    argument = {"path": str(adapter.resolve()), "scale": 1.0}
    worker.ask("begin", learner=0, adapter=argument, trains="all", settings=settings, pooling="last")
    texts, targets = texts_of(arguments)
    weights = [1.0] * len(texts)

    def step():
        return worker.ask("step", learner=0, texts=texts, targets=targets, weights=weights, learning_rate=1e-4)["loss"]

    seconds, losses = seconds_of(step, arguments.steps)
    began = time.perf_counter()
    worker.ask("log_odds", learner=0, texts=texts * 8, batch_tokens=16_384, pooling="last")
    # Equal texts are read once.
    read = time.perf_counter() - began
    memory = worker.ask("peak_memory")["bytes"]
    worker.process.stdin.close()
    worker.process.wait()
    tokens = len(texts) * arguments.tokens
    return {
        "device": (hello["devices"] or [{"name": "cpu"}])[0]["name"], "versions": hello["versions"], "load_seconds": loaded,
        "step_seconds": seconds, "tokens_a_second": tokens / seconds, "read_tokens_a_second": tokens / read,
        "bytes": memory, "losses": losses,
    }


def write_adapter(shape, path):
    """A fresh adapter of rank 8 for a worker's model, as labelmix writes it."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    tensors = {"base_model.model.score.weight": torch.randn(2, shape["hidden"]) * 2e-4}
    for layer in shape["layers"]:
        name = f"base_model.model.{shape['prefix']}{layer['name']}"
        bound = layer["inputs"] ** -0.5
        tensors[f"{name}.lora_A.weight"] = torch.empty(8, layer["inputs"]).uniform_(-bound, bound)
        tensors[f"{name}.lora_B.weight"] = torch.zeros(layer["outputs"], 8)
    save_file(tensors, path)
    return path


def time_peft(folder, arguments):
    """What a script of one's own would do: AutoModelForSequenceClassification, get_peft_model, AdamW."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, dtype=dtype).to(device)
    model.config.pad_token_id = 0
    linear = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=8, target_modules=linear))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1)
    texts, targets = texts_of(arguments)
    ids = torch.tensor(texts, device=device)
    target = torch.tensor([[1 - one, one] for one in targets], device=device)

    def step():
        optimizer.zero_grad(set_to_none=True)
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.float()
        loss = -(target * logits.log_softmax(1)).sum(1).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        return loss.item()

    seconds, losses = seconds_of(step, arguments.steps)
    memory = torch.cuda.max_memory_allocated() if device == "cuda" else None
    return {"step_seconds": seconds, "tokens_a_second": ids.numel() / seconds, "bytes": memory, "losses": losses}


def report(result):
    worker, peft = result["worker"], result["peft"]
    for name, measured in (("worker", worker), ("worker, nf4", result.get("worker_nf4")), ("transformers + peft", peft)):
        if measured:
            gib = "" if measured["bytes"] is None else f", {measured['bytes'] / 2**30:.1f} GiB"
            print(f"{result['size']}: {name}: {measured['step_seconds'] * 1e3:.0f} ms a step, {measured['tokens_a_second']:.0f} tokens/s{gib}")
    if peft:
        print(f"{result['size']}: the worker takes {worker['step_seconds'] / peft['step_seconds']:.2f} of the time")
    hours = STEPS_OF_A_STAGE * worker["step_seconds"] / 3600
    print(f"{result['size']}: a stage of the published recipe ({STEPS_OF_A_STAGE} steps) takes {hours:.2f} hours, {1 / hours:.1f} an hour")
    print(f"{result['size']}: 150 such stages (a method of Table 1: 25 splits, three seeds, two stages) take {150 * hours:.0f} hours", flush=True)


main()
