// Raises the token and the contract with the official SDK, unchanged, and plays an escrow from end to end.
//
//     node story.cjs RPC_URL PASSPHRASE WASM_FILE
//
// Prints one JSON object. Amounts are token units, as the contract has them.

const assert = require('node:assert');
const { readFileSync } = require('node:fs');
const {
    Address, Asset, BASE_FEE, Contract, Keypair, Operation, TransactionBuilder, contract: { Client, basicNodeSigner },
    nativeToScVal, rpc, scValToNative,
} = require('@stellar/stellar-sdk');

const [rpcUrl, networkPassphrase, wasm] = process.argv.slice(2);
const server = new rpc.Server(rpcUrl, { allowHttp: true });
const UNIT = 100_000n;
const AMOUNT = 5_000_037n * UNIT;
const bytes32 = (fill) => Buffer.alloc(32, fill);

async function funded() {
    const somebody = Keypair.random();
    await server.fundAddress(somebody.publicKey());
    return somebody;
}

// A transaction of one operation, from the account that signs it.
async function submit(signer, operation, isContract = true) {
    const account = await server.getAccount(signer.publicKey());
    const terms = { fee: BASE_FEE, networkPassphrase };
    let tx = new TransactionBuilder(account, terms).addOperation(operation).setTimeout(300).build();
    if (isContract) tx = await server.prepareTransaction(tx);
    tx.sign(signer);
    const sent = await server.sendTransaction(tx);
    assert.strictEqual(sent.status, 'PENDING');
    const got = await server.pollTransaction(sent.hash, { attempts: 5, sleepStrategy: () => 100 });
    assert.strictEqual(got.status, 'SUCCESS');
    return got.returnValue;
}

// The contract's events begin with its own name, the token's with the verb.
function verb({ topic }) {
    const first = scValToNative(topic[0]);
    return first === 'escrow' ? scValToNative(topic[1]) : first;
}

async function main() {
    assert.strictEqual((await server.getHealth()).status, 'healthy');
    assert.strictEqual((await server.getNetwork()).passphrase, networkPassphrase);
    const begin = await server.getLatestLedger();
    const expiry = BigInt(begin.closeTime) + 30n * 86_400n;
    const people = [];
    for (let n = 0; n < 6; n += 1) people.push(await funded());
    const [issuer, admin, operator, delegate, arbiter, stranger] = people;

    // The token: an asset of the issuer and its contract. Only the escrow contract will mint it.
    const asset = new Asset('KES', issuer.publicKey());
    const tokenValue = await submit(admin, Operation.createStellarAssetContract({ asset }));
    const token = Address.fromScVal(tokenValue).toString();
    assert.strictEqual(token, asset.contractId(networkPassphrase));
    const code = await submit(admin, Operation.uploadContractWasm({ wasm: readFileSync(wasm) }));
    const wasmHash = scValToNative(code).toString('hex');

    const as = (who) => ({
        rpcUrl, networkPassphrase, allowHttp: true, publicKey: who.publicKey(),
        ...basicNodeSigner(who, networkPassphrase),
    });
    const roles = {
        admin: admin.publicKey(), operator: operator.publicKey(),
        delegate: delegate.publicKey(), arbiter: arbiter.publicKey(),
    };
    const deployment = await Client.deploy({ ...roles, token, unit: UNIT }, { ...as(admin), wasmHash });
    const { result: deployed } = await deployment.signAndSend();
    const contractId = deployed.options.contractId;
    await submit(issuer, new Contract(token).call('set_admin', nativeToScVal(contractId, { type: 'address' })));
    await submit(issuer, Operation.setOptions({ masterWeight: 0 }), false);

    // The contract's own words, read from its code on chain.
    const client = (who) => Client.from({ ...as(who), contractId });
    const [byDelegate, byOperator, byStranger] =
        [await client(delegate), await client(operator), await client(stranger)];
    const reference = bytes32(1);
    const read = async () => {
        const view = (await byStranger.get({ reference })).result;
        const named = ['state', 'amount', 'funded', 'vault', 'expiry'];
        return Object.fromEntries(named.map((name) => [name, Number(view[name])]));
    };
    const send = async (call) => (await (await call).signAndSend()).result.unwrap();

    const states = [];
    const terms = {
        token, amounts: [AMOUNT], fee_cap: 0n, expiry, release_at: 0n, dispute_s: 14 * 86_400,
        default_to_payee: 0n,
    };
    await send(byDelegate.create({ reference, payer: delegate.publicKey(), terms }));
    states.push(await read());
    await send(byOperator.fund_deposit({ reference, deposit_id: bytes32(2), amount: AMOUNT }));
    states.push(await read());
    await send(byDelegate.assign({ reference, payee: bytes32(3), to: undefined }));

    // The release is signed by the delegate, and sent and paid for by a stranger.
    const part = { reference, milestone: 0, to_payee: AMOUNT, fee: 0n };
    const release = await byStranger.release(part);
    assert.deepStrictEqual(release.needsNonInvokerSigningBy(), [delegate.publicKey()]);
    const { signAuthEntry } = basicNodeSigner(delegate, networkPassphrase);
    await release.signAuthEntries({ address: delegate.publicKey(), signAuthEntry });
    // Checking a signature costs more than recording that one is needed.
    await release.simulate();
    (await release.signAndSend()).result.unwrap();
    states.push(await read());

    const again = await byDelegate.release(part);
    assert(again.result.isErr());
    // The code on chain names its errors and does not describe them: that would be rent.
    const refused = Number(/Error\(Contract, #(\d+)\)/.exec(again.simulation.error)[1]);

    const filters = [{ type: 'contract', contractIds: [contractId, token] }];
    let page = await server.getEvents({ startLedger: begin.sequence, filters, limit: 3 });
    const events = [...page.events];
    while (page.events.length > 0) {
        page = await server.getEvents({ cursor: page.cursor, filters, limit: 3 });
        events.push(...page.events);
    }
    process.stdout.write(JSON.stringify({
        contract: contractId,
        token,
        code: wasmHash,
        states,
        refused,
        events: events.map((event) => [event.txHash, verb(event)]),
    }));
}

main().catch((error) => {
    console.error(error);
    process.exitCode = 1;
});
