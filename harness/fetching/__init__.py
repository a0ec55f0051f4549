"""Downloads: the only room that uses the network. Resumable, verified, and moved into place whole or not at all.

Transfers use `requests`, because only it lets another process resume a transfer: `pooch` and `huggingface_hub` (since
version 1) restart an interrupted file, and `gdown` resumes without checking whether the file is still the same.
`huggingface_hub` gives the address of a file on the hub and the access token; `gdown` reads the pages that Google Drive
shows instead of a file.
"""
