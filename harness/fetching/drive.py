"""``gdrive:ID``: the address of a file on Google Drive, past the page that warns about files too large to scan."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from harness.fetching.content import describe_page
from harness.fetching.records import MirrorError
from harness.fetching.transfer import Address, page_head
from harness.records import Download

if TYPE_CHECKING:
    from harness.fetching.session import Session

DRIVE: Final = "https://drive.google.com"
_PAGES: Final = 3


def drive_address(download: Download, session: Session, drive: str = DRIVE) -> Address:
    """The address of the file's bytes; the session keeps the cookies it needs.

    Raises:
        MirrorError: the quota is exhausted, or the file is deleted or not public.
        TransferError: the drive does not answer now.
    """
    from gdown.download import get_url_from_gdrive_confirmation
    from gdown.exceptions import FileURLRetrievalError

    identity = download.uri.partition(":")[2]
    if not re.fullmatch(r"[\w-]+", identity, re.ASCII):
        raise MirrorError(f"{identity!r} is not the id of a file on Google Drive")
    url = f"{drive}/uc?id={identity}"
    for _ in range(_PAGES):
        with session.open("GET", url) as answer:
            session.check_status(answer)
            if not answer.headers.get("Content-Type", "").lower().startswith("text/html"):
                return Address(uri=download.uri, url=answer.url)
            head = page_head(answer, session.retries)
        try:
            url = get_url_from_gdrive_confirmation(head.decode("utf-8", "replace"))
        except FileURLRetrievalError as error:
            raise MirrorError(f"the download is {describe_page(head) or 'a web page'}") from error
    raise MirrorError("Google Drive asks for one confirmation after another")
