"""Reads an escrow with the official SDK, unchanged, and tries to release it with a stranger's key.

    python sdk.py RPC_URL PASSPHRASE CONTRACT REFERENCE_HEX TO_PAYEE

Prints one JSON object. Amounts are token units, as the contract has them.
"""

import json
import sys
import urllib.request

from stellar_sdk import Keypair, SorobanServer, TransactionBuilder, scval
from stellar_sdk.auth import authorize_entry
from stellar_sdk.contract import ContractClient
from stellar_sdk.xdr import Int64, SorobanAuthorizationEntry, Uint32

url, passphrase, contract, reference, to_payee = sys.argv[1:]
server = SorobanServer(url)
assert server.get_health().status == "healthy"
assert server.get_network().passphrase == passphrase
key = scval.to_bytes(bytes.fromhex(reference))
client = ContractClient(contract, url, passphrase)


def read():
    view = scval.to_native(client.invoke("get", [key]).result())
    return {name: view[name] for name in ("state", "amount", "funded", "vault", "expiry")}


def release(authorise):
    """Sends a release, paid by a stranger, with what `authorise` makes of the delegate's authorisation."""
    stranger = Keypair.random()
    with urllib.request.urlopen(f"{url}/friendbot?addr={stranger.public_key}", timeout=20) as answer:
        assert answer.status == 200
    args = [key, scval.to_uint32(0), scval.to_int128(int(to_payee)), scval.to_int128(0)]
    builder = TransactionBuilder(server.load_account(stranger.public_key), passphrase, base_fee=100)
    tx = builder.set_timeout(0).append_invoke_contract_function_op(contract, "release", args).build()
    simulated = server.simulate_transaction(tx)
    assert simulated.error is None, simulated.error
    tx = server.prepare_transaction(tx, simulated)
    auth = [SorobanAuthorizationEntry.from_xdr(entry) for entry in simulated.results[0].auth]
    assert len(auth) == 1
    tx.transaction.operations[0].auth = [authorise(auth[0], stranger)]
    # Checking a signature costs more than recording that one is needed: it must not fail for want of that.
    soroban = tx.transaction.soroban_data
    soroban.resources.instructions = Uint32(soroban.resources.instructions.uint32 + 20_000_000)
    soroban.resource_fee = Int64(soroban.resource_fee.int64 + 10_000_000)
    tx.transaction.fee += 10_000_000
    tx.sign(stranger)
    sent = server.send_transaction(tx)
    assert sent.status.value == "PENDING", sent
    return server.poll_transaction(sent.hash).status.value


def signed_by_stranger(entry, stranger):
    return authorize_entry(entry, stranger, server.get_latest_ledger().sequence + 100, passphrase)


print(json.dumps({
    "before": read(),
    "unsigned": release(lambda entry, _: entry),
    "signed_by_stranger": release(signed_by_stranger),
    "after": read(),
}))
