"""Raises the token and the contract with the official SDK, unchanged, and plays an escrow from end to end.

    python story.py RPC_URL PASSPHRASE WASM_FILE

Prints one JSON object. Amounts are token units, as the contract has them.
"""

import json
import re
import sys
import urllib.request

from stellar_sdk import Asset, Keypair, SorobanServer, TransactionBuilder, scval
from stellar_sdk.contract import ContractClient
from stellar_sdk.contract.exceptions import SimulationFailedError
from stellar_sdk.soroban_rpc import EventFilter, EventFilterType

url, passphrase, wasm = sys.argv[1:]
server = SorobanServer(url)
assert server.get_health().status == "healthy"
assert server.get_network().passphrase == passphrase
start = server.get_latest_ledger().sequence


def funded():
    somebody = Keypair.random()
    with urllib.request.urlopen(f"{url}/friendbot?addr={somebody.public_key}", timeout=20) as answer:
        assert answer.status == 200
    return somebody


issuer, admin, operator, delegate, arbiter, stranger = (funded() for _ in range(6))
UNIT = 100_000
EXPIRY = server.get_latest_ledger().close_time + 30 * 86_400
reference, deposit = (scval.to_bytes(bytes([n]) * 32) for n in (1, 2))

# The token: an asset of the issuer and its contract. Only the escrow contract will mint it.
asset = Asset("KES", issuer.public_key)
token = ContractClient.create_stellar_asset_contract_from_asset(asset, admin.public_key, admin, server)
with open(wasm, "rb") as file:
    code = ContractClient.upload_contract_wasm(file.read(), admin.public_key, admin, server)
roles = [scval.to_address(who.public_key) for who in (admin, operator, delegate, arbiter)]
contract = ContractClient.create_contract(
    code, admin.public_key, admin, server, [*roles, scval.to_address(token), scval.to_int128(UNIT)]
)
escrow = ContractClient(contract, url, passphrase)


def call(client, signer, function, *args):
    """A call that its signer sends and pays for too."""
    return client.invoke(function, list(args), signer.public_key, signer).sign_and_submit()


call(ContractClient(token, url, passphrase), issuer, "set_admin", scval.to_address(contract))
source = server.load_account(issuer.public_key)
lock = TransactionBuilder(source, passphrase).append_set_options_op(master_weight=0).set_timeout(300).build()
lock.sign(issuer)
assert server.poll_transaction(server.send_transaction(lock).hash).status.value == "SUCCESS"


def read():
    view = scval.to_native(escrow.invoke("get", [reference]).result())
    return {name: view[name] for name in ("state", "amount", "funded", "vault", "expiry")}


AMOUNT = 5_000_037 * UNIT
states = []
terms = scval.to_struct({
    "amounts": scval.to_vec([scval.to_int128(AMOUNT)]),
    "default_to_payee": scval.to_int128(0),
    "dispute_s": scval.to_uint32(14 * 86_400),
    "expiry": scval.to_uint64(EXPIRY),
    "fee_cap": scval.to_int128(0),
    "release_at": scval.to_uint64(0),
    "token": scval.to_address(token),
})
call(escrow, delegate, "create", reference, scval.to_address(delegate.public_key), terms)
states.append(read())
call(escrow, operator, "fund_deposit", reference, deposit, scval.to_int128(AMOUNT))
states.append(read())
call(escrow, delegate, "assign", reference, scval.to_bytes(bytes([3]) * 32), scval.to_void())

# The release is signed by the delegate, and sent and paid for by a stranger.
part = [reference, scval.to_uint32(0), scval.to_int128(AMOUNT), scval.to_int128(0)]
release = escrow.invoke("release", part, stranger.public_key, stranger)
assert {str(who) for who in release.needs_non_invoker_signing_by()} == {delegate.public_key}
release.authorize(delegate)
release.sign_and_submit()
states.append(read())

try:
    escrow.invoke("release", part, delegate.public_key, delegate)
    refused = None
except SimulationFailedError as error:
    refused = int(re.search(r"Error\(Contract, #(\d+)\)", str(error)).group(1))



def verb(event):
    """The contract's events begin with its own name, the token's with the verb."""
    words = [scval.to_native(topic) for topic in event.topic[:2]]
    return words[1] if words[0] == "escrow" else words[0]


filters = [EventFilter(type=EventFilterType.CONTRACT, contract_ids=[contract, token])]
page = server.get_events(start, filters=filters, limit=3)
events = list(page.events)
while page.events:
    page = server.get_events(cursor=page.cursor, filters=filters, limit=3)
    events += page.events
print(json.dumps({
    "contract": contract,
    "token": token,
    "code": code.hex(),
    "states": states,
    "refused": refused,
    "events": [[event.transaction_hash, verb(event)] for event in events],
}))
