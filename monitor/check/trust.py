"""
Decide which certificates are trusted, and which versions of TLS.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import certifi

if TYPE_CHECKING:
    from pathlib import Path


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """
    Return what connections are made with that trust *ca_file*, or the usual authorities.

    Raises ValueError if the file holds no certificate.
    """
    if ca_file is None:
        context = ssl.create_default_context()
        # Slim container images come without a list of their own.
        context.load_verify_locations(certifi.where())
    else:
        try:
            context = ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            problem = "it holds no certificate" if isinstance(error, ssl.SSLError) else error
            raise ValueError(f"cannot use ca_file {ca_file}: {problem}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
