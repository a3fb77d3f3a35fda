-- The whole picture: what the migrations give. Written by `make schema`, proved equal by a test.

-- role amana_app login

-- role amana_owner login

-- role amana_reader login

-- role amana_retailer login

-- role amana_vendor login

create schema chain;
grant usage on schema chain to amana_app;
grant usage on schema chain to amana_reader;

create schema event;
grant usage on schema event to amana_app;
grant usage on schema event to amana_reader;

create schema flow;
grant usage on schema flow to amana_app;
grant usage on schema flow to amana_reader;

create schema inbox;
grant usage on schema inbox to amana_app;
grant usage on schema inbox to amana_reader;

create schema ledger;
grant usage on schema ledger to amana_app;
grant usage on schema ledger to amana_reader;

create schema outbox;
grant usage on schema outbox to amana_app;
grant usage on schema outbox to amana_reader;

create schema people;
grant usage on schema people to amana_app;

create schema privacy;
grant usage on schema privacy to amana_app;

create schema recon;
grant usage on schema recon to amana_app;
grant usage on schema recon to amana_reader;

create schema trade;
grant usage on schema trade to amana_app;

create schema ussd;
grant usage on schema ussd to amana_app;

create type privacy.sealed as (key_id uuid, nonce bytea, ciphertext bytea);

create table chain.alias (
    hash text not null,
    attempt text not null,
    no integer not null,
    envelope text not null,
    fee bigint not null,
    created_at timestamp with time zone not null,
    constraint alias_order UNIQUE (attempt, no),
    constraint alias_pkey PRIMARY KEY (hash),
    constraint alias_attempt_fkey FOREIGN KEY (attempt) REFERENCES chain.attempt(hash),
    constraint alias_fee_positive CHECK ((fee > 0))
);
grant insert, select on chain.alias to amana_app;
grant select on chain.alias to amana_reader;

create table chain.attempt (
    intent uuid not null,
    no integer not null,
    channel text not null,
    sequence bigint not null,
    hash text not null,
    envelope text not null,
    max_time bigint not null,
    first_ledger bigint not null,
    sent integer not null default 0,
    status text not null default 'open'::text,
    reason text,
    created_at timestamp with time zone not null,
    closed_at timestamp with time zone,
    ledger bigint,
    answer jsonb,
    applied text,
    constraint attempt_hash_key UNIQUE (hash),
    constraint attempt_pkey PRIMARY KEY (intent, no),
    constraint attempt_channel_fkey FOREIGN KEY (channel) REFERENCES chain.channel(address),
    constraint attempt_intent_fkey FOREIGN KEY (intent) REFERENCES chain.intent(id),
    constraint attempt_status CHECK ((status = ANY (ARRAY['open'::text, 'success'::text, 'failed'::text, 'dead'::text])))
);
CREATE INDEX attempt_channel ON chain.attempt USING btree (channel, created_at);
CREATE UNIQUE INDEX attempt_one_channel ON chain.attempt USING btree (channel) WHERE (status = 'open'::text);
CREATE UNIQUE INDEX attempt_one_open ON chain.attempt USING btree (intent) WHERE (status = 'open'::text);
grant insert, select, update on chain.attempt to amana_app;
grant select on chain.attempt to amana_reader;

create table chain.channel (
    address text not null,
    intent uuid,
    lease_until timestamp with time zone,
    leased_at timestamp with time zone,
    constraint channel_pkey PRIMARY KEY (address)
);
grant insert, select, update on chain.channel to amana_app;
grant select on chain.channel to amana_reader;

create table chain.cursor (
    contract text not null,
    "position" jsonb not null,
    checked_at timestamp with time zone not null,
    constraint cursor_pkey PRIMARY KEY (contract)
);
grant insert, select, update on chain.cursor to amana_app;
grant select on chain.cursor to amana_reader;

create table chain.event (
    tx_hash text not null,
    no integer not null,
    ledger bigint not null,
    closed_at timestamp with time zone not null,
    kind text not null,
    escrow text,
    amount bigint not null default 0,
    effect jsonb not null,
    transfer uuid,
    refused text,
    supply bigint not null default 0,
    contained boolean not null default false,
    constraint event_pkey PRIMARY KEY (tx_hash, no)
);
CREATE INDEX event_escrow ON chain.event USING btree (escrow);
CREATE INDEX event_kind ON chain.event USING btree (kind);
CREATE INDEX event_refused ON chain.event USING btree (closed_at) WHERE (refused IS NOT NULL);
CREATE INDEX event_token ON chain.event USING btree (ledger) WHERE (kind = ANY (ARRAY['token_mint'::text, 'token_burn'::text]));
grant insert, select, update on chain.event to amana_app;
grant select on chain.event to amana_reader;

create table chain.intent (
    id uuid not null,
    key text not null,
    escrow text,
    no integer not null,
    op jsonb not null,
    status text not null default 'open'::text,
    reason text,
    created_at timestamp with time zone not null,
    due_at timestamp with time zone not null,
    tries integer not null default 0,
    lease_until timestamp with time zone,
    done_at timestamp with time zone,
    book text,
    stopped_at timestamp with time zone,
    heeded boolean not null default false,
    as_of bigint,
    constraint intent_key_key UNIQUE (key),
    constraint intent_order UNIQUE (escrow, no),
    constraint intent_pkey PRIMARY KEY (id),
    constraint intent_escrow_fkey FOREIGN KEY (escrow) REFERENCES flow.escrow(reference),
    constraint intent_about CHECK (((escrow IS NULL) <> (book IS NULL))),
    constraint intent_status CHECK ((status = ANY (ARRAY['open'::text, 'done'::text, 'refused'::text])))
);
CREATE INDEX intent_book ON chain.intent USING btree (book, created_at) WHERE (book IS NOT NULL);
CREATE UNIQUE INDEX intent_one_of_book ON chain.intent USING btree (book, ((op ->> 'op'::text))) WHERE (status = 'open'::text);
CREATE INDEX intent_open ON chain.intent USING btree (due_at) WHERE (status = 'open'::text);
CREATE INDEX intent_unheeded ON chain.intent USING btree (done_at) WHERE ((status = 'refused'::text) AND (NOT heeded));
grant insert, select, update on chain.intent to amana_app;
grant select on chain.intent to amana_reader;

create table chain.rebuilt (
    escrow text not null,
    ledger bigint not null,
    at timestamp with time zone not null,
    constraint rebuilt_pkey PRIMARY KEY (escrow),
    constraint rebuilt_escrow_fkey FOREIGN KEY (escrow) REFERENCES flow.escrow(reference)
);
grant insert, select, update on chain.rebuilt to amana_app;
grant select on chain.rebuilt to amana_reader;

create table event.audit (
    no bigint not null generated always as identity,
    at timestamp with time zone not null,
    actor text not null,
    action text not null,
    subject text not null,
    detail jsonb not null,
    constraint audit_pkey PRIMARY KEY (no)
);
CREATE INDEX audit_subject ON event.audit USING btree (subject, no);
grant insert, select on event.audit to amana_app;
grant select on event.audit to amana_reader;

create table event.event (
    no bigint not null generated always as identity,
    subject text not null,
    name text not null,
    at timestamp with time zone not null,
    body jsonb not null,
    constraint event_pkey PRIMARY KEY (no)
);
CREATE INDEX event_subject ON event.event USING btree (subject, no);
grant insert, select on event.event to amana_app;
grant select on event.event to amana_reader;

