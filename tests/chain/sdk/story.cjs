// Raises the token and the contract with the official SDK, unchanged, and plays two escrows from end to
// end: one funded by a deposit and released, one funded with the payer's own lumens, disputed and resolved.
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
const DAY = 86_400;
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
    const now = Number(begin.closeTime);
    const people = [];
    for (let n = 0; n < 8; n += 1) people.push(await funded());
    const [issuer, admin, operator, delegate, arbiter, stranger, employer, employee] = people;

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
    const named = { admin, operator, delegate, arbiter, stranger, employer, employee };
    const by = {};
    for (const [name, who] of Object.entries(named)) by[name] = await client(who);
    const send = async (call) => (await (await call).signAndSend()).result.unwrap();
    const read = async (reference) => {
        const view = (await by.stranger.get({ reference })).result;
        const names = ['state', 'amount', 'funded', 'to_payee', 'vault'];
        return Object.fromEntries(names.map((name) => [name, Number(view[name])]));
    };
    // What a payer agrees to: half for each if nobody decides a dispute within a week.
    const terms = (asset, amounts) => ({
        amounts,
        default_to_payee: (amounts.reduce((sum, one) => sum + one) / (2n * UNIT)) * UNIT,
        dispute_s: 7 * DAY,
        expiry: BigInt(now + 30 * DAY),
        fee_cap: 0n,
        release_at: 0n,
        token: asset,
    });
    const states = [];

    // An escrow of two milestones that a deposit pays for. The employee has a phone and no account.
    let reference = bytes32(1);
    const parts = [3_000_037n * UNIT, 2_000_000n * UNIT];
    await send(by.delegate.create({ reference, payer: delegate.publicKey(), terms: terms(token, parts) }));
    const deposit = { reference, deposit_id: bytes32(2), amount: parts[0] + parts[1] };
    await send(by.operator.fund_deposit(deposit));
    await send(by.delegate.assign({ reference, payee: bytes32(3), to: undefined }));
    states.push(await read(reference));

    // The first release is signed by the delegate, and sent and paid for by a stranger.
    const release = await by.stranger.release({ reference, milestone: 0, to_payee: parts[0], fee: 0n });
    assert.deepStrictEqual(release.needsNonInvokerSigningBy(), [delegate.publicKey()]);
    const { signAuthEntry } = basicNodeSigner(delegate, networkPassphrase);
    await release.signAuthEntries({ address: delegate.publicKey(), signAuthEntry });
    // Checking a signature costs more than recording that one is needed.
    await release.simulate();
    (await release.signAndSend()).result.unwrap();
    states.push(await read(reference));
    const second = { reference, milestone: 1, to_payee: parts[1], fee: 0n };
    await send(by.delegate.release(second));
    states.push(await read(reference));
    const again = await by.delegate.release(second);
    // The code on chain names its errors and does not describe them: that would be rent.
    const refused = Number(/Error\(Contract, #(\d+)\)/.exec(again.simulation.error)[1]);

    // An escrow that the employer pays for with lumens: disputed by the employee, resolved by the arbiter.
    const native = Asset.native();
    await submit(admin, Operation.createStellarAssetContract({ asset: native }));
    const lumens = native.contractId(networkPassphrase);
    await send(by.admin.list({ token: lumens, unit: UNIT, fee_to: operator.publicKey() }));
    reference = bytes32(4);
    const [price, share] = [900n * 10_000_000n, 300n * 10_000_000n];
    await send(by.employer.create({ reference, payer: employer.publicKey(), terms: terms(lumens, [price]) }));
    await send(by.employer.fund({ reference, amount: price }));
    await send(by.employer.assign({ reference, payee: bytes32(5), to: employee.publicKey() }));
    await send(by.employee.dispute({ reference, by: employee.publicKey() }));
    states.push(await read(reference));
    const balance = async () => (await server.getAccountEntry(employee.publicKey())).balance().toBigInt();
    const before = await balance();
    await send(by.arbiter.resolve({ reference, to_payee: share }));
    states.push(await read(reference));

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
        got: Number((await balance()) - before),
        events: events.map((event) => [event.txHash, verb(event)]),
    }));
}

main().catch((error) => {
    console.error(error);
    process.exitCode = 1;
});
