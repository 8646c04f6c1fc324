"""What stores answer, as one sentence each: which place, what is wrong, what to do. Never a key."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from ..errors import DivergenError, MissingExtra, install_line, lacking

__all__ = ["Address", "StoreError", "lacks_bucket", "sentence", "told"]

_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the role of this machine",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
}
_SECRETS = re.compile(r"(AWS|GOOGLE|AZURE)_.*(KEY|TOKEN|SECRET|PASSWORD|SAS).*")
"""Variables whose values are shown nowhere."""

_ANSWERS = (
    (
        r"NoSuchBucket|bucket does not exist|ContainerNotFound",
        "there is no bucket {bucket!r} {where}; make it, or check its name and the endpoint",
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|AuthenticationFailed|TokenRefreshRequired",
        "the store does not accept these credentials; set {credentials} anew",
    ),
    (
        r"NoCredentials|Unable to locate credentials|no providers in chain|CredentialsNotLoaded|CredentialsError"
        r"|DefaultCredentialsError|PartialCredentials|failed to load.*credentials|Anonymous users",
        "no credentials were found; set {credentials}",
    ),
    (
        r"PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint",
        "the bucket lies in another region; set AWS_REGION and AWS_DEFAULT_REGION to it",
    ),
    (
        r"AccessDenied|Access Denied|Forbidden|\b403\b|PermissionError|AuthorizationFailure|AllAccessDisabled",
        "no permission {where}: the credentials ({credentials}) are wrong, or not allowed to list the bucket, and to "
        "read, write and delete its objects",
    ),
    (
        r"EndpointConnectionError|ConnectTimeout|Connection refused|[Cc]onnect(ion)? error|Cannot connect|dns error"
        r"|Could not connect|ServerDisconnected|ConnectionReset|ConnectionClosed|error sending request|ReadTimeout"
        r"|ClientConnectorError|timed out|Name or service not known",
        "the store does not answer {where}; check the network and the endpoint (AWS_ENDPOINT_URL), then run the same "
        "line again, what was finished stays",
    ),
    (r"SlowDown|TooManyRequests|\b503\b", "the store asks for fewer requests; use fewer processes, or wait"),
)


_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs"}
"""What fsspec needs for each."""


class Address(Protocol):
    """A place on a store, as `divergen_records.stores.StorePath` is one; as text, its whole address."""

    @property
    def scheme(self) -> str:
        """``"s3"``, ``"gs"`` or ``"az"``."""

    @property
    def bucket(self) -> str:
        """The bucket, or container."""

    @property
    def key(self) -> str:
        """``bucket/key``."""


class StoreError(DivergenError):
    """An object store cannot be used."""


def sentence(path: Address, error: BaseException) -> str:
    """What an error of a store's library means, for people; its own words, without keys, where that is not known."""
    text = _all_words(error)
    known = next((answer for words, answer in _ANSWERS if re.search(words, text)), None)
    if known is None:
        return f"{path}: {_without_keys(' '.join(str(error).split()))[:300]}"
    return f"{path}: " + known.format(
        bucket=path.bucket, where=f"at {endpoint(path)}", credentials=_CREDENTIALS[path.scheme]
    )


def lacks_bucket(error: BaseException) -> bool:
    """Whether it is the bucket that is not there, not an object in it."""
    return re.search(_ANSWERS[0][0], _all_words(error)) is not None


def endpoint(path: Address) -> str:
    """The server of a store, without user and password."""
    url = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") if path.scheme == "s3" else None
    return re.sub(r"//[^/@]*@", "//", url) if url else f"{path.scheme}://{path.bucket}"


@contextmanager
def told(path: Address) -> Iterator[None]:
    """Translate what a store's library raises into `StoreError`; what is there or not there passes.

    Raises:
        StoreError: For anything else that the library raises.
    """
    try:
        yield
    except (FileExistsError, DivergenError, NotImplementedError):
        raise
    except FileNotFoundError as error:
        if not lacks_bucket(error):
            raise
        raise StoreError(sentence(path, error)) from None  # the chain would show what was sent
    except ImportError as error:
        raise MissingExtra(lacking(_PACKAGES[path.scheme], install_line("divergen-records", path.scheme))) from error
    except Exception as error:  # noqa: BLE001 (botocore's, aiohttp's and asyncio's errors have no common root)
        raise StoreError(sentence(path, error)) from None


def _all_words(error: BaseException | None) -> str:
    """The names and texts of an error and of what led to it."""
    words = []
    while error is not None:
        code = (getattr(error, "response", None) or {}).get("Error", {}).get("Code", "")
        words.append(f"{type(error).__name__} {code} {error}")
        error = error.__cause__ or error.__context__
    return "\n".join(words)


def _without_keys(text: str) -> str:
    for name, value in os.environ.items():
        if len(value) >= 6 and _SECRETS.fullmatch(name):
            text = text.replace(value, "***")
    return text