create table flow.clearing (
    id uuid not null,
    collection uuid not null,
    escrow text not null,
    reason privacy.sealed not null,
    maker uuid not null,
    made_at timestamp with time zone not null,
    checker uuid,
    decided_at timestamp with time zone,
    verdict text,
    constraint clearing_pkey PRIMARY KEY (id),
    constraint clearing_collection_fkey FOREIGN KEY (collection) REFERENCES flow.collection(id),
    constraint clearing_escrow_fkey FOREIGN KEY (escrow) REFERENCES flow.escrow(reference),
    constraint clearing_decided CHECK ((((verdict IS NULL) = (checker IS NULL)) AND ((verdict IS NULL) = (decided_at IS NULL)))),
    constraint clearing_four_eyes CHECK ((checker <> maker)),
    constraint clearing_verdict CHECK ((verdict = ANY (ARRAY['approved'::text, 'rejected'::text])))
);
CREATE UNIQUE INDEX clearing_open ON flow.clearing USING btree (collection) WHERE (verdict IS NULL);
grant insert, select, update on flow.clearing to amana_app;

create table flow.collection (
    id uuid not null,
    provider text not null,
    shortcode text not null,
    receipt text not null,
    book text not null,
    escrow text,
    callback uuid not null,
    amount bigint not null,
    to_escrow bigint not null default 0,
    typed_ref privacy.sealed,
    payer privacy.sealed,
    deposit_id bytea not null,
    status text not null,
    booked_at timestamp with time zone not null,
    door text not null default 'confirmation'::text,
    trust text not null default 'trusted'::text,
    asked integer not null default 0,
    said text,
    taken_back text,
    constraint collection_deposit_id_key UNIQUE (deposit_id),
    constraint collection_receipt UNIQUE (provider, shortcode, receipt),
    constraint collection_pkey PRIMARY KEY (id),
    constraint collection_escrow_fkey FOREIGN KEY (escrow) REFERENCES flow.escrow(reference),
    constraint collection_amount_positive CHECK ((amount > 0)),
    constraint collection_door CHECK ((door = ANY (ARRAY['confirmation'::text, 'prompt'::text, 'pull'::text, 'statement'::text]))),
    constraint collection_split CHECK (((to_escrow >= 0) AND (to_escrow <= amount))),
    constraint collection_status CHECK ((status = ANY (ARRAY['pending'::text, 'completed'::text, 'failed'::text, 'suspense'::text, 'reversed'::text]))),
    constraint collection_trust CHECK ((trust = ANY (ARRAY['trusted'::text, 'waiting'::text, 'disputed'::text])))
);
CREATE INDEX collection_escrow ON flow.collection USING btree (escrow);
CREATE INDEX collection_odd ON flow.collection USING btree (booked_at) WHERE ((trust = 'disputed'::text) OR (taken_back IS NOT NULL));
CREATE INDEX collection_suspense ON flow.collection USING btree (booked_at) WHERE (status = 'suspense'::text);
grant insert, select, update on flow.collection to amana_app;
grant select on flow.collection to amana_reader;

create table flow.decision (
    escrow text not null,
    no integer not null,
    decided_by uuid not null,
    at timestamp with time zone not null,
    to_payee bigint not null,
    to_payer bigint not null,
    reason privacy.sealed not null,
    constraint decision_pkey PRIMARY KEY (escrow, no),
    constraint decision_escrow_fkey FOREIGN KEY (escrow) REFERENCES flow.escrow(reference),
    constraint decision_parts CHECK (((to_payee >= 0) AND (to_payer >= 0) AND ((to_payee + to_payer) > 0)))
);
grant insert, select on flow.decision to amana_app;
grant select on flow.decision to amana_reader;

create table flow.escrow (
    reference text not null,
    key bytea not null,
    book text not null,
    job bigint,
    employer uuid not null,
    employee uuid,
    amount bigint not null,
    fee bigint not null,
    state jsonb not null,
    status text not null,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    constraint escrow_job_key UNIQUE (job),
    constraint escrow_key_key UNIQUE (key),
    constraint escrow_pkey PRIMARY KEY (reference),
    constraint escrow_amount_positive CHECK ((amount > 0)),
    constraint escrow_fee CHECK (((fee >= 0) AND (fee < amount))),
    constraint escrow_status CHECK ((status = ANY (ARRAY['pending_deposit'::text, 'partially_funded'::text, 'funded'::text, 'in_progress'::text, 'completed'::text, 'released'::text, 'disputed'::text, 'resolved'::text, 'refunded'::text, 'cancelled'::text])))
);
CREATE INDEX escrow_employer ON flow.escrow USING btree (employer);
grant insert, select, update on flow.escrow to amana_app;
grant select on flow.escrow to amana_reader;

create table flow.payout (
    id uuid not null,
    reference text not null,
    book text not null,
    escrow text not null,
    beneficiary uuid not null,
    surrender text not null,
    claim bigint not null,
    amount bigint not null,
    rail text not null,
    state jsonb not null,
    status text not null,
    provider_id text,
    fee bigint,
    holds integer not null default 0,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    purpose text not null default 'wage'::text,
    source uuid,
    constraint payout_reference_key UNIQUE (reference),
    constraint payout_surrender_key UNIQUE (surrender),
    constraint payout_pkey PRIMARY KEY (id),
    constraint payout_escrow_fkey FOREIGN KEY (escrow) REFERENCES flow.escrow(reference),
    constraint payout_source_fkey FOREIGN KEY (source) REFERENCES flow.collection(id),
    constraint payout_amount CHECK (((amount > 0) AND (amount <= claim))),
    constraint payout_purpose CHECK ((purpose = ANY (ARRAY['wage'::text, 'refund'::text]))),
    constraint payout_source CHECK (((source IS NULL) OR (purpose = 'refund'::text))),
    constraint payout_status CHECK ((status = ANY (ARRAY['pending'::text, 'processing'::text, 'completed'::text, 'failed'::text, 'unknown'::text])))
);
CREATE INDEX payout_beneficiary ON flow.payout USING btree (beneficiary, created_at);
CREATE UNIQUE INDEX payout_once ON flow.payout USING btree (escrow, beneficiary) WHERE (purpose = 'wage'::text);
grant insert, select, update on flow.payout to amana_app;
grant select on flow.payout to amana_reader;

create table flow.payout_attempt (
    payout uuid not null,
    no integer not null,
    kind text not null,
    at timestamp with time zone not null,
    answer text not null,
    detail text,
    constraint payout_attempt_pkey PRIMARY KEY (payout, no),
    constraint payout_attempt_payout_fkey FOREIGN KEY (payout) REFERENCES flow.payout(id)
);
grant insert, select on flow.payout_attempt to amana_app;
grant select on flow.payout_attempt to amana_reader;

create table flow.prompt (
    id uuid not null,
    escrow text not null,
    amount bigint not null,
    phone privacy.sealed not null,
    checkout text,
    status text not null,
    reason text,
    receipt text,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    constraint prompt_checkout_key UNIQUE (checkout),
    constraint prompt_pkey PRIMARY KEY (id),
    constraint prompt_escrow_fkey FOREIGN KEY (escrow) REFERENCES flow.escrow(reference),
    constraint prompt_amount_positive CHECK ((amount > 0)),
    constraint prompt_status CHECK ((status = ANY (ARRAY['wished'::text, 'underway'::text, 'unknown'::text, 'paid'::text, 'not_paid'::text])))
);
CREATE INDEX prompt_escrow ON flow.prompt USING btree (escrow);
grant insert, select, update on flow.prompt to amana_app;
grant select on flow.prompt to amana_reader;

