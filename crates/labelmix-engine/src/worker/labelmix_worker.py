"""Runs models for labelmix, on PyTorch. labelmix decides: which texts, in which order, when to stop, what to keep.

Requests come as lines of JSON on standard input, answers go as lines of JSON to standard output; docs/engines.md describes
them. Tensors stand in safetensors files whose paths the lines name. Models are read from local safetensors files; no code of
theirs is run, and nothing is downloaded.
"""

import importlib.metadata
import json
import math
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback

PROTOCOL = 1
# Requests and answers have their streams for themselves: what libraries print goes where errors go, and they read nothing.
REQUESTS = os.fdopen(os.dup(0), encoding="utf-8")
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
ANSWERS = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
SAYING = threading.Lock()
for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
    os.environ[name] = "1"
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
# Threads that wait in a loop take the processor from whoever else computes on this machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


# A beginning of fewer tokens than these is computed again for every text.
FEWEST_SHARED = 16


class Refused(Exception):
    """Something that cannot be done, with what to do about it."""

    def __init__(self, message, help=None):
        super().__init__(message)
        self.help = help


def say(line):
    with SAYING:
        ANSWERS.write(json.dumps(line) + "\n")
        ANSWERS.flush()


def libraries():
    """The packages, or what is missing of them."""
    try:
        import safetensors.torch
        import torch
        import transformers
    except ImportError as error:
        raise Refused(
            f"{sys.executable} lacks a package: {error}",
            "`labelmix engine torch --install DIR` makes an environment that has all of them",
        ) from error
    for package, least in ((torch, (2, 5)), (transformers, (4, 50))):
        found = tuple(int(part) for part in package.__version__.split(".")[:2])
        if found < least:
            wanted = ".".join(map(str, least))
            raise Refused(
                f"{sys.executable} has {package.__name__} {package.__version__}, and {wanted} is the oldest that will do",
                f"pip install --upgrade {package.__name__}",
            )
    return torch, transformers, safetensors.torch


