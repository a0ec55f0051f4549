"""Downloads: the only room that uses the network. Resumable, verified, and put in place whole or not at all.

Bytes come by `requests`, which alone lets a transfer be continued in another process: `pooch` and `huggingface_hub`
(since version 1) begin an interrupted file anew, and `gdown` continues without asking whether the file is still the
same. `huggingface_hub` says where a file of the hub lies and with what token it is asked for; `gdown` reads the pages
that Google Drive shows in place of a file.
"""