create table flow.question (
    id uuid not null,
    kind text not null,
    subject text not null,
    asked_at timestamp with time zone not null,
    ended_at timestamp with time zone,
    answer text,
    constraint question_pkey PRIMARY KEY (id),
    constraint question_kind CHECK ((kind = 'status'::text))
);
CREATE INDEX question_subject ON flow.question USING btree (subject);
grant insert, select, update on flow.question to amana_app;
grant select on flow.question to amana_reader;

create table flow.step (
    escrow text not null,
    no integer not null,
    at timestamp with time zone not null,
    step text not null,
    transfer uuid,
    tx_hash text,
    receipt text,
    detail text,
    constraint step_pkey PRIMARY KEY (escrow, no),
    constraint step_escrow_fkey FOREIGN KEY (escrow) REFERENCES flow.escrow(reference)
);
grant insert, select on flow.step to amana_app;
grant select on flow.step to amana_reader;

create table flow.token (
    app text not null,
    token privacy.sealed not null,
    fetched_at timestamp with time zone not null,
    expires_at timestamp with time zone not null,
    constraint token_pkey PRIMARY KEY (app)
);
grant insert, select, update on flow.token to amana_app;
grant select on flow.token to amana_reader;

create table inbox.callback (
    id uuid not null,
    source text not null,
    heard_at timestamp with time zone not null,
    peer text not null,
    headers jsonb not null,
    body privacy.sealed not null,
    verdict text,
    reason text,
    subject text,
    judged_at timestamp with time zone,
    due_at timestamp with time zone not null,
    tries integer not null default 0,
    constraint callback_pkey PRIMARY KEY (id),
    constraint callback_judged CHECK (((verdict IS NULL) = (judged_at IS NULL)))
);
CREATE INDEX callback_judged ON inbox.callback USING btree (judged_at) WHERE (verdict IS NOT NULL);
CREATE INDEX callback_unjudged ON inbox.callback USING btree (due_at) WHERE (verdict IS NULL);
grant insert, select, update on inbox.callback to amana_app;

create table inbox.idempotency (
    principal uuid not null,
    key text not null,
    fingerprint bytea not null,
    started_at timestamp with time zone not null,
    answered_at timestamp with time zone,
    status smallint,
    answer jsonb,
    constraint idempotency_pkey PRIMARY KEY (principal, key)
);
grant delete, insert, select, update on inbox.idempotency to amana_app;

create table ledger.account (
    batch bigint not null,
    book integer not null,
    account integer not null,
    path text not null,
    kind text not null,
    constraint account_path UNIQUE (book, path),
    constraint account_pkey PRIMARY KEY (book, account),
    constraint account_path_of_kind CHECK (((path = kind) OR starts_with(path, (kind || ':'::text))))
);
CREATE TRIGGER accounts_number AFTER INSERT ON ledger.account REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.accounts_number();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.account FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
grant insert, select on ledger.account to amana_app;
grant select on ledger.account to amana_reader;