class Worker:
    def __init__(self):
        self.torch, self.transformers, self.files = libraries()
        self.learners = {}
        self.active = {}
        self.checkpointed = False
        self.has_plain_cache = None
        self.rank, self.size = 0, 1

    # What there is.

    def hello(self, protocol, threads=None, device="auto", processes=1):
        torch = self.torch
        if protocol != PROTOCOL:
            raise Refused(f"this worker speaks protocol {PROTOCOL} and labelmix {protocol}")
        if threads:
            torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        self.device = torch.device(self.chosen(device))
        if processes > 1:
            self.start_followers(processes, threads)
        versions = {"python": sys.version.split()[0], "torch": torch.__version__, "transformers": self.transformers.__version__}
        try:
            versions["bitsandbytes"] = importlib.metadata.version("bitsandbytes")
        except importlib.metadata.PackageNotFoundError:
            pass
        answer = {"protocol": PROTOCOL, "name": "torch", "versions": versions, "device": self.device.type, "devices": []}
        if self.device.type == "cuda":
            for index in range(torch.cuda.device_count()):
                found = torch.cuda.get_device_properties(index)
                answer["devices"].append({"name": found.name, "memory": found.total_memory})
        return answer

    def start_followers(self, processes, threads):
        """Starts processes that do what this one is asked, each with a part of every block and of every batch: equally many on
        each machine of a Slurm job."""
        machines = int(os.environ.get("SLURM_JOB_NUM_NODES", 1))
        here, left = divmod(processes, machines)
        if left:
            raise Refused(f"{processes} processes do not divide among {machines} machines", "`gpus` in [engine] is `nodes` times `gpus_per_node` in [slurm]")
        host = socket.gethostname() if machines > 1 else "127.0.0.1"
        with socket.socket() as free:
            free.bind((host, 0))
            address = f"{host}:{free.getsockname()[1]}"
        place = {"size": processes, "here": here, "address": address, "device": self.device.type, "threads": threads}
        for rank in range(1, here):
            self.start_follower([sys.executable, "-u", os.path.abspath(__file__)], {"rank": rank, "local": rank, **place})
        if machines > 1:
            there = [f"--nodes={machines - 1}", f"--ntasks={processes - here}", f"--ntasks-per-node={here}"]
            there += [f"--exclude={os.environ['SLURMD_NODENAME']}", "--overlap", "--overcommit", "--kill-on-bad-exit", "--input=none"]
            with open(__file__, encoding="utf-8") as file:
                # The other machines do not see this one's temporary files.
                program = [sys.executable, "-u", "-c", file.read()]
            # Which of them it is, each learns from Slurm.
            self.start_follower(["srun", *there, *program], {"first": here, **place})
        self.join(0, 0, **place)

    def start_follower(self, command, place):
        started = subprocess.Popen(command, env={**os.environ, "LABELMIX_FOLLOWER": json.dumps(place)}, stdin=subprocess.DEVNULL)
        # Without it the others would wait for ever.
        threading.Thread(target=lambda: (started.wait(), os._exit(1)), daemon=True).start()

    def join(self, rank, local, size, here, address, device, threads):
        torch, self.rank, self.size = self.torch, rank, size
        if threads:
            torch.set_num_threads(max(threads // here, 1))
        if device == "cuda":
            self.device = torch.device("cuda", local)
            torch.cuda.set_device(self.device)
        else:
            self.device = torch.device(device)
        backend = "nccl" if device == "cuda" else "gloo"
        torch.distributed.init_process_group(backend, init_method=f"tcp://{address}", rank=rank, world_size=size)

    def pass_on(self, request):
        """Has the followers do the same."""
        if self.size > 1:
            self.torch.distributed.broadcast_object_list([request], src=0)

    def follow(self):
        parent = os.getppid()

        def leave_with_parent():
            while os.getppid() == parent:
                time.sleep(0.2)
            os._exit(0)

        threading.Thread(target=leave_with_parent, daemon=True).start()
        while True:
            request = [None]
            try:
                self.torch.distributed.broadcast_object_list(request, src=0)
            except RuntimeError:
                os._exit(0)
            what = request[0].pop("do")
            getattr(self, what)(**request[0])

    def in_rounds(self, groups):
        """The groups that this process computes, and whether they count: all processes make equally many rounds."""
        for first in range(0, len(groups), self.size):
            place = first + self.rank
            yield (groups[place], True) if place < len(groups) else (groups[first], False)

    def write(self, tensors, path):
        if self.rank == 0:
            self.files.save_file(tensors, path)

    def read(self, path):
        """What labelmix left for this process, and for those on machines that do not see its files."""
        tensors = [self.files.load_file(path) if self.rank == 0 else None]
        if self.size > 1:
            self.torch.distributed.broadcast_object_list(tensors, src=0)
        return tensors[0]

    def peak_memory(self):
        if self.device.type != "cuda":
            return {"bytes": None}
        return {"bytes": sum(self.torch.cuda.max_memory_allocated(place) for place in range(self.torch.cuda.device_count()))}

    def speed(self):
        """How fast the device multiplies matrices in the precision in which models usually run there."""
        torch, on_processor = self.torch, self.device.type == "cpu"
        size, dtype = (1024, torch.float32) if on_processor else (8192, torch.bfloat16)
        factor = torch.ones(size, size, dtype=dtype, device=self.device)

        def seconds(products):
            began = time.perf_counter()
            for _ in range(products):
                product = factor @ factor
            product[0, 0].item()
            return time.perf_counter() - began

        seconds(2)
        return {"flops": 8 * 2 * size**3 / seconds(8)}

    def chosen(self, device):
        torch = self.torch
        if device == "auto":
            return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise Refused(
                f"the device is {device!r}, but torch {torch.__version__} finds no graphics processor",
                "`nvidia-smi` says whether the machine has one; a torch for the processor alone finds none",
            )
        return "mps" if device == "metal" else device

    # The model.

    def load(self, folder, linear, compute, attention=None, checkpointing=False, spread=False):
        """Loads a checkpoint: its linear layers in `linear` ("stored", "bf16", "nf4"), computing in `compute`."""
        torch, transformers = self.torch, self.transformers
        here = {"local_files_only": True, "trust_remote_code": False}
        config = transformers.AutoConfig.from_pretrained(folder, **here)
        if getattr(config, "quantization_config", None):
            raise Refused(f"{folder} is quantised already", "take the checkpoint that it was made of, with weights = \"nf4\"")
        if not any(name.endswith(".safetensors") for name in os.listdir(folder)):
            raise Refused(f"{folder} has no safetensors file", "transformers' save_pretrained writes one")
        self.compute = {"f32": torch.float32, "bf16": torch.bfloat16}[compute]
        options = {"dtype": self.compute, "use_safetensors": True, **here}
        if attention:
            options["attn_implementation"] = attention
        if spread:
            options["device_map"] = "balanced"
        if linear == "nf4":
            options["quantization_config"] = self.nf4()
            options.setdefault("device_map", {"": self.device})
        self.is_decoder = is_decoder(config, transformers)
        auto = transformers.AutoModelForCausalLM if self.is_decoder else transformers.AutoModel
        whole, info = auto.from_pretrained(folder, config=config, output_loading_info=True, **options)
        missing = set(info["missing_keys"])
        head = whole.get_output_embeddings() if self.is_decoder else None
        head_names = {name for name, part in whole.named_parameters() if head is not None and part is head.weight}
        self.has_head = self.is_decoder and not (missing & head_names)
        lacks_pooler = any("pooler" in name for name in missing)
        missing = sorted(name for name in missing - head_names if "pooler" not in name)
        if missing:
            raise Refused(f"{folder} lacks weights of a {config.model_type}: {', '.join(missing[:3])}")
        whole.eval().requires_grad_(False)
        if self.size == 1 and "device_map" not in options:
            whole.to(self.device)
        self.whole, self.config, self.spread = whole, config, "device_map" in options
        self.base = whole.base_model if self.is_decoder else whole
        self.has_pooler = not self.is_decoder and getattr(whole, "pooler", None) is not None and not lacks_pooler
        self.blocks = blocks(self.base, torch)
        self.layers = {
            name: module for name, module in self.base.named_modules() if is_adapted(name, module, torch, transformers)
        }
        if linear == "bf16" and self.compute == torch.float32:
            for module in self.layers.values():
                module.weight.data = module.weight.data.bfloat16().float()
        for name, module in self.layers.items():
            module.register_forward_hook(self.addition(name))
        # What tied weights share is counted once.
        parameters = sum(parameter.numel() for parameter in self.base.parameters())
        shapes = {name: sizes(module, transformers) for name, module in self.layers.items()}
        transposed = any(is_transposed(module, transformers) for module in self.layers.values())
        if self.size > 1:
            self.shard(linear)
        if checkpointing:
            self.checkpoint_blocks()
        return {
            "architecture": config.model_type,
            "is_decoder": self.is_decoder,
            "has_language_head": self.has_head,
            "has_pooler": self.has_pooler,
            "hidden": config.hidden_size,
            "initializer_range": getattr(config, "initializer_range", 0.02),
            "prefix": whole.base_model_prefix + ".",
            "layers": [{"name": name, "inputs": inputs, "outputs": outputs} for name, (inputs, outputs) in shapes.items()],
            "transposed": transposed,
            "parameters": parameters,
        }

    def shard(self, linear):
        """Leaves a part of every block's weights to each process. What LoRA adds is no part of a block, and whole everywhere."""
        if linear == "nf4":
            raise Refused("weights of 4 bits cannot be sharded", "sharding = \"layers\", or weights = \"bf16\"")
        from torch.distributed.fsdp import fully_shard

        mesh = self.torch.distributed.init_device_mesh(self.device.type, (self.size,))
        for block in self.blocks:
            fully_shard(block, mesh=mesh)
        self.whole.to(self.device)

    def nf4(self):
        try:
            import bitsandbytes  # noqa: F401
        except ImportError as error:
            raise Refused("weights = \"nf4\" needs the package bitsandbytes", "pip install bitsandbytes") from error
        return self.transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=self.compute,
        )

    def addition(self, name):
        """What LoRA adds to a layer: `scale · B A x`, in the precision in which the model computes."""

        def hook(module, inputs, output):
            if name not in self.active:
                return output
            a, b, scale = self.active[name]
            x = inputs[0]
            a, b = a.to(x.device, x.dtype), b.to(x.device, x.dtype)
            return output + scale * self.torch.nn.functional.linear(self.torch.nn.functional.linear(x, a), b)

        return hook

    def checkpoint_blocks(self):
        """From now on activations are computed twice instead of kept."""
        from torch.utils.checkpoint import checkpoint

        def computed_twice(forward):
            def wrapped(*inputs, **options):
                if not self.torch.is_grad_enabled():
                    return forward(*inputs, **options)
                return checkpoint(forward, *inputs, use_reentrant=False, **options)

            return wrapped

        for block in self.blocks:
            block.forward = computed_twice(block.forward)
        self.checkpointed = True

    # Reading.

    def run(self, tokens, shared=0, **options):
        """The transformer on texts of whatever lengths, of which so many first tokens are the same: the states of the others.
        In a decoder nothing looks ahead at what fills the shorter ones."""
        past = self.past(tokens, shared)
        ids, mask = self.padded([text[shared:] for text in tokens])
        if not self.is_decoder:
            options["attention_mask"] = mask
        return self.base(input_ids=ids, **options, **past), mask

    def past(self, tokens, shared):
        """The keys and values of what texts begin with, computed once for all of them."""
        if not self.is_decoder:
            return {}
        if not shared:
            return {"use_cache": False}
        prefix, _ = self.padded([tokens[0][:shared]])
        past = self.base(input_ids=prefix, use_cache=True).past_key_values
        past.batch_repeat_interleave(len(tokens))
        return {"past_key_values": past, "use_cache": True}

    def shared(self, tokens):
        """How many tokens all texts begin with, if computing them once pays and can be done."""
        twice = self.checkpointed and self.torch.is_grad_enabled()
        if not self.is_decoder or self.size > 1 or twice or len(tokens) < 2:
            return 0
        shared = min(len(os.path.commonprefix(tokens)), min(len(text) for text in tokens) - 1)
        if shared < FEWEST_SHARED:
            return 0
        if self.has_plain_cache is None:
            with self.torch.no_grad():
                past = self.base(input_ids=self.padded([tokens[0][:1]])[0], use_cache=True).past_key_values
            self.has_plain_cache = type(past) is self.transformers.DynamicCache
        return shared if self.has_plain_cache else 0

    def padded(self, tokens):
        torch, longest = self.torch, max(len(text) for text in tokens)
        filler = self.config.pad_token_id or 0
        if isinstance(filler, list):
            filler = filler[0]
        ids = torch.full((len(tokens), longest), filler, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, text in enumerate(tokens):
            ids[row, : len(text)] = torch.tensor(text, dtype=torch.long)
            mask[row, : len(text)] = 1
        device = self.whole.get_input_embeddings().weight.device if self.spread else self.device
        return ids.to(device), mask.to(device)

    def pooled(self, hidden, mask, pooling):
        torch, mask = self.torch, mask.to(hidden.device)
        hidden = hidden.float()
        if pooling == "last":
            return hidden[torch.arange(len(hidden), device=hidden.device), mask.sum(1) - 1]
        if pooling == "mean":
            return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        if pooling == "max":
            return hidden.masked_fill(mask[..., None] == 0, float("-inf")).amax(1)
        return hidden[:, 0]

    def logits(self, adapter, tokens, pooling):
        """The two classes' logits, in f32."""
        self.active = adapter.layers
        try:
            output, mask = self.run(tokens, self.shared(tokens) if pooling == "last" else 0)
            if pooling == "pooler":
                vectors = self.whole.pooler(output.last_hidden_state).float()
            else:
                vectors = self.pooled(output.last_hidden_state, mask, pooling)
        finally:
            if not self.torch.is_grad_enabled():
                self.active = {}
        weight, bias = adapter.head
        return self.torch.nn.functional.linear(
            vectors, weight.to(vectors.device), None if bias is None else bias.to(vectors.device)
        )

    def in_batches(self, tokens, limit, read, shares=True):
        """What `read` makes of each text, read so many tokens at a time; where memory runs out, ever fewer. What the texts share
        counts once, if `read` computes it once."""
        # Rounding depends on what stands beside a text in a batch: texts that are equal are read once, and score the same.
        first = {}
        for place, text in enumerate(tokens):
            first.setdefault(tuple(text), place)
        order = sorted(first.values(), key=lambda place: len(tokens[place]))
        results = [None] * len(tokens)
        with self.torch.no_grad():
            while True:
                try:
                    found = []
                    shared = self.shared([tokens[place] for place in order]) if shares else 0
                    for places, counts in self.in_rounds(list(batches(order, tokens, limit, shared))):
                        of_places = list(zip(places, read(places), strict=True))
                        found.extend(of_places if counts else [])
                    for place, result in self.from_all(found):
                        results[place] = result
                    return [results[first[tuple(text)]] for text in tokens]
                except self.torch.OutOfMemoryError as error:
                    limit = self.smaller(limit, tokens, error)

    def from_all(self, found):
        """What all processes found."""
        if self.size == 1:
            return found
        everyone = [None] * self.size
        self.torch.distributed.all_gather_object(everyone, found)
        return [one for of_process in everyone for one in of_process]

    def smaller(self, limit, tokens, error):
        """A limit that may fit, or the error."""
        if self.size > 1:
            raise error
        longest = max(len(text) for text in tokens)
        self.torch.cuda.empty_cache()
        if limit > longest:
            say({"note": f"memory ran out with {limit} tokens at a time; going on with {max(limit // 2, longest)}"})
            return max(limit // 2, longest)
        if self.torch.is_grad_enabled() and not self.checkpointed:
            say({"note": "memory ran out with one text at a time; going on with activations computed twice"})
            self.checkpoint_blocks()
            return limit
        raise Refused(
            f"the graphics processor has too little memory for a text of {longest} tokens: {error}",
            "weights = \"nf4\" in [model] takes a quarter, `max_length` cuts texts, gpus = 2 in [engine] spreads the model",
        )

    def log_odds(self, texts, batch_tokens, pooling, learner=None, adapter=None):
        adapter = self.learners[learner].adapter if adapter is None else Adapter(self, **adapter)

        def read(places):
            logits = self.logits(adapter, [texts[place] for place in places], pooling)
            return (logits[:, 1] - logits[:, 0]).tolist()

        return {"log_odds": numbers(self.in_batches(texts, batch_tokens, read, shares=pooling == "last"))}

    def hidden_states(self, texts, batch_tokens, pooling, layers, path):
        torch = self.torch
        wanted = min(layers or -(-len(self.blocks) // 2), len(self.blocks))

        def read(places):
            output, mask = self.run([texts[place] for place in places], output_hidden_states=True)
            vectors = [self.pooled(states, mask, pooling) for states in output.hidden_states[-wanted:]]
            vectors[-1] = self.pooled(output.last_hidden_state, mask, pooling)
            lengths = [vector.double().square().sum(1, keepdim=True).sqrt() for vector in vectors]
            parts = [vector * (1 / (length * wanted)).nan_to_num(posinf=0).float() for vector, length in zip(vectors, lengths)]
            return torch.stack(parts).sum(0).cpu()

        states = self.in_batches(texts, batch_tokens, read, shares=False)
        self.write({"hidden_states": torch.stack(states).contiguous()}, path)
        return {}

    # Asking.

    def token_logits(self, tokens, from_places):
        """The next token's logits at the places of each text from one on, `[places, vocabulary]` each, in f32."""
        torch = self.torch
        shared = min(self.shared(tokens), *from_places)
        past = self.past(tokens, shared)
        tokens, from_places = [text[shared:] for text in tokens], [place - shared for place in from_places]
        ids, _ = self.padded(tokens)
        wanted = sorted({place for text, first in zip(tokens, from_places) for place in range(first, len(text))})
        at = {place: index for index, place in enumerate(wanted)}
        kept = torch.tensor(wanted, device=ids.device)
        try:
            logits = self.whole(input_ids=ids, logits_to_keep=kept, **past).logits
        except TypeError:
            logits = self.whole(input_ids=ids, **past).logits[:, kept]
        return [
            logits[row, [at[place] for place in range(first, len(text))]].float()
            for row, (text, first) in enumerate(zip(tokens, from_places))
        ]

    def next_token_scores(self, texts, targets, batch_tokens):
        def read(places):
            tokens = [texts[place] for place in places]
            last = self.token_logits(tokens, [len(text) - 1 for text in tokens])
            return [(logits[0, targets[1]] - logits[0, targets[0]]).item() for logits in last]

        return {"scores": numbers(self.in_batches(texts, batch_tokens, read))}

    def likeliest_next(self, texts, batch_tokens):
        def read(places):
            tokens = [texts[place] for place in places]
            return [logits[0].argmax().item() for logits in self.token_logits(tokens, [len(text) - 1 for text in tokens])]

        return {"tokens": self.in_batches(texts, batch_tokens, read)}

    def log_likelihoods(self, texts, first, batch_tokens):
        torch = self.torch
        # The same text may be judged from several places on: what is read once is text and place.
        keys = [[*text, first_place] for text, first_place in zip(texts, first)]

        def read(places):
            tokens = [texts[place] for place in places]
            # The last token's own successor is not asked for.
            logits = self.token_logits([text[:-1] for text in tokens], [first[place] - 1 for place in places])
            sums = []
            for place, text, rows in zip(places, tokens, logits):
                judged = torch.tensor(text[first[place] :], device=rows.device)
                sums.append(rows.double().log_softmax(-1).gather(1, judged[:, None]).sum().item())
            return sums

        return {"log_likelihoods": numbers(self.in_batches(keys, batch_tokens, read))}

    def head_rows(self, tokens, path):
        rows = self.whole.get_output_embeddings().weight[self.torch.tensor(tokens)].detach().float().cpu()
        self.write({"rows": rows.contiguous()}, path)
        return {}

    # Learning.

    def begin(self, learner, adapter, trains, settings, pooling, optimizer=None):
        self.learners[learner] = Learner(self, Adapter(self, **adapter), trains, settings, pooling)
        if optimizer:
            self.learners[learner].load_optimizer(optimizer)
        return {}

    def step(self, learner, texts, targets, weights, learning_rate):
        return {"loss": self.learners[learner].step(texts, targets, weights, learning_rate)}

    def snapshot(self, learner, path):
        self.write(self.learners[learner].adapter.on_host(), path)
        return {}

    def restore(self, learner, path):
        self.learners[learner].adapter.fill(path)
        return {}

    def save_optimizer(self, learner, path):
        self.write(self.learners[learner].optimizer_state(), path)
        return {}

    def load_optimizer(self, learner, path):
        self.learners[learner].load_optimizer(path)
        return {}

    def end(self, learner):
        self.learners.pop(learner, None)
        return {}


class Adapter:
    """LoRA factors and a head, in f32, under PEFT's names."""

    def __init__(self, worker, path, scale):
        self.worker, self.tensors = worker, {}
        for name, tensor in worker.read(path).items():
            self.tensors[name] = tensor.to(worker.device).requires_grad_(True)
        self.layers, prefix = {}, f"base_model.model.{worker.whole.base_model_prefix}."
        for layer in worker.layers:
            a, b = (self.tensors[f"{prefix}{layer}.lora_{factor}.weight"] for factor in "AB")
            self.layers[layer] = (a, b, scale)
        self.head_names = sorted(name for name in self.tensors if ".lora_" not in name)
        weight = next(name for name in self.head_names if name.endswith(".weight"))
        bias = next((name for name in self.head_names if name.endswith(".bias")), None)
        self.head = (self.tensors[weight], self.tensors.get(bias))

    def on_host(self):
        return {name: tensor.detach().cpu().contiguous() for name, tensor in self.tensors.items()}

    def fill(self, path):
        with self.worker.torch.no_grad():
            for name, tensor in self.worker.read(path).items():
                self.tensors[name].copy_(tensor)


class Learner:
    """An adapter in training."""

    def __init__(self, worker, adapter, trains, settings, pooling):
        torch = worker.torch
        self.worker, self.adapter, self.pooling = worker, adapter, pooling
        self.limit, self.max_norm = settings["batch_tokens"], settings["max_gradient_norm"]
        in_head = set(adapter.head_names)
        wanted = {"all": lambda name: True, "head": in_head.__contains__, "body": lambda name: name not in in_head}[trains]
        self.trained = {name: tensor for name, tensor in sorted(adapter.tensors.items()) if wanted(name)}
        for name, tensor in adapter.tensors.items():
            tensor.requires_grad_(name in self.trained)
        # Vectors do not decay.
        decayed = [tensor for tensor in self.trained.values() if tensor.dim() > 1]
        others = [tensor for tensor in self.trained.values() if tensor.dim() < 2]
        groups = [{"params": decayed, "weight_decay": settings["weight_decay"]}, {"params": others, "weight_decay": 0.0}]
        betas = (settings["beta1"], settings["beta2"])
        self.optimizer = torch.optim.AdamW([group for group in groups if group["params"]], betas=betas, eps=settings["epsilon"])

    def step(self, texts, targets, weights, learning_rate):
        torch = self.worker.torch
        while True:
            self.optimizer.zero_grad(set_to_none=True)
            try:
                loss = self.backward(texts, targets, weights)
                break
            except torch.OutOfMemoryError as error:
                self.limit = self.worker.smaller(self.limit, texts, error)
            finally:
                self.worker.active = {}
        if not math.isfinite(loss):
            return None
        torch.nn.utils.clip_grad_norm_(self.trained.values(), self.max_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        return loss

    def backward(self, texts, targets, weights):
        """Adds up the gradients of the mean of weight · cross-entropy; that mean."""
        torch, total = self.worker.torch, 0.0
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        shared = self.worker.shared(texts) if self.pooling == "last" else 0
        for places, counts in self.worker.in_rounds(list(batches(order, texts, self.limit, shared))):
            logits = self.worker.logits(self.adapter, [texts[place] for place in places], self.pooling)
            target = torch.tensor([[1 - targets[place], targets[place]] for place in places], device=logits.device)
            weight = torch.tensor([weights[place] for place in places], device=logits.device)
            loss = (weight * -(target * logits.log_softmax(1)).sum(1)).sum() / len(texts) * counts
            loss.backward()
            total += loss.item()
        if self.worker.size == 1:
            return total
        for tensor in self.trained.values():
            torch.distributed.all_reduce(tensor.grad)
        total = torch.tensor(total, device=self.worker.device)
        torch.distributed.all_reduce(total)
        return total.item()

    def optimizer_state(self):
        torch, state, steps = self.worker.torch, {}, 0
        for name, tensor in self.trained.items():
            of_tensor = self.optimizer.state.get(tensor)
            if of_tensor:
                steps = int(of_tensor["step"])
                state[name + ".first"] = of_tensor["exp_avg"].flatten().cpu()
                state[name + ".second"] = of_tensor["exp_avg_sq"].flatten().cpu()
        return {"steps": torch.tensor([float(steps)]), **state}

    def load_optimizer(self, path):
        torch, state = self.worker.torch, self.worker.read(path)
        steps = float(state["steps"][0])
        for name, tensor in self.trained.items():
            first, second = (state.get(name + ending) for ending in (".first", ".second"))
            moments = [torch.zeros_like(tensor) if one is None else one.view_as(tensor).to(tensor) for one in (first, second)]
            self.optimizer.state[tensor] = {
                "step": torch.tensor(steps),
                "exp_avg": moments[0].clone(),
                "exp_avg_sq": moments[1].clone(),
            }


def numbers(values):
    """Values as JSON has them: none for what is no number."""
    return [value if math.isfinite(value) else None for value in values]


def batches(order, tokens, limit, shared=0):
    """Places in the order of lengths, in groups of at most so many tokens where each text is as long as the longest and what
    is shared counts once; or of one."""
    group = []
    for place in order:
        if group and shared + (len(group) + 1) * (len(tokens[place]) - shared) > limit:
            yield group
            group = []
        group.append(place)
    if group:
        yield group


def is_decoder(config, transformers):
    """Whether a model looks only at what came before, by what its checkpoint was saved as, else by its type."""
    names = " ".join(getattr(config, "architectures", None) or [])
    if "ForCausalLM" in names or "LMHeadModel" in names:
        return True
    from transformers.models.auto import modeling_auto

    masked = modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return config.model_type in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and config.model_type not in masked


def is_transposed(module, transformers):
    return isinstance(module, transformers.pytorch_utils.Conv1D)


def is_adapted(name, module, torch, transformers):
    """Whether LoRA adds to a layer: to every linear one inside the blocks."""
    linear = isinstance(module, torch.nn.Linear) or is_transposed(module, transformers)
    return linear and "pooler" not in name and any(part.isdigit() for part in name.split("."))


def sizes(module, transformers):
    if is_transposed(module, transformers):
        return module.weight.shape[0], module.nf
    return module.in_features, module.out_features


def blocks(base, torch):
    """The model's blocks: the list of modules that lies nearest to its top."""
    lists = [(name.count("."), list(module)) for name, module in base.named_modules() if isinstance(module, torch.nn.ModuleList)]
    return min(lists, key=lambda found: found[0], default=(0, []))[1]


def listen(requests):
    """Passes requests on; when nobody can ask for anything more, a computation under way is of no use."""
    for line in REQUESTS:
        requests.put(line)
    os._exit(0)


def beat():
    """Says every few seconds that the process is alive, however long a computation takes."""
    while True:
        time.sleep(5)
        say({"alive": True})


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if place := os.environ.pop("LABELMIX_FOLLOWER", None):
        worker, place = Worker(), json.loads(place)
        if (first := place.pop("first", None)) is not None:
            place["rank"], place["local"] = first + int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_LOCALID"])
        worker.join(**place)
        worker.follow()
    threading.Thread(target=beat, daemon=True).start()
    worker = None
    requests = queue.Queue()
    threading.Thread(target=listen, args=(requests,), daemon=True).start()
    while True:
        request = json.loads(requests.get())
        number, what = request.pop("id"), request.pop("do")
        try:
            worker = worker or Worker()
            worker.pass_on({"do": what, **request})
            say({"id": number, "ok": getattr(worker, what)(**request)})
        except Refused as error:
            say({"id": number, "error": {"message": str(error), "help": error.help}})
        except Exception as error:
            traceback.print_exc()
            say({"id": number, "error": {"message": f"{type(error).__name__}: {error}", "help": None}})


main()
