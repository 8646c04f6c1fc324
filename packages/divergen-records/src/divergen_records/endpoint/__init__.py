"""Any OpenAI-compatible endpoint: one machine for retries, money, fallbacks, slow servers and secrets.

>>> from divergen_records.endpoint import Account, Endpoint, Query, read_completion, read_key
>>> query = Query({"model": "m", "messages": [{"role": "user", "content": "Is this a cup?"}]}, tokens=12, limit=64)
>>> async def ask():
...     async with Endpoint(base_url="http://localhost:8000/v1", account=Account(0.15, 0.6, max_cost=1)) as endpoint:
...         return await endpoint.ask(query, lambda payload: read_completion(payload).content)
"""

from .account import Account, Usage
from .attempt import Note
from .chat import Completion, read_completion
from .client import CHAT, IMAGES, Route
from .endpoint import Endpoint
from .errors import EndpointError, LimitReached, Refused, Rejected, Transient, Unreached, Unusable
from .ledger import Ledger, SharedAccount
from .loops import run_to_end
from .memory import Memory
from .options import Option
from .query import Query, chat
from .secrets import NO_KEY, Redactor, read_key

__all__ = [
    "CHAT",
    "IMAGES",
    "NO_KEY",
    "Account",
    "Completion",
    "Endpoint",
    "EndpointError",
    "Ledger",
    "LimitReached",
    "Memory",
    "Note",
    "Option",
    "Query",
    "Redactor",
    "Refused",
    "Rejected",
    "Route",
    "SharedAccount",
    "Transient",
    "Unreached",
    "Unusable",
    "Usage",
    "chat",
    "read_completion",
    "read_key",
    "run_to_end",
]