create table ledger.account_limit (
    batch bigint not null,
    floor bigint,
    book integer not null,
    account integer not null,
    limits smallint not null,
    constraint account_limit_newest UNIQUE (book, account, batch),
    constraint account_limit_pkey PRIMARY KEY (book, batch),
    constraint account_limit_shape CHECK ((limits >= 0))
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.account_limit FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE TRIGGER in_batch AFTER INSERT ON ledger.account_limit REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.in_batch();
grant insert, select on ledger.account_limit to amana_app;
grant select on ledger.account_limit to amana_reader;

create table ledger.anchor (
    size bigint not null,
    ledger bigint not null,
    at timestamp with time zone not null,
    book integer not null,
    root bytea not null,
    contract text not null,
    tx_hash text not null,
    envelope text,
    constraint anchor_pkey PRIMARY KEY (book, size),
    constraint anchor_of_checkpoint FOREIGN KEY (book, size, root) REFERENCES ledger.checkpoint(book, size, root),
    constraint anchor_shape CHECK (((ledger > 0) AND (contract <> ''::text) AND (tx_hash <> ''::text)))
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.anchor FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
grant insert, select on ledger.anchor to amana_app;
grant select on ledger.anchor to amana_reader;

create table ledger.asset (
    asset text not null,
    exponent smallint not null,
    constraint asset_pkey PRIMARY KEY (asset)
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.asset FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
grant select on ledger.asset to amana_app;
grant select on ledger.asset to amana_reader;

create table ledger.batch (
    no bigint not null,
    first_posting bigint not null,
    accounts bigint not null,
    sketch bigint not null,
    recorded_at timestamp with time zone not null,
    xact xid8 not null default pg_current_xact_id(),
    book integer not null,
    postings integer not null,
    transfers integer not null,
    chunks integer not null,
    holds integer not null,
    block bytea not null,
    prev bytea not null,
    root bytea not null,
    constraint batch_pkey PRIMARY KEY (book, no),
    constraint batch_shape CHECK (((no > 0) AND (first_posting > 0) AND (postings >= 0) AND (chunks >= 0) AND ((holds >= 0) AND (holds <= transfers)) AND (transfers <= postings) AND ((transfers > 0) = (postings > 0)) AND (accounts >= 0) AND (length(block) = 32) AND (length(root) = 32) AND (length(prev) = 32)))
);
CREATE INDEX batch_recorded_at ON ledger.batch USING btree (book, recorded_at, no) WHERE (recorded_at IS NOT NULL);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.batch FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE CONSTRAINT TRIGGER batch_is_whole AFTER INSERT ON ledger.batch DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.batch_is_whole();
grant select on ledger.batch to amana_app;
grant select on ledger.batch to amana_reader;

create table ledger.book (
    book integer not null generated always as identity,
    name text not null,
    asset text not null,
    opened_at timestamp with time zone not null,
    constraint book_once UNIQUE (name),
    constraint book_pkey PRIMARY KEY (book),
    constraint book_asset FOREIGN KEY (asset) REFERENCES ledger.asset(asset),
    constraint book_name CHECK (((name ~ '^[a-z0-9_]{1,32}:[A-Z]{3}$'::text) AND (split_part(name, ':'::text, 2) = asset)))
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.book FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
grant select on ledger.book to amana_app;
grant select on ledger.book to amana_reader;

create table ledger.checkpoint (
    size bigint not null,
    at timestamp with time zone not null,
    book integer not null,
    root bytea not null,
    edge bytea not null,
    note text not null,
    constraint checkpoint_root UNIQUE (book, size, root),
    constraint checkpoint_pkey PRIMARY KEY (book, size),
    constraint checkpoint_batch FOREIGN KEY (book, size) REFERENCES ledger.batch(book, no),
    constraint checkpoint_shape CHECK (((length(root) = 32) AND (length(edge) = (32 * length(replace(((size)::bit(64))::text, '0'::text, ''::text))))))
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.checkpoint FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
grant insert, select on ledger.checkpoint to amana_app;
grant select on ledger.checkpoint to amana_reader;

create table ledger.chunk (
    batch bigint not null,
    prev bigint not null,
    debits_posted bigint not null,
    credits_posted bigint not null,
    debits_pending bigint not null,
    credits_pending bigint not null,
    lowest bigint not null,
    floor bigint,
    book integer not null,
    account integer not null,
    limits smallint not null,
    side "char" not null,
    posting_nos integer[] not null,
    constraint chunk_pkey PRIMARY KEY (book, account, batch),
    constraint chunk_floor CHECK (((floor IS NULL) OR (lowest >= floor))),
    constraint chunk_lowest CHECK ((lowest <=
CASE side
    WHEN 'd'::"char" THEN ((debits_posted - credits_posted) - credits_pending)
    ELSE ((credits_posted - debits_posted) - debits_pending)
END)),
    constraint chunk_totals CHECK (((debits_posted >= 0) AND (credits_posted >= 0) AND (debits_pending >= 0) AND (credits_pending >= 0)))
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.chunk FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE TRIGGER chunks_add_up AFTER INSERT ON ledger.chunk REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.chunks_add_up();
grant insert, select on ledger.chunk to amana_app;
grant select on ledger.chunk to amana_reader;

create table ledger.close (
    batch bigint not null,
    closed_before timestamp with time zone not null,
    book integer not null,
    constraint close_grows UNIQUE (book, closed_before),
    constraint close_pkey PRIMARY KEY (book, batch)
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.close FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE TRIGGER in_batch AFTER INSERT ON ledger.close REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.in_batch();
grant insert, select on ledger.close to amana_app;
grant select on ledger.close to amana_reader;

create table ledger.event (
    event smallint not null,
    word text not null,
    constraint event_word UNIQUE (word),
    constraint event_pkey PRIMARY KEY (event)
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.event FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
grant select on ledger.event to amana_app;
grant select on ledger.event to amana_reader;

create table ledger.external (
    batch bigint not null,
    transfer uuid not null,
    book integer not null,
    provider text not null,
    account text not null,
    id text not null,
    constraint external_one_a_transfer UNIQUE (book, transfer),
    constraint external_once PRIMARY KEY (book, provider, account, id)
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.external FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE TRIGGER in_batch AFTER INSERT ON ledger.external REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.in_batch();
grant insert, select on ledger.external to amana_app;
grant select on ledger.external to amana_reader;

create table ledger.hold (
    batch bigint not null,
    was bigint,
    settled bigint not null,
    voided bigint not null,
    remaining bigint not null,
    expires_at timestamp with time zone,
    hold uuid not null,
    transfer uuid not null,
    book integer not null,
    debit integer not null,
    credit integer not null,
    verb text not null,
    constraint hold_once UNIQUE NULLS NOT DISTINCT (book, hold, was),
    constraint hold_one_a_transfer UNIQUE (book, transfer),
    constraint hold_pkey PRIMARY KEY (book, hold, remaining),
    constraint hold_continues FOREIGN KEY (book, hold, was) REFERENCES ledger.hold(book, hold, remaining),
    constraint hold_open CHECK ((was > 0)),
    constraint hold_parts CHECK (((settled >= 0) AND (voided >= 0) AND (remaining >= 0) AND (debit <> credit) AND
CASE
    WHEN (was IS NULL) THEN ((hold = transfer) AND (verb = 'held'::text) AND (settled = 0) AND (voided = 0) AND (remaining > 0))
    ELSE ((hold <> transfer) AND (remaining = ((was - settled) - voided)) AND (remaining < was))
END)),
    constraint hold_verb CHECK (
CASE verb
    WHEN 'held'::text THEN (was IS NULL)
    WHEN 'settled'::text THEN (settled > 0)
    WHEN 'voided'::text THEN ((settled = 0) AND (remaining = 0))
    WHEN 'expired'::text THEN ((settled = 0) AND (remaining = 0) AND (expires_at IS NOT NULL))
    ELSE false
END)
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.hold FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE TRIGGER holds_agree AFTER INSERT ON ledger.hold REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.holds_agree();
grant insert, select on ledger.hold to amana_app;
grant select on ledger.hold to amana_reader;

create table ledger.kind (
    kind text not null,
    class text not null,
    side "char" not null,
    floor bigint,
    constraint kind_pkey PRIMARY KEY (kind),
    constraint kind_class CHECK ((class = ANY (ARRAY['asset'::text, 'liability'::text, 'equity'::text, 'income'::text, 'expense'::text]))),
    constraint kind_side CHECK (((side)::text =
CASE
    WHEN (class = ANY (ARRAY['asset'::text, 'expense'::text])) THEN 'd'::text
    ELSE 'c'::text
END))
);
grant select on ledger.kind to amana_app;
grant select on ledger.kind to amana_reader;

create table ledger.liability (
    size bigint not null,
    leaves bigint not null,
    total bigint not null,
    at timestamp with time zone not null,
    book integer not null,
    root bytea not null,
    note text not null,
    constraint liability_pkey PRIMARY KEY (book, size),
    constraint liability_of_checkpoint FOREIGN KEY (book, size) REFERENCES ledger.checkpoint(book, size),
    constraint liability_shape CHECK (((leaves >= 0) AND (total >= 0) AND (length(root) = 32)))
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.liability FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
grant insert, select on ledger.liability to amana_app;
grant select on ledger.liability to amana_reader;

create table ledger.link (
    batch bigint not null,
    first uuid not null,
    transfer uuid not null,
    book integer not null,
    constraint link_one_a_transfer UNIQUE (book, transfer),
    constraint link_pkey PRIMARY KEY (book, first, transfer)
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.link FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE TRIGGER in_batch AFTER INSERT ON ledger.link REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.in_batch();
grant insert, select on ledger.link to amana_app;
grant select on ledger.link to amana_reader;

create table ledger.metadata (
    batch bigint not null,
    transfer uuid not null,
    book integer not null,
    name text not null,
    value text not null,
    constraint metadata_once UNIQUE (book, transfer, name),
    constraint metadata_pkey PRIMARY KEY (book, name, value, transfer),
    constraint metadata_words CHECK (((name ~ '^[a-z0-9_.]{1,64}$'::text) AND (octet_length(value) <= 256)))
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.metadata FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE TRIGGER in_batch AFTER INSERT ON ledger.metadata REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.in_batch();
grant insert, select on ledger.metadata to amana_app;
grant select on ledger.metadata to amana_reader;

create table ledger.posting (
    no bigint not null,
    batch bigint not null,
    amount bigint not null,
    effective_at timestamp with time zone,
    transfer uuid not null,
    book integer not null,
    debit integer not null,
    credit integer not null,
    event smallint not null,
    leg smallint not null,
    phase "char" not null,
    fingerprint uuid,
    key text,
    constraint transfer_pkey UNIQUE (book, transfer, leg),
    constraint posting_pkey PRIMARY KEY (book, no),
    constraint posting_amount CHECK ((amount > 0)),
    constraint posting_key CHECK (((key IS NULL) OR ((leg = 0) AND ((length(key) >= 1) AND (length(key) <= 200))))),
    constraint posting_leg CHECK ((((leg >= 0) AND (leg <= 999)) AND ((leg = 0) = (fingerprint IS NOT NULL)))),
    constraint posting_phase CHECK ((phase = ANY (ARRAY['p'::"char", 'h'::"char", 's'::"char", 'v'::"char"]))),
    constraint posting_two_accounts CHECK ((debit <> credit))
);
CREATE UNIQUE INDEX transfer_key ON ledger.posting USING btree (book, key) WHERE (key IS NOT NULL);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.posting FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE TRIGGER postings_number AFTER INSERT ON ledger.posting REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.postings_number();
grant insert, select on ledger.posting to amana_app;
grant select on ledger.posting to amana_reader;

create table ledger.restated (
    posting bigint not null,
    batch bigint not null,
    amount bigint not null,
    effective_at timestamp with time zone not null,
    recorded_at timestamp with time zone not null,
    book integer not null,
    account integer not null,
    reach smallint not null,
    side "char" not null,
    constraint restated_pkey PRIMARY KEY (book, account, reach, effective_at, posting),
    constraint restated_amount CHECK ((amount > 0)),
    constraint restated_apart CHECK (((effective_at <> recorded_at) AND (reach <> 0) AND ((reach > 0) = (effective_at < recorded_at)) AND (abs(EXTRACT(epoch FROM (recorded_at - effective_at))) < power((2)::numeric, (abs(reach))::numeric)))),
    constraint restated_side CHECK ((side = ANY (ARRAY['d'::"char", 'c'::"char"])))
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.restated FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE TRIGGER in_batch AFTER INSERT ON ledger.restated REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.in_batch();
grant insert, select on ledger.restated to amana_app;
grant select on ledger.restated to amana_reader;

create table ledger.reversal (
    batch bigint not null,
    transfer uuid not null,
    reverses uuid not null,
    book integer not null,
    constraint reversal_one_a_transfer UNIQUE (book, transfer),
    constraint reversal_once PRIMARY KEY (book, reverses),
    constraint reversal_of_another CHECK ((transfer <> reverses))
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.reversal FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE TRIGGER reversals_mirror AFTER INSERT ON ledger.reversal REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.reversals_mirror();
grant insert, select on ledger.reversal to amana_app;
grant select on ledger.reversal to amana_reader;

create table ledger.subtree (
    place bigint not null,
    book integer not null,
    height smallint not null,
    root bytea not null,
    constraint subtree_pkey PRIMARY KEY (book, height, place),
    constraint subtree_shape CHECK (((height = ANY (ARRAY[8, 16, 24, 32, 40, 48, 56])) AND (place >= 0) AND (length(root) = 32)))
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.subtree FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
grant insert, select on ledger.subtree to amana_app;
grant select on ledger.subtree to amana_reader;

create table ledger.velocity (
    batch bigint not null,
    amount bigint not null,
    book integer not null,
    account integer not null,
    place smallint not null,
    side "char" not null,
    measure text not null,
    period text not null,
    constraint velocity_pkey PRIMARY KEY (book, account, batch, place),
    constraint velocity_words CHECK (((side = ANY (ARRAY['d'::"char", 'c'::"char"])) AND (measure = ANY (ARRAY['gross'::text, 'net'::text])) AND (period = ANY (ARRAY['day'::text, 'week'::text, 'month'::text])) AND (amount >= 0) AND (place > 0)))
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.velocity FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE TRIGGER in_batch AFTER INSERT ON ledger.velocity REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.in_batch();
grant insert, select on ledger.velocity to amana_app;
grant select on ledger.velocity to amana_reader;

create table outbox.message (
    id uuid not null,
    kind text not null,
    subject text not null,
    body privacy.sealed,
    created_at timestamp with time zone not null,
    due_at timestamp with time zone not null,
    lease_until timestamp with time zone,
    attempts integer not null default 0,
    done_at timestamp with time zone,
    outcome text,
    reason text,
    constraint message_pkey PRIMARY KEY (id),
    constraint message_done CHECK (((done_at IS NULL) = (outcome IS NULL)))
);
CREATE INDEX message_due ON outbox.message USING btree (due_at) WHERE (done_at IS NULL);
CREATE INDEX message_subject ON outbox.message USING btree (subject);
grant insert, select, update on outbox.message to amana_app;

create table people.person (
    party uuid not null,
    id bigint not null generated always as identity,
    role text not null,
    profile privacy.sealed,
    phone_blind bytea,
    email_blind bytea,
    password_hash text,
    password_tries smallint not null default 0,
    password_locked_until timestamp with time zone,
    pin_hash text,
    pin_tries smallint not null default 0,
    pin_locked_until timestamp with time zone,
    payout_mode text not null default 'mobile'::text,
    stellar_account_id text,
    language text not null default 'en'::text,
    created_at timestamp with time zone not null,
    forgotten_at timestamp with time zone,
    constraint person_email UNIQUE (email_blind),
    constraint person_id_key UNIQUE (id),
    constraint person_phone UNIQUE (phone_blind),
    constraint person_pkey PRIMARY KEY (party),
    constraint person_forgotten CHECK (((forgotten_at IS NULL) OR ((profile IS NULL) AND (phone_blind IS NULL) AND (email_blind IS NULL) AND (password_hash IS NULL) AND (pin_hash IS NULL) AND (stellar_account_id IS NULL)))),
    constraint person_known CHECK (((forgotten_at IS NOT NULL) OR ((profile IS NOT NULL) AND (phone_blind IS NOT NULL)))),
    constraint person_language CHECK ((language = ANY (ARRAY['en'::text, 'sw'::text]))),
    constraint person_payout_mode CHECK ((payout_mode = ANY (ARRAY['mobile'::text, 'stellar'::text]))),
    constraint person_role CHECK ((role = ANY (ARRAY['employer'::text, 'employee'::text, 'operator'::text, 'finance'::text, 'approver'::text, 'auditor'::text, 'admin'::text]))),
    constraint person_stellar_needs_account CHECK (((payout_mode <> 'stellar'::text) OR (stellar_account_id IS NOT NULL)))
);
grant insert, select, update on people.person to amana_app;

create table people.refresh (
    hash bytea not null,
    session uuid not null,
    issued_at timestamp with time zone not null,
    used_at timestamp with time zone,
    constraint refresh_pkey PRIMARY KEY (hash),
    constraint refresh_session_fkey FOREIGN KEY (session) REFERENCES people.session(id)
);
CREATE INDEX refresh_session ON people.refresh USING btree (session);
grant insert, select, update on people.refresh to amana_app;

create table people.session (
    id uuid not null,
    party uuid not null,
    created_at timestamp with time zone not null,
    expires_at timestamp with time zone not null,
    revoked_at timestamp with time zone,
    reason text,
    constraint session_pkey PRIMARY KEY (id),
    constraint session_party_fkey FOREIGN KEY (party) REFERENCES people.person(party),
    constraint session_revoked CHECK (((revoked_at IS NULL) = (reason IS NULL)))
);
CREATE INDEX session_party ON people.session USING btree (party) WHERE (revoked_at IS NULL);
grant insert, select, update on people.session to amana_app;

create table privacy.data_key (
    id uuid not null,
    party uuid,
    wrapped bytea,
    created_at timestamp with time zone not null,
    destroyed_at timestamp with time zone,
    constraint data_key_pkey PRIMARY KEY (id),
    constraint data_key_destroyed CHECK (((wrapped IS NULL) = (destroyed_at IS NOT NULL)))
);
CREATE INDEX data_key_party ON privacy.data_key USING btree (party) WHERE (party IS NOT NULL);
grant insert, select, update on privacy.data_key to amana_app;

create table privacy.person_key (
    party uuid not null,
    key_id uuid not null,
    constraint person_key_pkey PRIMARY KEY (party),
    constraint person_key_key_id_fkey FOREIGN KEY (key_id) REFERENCES privacy.data_key(id)
);
grant delete, insert, select on privacy.person_key to amana_app;

create table recon.break (
    id uuid not null,
    book text not null,
    kind text not null,
    subject text not null,
    ledger_side text not null,
    chain_side text not null,
    found_at timestamp with time zone not null,
    seen_at timestamp with time zone not null,
    healed_at timestamp with time zone,
    constraint break_pkey PRIMARY KEY (id)
);
CREATE INDEX break_found ON recon.break USING btree (book, id);
CREATE UNIQUE INDEX break_once ON recon.break USING btree (book, kind, subject) WHERE (healed_at IS NULL);
grant insert, select, update on recon.break to amana_app;
grant select on recon.break to amana_reader;

create table recon.listed (
    id uuid not null,
    source text not null,
    callback uuid not null,
    line bigint not null,
    shortcode text not null,
    account text not null,
    receipt text not null,
    kind text not null,
    reason text not null,
    paid_in bigint not null,
    withdrawn bigint not null,
    balance bigint,
    at timestamp with time zone,
    linked text,
    person privacy.sealed,
    seen_at timestamp with time zone not null,
    verdict text,
    judged_at timestamp with time zone,
    due_at timestamp with time zone not null,
    tries integer not null default 0,
    constraint listed_once UNIQUE (source, shortcode, account, receipt, reason, paid_in, withdrawn),
    constraint listed_pkey PRIMARY KEY (id),
    constraint listed_amounts CHECK (((paid_in >= 0) AND (withdrawn >= 0))),
    constraint listed_judged CHECK (((verdict IS NULL) = (judged_at IS NULL))),
    constraint listed_source CHECK ((source = ANY (ARRAY['pull'::text, 'statement'::text])))
);
CREATE INDEX listed_receipt ON recon.listed USING btree (receipt);
CREATE INDEX listed_unjudged ON recon.listed USING btree (due_at) WHERE (verdict IS NULL);
grant insert, select, update on recon.listed to amana_app;
grant select on recon.listed to amana_reader;

create table recon.pass (
    book text not null,
    began_at timestamp with time zone not null,
    ended_at timestamp with time zone,
    escrows bigint not null default 0,
    breaks bigint not null default 0,
    constraint pass_pkey PRIMARY KEY (book)
);
grant insert, select, update on recon.pass to amana_app;
grant select on recon.pass to amana_reader;

create table recon.statement (
    callback uuid not null,
    shortcode text not null,
    account text not null,
    rows integer not null,
    new_rows integer not null,
    taken_at timestamp with time zone not null,
    constraint statement_pkey PRIMARY KEY (callback)
);
grant insert, select, update on recon.statement to amana_app;
grant select on recon.statement to amana_reader;

create table recon.sweep (
    kind text not null,
    shortcode text not null,
    began_at timestamp with time zone not null,
    constraint sweep_pkey PRIMARY KEY (kind, shortcode)
);
grant insert, select, update on recon.sweep to amana_app;
grant select on recon.sweep to amana_reader;

create table trade.application (
    job bigint not null,
    applicant uuid not null,
    applied_at timestamp with time zone not null,
    withdrawn_at timestamp with time zone,
    constraint application_pkey PRIMARY KEY (job, applicant),
    constraint application_job_fkey FOREIGN KEY (job) REFERENCES trade.job(id)
);
CREATE INDEX application_applicant ON trade.application USING btree (applicant);
grant insert, select, update on trade.application to amana_app;

create table trade.job (
    id bigint not null generated always as identity,
    employer uuid not null,
    employee uuid,
    title text not null,
    description text not null,
    budget bigint not null,
    book text not null,
    status text not null default 'open'::text,
    escrow_contract_id text,
    created_at timestamp with time zone not null,
    assigned_at timestamp with time zone,
    completed_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    constraint job_escrow_contract_id_key UNIQUE (escrow_contract_id),
    constraint job_pkey PRIMARY KEY (id),
    constraint job_assigned CHECK (((status <> ALL (ARRAY['assigned'::text, 'completed'::text])) OR (employee IS NOT NULL))),
    constraint job_budget_positive CHECK ((budget > 0)),
    constraint job_own CHECK ((employee IS DISTINCT FROM employer)),
    constraint job_status CHECK ((status = ANY (ARRAY['open'::text, 'assigned'::text, 'completed'::text, 'cancelled'::text])))
);
CREATE INDEX job_employee ON trade.job USING btree (employee, id) WHERE (employee IS NOT NULL);
CREATE INDEX job_employer ON trade.job USING btree (employer, id);
CREATE INDEX job_open ON trade.job USING btree (id) WHERE (status = 'open'::text);
grant insert, select, update on trade.job to amana_app;

create table ussd.session (
    session text not null,
    phone bytea not null,
    step integer not null,
    memory privacy.sealed not null,
    ended boolean not null,
    touched_at timestamp with time zone not null,
    constraint session_pkey PRIMARY KEY (session, phone)
);
CREATE INDEX session_phone ON ussd.session USING btree (phone, touched_at);
grant delete, insert, select, update on ussd.session to amana_app;

create view ledger.journal as
 SELECT k.name AS book,
    p.no,
    p.batch,
    p.transfer,
    p.leg,
    e.word AS event,
    d.path AS debit,
    c.path AS credit,
    p.amount,
    k.asset,
        CASE p.phase
            WHEN 'p'::"char" THEN 'post'::text
            WHEN 'h'::"char" THEN 'hold'::text
            WHEN 's'::"char" THEN 'settle'::text
            ELSE 'void'::text
        END AS phase,
    COALESCE(p.effective_at, b.recorded_at) AS effective_at,
    b.recorded_at,
        CASE
            WHEN (p.leg = 0) THEN COALESCE(p.key, (p.transfer)::text)
            ELSE NULL::text
        END AS key
   FROM (((((ledger.posting p
     JOIN ledger.book k ON ((k.book = p.book)))
     JOIN ledger.batch b ON (((b.book = p.book) AND (b.no = p.batch))))
     JOIN ledger.event e ON ((e.event = p.event)))
     JOIN ledger.account d ON (((d.book = p.book) AND (d.account = p.debit))))
     JOIN ledger.account c ON (((c.book = p.book) AND (c.account = p.credit))));

CREATE OR REPLACE FUNCTION ledger.accounts_number()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
AS $function$
declare
    s record;
begin
    select f.book, f.batch, b.no is null as stray, f.strange or b.accounts <> f.high
            or f.low <> f.high - f.n + 1 or f.low <> coalesce(p.accounts, 0) + 1 as strange
    into s
    from (
        select a.book, a.batch, count(*) as n, min(a.account) as low, max(a.account) as high,
            bool_or(a.kind is distinct from (
                select k.kind from ledger.kind k
                where a.path = k.kind or starts_with(a.path, k.kind || ':')
                order by length(k.kind) desc limit 1
            )) as strange
        from fresh a
        group by a.book, a.batch
    ) f
    left join lateral (
        select * from ledger.batch
        where book = f.book and no = f.batch and xact = pg_current_xact_id() limit 1
    ) b on true
    left join lateral (
        select accounts from ledger.batch where book = f.book and no = f.batch - 1 limit 1
    ) p on true
    order by stray desc, strange desc
    limit 1;
    if s.stray then
        perform ledger.refuse('in_batch', format('accounts of batch %s of book %s', s.batch, s.book));
    elsif s.strange then
        perform ledger.refuse('accounts_number', format('accounts of batch %s of book %s', s.batch, s.book));
    end if;
    return null;
end
$function$;

CREATE OR REPLACE FUNCTION ledger.append_only()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    perform ledger.refuse('append_only', format('%s on ledger.%s', lower(tg_op), tg_table_name));
    return null;
end
$function$;

CREATE OR REPLACE FUNCTION ledger.batch_is_whole()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
    p record;
    limited int;
begin
    -- One question for all that most batches have to be asked. One posting and one chunk there mean that all
    -- are there: each came in one statement, and was counted.
    select o.no, o.first_posting + o.postings as next_posting, o.accounts, o.root, o.recorded_at, (
        select account from ledger.chunk where book = new.book and batch = new.no and account = (
            select debit from ledger.posting where book = new.book and no = new.first_posting
        )
    ) as touched into p
    from (select) as one left join ledger.batch o on o.book = new.book and o.no = new.no - 1;
    if p.no is null then
        if new.no <> 1 then
            perform ledger.refuse('batch_continues',
                format('batch %s of book %s has no predecessor', new.no, new.book));
        end if;
        p.next_posting := 1;
        p.accounts := 0;
        p.root := decode(repeat('00', 32), 'hex');
        p.recorded_at := '-infinity';
        if not exists (select from ledger.book where book = new.book) then
            perform ledger.refuse('batch_book', format('book %s does not exist', new.book));
        end if;
    end if;
    if new.first_posting <> p.next_posting or new.prev <> p.root or new.recorded_at < p.recorded_at then
        perform ledger.refuse('batch_continues', format('batch %s of book %s', new.no, new.book));
    end if;

    if new.postings = 0 then
        -- It sets one account's limits, or closes a period that is over and reaches further than the last.
        select account into limited from ledger.account_limit l
        where book = new.book and batch = new.no and limits = (
            select count(*) from ledger.velocity
            where book = l.book and account = l.account and batch = l.batch
        );
        if limited is null and not exists (
            select from ledger.close c where book = new.book and batch = new.no
                and closed_before <= new.recorded_at and not exists (
                    select from ledger.close where book = new.book and closed_before > c.closed_before
                )
        ) or new.chunks <> (limited is not null)::int then
            perform ledger.refuse('batch_is_whole', format('batch %s of book %s', new.no, new.book));
        end if;
        if limited is not null and not exists (
            select from ledger.chunk where book = new.book and account = limited and batch = new.no
        ) then
            perform ledger.refuse('batch_is_whole', format('batch %s of book %s', new.no, new.book));
        end if;
    elsif p.touched is null then
        perform ledger.refuse('batch_is_whole', format('batch %s of book %s', new.no, new.book));
    elsif new.holds > 0 then
        if new.holds <> (
            select count(h.hold) from generate_series(0, new.postings - 1) as at
            cross join lateral (
                select transfer from ledger.posting
                where book = new.book and no = new.first_posting + at and leg = 0 and phase <> 'p' limit 1
            ) g
            cross join lateral (
                select hold from ledger.hold where book = new.book and transfer = g.transfer limit 1
            ) h
        ) then
            perform ledger.refuse('batch_is_whole', format('batch %s of book %s', new.no, new.book));
        end if;
    end if;

    if new.accounts <> p.accounts then
        if new.accounts < p.accounts or not exists (
            select from ledger.account where book = new.book and account = new.accounts and batch = new.no
        ) then
            perform ledger.refuse('accounts_number',
                format('accounts of batch %s of book %s', new.no, new.book));
        end if;
    end if;
    return null;
end
$function$;

CREATE OR REPLACE FUNCTION ledger.chunks_add_up()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
    s record;
    b record;
begin
    select count(*) as n, min(c.book) as book, max(c.book) as last_book, min(c.batch) as batch,
        max(c.batch) as last_batch, sum(cardinality(c.posting_nos)) as legs, max(c.limits) as limits,
        bool_or(c.prev <> coalesce(o.batch, 0)) as torn,
        bool_or(o.batch is null or c.limits <> o.limits or c.side <> o.side
            or c.floor is distinct from o.floor) as fresh,
        sum((c.debits_posted - coalesce(o.debits_posted, 0)) % 2147483647 * ledger.weight(c.account, 0)
            + (c.credits_posted - coalesce(o.credits_posted, 0)) % 2147483647 * ledger.weight(c.account, 1)
            + (c.debits_pending - coalesce(o.debits_pending, 0)) % 2147483647 * ledger.weight(c.account, 2)
            + (c.credits_pending - coalesce(o.credits_pending, 0)) % 2147483647
                * ledger.weight(c.account, 3)) as sketch
    into s
    from fresh c
    left join lateral (
        select batch, debits_posted, credits_posted, debits_pending, credits_pending, floor, limits, side
        from ledger.chunk
        where book = c.book and account = c.account and batch >= c.prev and batch < c.batch
        order by batch desc limit 1
    ) o on true;
    if s.n = 0 then
        return null;
    end if;
    select chunks, postings, sketch into b
    from ledger.batch where book = s.book and no = s.batch and xact = pg_current_xact_id();
    if not found then
        perform ledger.refuse('in_batch', format('chunks of batch %s of book %s', s.batch, s.book));
    elsif s.torn or s.book <> s.last_book or s.batch <> s.last_batch or s.n <> b.chunks
        or s.legs <> b.postings * 2
        or (s.sketch % 2147483647 + 2147483647) % 2147483647 <> b.sketch
    then
        perform ledger.refuse('chunks_add_up', format('chunks of batch %s of book %s', s.batch, s.book));
    elsif s.limits > 0 then
        if exists (select from fresh c where c.limits > 0 and not ledger.within_limits(c)) then
            perform ledger.refuse('limit_exceeded', format('batch %s of book %s', s.batch, s.book));
        end if;
    end if;

    -- An account's first chunk, and one whose limits change, stand as its kind and its limit say.
    if s.fresh then
        if exists (
            select from fresh c
            left join lateral (
                select account, floor, limits, side from ledger.chunk
                where book = c.book and account = c.account and batch = c.prev limit 1
            ) o on true
            where (o.account is null or c.limits <> o.limits or c.side <> o.side
                or c.floor is distinct from o.floor)
                and not exists (
                    select from ledger.account a
                    join ledger.kind k on k.kind = a.kind
                    left join ledger.account_limit l on l.book = c.book and l.batch = c.batch
                        and l.account = c.account
                    where a.book = c.book and a.account = c.account and c.side = k.side
                        and (o.account is null or l.account is not null)
                        and c.limits = coalesce(l.limits, 0)
                        and c.floor is not distinct from coalesce(l.floor, k.floor)
                )
        ) then
            perform ledger.refuse('chunks_add_up', format('chunks of batch %s of book %s', s.batch, s.book));
        end if;
    end if;
    return null;
end
$function$;

CREATE OR REPLACE FUNCTION ledger.holds_agree()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
AS $function$
declare
    stray text;
begin
    select format('hold %s of book %s', h.hold, h.book) into stray
    from fresh h
    left join lateral (
        select no from ledger.batch
        where book = h.book and no = h.batch and xact = pg_current_xact_id() limit 1
    ) b on true
    left join lateral (
        select * from ledger.hold where book = h.book and hold = h.hold and remaining = h.was limit 1
    ) o on true
    left join lateral (
        select coalesce(sum(amount) filter (where phase = 'h'), 0) as held,
            coalesce(sum(amount) filter (where phase = 's'), 0) as settled,
            coalesce(sum(amount) filter (where phase = 'v'), 0) as voided,
            bool_and(debit = h.debit and credit = h.credit and batch = h.batch)
                filter (where phase <> 'p') as same
        from ledger.posting where book = h.book and transfer = h.transfer
    ) p on true
    where b.no is null or not coalesce(p.same, false)
        or p.held <> case when h.was is null then h.remaining else 0 end
        or p.settled <> h.settled or p.voided <> h.voided
        or h.was is not null and (
            o.hold is null or o.debit <> h.debit or o.credit <> h.credit
            or o.expires_at is distinct from h.expires_at
        )
    limit 1;
    if stray is not null then
        perform ledger.refuse('holds_agree', stray);
    end if;
    return null;
end
$function$;

CREATE OR REPLACE FUNCTION ledger.in_batch()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
AS $function$
declare
    stray text;
begin
    select format('ledger.%s of batch %s of book %s', tg_table_name, s.batch, s.book) into stray
    from (select distinct book, batch from fresh) s
    left join lateral (
        select no from ledger.batch
        where book = s.book and no = s.batch and xact = pg_current_xact_id() limit 1
    ) b on true
    where b.no is null
    limit 1;
    if stray is not null then
        perform ledger.refuse('in_batch', stray);
    end if;
    return null;
end
$function$;

CREATE OR REPLACE FUNCTION ledger.moved(c ledger.chunk, side "char", measure text, debits bigint, credits bigint)
 RETURNS numeric
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE side WHEN 'd'::"char" THEN (((((c).debits_posted)::numeric + ((c).debits_pending)::numeric) - (debits)::numeric) - (CASE measure WHEN 'net'::text THEN ((c).credits_posted - credits) ELSE (0)::bigint END)::numeric) ELSE (((((c).credits_posted)::numeric + ((c).credits_pending)::numeric) - (credits)::numeric) - (CASE measure WHEN 'net'::text THEN ((c).debits_posted - debits) ELSE (0)::bigint END)::numeric) END;

CREATE OR REPLACE FUNCTION ledger.postings_number()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
    s record;
    b record;
begin
    select count(*) as n, min(no) as low, max(no) as high, min(book) as book, max(book) as last_book,
        min(batch) as batch, max(batch) as last_batch, min(effective_at) as oldest,
        count(*) filter (where leg = 0) as transfers,
        count(*) filter (where phase <> 'p' and leg = 0) as holds,
        sum(amount % 2147483647 * case phase
            when 'p' then ledger.weight(debit, 0) + ledger.weight(credit, 1)
            when 'h' then ledger.weight(debit, 2) + ledger.weight(credit, 3)
            when 's' then ledger.weight(debit, 0) + ledger.weight(credit, 1)
                - ledger.weight(debit, 2) - ledger.weight(credit, 3)
            else - ledger.weight(debit, 2) - ledger.weight(credit, 3)
        end) as sketch
    into s
    from fresh;
    if s.n = 0 then
        return null;
    end if;
    select first_posting, postings, transfers, holds, sketch into b
    from ledger.batch where book = s.book and no = s.batch and xact = pg_current_xact_id();
    if not found or s.book <> s.last_book or s.batch <> s.last_batch or s.n <> b.postings
        or s.low <> b.first_posting or s.high <> b.first_posting + b.postings - 1
        or s.transfers <> b.transfers or s.holds <> b.holds
    then
        perform ledger.refuse('postings_number', format('postings of batch %s of book %s', s.batch, s.book));
    elsif (s.sketch % 2147483647 + 2147483647) % 2147483647 <> b.sketch then
        perform ledger.refuse('postings_sketch', format('postings of batch %s of book %s', s.batch, s.book));
    elsif s.oldest is not null then
        if exists (select from ledger.close where book = s.book and closed_before > s.oldest) then
            perform ledger.refuse('period_closed', format('batch %s of book %s', s.batch, s.book));
        end if;
    end if;
    return null;
end
$function$;

CREATE OR REPLACE FUNCTION ledger.refuse(rule text, culprit text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
    raise exception using
        errcode = 'check_violation', schema = 'ledger', constraint = rule,
        message = format('%s: %s', rule, culprit);
end
$function$;

CREATE OR REPLACE FUNCTION ledger.reversals_mirror()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
AS $function$
declare
    stray text;
begin
    select format('reversal %s of book %s', r.transfer, r.book) into stray
    from fresh r
    left join lateral (
        select no from ledger.batch
        where book = r.book and no = r.batch and xact = pg_current_xact_id() limit 1
    ) b on true
    cross join lateral (
        select array_agg(row(debit, credit, amount) order by debit, credit, amount)
            filter (where phase = 'p') as posted,
            bool_and(batch = r.batch) as same
        from ledger.posting where book = r.book and transfer = r.transfer
    ) mine
    cross join lateral (
        select array_agg(row(credit, debit, amount) order by credit, debit, amount)
            filter (where phase in ('p', 's')) as posted
        from ledger.posting where book = r.book and transfer = r.reverses
    ) theirs
    where b.no is null or not coalesce(mine.same, false)
        or theirs.posted is null or mine.posted is distinct from theirs.posted
        or exists (select from ledger.reversal x where x.book = r.book and x.transfer = r.reverses)
    limit 1;
    if stray is not null then
        perform ledger.refuse('reversals_mirror', stray);
    end if;
    return null;
end
$function$;

CREATE OR REPLACE FUNCTION ledger.weight(account integer, place integer)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN (hashint4extended(account, (place)::bigint) & (536870911)::bigint);

CREATE OR REPLACE FUNCTION ledger.within_limits(c ledger.chunk)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
    v record;
    before ledger.chunk;
    begun record;
    debits bigint;
    credits bigint;
begin
    select * into before from ledger.chunk o
    where o.book = c.book and o.account = c.account and o.batch < c.batch order by o.batch desc limit 1;
    for v in
        select w.side, w.measure, w.amount,
            date_trunc(w.period, b.recorded_at at time zone 'UTC') at time zone 'UTC' as start
        from ledger.velocity w
        join ledger.batch b on b.book = c.book and b.no = c.batch
        where w.book = c.book and w.account = c.account and w.batch = (
            select max(batch) from ledger.account_limit
            where book = c.book and account = c.account and batch <= c.batch
        )
    loop
        select o.debits_posted as debits, o.credits_posted as credits into begun
        from ledger.chunk o
        where o.book = c.book and o.account = c.account and o.batch <= (
            select no from ledger.batch where book = c.book and recorded_at < v.start
            order by recorded_at desc, no desc limit 1
        )
        order by o.batch desc limit 1;
        debits := coalesce(begun.debits, 0);
        credits := coalesce(begun.credits, 0);
        if ledger.moved(c, v.side, v.measure, debits, credits)
            > greatest(v.amount, coalesce(ledger.moved(before, v.side, v.measure, debits, credits), 0))
        then
            return false;
        end if;
    end loop;
    return true;
end
$function$;
