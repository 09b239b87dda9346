"""One stage of training in PyTorch, transformers and peft: LoRA and a two-class head on a frozen model."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from data import Labelled, Recipe
from peft import LoraConfig, get_peft_model
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax
from transformers import AutoModel, PreTrainedTokenizerFast, get_cosine_schedule_with_warmup
from transformers.utils import logging

DECODER_LAYERS = r".*\.layers\.\d+\..*\.(q|k|v|o|gate|up|down)_proj"
ENCODER_LAYERS = r".*\.encoder\.layer\.\d+\..*\.(query|key|value|dense)"

Weights = dict[str, Tensor]
Batch = list[int]


class Classifier(nn.Module):
    """A pretrained transformer with a linear head, on the mean of the hidden states for an encoder, on the last
    token's for a decoder. Dropout is off: the recipe has none."""

    def __init__(self, folder: Path):
        super().__init__()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        body = AutoModel.from_pretrained(folder, dtype=torch.float32)
        for module in body.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        self.encoder = body.config.model_type == "bert"
        # The names under which PEFT files know the parts of transformers' sequence classifiers.
        self.body_name = "bert" if self.encoder else "model"
        self.head_name = "classifier" if self.encoder else "score"
        self.add_module(self.body_name, body)
        self.add_module(self.head_name, nn.Linear(body.config.hidden_size, 2, bias=self.encoder))
        self.initial_deviation = 0.01 * body.config.initializer_range

    def forward(self, token_ids: Tensor, attention_mask: Tensor) -> Tensor:
        body, head = getattr(self, self.body_name), getattr(self, self.head_name)
        hidden = body(input_ids=token_ids, attention_mask=attention_mask).last_hidden_state
        if self.encoder:
            pooled = (hidden * attention_mask[..., None]).sum(1) / attention_mask.sum(1, keepdim=True)
        else:
            pooled = hidden[torch.arange(len(hidden)), attention_mask.sum(1) - 1]
        return head(pooled)


class Learner:
    """A classifier whose adapter and head can be trained, read and replaced."""

    def __init__(self, folder: Path, recipe: Recipe, evaluation_batch: int = 32, micro_batch: int = 32):
        self.recipe, self.evaluation_batch, self.micro_batch = recipe, evaluation_batch, micro_batch
        self.tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        classifier = Classifier(folder)
        self.head_name, self.head_deviation = classifier.head_name, classifier.initial_deviation
        config = LoraConfig(
            r=recipe.lora_rank,
            lora_alpha=recipe.lora_alpha,
            lora_dropout=0.0,
            target_modules=ENCODER_LAYERS if classifier.encoder else DECODER_LAYERS,
            modules_to_save=[self.head_name],
        )
        self.model = get_peft_model(classifier, config).train()
        self.trained = {
            name.replace(".modules_to_save.default", "").replace(".default", ""): parameter
            for name, parameter in self.model.named_parameters()
            if parameter.requires_grad
        }

    def initialise(self, seed: int) -> None:
        """A as peft draws it (Kaiming-uniform), B zero, the head a hundredth of transformers' usual deviation."""
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.trained.items():
            if ".lora_A." in name:
                nn.init.kaiming_uniform_(parameter, a=math.sqrt(5), generator=generator)
            elif name.endswith(f"{self.head_name}.weight"):
                nn.init.normal_(parameter, std=self.head_deviation, generator=generator)
            else:
                nn.init.zeros_(parameter)

    def weights(self) -> Weights:
        return {name: parameter.detach().clone() for name, parameter in self.trained.items()}

    @torch.no_grad()
    def restore(self, weights: Weights) -> None:
        if weights.keys() != self.trained.keys():
            raise SystemExit(f"tensors of another adapter: {sorted(weights.keys() ^ self.trained.keys())}")
        for name, parameter in self.trained.items():
            parameter.copy_(weights[name])

    def logits(self, texts: list[str]) -> Tensor:
        tokens = [torch.tensor(ids) for ids in self.tokenizer(texts)["input_ids"]]
        lengths = torch.tensor([len(ids) for ids in tokens])
        padded = nn.utils.rnn.pad_sequence(tokens, batch_first=True)
        return self.model(padded, (torch.arange(padded.shape[1]) < lengths[:, None]).long())

    @torch.inference_mode()
    def log_odds(self, texts: list[str]) -> Tensor:
        size = self.evaluation_batch
        logits = torch.cat([self.logits(texts[first : first + size]) for first in range(0, len(texts), size)])
        return (logits[:, 1] - logits[:, 0]).double()

    def backward(self, batch: list[Labelled]) -> None:
        """Gradients of the mean cross-entropy of a batch, accumulated over its micro-batches."""
        for first in range(0, len(batch), self.micro_batch):
            part = batch[first : first + self.micro_batch]
            log_p = log_softmax(self.logits([label.text for label in part]), dim=-1)
            y = torch.tensor([label.target for label in part])
            (-((1 - y) * log_p[:, 0] + y * log_p[:, 1]).sum() / len(batch)).backward()


