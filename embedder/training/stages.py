"""The stages: specialists apart, fused, the drift told, the sound projector recovered, a rehearsal, a share of it kept.

After Conan-embedding-v3 (arXiv 2606.09331). Each stage is a folder in the workshop with its weights, recipe, numbers
and loss; one that is complete is not run again, and refused when the recipe has changed since.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from data.errors import StoreUnavailableError
from embedder import evaluate
from embedder.device import pick_device
from embedder.fusion.drift import drift as drifted
from embedder.fusion.fuse import fuse as fused
from embedder.fusion.recipe import FusionRecipe, Method
from embedder.glosses import read_imagenet
from embedder.mini import CHECKPOINT
from embedder.model import checkpoint
from embedder.model.omni import WIDTHS, OmniModel
from embedder.towers.words import WordsTower, read_tokenizer
from embedder.training.cache import Shelf
from embedder.training.lineage import BASE, FUSED, INTERPOLATED, JOINT, LONGER, RECOVERED, REHEARSED, specialist
from embedder.training.loop import Plan, finish, train
from embedder.training.mixture import Captions, Mixture
from embedder.training.pairs import Medium
from embedder.training.twins import without_twins
from embedder.training.workshop import Workshop

log = logging.getLogger(__name__)

_AFTER_FUSION = (FUSED, RECOVERED, LONGER, REHEARSED, INTERPOLATED)
_ROTATION_FILE, _ROTATION_TEXTS = "rotation.npy", 20_000
_MOST_CANDIDATES = 400  # of one source in an exhibit
_DEPTH = 10  # at which recall is told to be kept
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_SENTENCES, _SHORTEST, _LONGEST = 1_000, 5, 40  # most that are asked for; words
_DRAWS = 20  # how often what is measured among others, or some, is drawn anew
_PICTURES, _SOUNDS = 538, 103  # of whole sources, as many as other training-free models were measured with


class Training:
    """The stages over gathered shelves.

    Args:
        shelves: of all sources; those whose whole source is held out are only tested on.
        device: as `embedder.device.pick_device` has it.
    """

    def __init__(self, workshop: Workshop, shelves: Sequence[Shelf], *, device: str = "cpu") -> None:
        self.workshop = workshop
        self._recipe = workshop.recipe
        self._shelves = list(shelves)
        self._whole = {source.name for source in workshop.sources if source.whole}
        self._device = pick_device(device)

    def specialise(self, medium: Medium) -> None:
        """Train a specialist from the base: backbone and its own projector."""
        plan = self._recipe.specialise[medium]
        self._run(specialist(medium), plan, self.base)

    def fuse(self) -> None:
        """Add the specialists' task vectors to the base; what the recipe names, such as a projector, is copied."""
        if self._is_done(FUSED):
            return
        recipe = self._recipe.fusion
        base = self.base()
        states = {
            medium.value: checkpoint.state_of(self.workshop.model(specialist(medium)))
            for medium in Medium
            if medium.value in recipe.coefficients
        }
        state = fused(checkpoint.state_of(base), states, recipe)
        self._keep(FUSED, checkpoint.set_state(base, state))

    def recover(self) -> None:
        """Train every parameter of the sound projector and nothing else, against the fused backbone."""
        self._run(RECOVERED, self._recipe.recover, lambda: self.workshop.model(FUSED))

    def rehearse(self) -> None:
        """Train everything on a balanced mixture of all media and text."""
        self._run(REHEARSED, self._recipe.rehearse, lambda: self.workshop.model(RECOVERED))

    def interpolate(self) -> None:
        """Keep a share of what the rehearsal changed: weights between its beginning and its end.

        After WiSE-FT (Wortsman et al. 2022, arXiv 2109.01903, section 3): such weights are often better than either,
        above all away from what was trained on. Nothing is trained.
        """
        if self._is_done(INTERPOLATED):
            return
        before, after = self.workshop.model(RECOVERED), self.workshop.model(REHEARSED)
        share = FusionRecipe(method=Method.TASK_ARITHMETIC, coefficients={REHEARSED: self._recipe.interpolate})
        state = fused(checkpoint.state_of(before), {REHEARSED: checkpoint.state_of(after)}, share)
        self._keep(INTERPOLATED, checkpoint.set_state(before, state))

    def train_jointly(self) -> None:
        """For comparison: everything at once from the base, as many steps as all stages together."""
        self._run(JOINT, self._recipe.joint, self.base)

    def train_longer(self) -> None:
        """For comparison: as many steps as the recovery has on sound, but backbone and projector together."""
        self._run(LONGER, self._recipe.longer, lambda: self.workshop.model(FUSED))

    def drift(self) -> dict[str, Any]:
        """What fusion did to the audio path: recall and representation, specialist against fused and later stages.

        `text_to_audio_kept` is R@10 as a share of the specialist's. Once as the model is, and once by what the backbone
        makes of the tokens alone: what goes around the backbone is copied with the projector, so fusion cannot touch
        it. `drift.json` in the workshop has it, too.

        Raises:
            StoreUnavailableError: that cannot be written.
        """
        found = {"whole": self._drift(alone=False), "backbone_alone": self._drift(alone=True)}
        with checkpoint.written(self.workshop.folder / "drift.json") as partial:
            partial.write_text(json.dumps(found, indent=1), encoding="utf-8")
        return found

    def _drift(self, *, alone: bool) -> dict[str, Any]:
        stages = [specialist(Medium.AUDIO), *(name for name in _AFTER_FUSION if self.workshop.is_done(name))]
        of = self._of(Medium.AUDIO)
        shown = {
            name: evaluate.exhibit(name, self.model(name), self._shown(of), self.captions, alone=alone)
            for name in stages
        }
        found = {name: evaluate.text_finds(now) for name, now in shown.items()}
        before, best = shown[stages[0]].vectors, found[stages[0]].recall[_DEPTH]
        return {
            name: {"text_to_audio": asdict(found[name])}
            | {"text_to_audio_kept": round(found[name].recall[_DEPTH] / best, 4) if best else None}
            | (asdict(drifted(before, now.vectors, questions=None)) if name in _AFTER_FUSION else {})
            for name, now in shown.items()
        }

    def numbers(self, model: OmniModel) -> dict[str, Any]:
        """The any-to-any matrix on held-out media, each source alone, and how far texts have strayed."""
        every = {shelf.source: self._exhibit(shelf.source, [shelf], model) for shelf in self._shelves}
        held = {
            medium.value: evaluate.joined(medium.value, [every[shelf.source] for shelf in self._of(medium)])
            for medium in Medium
        }
        found: dict[str, Any] = {"matrix": evaluate.matrix(held), "sources": {}}
        texts = evaluate.said_otherwise(model, self._shown(self._trained_on), self.captions)
        found["matrix"]["text"]["text"] = asdict(evaluate.text_finds(texts))
        untrained: dict[str, evaluate.Exhibit] = {}
        for shelf in self._shelves:
            whole = shelf.source in self._whole
            rows = self.tested[shelf.source][: None if whole else _MOST_CANDIDATES]
            shown = evaluate.picked(every[shelf.source], range(len(rows)))
            prior = untrained[shelf.source] = evaluate.priors(shelf, rows, self.captions)
            found["sources"][shelf.source] = {
                "whole": whole,
                "left_out": sum(whole or entry.held_out for entry in shelf.entries) - len(self.tested[shelf.source]),
                "from_text": asdict(evaluate.text_finds(shown)),
                "to_text": asdict(evaluate.finds_text(shown)),
                "from_text_untrained": asdict(evaluate.text_finds(prior)),
            }
            if shelf.medium is Medium.IMAGE:
                asked = evaluate.by_description(shown, model, self.captions)
                found["sources"][shelf.source]["from_description"] = asdict(evaluate.text_finds(asked))
                trained = sum(not entry.held_out for entry in shelf.entries)
                if not whole and trained >= _MOST_CANDIDATES - len(rows) > 0 and len(rows) > _MOST_CANDIDATES / 2:
                    found["sources"][shelf.source]["filled_up"] = self._filled_up(model, shelf, shown, asked)
        documents = [shelf for shelf in self._shelves if shelf.medium is Medium.DOCUMENT]
        if documents:
            pages = self._shown(self._of(Medium.DOCUMENT))
            hidden = evaluate.exhibit("pixels", model, pages, self.captions, words=False)
            found["pages_by_pixels"] = asdict(evaluate.text_finds(hidden))
        found["across"] = self._across(every)
        found["drawn"] = {"model": self._drawn(every), "untrained": self._drawn(untrained)}
        found["as_many_as_video"] = self._as_many(held)
        found["widths"] = {
            width: {name: asdict(evaluate.text_finds(evaluate.narrowed(shown, width))) for name, shown in held.items()}
            for width in WIDTHS
        }
        found["text_kept"] = self._text_kept(model)
        return found

    def _text_kept(self, model: OmniModel) -> dict[str, Any]:
        """How far sentences have gone from where the untouched MiniLM has them, by cosine."""
        ids, untouched = self._sentences
        cosines = (evaluate.embed_texts(model, ids) * (untouched @ model.rotation.cpu().numpy())).sum(axis=1)
        return {"texts": len(ids), "mean": float(cosines.mean()), "least": float(cosines.min())}

    @cached_property
    def _sentences(self) -> tuple[list[list[int]], evaluate.Vectors]:
        """Sentences of the pages that are tested on, as token ids and as vectors by MiniLM: no stage ever saw them.

        Captions of pages are sentences of them, and training holds captions in place: those are left out.
        """
        pages = [shelf.entries[row].words for shelf in self._shelves for row in self.tested[shelf.source]]
        found = {" ".join(sentence.split()) for words in pages for sentence in _SENTENCE_END.split(words)}
        said = sorted(sentence for sentence in found if _SHORTEST <= len(sentence.split()) <= _LONGEST)
        said = [said[place] for place in np.random.default_rng(0).permutation(len(said))]
        held_in_place = set(map(tuple, self.captions.ids))
        ids = [encoded.ids for encoded in read_tokenizer().encode_batch(said)]
        unseen = [place for place, each in enumerate(ids) if tuple(each) not in held_in_place][:_SENTENCES]
        return [ids[place] for place in unseen], WordsTower(self._device.name).encode([said[place] for place in unseen])

    def _filled_up(
        self, model: OmniModel, shelf: Shelf, shown: evaluate.Exhibit, asked: evaluate.Exhibit
    ) -> dict[str, Any]:
        """What is found of a source among as many candidates as others have: the rest was trained on, drawn by chance.

        Args:
            shown, asked: what is tested on, asked for by title and by all captions.
        """
        trained = [row for row, entry in enumerate(shelf.entries) if not entry.held_out]
        missing = _MOST_CANDIDATES - len(shown.vectors)
        rows = np.random.default_rng(0).permutation(trained)[: _DRAWS * missing].tolist()
        others = evaluate.exhibit(shelf.source, model, [(shelf, rows)], self.captions)
        by_all = replace(others, captions=others.descriptions)
        return {
            "fillings": len(rows) // missing,
            "from_text": asdict(evaluate.text_finds_among(shown, others, _MOST_CANDIDATES)),
            "from_description": asdict(evaluate.text_finds_among(asked, by_all, _MOST_CANDIDATES)),
        }

    def exhibit(self, medium: Medium, model: OmniModel) -> evaluate.Exhibit:
        """The held-out tenth of every source of a medium that is trained on, without twins of what is trained on."""
        return self._exhibit(medium.value, self._of(medium), model)

    def _exhibit(self, name: str, shelves: Sequence[Shelf], model: OmniModel) -> evaluate.Exhibit:
        return evaluate.exhibit(name, model, self._shown(shelves), self.captions)

    def base(self) -> OmniModel:
        """The untrained model, its vectors turned so that the first numbers tell most.

        It is stored as the specialists are, so that what they do not train stays equal bit for bit.
        """
        if not self.workshop.is_done(BASE):
            model = checkpoint.base_model()
            model.rotation.copy_(torch.from_numpy(self.rotation))
            self._keep(BASE, model)
        return self.workshop.model(BASE)

    def model(self, name: str) -> OmniModel:
        """The model that a stage made, on the device.

        Raises:
            BadSettingsError: as `Workshop.made`.
        """
        return self.workshop.model(name).to(self._device.name)

    def shipped(self) -> OmniModel:
        """The model that comes with the product, on the device.

        Raises:
            ModelMismatchError: it is damaged.
        """
        return checkpoint.load(CHECKPOINT).to(self._device.name)

    @cached_property
    def rotation(self) -> evaluate.Vectors:
        """(384, 384) principal axes of captions: cosines stay, the first numbers tell texts apart.

        They are kept, because another device finds some of them the other way round.

        Raises:
            StoreUnavailableError: they cannot be written, or what is kept is damaged.
        """
        path = self.workshop.folder / _ROTATION_FILE
        if not path.exists():
            axes = self._principal_axes()
            with checkpoint.written(path) as partial, partial.open("wb") as file:
                np.save(file, axes)
        try:
            kept: evaluate.Vectors = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise StoreUnavailableError(
                f"{str(path)!r} is damaged ({type(error).__name__}), and every stage stands on it; restore it, or "
                "remove it to have it made anew"
            ) from error
        return kept

    def _principal_axes(self) -> evaluate.Vectors:
        """(384, 384), by uncentred PCA, the one that tells most first."""
        texts = sorted({text for shelf in self._shelves for entry in shelf.entries for text in entry.captions[:1]})
        vectors = WordsTower(self._device.name).encode(texts[:: max(1, len(texts) // _ROTATION_TEXTS)])
        _, axes = np.linalg.eigh(vectors.T.astype(np.float64) @ vectors)  # ascending
        turned: evaluate.Vectors = np.ascontiguousarray(axes[:, ::-1]).astype(np.float32)
        return turned

    @cached_property
    def captions(self) -> Captions:
        """Every caption, and the words of the classes beside."""
        more = [text for entry in read_imagenet() for text in (entry.names, entry.definition)]
        device = self._device.name
        return Captions(self._shelves, WordsTower(device), self.rotation, more=more, device=device)

    @cached_property
    def tested(self) -> dict[str, list[int]]:
        """The rows that are tested on, by source."""
        return without_twins(self._shelves, self._whole)

    @cached_property
    def mixtures(self) -> dict[str, Mixture]:
        """Training batches of each medium."""
        return {
            medium.value: Mixture(self._of(medium), self.captions, self._weights(medium))
            for medium in Medium
            if self._of(medium)
        }

    def _weights(self, medium: Medium) -> Mapping[str, float]:
        """As the recipe says; a source it does not name counts by the root of how much it holds."""
        named = self._recipe.weights[medium]
        return {shelf.source: named.get(shelf.source, len(shelf.entries) ** 0.5) for shelf in self._of(medium)}

    @property
    def _trained_on(self) -> list[Shelf]:
        return [shelf for shelf in self._shelves if shelf.source not in self._whole]

    def _of(self, medium: Medium) -> list[Shelf]:
        return [shelf for shelf in self._trained_on if shelf.medium is medium]

    def _shown(self, shelves: Sequence[Shelf]) -> list[tuple[Shelf, list[int]]]:
        return [(shelf, self.tested[shelf.source]) for shelf in shelves]

    def _across(self, every: Mapping[str, evaluate.Exhibit]) -> dict[str, Any]:
        """Media of sources that were never trained on, for each other: sound to image and back."""
        if (of := self._whole_sources(every)) is None:
            return {}
        image, audio = of
        return {
            "audio_to_image": asdict(evaluate.finds(audio, image)),
            "image_to_audio": asdict(evaluate.finds(image, audio)),
        }

    def _drawn(self, every: Mapping[str, evaluate.Exhibit]) -> dict[str, Any]:
        """Sources that were never trained on, in the sizes that other figures are of: the mean of some draws."""
        if (of := self._whole_sources(every)) is None:
            return {}
        image, audio = of
        pictures = list(evaluate.draws(image, _PICTURES, times=_DRAWS))
        sounds = evaluate.draws(audio, _SOUNDS, times=_DRAWS)
        return {
            "text_to_image": asdict(evaluate.average(map(evaluate.text_finds, pictures))),
            "text_to_audio": asdict(evaluate.average(map(evaluate.text_finds, sounds))),
            "audio_to_image": asdict(evaluate.average(evaluate.finds(audio, drawn) for drawn in pictures)),
        }

    def _whole_sources(self, every: Mapping[str, evaluate.Exhibit]) -> tuple[evaluate.Exhibit, evaluate.Exhibit] | None:
        """All pictures and all sounds of whole sources; None where one of the two is lacking."""
        whole = [shelf for shelf in self._shelves if shelf.source in self._whole]
        of = {medium: [shelf for shelf in whole if shelf.medium is medium] for medium in (Medium.IMAGE, Medium.AUDIO)}
        if not all(of.values()):
            return None
        image, audio = (evaluate.joined(medium, [every[shelf.source] for shelf in of[medium]]) for medium in of)
        return image, audio

    def _as_many(self, held: Mapping[str, evaluate.Exhibit]) -> dict[str, Any]:
        """Pictures, as many as there are shots, which are found the more easily for being few."""
        drawn = list(evaluate.draws(held[Medium.IMAGE], len(held[Medium.VIDEO].vectors), times=_DRAWS))
        if not len(drawn[0].vectors):
            return {}
        return {
            "text_to_image": asdict(evaluate.average(map(evaluate.text_finds, drawn))),
            "image_to_text": asdict(evaluate.average(map(evaluate.finds_text, drawn))),
        }

    def _run(self, name: str, plan: Plan, start: Callable[[], OmniModel]) -> None:
        folder = self.workshop.stage(name)
        if self._is_done(name):
            finish(folder)  # it may have been killed just before that
            return
        log.info("%s: %d steps", name, plan.steps)
        model = start().to(self._device.name)
        made_by = self.workshop.made_by(name)
        train(model, self.mixtures, self.captions, plan, folder, made_by=made_by, bf16=self._device.bf16)
        self._keep(name, model)
        finish(folder)

    @cached_property
    def _made_on(self) -> dict[str, Any]:
        """What two runs of a recipe must share to end with the same bits."""
        seen = hashlib.sha256()
        for shelf in self._shelves:
            seen.update(json.dumps([shelf.source, [asdict(entry) for entry in shelf.entries]]).encode())
            seen.update(np.ascontiguousarray(shelf.prior).tobytes())
        processor = torch.cpu.get_capabilities().get("cpu_name")
        named = torch.cuda.get_device_name(self._device.name) if self._device.name.startswith("cuda") else processor
        return {
            "features": seen.hexdigest()[:12],
            "torch": torch.__version__,
            "device": f"{self._device.name}, {named}, {'bf16' if self._device.bf16 else 'fp32'}",
            "threads": torch.get_num_threads(),
        }

    def _is_done(self, name: str) -> bool:
        done = self.workshop.is_done(name)
        if done:
            log.info("%s is done", name)
        return done

    def _keep(self, name: str, model: OmniModel) -> None:
        model.to(self._device.name).eval()
        recipe, numbers = self.workshop.made_by(name) | {"made_on": self._made_on}, self.numbers(model)
        checkpoint.save(self.workshop.stage(name), model, name=name, recipe=recipe, numbers=numbers)
