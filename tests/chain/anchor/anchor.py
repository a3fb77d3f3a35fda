"""Reads a book's checkpoints with the official SDK, unchanged, without an account and without us.

    python anchor.py RPC_URL PASSPHRASE CONTRACT BOOK SIZE

Prints one JSON object.
"""

import json
import sys

from stellar_sdk import SorobanServer, scval, xdr
from stellar_sdk.contract import ContractClient
from stellar_sdk.soroban_rpc import EventFilter, EventFilterType

url, passphrase, contract, book, size = sys.argv[1:]
client = ContractClient(contract, url, passphrase)


def ask(function, *args):
    found = scval.to_native(client.invoke(function, list(args)).result())
    return found and {**found, "root": found["root"].hex()}


def native(text):
    return scval.to_native(xdr.SCVal.from_xdr(text))


def heard():
    filters = [EventFilter(event_type=EventFilterType.CONTRACT, contract_ids=[contract])]
    for event in SorobanServer(url).get_events(1, filters=filters).events:
        said = native(event.value)
        yield [native(event.topic[2]), said["size"], said["root"].hex()]


print(json.dumps({
    "latest": ask("latest", scval.to_string(book)),
    "at": ask("at", scval.to_string(book), scval.to_uint64(int(size))),
    "absent": ask("at", scval.to_string(book), scval.to_uint64(int(size) + 1)),
    "heard": list(heard()),
}))