@dataclass(frozen=True)
class Evaluation:
    step: int
    loss: float
    auroc: float | None

    @property
    def measure(self) -> float:
        """What is to be large: AUROC, or minus the loss where there is one class only."""
        return -self.loss if self.auroc is None else self.auroc

    def better_than(self, other: "Evaluation | None") -> bool:
        return other is None or (self.measure, -self.loss) > (other.measure, -other.loss)


@dataclass
class History:
    steps: int = 0
    best_step: int = 0
    evaluations: list[Evaluation] = field(default_factory=list)
    training_seconds: float = 0.0
    validation_seconds: float = 0.0


def shuffled_batches(count: int, size: int, generator: torch.Generator) -> Iterator[Batch]:
    """Batches of indices, pass after pass without end."""
    while True:
        yield from (batch.tolist() for batch in torch.randperm(count, generator=generator).split(size))


def evaluate(learner: Learner, validation: list[Labelled], step: int) -> Evaluation:
    scores = learner.log_odds([label.text for label in validation])
    targets = torch.tensor([label.target for label in validation], dtype=torch.float64)
    classes = targets >= 0.5
    auroc = float(roc_auc_score(classes, scores)) if 0 < classes.sum() < len(classes) else None
    return Evaluation(step, binary_cross_entropy_with_logits(scores, targets).item(), auroc)


def train_stage(
    learner: Learner, train: list[Labelled], validation: list[Labelled], batches: Iterator[Batch]
) -> History:
    """Trains from where the learner is, and leaves it at the stage's best checkpoint.

    Stops at the `patience`-th evaluation in a row whose AUROC is not above the best so far by `minimum_improvement`;
    without validation labels, after as many evaluations' worth of steps.
    """
    recipe, history = learner.recipe, History()
    steps_per_epoch = math.ceil(len(train) / recipe.batch_size)
    total_steps = max(recipe.total_examples // len(train), 1) * steps_per_epoch
    evaluate_every = min(recipe.evaluate_every, steps_per_epoch)

    # As transformers' trainer has it, biases do not decay.
    groups = [[p for p in learner.trained.values() if (p.ndim > 1) == decays] for decays in (True, False)]
    optimizer = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": recipe.weight_decay}, {"params": groups[1], "weight_decay": 0.0}],
        lr=recipe.learning_rate,
        betas=(recipe.beta1, recipe.beta2),
        eps=recipe.epsilon,
    )
    warmup_steps = max(min(recipe.warmup_steps, steps_per_epoch), 2)
    schedule = get_cosine_schedule_with_warmup(optimizer, warmup_steps, total_steps)

    best: Evaluation | None = None
    kept = learner.weights()
    without_improvement = 0
    while history.steps < total_steps and without_improvement < recipe.patience:
        started = time.perf_counter()
        optimizer.zero_grad()
        learner.backward([train[index] for index in next(batches)])
        nn.utils.clip_grad_norm_(learner.trained.values(), recipe.max_gradient_norm)
        optimizer.step()
        schedule.step()
        history.steps += 1
        history.training_seconds += time.perf_counter() - started
        if history.steps % evaluate_every and history.steps < total_steps:
            continue
        without_improvement += 1
        if not validation:
            continue
        started = time.perf_counter()
        evaluation = evaluate(learner, validation, history.steps)
        history.evaluations.append(evaluation)
        if best is None or evaluation.measure > best.measure + recipe.minimum_improvement:
            without_improvement = 0
        if evaluation.better_than(best):
            best, kept = evaluation, learner.weights()
        history.validation_seconds += time.perf_counter() - started
    if best is not None:
        learner.restore(kept)
    history.best_step = best.step if best else history.steps
    return history
