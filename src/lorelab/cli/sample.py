"""``lorelab sample``: text from a trained language model."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lorelab.cli.runs import open_store
from lorelab.errors import LorelabError

if TYPE_CHECKING:
    from torch import Tensor

    from lorelab.config.restore import Restored


def main(argv: Sequence[str]) -> int:
    """Prints the prompt and what the run's best weights continue it with. Returns the exit code.

    Raises:
        LorelabError: no such run, not a language model, or a prompt with characters it never saw.
    """
    args = _parser().parse_args(argv)
    from lorelab.config.restore import restore_run

    print(_continued(restore_run(open_store(args), args.run), args))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lorelab sample", description="Continues a prompt with a trained language model.")
    parser.add_argument("run", metavar="RUN", help="id, unique beginning of an id, or name (see lorelab runs)")
    parser.add_argument("--prompt", help="text to continue (default: a new line)")
    parser.add_argument("--temperature", type=_temperature, default=0.8, metavar="T", help="0: always the likeliest"
                        " character; 1: as the model believes; higher: wilder (default 0.8)")  # fmt: skip
    parser.add_argument("--length", type=_length, default=500, metavar="N", help="characters to add (default 500)")
    parser.add_argument("--seed", type=int, default=0, help="of the draws: the same seed gives the same text")
    parser.add_argument("--uri", help="the store (default MLFLOW_TRACKING_URI, else mlruns/mlflow.db in the checkout)")
    parser.add_argument("--experiment", default="lorelab", help="MLflow experiment, 'all' for all (default lorelab)")
    return parser


def _continued(model: Restored, args: argparse.Namespace) -> str:
    from torch import Generator

    from lorelab.tasks.sampling import generate

    prompt = _encoded(args.prompt, model, args.run)
    generator = Generator().manual_seed(args.seed)
    context = model.data.input_shape[0]
    net: Any = model.net  # an nn.Module that is a ``Net``
    tokens = generate(net, prompt, args.length, context=context, temperature=args.temperature, generator=generator)
    return "".join(model.data.vocabulary[token] for token in tokens[0].tolist())


def _encoded(prompt: str | None, model: Restored, run: str) -> Tensor:
    """Tokens of the prompt, ``(1, P)``."""
    import torch

    data = model.data
    if data.target_kind != "token" or not data.vocabulary:
        raise LorelabError(
            f"run {run}: found a model of '{data.name}', {data.input_kind} to {data.target_kind}; expected a language "
            "model. Train one: lorelab train data=tinyshakespeare model=transformer"
        )
    token = {character: index for index, character in enumerate(data.vocabulary)}
    text = prompt if prompt is not None else "\n" if "\n" in token else data.vocabulary[-1]
    unknown = sorted(set(text) - token.keys())
    if unknown or not text:
        raise LorelabError(
            f"--prompt: found {'no character' if not text else ' '.join(map(repr, unknown))}; expected one or more of "
            f"the {len(token) - 1} characters that run {run} was trained on: {_listed(data.vocabulary)}"
        )
    return torch.tensor([[token[character] for character in text]])


def _listed(vocabulary: Sequence[str], most: int = 120) -> str:
    """The characters, without the first, which stands for all unknown ones."""
    shown = "".join(vocabulary[1 : most + 1])
    return repr(shown) + (" and more" if len(vocabulary) > most + 1 else "")


def _temperature(text: str) -> float:
    return _number(text, float, 0, "temperature; expected a number of at least 0, e.g. 0.8")


def _length(text: str) -> int:
    return int(_number(text, int, 1, "length; expected a whole number of at least 1"))


def _number(text: str, kind: type[float], least: float, expected: str) -> float:
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not least <= value < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is no {expected}")
    return value
