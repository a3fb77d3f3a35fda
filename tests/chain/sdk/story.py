"""Raises the token and the contract with the official SDK, unchanged, and plays two escrows from end to end:
one funded by a deposit and released, one funded with the payer's own lumens, disputed and resolved.

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


issuer, admin, operator, delegate, arbiter, stranger, employer, employee = (funded() for _ in range(8))
UNIT = 100_000
NOW = server.get_latest_ledger().close_time
DAY = 86_400


def bytes32(fill):
    return scval.to_bytes(bytes([fill]) * 32)


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


def terms(asset_contract, amounts):
    """What a payer agrees to: half for each if nobody decides a dispute within a week."""
    return scval.to_struct({
        "amounts": scval.to_vec([scval.to_int128(amount) for amount in amounts]),
        "default_to_payee": scval.to_int128(sum(amounts) // (2 * UNIT) * UNIT),
        "dispute_s": scval.to_uint32(7 * DAY),
        "expiry": scval.to_uint64(NOW + 30 * DAY),
        "fee_cap": scval.to_int128(0),
        "release_at": scval.to_uint64(0),
        "token": scval.to_address(asset_contract),
    })


def read(reference):
    view = scval.to_native(escrow.invoke("get", [reference]).result())
    return {name: view[name] for name in ("state", "amount", "funded", "to_payee", "vault")}


states = []

# An escrow of two milestones that a deposit pays for. The employee has a phone and no account.
reference, payer = bytes32(1), scval.to_address(delegate.public_key)
parts = [3_000_037 * UNIT, 2_000_000 * UNIT]
call(escrow, delegate, "create", reference, payer, terms(token, parts))
call(escrow, operator, "fund_deposit", reference, bytes32(2), scval.to_int128(sum(parts)))
call(escrow, delegate, "assign", reference, bytes32(3), scval.to_void())
states.append(read(reference))

# The first release is signed by the delegate, and sent and paid for by a stranger.
first = [reference, scval.to_uint32(0), scval.to_int128(parts[0]), scval.to_int128(0)]
release = escrow.invoke("release", first, stranger.public_key, stranger)
assert {str(who) for who in release.needs_non_invoker_signing_by()} == {delegate.public_key}
release.authorize(delegate)
release.sign_and_submit()
states.append(read(reference))
second = [reference, scval.to_uint32(1), scval.to_int128(parts[1]), scval.to_int128(0)]
call(escrow, delegate, "release", *second)
states.append(read(reference))
try:
    escrow.invoke("release", second, delegate.public_key, delegate)
    refused = None
except SimulationFailedError as error:
    refused = int(re.search(r"Error\(Contract, #(\d+)\)", str(error)).group(1))

# An escrow that the employer pays for with lumens: disputed by the employee, resolved by the arbiter.
lumens = ContractClient.create_stellar_asset_contract_from_asset(
    Asset.native(), admin.public_key, admin, server
)
call(escrow, admin, "list", scval.to_address(lumens), scval.to_int128(UNIT),
     scval.to_address(operator.public_key))
reference, price, share = bytes32(4), 900 * 10_000_000, 300 * 10_000_000
call(escrow, employer, "create", reference, scval.to_address(employer.public_key), terms(lumens, [price]))
call(escrow, employer, "fund", reference, scval.to_int128(price))
call(escrow, employer, "assign", reference, bytes32(5), scval.to_address(employee.public_key))
call(escrow, employee, "dispute", reference, scval.to_address(employee.public_key))
states.append(read(reference))
account = scval.to_address(employee.public_key)
before = scval.to_native(ContractClient(lumens, url, passphrase).invoke("balance", [account]).result())
call(escrow, arbiter, "resolve", reference, scval.to_int128(share))
states.append(read(reference))
after = scval.to_native(ContractClient(lumens, url, passphrase).invoke("balance", [account]).result())


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
    "got": after - before,
    "events": [[event.transaction_hash, verb(event)] for event in events],
}))
