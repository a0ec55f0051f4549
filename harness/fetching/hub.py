"""``hf:OWNER/REPO:FILE``: the address of a file on the Hugging Face Hub, and the SHA-256 that the hub states for it.

Respects ``HF_ENDPOINT``, ``HF_HUB_OFFLINE`` and the token of ``hf auth login``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from harness.checkpoints.locations import split_hub
from harness.errors import RequestError
from harness.fetching.records import MirrorError
from harness.fetching.session import whole_number
from harness.fetching.transfer import Address
from harness.records import Download, ModelSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.fetching.session import Session

_HOPS: Final = 5


def hub_address(download: Download, session: Session) -> Address:
    """The address at the current commit, so that no file is assembled from two versions.

    Raises:
        MirrorError: ``HF_HUB_OFFLINE`` is set, no such file, or access is not granted.
        TransferError: the hub does not answer now.
    """
    from huggingface_hub import constants, get_token, hf_hub_url

    if constants.HF_HUB_OFFLINE:
        raise MirrorError("HF_HUB_OFFLINE is set; unset it to use the hub")
    try:
        repository, file = split_hub(ModelSpec(name=download.uri, source=""), download.uri.partition(":")[2])
    except RequestError as error:
        raise MirrorError(str(error)) from error
    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answered = _hub_headers(hf_hub_url(repository, file), headers, session)
    commit, etag = answered.get("X-Repo-Commit"), answered.get("X-Linked-Etag", "").strip('"')
    return Address(
        uri=download.uri,
        url=hf_hub_url(repository, file, revision=commit),
        headers=headers,
        bytes=whole_number(answered.get("X-Linked-Size")),
        # Of large files; small ones have a git digest.
        digests=(f"sha256:{etag}",) if re.fullmatch(r"[0-9a-fA-F]{64}", etag) else (),
    )


def _hub_headers(url: str, headers: dict[str, str], session: Session) -> Mapping[str, str]:
    """The hub's own headers: redirects within the hub (a renamed repository) are followed, those to storage are not."""
    for _ in range(_HOPS):
        with session.open("HEAD", url, headers, redirects=False) as answer:
            target = answer.headers.get("Location", "")
            if answer.is_redirect and target.startswith("/"):
                url = urljoin(url, target)
                continue
            if "X-Error-Code" in answer.headers:
                raise MirrorError(_hub_error(answer.headers))
            if not answer.is_redirect:
                session.check_status(answer)
            return answer.headers
    raise MirrorError("the hub redirects without end")


def _hub_error(headers: Mapping[str, str]) -> str:
    code, message = headers["X-Error-Code"][:80], " ".join(headers.get("X-Error-Message", "").split())[:200]
    text = f"the hub says {code}" + (f": {message}" if message else "")
    if code == "GatedRepo":
        return f"{text}; ask for access on its page, then type: hf auth login"
    return text
