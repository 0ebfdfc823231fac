"""The tensors of a model's directory as safetensors holds them, in one file or in several."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from reprlib import repr as short
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from kvengine.config import read_json
from kvengine.errors import CheckpointError

#: How safetensors names the precisions whose numbers mean what they say; others need scales beside them.
_PRECISIONS = ("F64", "F32", "F16", "BF16")

_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_READOUT, _EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


class Stored:
    """The tensors of a model's directory, in one safetensors file or in several, open while it is entered."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._open: dict[str, Any] = {}
        #: The file that holds each tensor.
        self.files: dict[str, str] = {}

    def __enter__(self) -> "Stored":
        index = self._directory / _INDEX
        if (self._directory / _SINGLE).is_file():
            with self._told(_SINGLE):
                self.files = dict.fromkeys(self._file(_SINGLE).keys(), _SINGLE)
        elif index.is_file():
            self.files = self._read_index(index)
        else:
            raise CheckpointError(_no_weights(self._directory))
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open.values():
            file.__exit__(None, None, None)

    def _read_index(self, index: Path) -> dict[str, str]:
        """Which file holds which tensor: files of this directory, each with just those tensors."""
        raw, told = read_json(index), f"{self._directory.name}/{_INDEX}"
        files = raw.get("weight_map") if isinstance(raw, dict) else None
        if not isinstance(files, dict) or not files:
            raise CheckpointError(f"{told} does not name a file for each tensor; copy it again.")
        for name in set(map(str, files.values())):
            if Path(name).name != name or not name.endswith(".safetensors"):
                raise CheckpointError(f"{told} names {short(name)}, no file of its own; copy it again.")
            if not (self._directory / name).is_file():
                raise CheckpointError(
                    f"{self._directory.name} has no {short(name)}; copy the model's complete directory."
                )
            with self._told(name):
                if set(self._file(name).keys()) != {tensor for tensor, file in files.items() if file == name}:
                    raise CheckpointError(
                        f"{self._directory.name}/{name} holds other tensors than {_INDEX} says; "
                        "copy the model's complete directory."
                    )
        return files

    def _file(self, name: str) -> Any:
        if name not in self._open:
            file: Any = safe_open(self._directory / name, framework="pt")
            self._open[name] = file.__enter__()
        return self._open[name]

    @contextmanager
    def _told(self, file: str) -> Iterator[None]:
        """What the library says of a broken file, as a sentence; an OSError would tell the whole path."""
        try:
            yield
        except (SafetensorError, OSError) as error:
            reason = (error.strerror or "unreadable") if isinstance(error, OSError) else error
            raise CheckpointError(
                f"{self._directory.name}/{file} is damaged or cut short ({reason}); copy it again."
            ) from None

    def told(self, name: str) -> str:
        """The file that holds a tensor, or should, as a sentence names it."""
        return f"{self._directory.name}/{self.files.get(name) or next(iter(self.files.values()), _SINGLE)}"

    def read(self, name: str) -> Tensor:
        with self._told(self.files[name]):
            tensor: Tensor = self._file(self.files[name]).get_tensor(name)
            return tensor

    def check(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Raise `CheckpointError` unless the files hold just the tensors of these names and shapes.

        A copy of the embedding under the readout's name is let pass, and so are the rotary frequencies that
        earlier versions of transformers stored.
        """
        for name, shape in shapes.items():
            if name not in self.files:
                raise CheckpointError(
                    f"{self.told(name)} lacks the tensor {name}; copy the model's complete directory."
                )
            self._check_one(name, shape)
        left = self.files.keys() - shapes.keys()
        if _READOUT in left:
            self._check_one(_READOUT, shapes[_EMBEDDING])
        unknown = sorted(n for n in left if n != _READOUT and not n.endswith("rotary_emb.inv_freq"))
        if unknown:
            more = f" and {len(unknown) - 1:,} more" if unknown[1:] else ""
            raise CheckpointError(
                f"{self.told(unknown[0])} holds {unknown[0][:80]}{more}, which config.json does not explain; "
                "copy both files from the same model, one without additions to its architecture."
            )

    def _check_one(self, name: str, shape: tuple[int, ...]) -> None:
        with self._told(self.files[name]):
            tensor = self._file(self.files[name]).get_slice(name)  # describes it, and reads nothing
            stored_as, stored_shape = tensor.get_dtype(), tensor.get_shape()
        if stored_as not in _PRECISIONS:
            raise CheckpointError(
                f"{self.told(name)}: {name} is stored as {stored_as}, which this engine does not read; "
                "choose the model in float32, float16 or bfloat16."
            )
        if stored_shape != list(shape):
            raise CheckpointError(
                f"{self.told(name)}: {name} has shape {stored_shape}, but config.json asks for "
                f"{list(shape)}; copy both files from the same model."
            )


def _no_weights(directory: Path) -> str:
    others = sorted(
        p.name for pattern in ("*.safetensors*", "*.bin*", "*.gguf") for p in directory.glob(pattern)
    )
    if others:
        return (
            f"{directory.name} keeps its weights in {others[0]}, and this engine reads {_SINGLE}, or the "
            f"files that {_INDEX} names; load the model with transformers and save it again."
        )
    return f"{directory.name} has no {_SINGLE}; copy the model's complete directory."
