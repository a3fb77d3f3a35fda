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

create schema trade;
grant usage on schema trade to amana_app;

create schema ussd;
grant usage on schema ussd to amana_app;

create type privacy.sealed as (key_id uuid, nonce bytea, ciphertext bytea);

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
    constraint attempt_hash_key UNIQUE (hash),
    constraint attempt_pkey PRIMARY KEY (intent, no),
    constraint attempt_channel_fkey FOREIGN KEY (channel) REFERENCES chain.channel(address),
    constraint attempt_intent_fkey FOREIGN KEY (intent) REFERENCES chain.intent(id),
    constraint attempt_status CHECK ((status = ANY (ARRAY['open'::text, 'success'::text, 'failed'::text, 'dead'::text])))
);
CREATE UNIQUE INDEX attempt_one_channel ON chain.attempt USING btree (channel) WHERE (status = 'open'::text);
CREATE UNIQUE INDEX attempt_one_open ON chain.attempt USING btree (intent) WHERE (status = 'open'::text);
grant insert, select, update on chain.attempt to amana_app;
grant select on chain.attempt to amana_reader;

create table chain.channel (
    address text not null,
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
    constraint event_pkey PRIMARY KEY (tx_hash, no)
);
CREATE INDEX event_escrow ON chain.event USING btree (escrow);
CREATE INDEX event_kind ON chain.event USING btree (kind);
CREATE INDEX event_refused ON chain.event USING btree (closed_at) WHERE (refused IS NOT NULL);
grant insert, select, update on chain.event to amana_app;
grant select on chain.event to amana_reader;

create table chain.intent (
    id uuid not null,
    key text not null,
    escrow text not null,
    no integer not null,
    op jsonb not null,
    status text not null default 'open'::text,
    reason text,
    created_at timestamp with time zone not null,
    due_at timestamp with time zone not null,
    tries integer not null default 0,
    lease_until timestamp with time zone,
    done_at timestamp with time zone,
    constraint intent_key_key UNIQUE (key),
    constraint intent_order UNIQUE (escrow, no),
    constraint intent_pkey PRIMARY KEY (id),
    constraint intent_escrow_fkey FOREIGN KEY (escrow) REFERENCES flow.escrow(reference),
    constraint intent_status CHECK ((status = ANY (ARRAY['open'::text, 'done'::text, 'refused'::text])))
);
CREATE INDEX intent_open ON chain.intent USING btree (due_at) WHERE (status = 'open'::text);
grant insert, select, update on chain.intent to amana_app;
grant select on chain.intent to amana_reader;

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
    constraint collection_deposit_id_key UNIQUE (deposit_id),
    constraint collection_receipt UNIQUE (provider, shortcode, receipt),
    constraint collection_pkey PRIMARY KEY (id),
    constraint collection_escrow_fkey FOREIGN KEY (escrow) REFERENCES flow.escrow(reference),
    constraint collection_amount_positive CHECK ((amount > 0)),
    constraint collection_split CHECK (((to_escrow >= 0) AND (to_escrow <= amount))),
    constraint collection_status CHECK ((status = ANY (ARRAY['pending'::text, 'completed'::text, 'failed'::text, 'suspense'::text, 'reversed'::text])))
);
CREATE INDEX collection_escrow ON flow.collection USING btree (escrow);
CREATE INDEX collection_suspense ON flow.collection USING btree (booked_at) WHERE (status = 'suspense'::text);
grant insert, select, update on flow.collection to amana_app;
grant select on flow.collection to amana_reader;

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
    constraint escrow_status CHECK ((status = ANY (ARRAY['pending_deposit'::text, 'partially_funded'::text, 'funded'::text, 'in_progress'::text, 'completed'::text, 'released'::text, 'refunded'::text, 'cancelled'::text])))
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
    constraint payout_once UNIQUE (escrow, beneficiary),
    constraint payout_reference_key UNIQUE (reference),
    constraint payout_surrender_key UNIQUE (surrender),
    constraint payout_pkey PRIMARY KEY (id),
    constraint payout_escrow_fkey FOREIGN KEY (escrow) REFERENCES flow.escrow(reference),
    constraint payout_amount CHECK (((amount > 0) AND (amount <= claim))),
    constraint payout_status CHECK ((status = ANY (ARRAY['pending'::text, 'processing'::text, 'completed'::text, 'failed'::text, 'unknown'::text])))
);
CREATE INDEX payout_beneficiary ON flow.payout USING btree (beneficiary, created_at);
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
    book text not null,
    account bigint not null,
    path text not null,
    kind text not null,
    batch bigint not null,
    constraint account_path UNIQUE (book, path),
    constraint account_pkey PRIMARY KEY (book, account),
    constraint account_path_of_kind CHECK (((path = kind) OR starts_with(path, (kind || ':'::text))))
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.account FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE TRIGGER in_batch AFTER INSERT ON ledger.account REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.in_batch();
grant insert, select on ledger.account to amana_app;
grant select on ledger.account to amana_reader;

create table ledger.asset (
    asset text not null,
    exponent smallint not null,
    constraint asset_pkey PRIMARY KEY (asset)
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.asset FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
grant select on ledger.asset to amana_app;
grant select on ledger.asset to amana_reader;

create table ledger.batch (
    book text not null,
    no bigint not null,
    first_posting bigint not null,
    postings bigint not null,
    transfers bigint not null,
    accounts bigint not null,
    root bytea not null,
    prev bytea not null,
    recorded_at timestamp with time zone not null,
    xact xid8 not null,
    constraint batch_pkey PRIMARY KEY (book, no),
    constraint batch_shape CHECK (((no > 0) AND (first_posting > 0) AND (postings > 0) AND (transfers > 0) AND (transfers <= postings) AND (accounts > 1) AND (length(root) = 32) AND (length(prev) = 32)))
);
CREATE INDEX batch_recorded_at ON ledger.batch USING btree (book, recorded_at, no);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.batch FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE CONSTRAINT TRIGGER batch_is_whole AFTER INSERT ON ledger.batch DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.batch_is_whole();
CREATE TRIGGER batch_stamp BEFORE INSERT ON ledger.batch FOR EACH ROW EXECUTE FUNCTION ledger.stamp_batch();
grant insert, select on ledger.batch to amana_app;
grant select on ledger.batch to amana_reader;

create table ledger.book (
    book text not null,
    asset text not null,
    opened_at timestamp with time zone not null,
    constraint book_pkey PRIMARY KEY (book),
    constraint book_asset FOREIGN KEY (asset) REFERENCES ledger.asset(asset),
    constraint book_name CHECK (((book ~ '^[a-z0-9_]{1,32}:[A-Z]{3}$'::text) AND (split_part(book, ':'::text, 2) = asset)))
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.book FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
grant insert, select on ledger.book to amana_app;
grant select on ledger.book to amana_reader;

create table ledger.chunk (
    book text not null,
    account bigint not null,
    batch bigint not null,
    debits_posted bigint not null,
    credits_posted bigint not null,
    debits_pending bigint not null,
    credits_pending bigint not null,
    lowest bigint not null,
    floor bigint,
    side text not null,
    posting_nos bigint[] not null,
    constraint chunk_pkey PRIMARY KEY (book, account, batch),
    constraint chunk_floor CHECK (((floor IS NULL) OR ((lowest >= floor) AND (
CASE side
    WHEN 'debit'::text THEN ((debits_posted - credits_posted) - credits_pending)
    ELSE ((credits_posted - debits_posted) - debits_pending)
END >= floor)))),
    constraint chunk_lowest CHECK ((lowest <=
CASE side
    WHEN 'debit'::text THEN ((debits_posted - credits_posted) - credits_pending)
    ELSE ((credits_posted - debits_posted) - debits_pending)
END)),
    constraint chunk_totals CHECK (((debits_posted >= 0) AND (credits_posted >= 0) AND (debits_pending >= 0) AND (credits_pending >= 0)))
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.chunk FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE TRIGGER chunks_add_up AFTER INSERT ON ledger.chunk REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.chunks_add_up();
grant insert, select on ledger.chunk to amana_app;
grant select on ledger.chunk to amana_reader;

create table ledger.external (
    book text not null,
    provider text not null,
    account text not null,
    id text not null,
    transfer uuid not null,
    batch bigint not null,
    constraint external_one_a_transfer UNIQUE (book, transfer),
    constraint external_once PRIMARY KEY (book, provider, account, id)
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.external FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE TRIGGER in_batch AFTER INSERT ON ledger.external REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.in_batch();
grant insert, select on ledger.external to amana_app;
grant select on ledger.external to amana_reader;

create table ledger.hold (
    book text not null,
    hold uuid not null,
    transfer uuid not null,
    batch bigint not null,
    debit bigint not null,
    credit bigint not null,
    was bigint,
    settled bigint not null,
    voided bigint not null,
    remaining bigint not null,
    verb text not null,
    expires_at timestamp with time zone,
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
    side text not null,
    floor bigint,
    constraint kind_pkey PRIMARY KEY (kind),
    constraint kind_class CHECK ((class = ANY (ARRAY['asset'::text, 'liability'::text, 'equity'::text, 'income'::text, 'expense'::text]))),
    constraint kind_side CHECK ((side =
CASE
    WHEN (class = ANY (ARRAY['asset'::text, 'expense'::text])) THEN 'debit'::text
    ELSE 'credit'::text
END))
);
grant select on ledger.kind to amana_app;
grant select on ledger.kind to amana_reader;

create table ledger.posting (
    book text not null,
    no bigint not null,
    batch bigint not null,
    transfer uuid not null,
    debit bigint not null,
    credit bigint not null,
    amount bigint not null,
    phase text not null,
    constraint posting_pkey PRIMARY KEY (book, no),
    constraint posting_amount CHECK ((amount > 0)),
    constraint posting_phase CHECK ((phase = ANY (ARRAY['post'::text, 'hold'::text, 'settle'::text, 'void'::text]))),
    constraint posting_two_accounts CHECK ((debit <> credit))
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.posting FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE TRIGGER postings_number AFTER INSERT ON ledger.posting REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.postings_number();
grant insert, select on ledger.posting to amana_app;
grant select on ledger.posting to amana_reader;

create table ledger.restated (
    book text not null,
    account bigint not null,
    posting bigint not null,
    batch bigint not null,
    side text not null,
    amount bigint not null,
    effective_at timestamp with time zone not null,
    recorded_at timestamp with time zone not null,
    constraint restated_pkey PRIMARY KEY (book, account, posting),
    constraint restated_amount CHECK ((amount > 0)),
    constraint restated_side CHECK ((side = ANY (ARRAY['debit'::text, 'credit'::text])))
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.restated FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE TRIGGER in_batch AFTER INSERT ON ledger.restated REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.in_batch();
grant insert, select on ledger.restated to amana_app;
grant select on ledger.restated to amana_reader;

create table ledger.reversal (
    book text not null,
    transfer uuid not null,
    reverses uuid not null,
    batch bigint not null,
    constraint reversal_one_a_transfer UNIQUE (book, transfer),
    constraint reversal_once PRIMARY KEY (book, reverses),
    constraint reversal_exists FOREIGN KEY (book, reverses) REFERENCES ledger.transfer(book, id),
    constraint reversal_of_another CHECK ((transfer <> reverses))
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.reversal FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE TRIGGER reversals_mirror AFTER INSERT ON ledger.reversal REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.reversals_mirror();
grant insert, select on ledger.reversal to amana_app;
grant select on ledger.reversal to amana_reader;

create table ledger.transfer (
    book text not null,
    id uuid not null,
    batch bigint not null,
    event text not null,
    key text not null,
    fingerprint bytea not null,
    effective_at timestamp with time zone not null,
    first_posting bigint not null,
    postings bigint not null,
    constraint transfer_key UNIQUE (book, key),
    constraint transfer_pkey PRIMARY KEY (book, id),
    constraint transfer_shape CHECK (((length(fingerprint) = 32) AND ((length(key) >= 1) AND (length(key) <= 200)) AND (postings > 0)))
);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.transfer FOR EACH STATEMENT EXECUTE FUNCTION ledger.append_only();
CREATE TRIGGER transfers_share AFTER INSERT ON ledger.transfer REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger.transfers_share();
grant insert, select on ledger.transfer to amana_app;
grant select on ledger.transfer to amana_reader;

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

CREATE OR REPLACE FUNCTION ledger.append_only()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
    perform ledger.refuse('append_only', format('%s on ledger.%s', lower(tg_op), tg_table_name));
    return null;
end
$function$;

CREATE OR REPLACE FUNCTION ledger.batch_is_whole()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
declare
    p record;
    first record;
begin
    select no, first_posting + postings as next_posting, accounts, root, recorded_at into p
    from ledger.batch where book = new.book and no = new.no - 1;
    if not found then
        if new.no <> 1 then
            perform ledger.refuse('batch_continues',
                format('batch %s of %s has no predecessor', new.no, new.book));
        end if;
        select 0::bigint as no, 1::bigint as next_posting, 0::bigint as accounts,
            decode(repeat('00', 32), 'hex') as root, '-infinity'::timestamptz as recorded_at into p;
        if not exists (select from ledger.book where book = new.book) then
            perform ledger.refuse('batch_book', format('book %s does not exist', new.book));
        end if;
    end if;
    if new.first_posting <> p.next_posting or new.prev <> p.root or new.recorded_at < p.recorded_at then
        perform ledger.refuse('batch_continues', format('batch %s of %s', new.no, new.book));
    end if;

    select debit, transfer into first from ledger.posting where book = new.book and no = new.first_posting;
    if not found
        or not exists (
            select from ledger.chunk where book = new.book and account = first.debit and batch = new.no
        )
        or not exists (
            select from ledger.transfer where book = new.book and id = first.transfer and batch = new.no
        )
        or exists (
            select from ledger.posting g
            where g.book = new.book and g.no >= new.first_posting and g.no < new.first_posting + new.postings
                and g.phase <> 'post'
                and not exists (select from ledger.hold h where h.book = g.book and h.transfer = g.transfer)
        )
    then
        perform ledger.refuse('batch_is_whole', format('batch %s of %s', new.no, new.book));
    end if;

    -- The accounts opened here: numbered without a gap, each of the narrowest kind that fits its path.
    if new.accounts <> p.accounts + (
        select count(*) from ledger.account a join ledger.kind k on k.kind = a.kind
        where a.book = new.book and a.account > p.accounts and a.batch = new.no and a.account <= new.accounts
            and not exists (
                select from ledger.kind n
                where length(n.kind) > length(k.kind)
                    and (a.path = n.kind or starts_with(a.path, n.kind || ':'))
            )
    ) then
        perform ledger.refuse('accounts_number', format('accounts of batch %s of %s', new.no, new.book));
    end if;
    return null;
end
$function$;

CREATE OR REPLACE FUNCTION ledger.chunks_add_up()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
declare
    s record;
    b record;
    stray bigint;
begin
    for s in select distinct book, batch from fresh loop
        select first_posting as low, first_posting + postings - 1 as high into b
        from ledger.batch where book = s.book and no = s.batch and xact = pg_current_xact_id();
        if not found then
            perform ledger.refuse('in_batch', format('ledger.chunk of batch %s of %s', s.batch, s.book));
        end if;
        select coalesce(c.account, m.account) into stray
        from (
            select account, array_agg(no order by no) as nos,
                sum(debits)::bigint as debits, sum(credits)::bigint as credits,
                sum(debits_held)::bigint as debits_held, sum(credits_held)::bigint as credits_held
            from (
                select debit as account, no,
                    case when phase in ('post', 'settle') then amount else 0 end as debits, 0 as credits,
                    case phase when 'post' then 0 when 'hold' then amount else -amount end as debits_held,
                    0 as credits_held
                from ledger.posting where book = s.book and no between b.low and b.high
                union all
                select credit, no, 0, case when phase in ('post', 'settle') then amount else 0 end,
                    0, case phase when 'post' then 0 when 'hold' then amount else -amount end
                from ledger.posting where book = s.book and no between b.low and b.high
            ) leg
            group by account
        ) m
        full join (select * from fresh where book = s.book and batch = s.batch) c on c.account = m.account
        left join lateral (
            select kind from ledger.account where book = s.book and account = c.account limit 1
        ) a on true
        left join ledger.kind k on k.kind = a.kind
        left join lateral (
            select * from ledger.chunk
            where book = s.book and account = c.account and batch < s.batch
            order by batch desc limit 1
        ) o on true
        where c.account is null or m.account is null or k.kind is null
            or c.posting_nos <> m.nos or c.side <> k.side or c.floor is distinct from k.floor
            or c.debits_posted <> coalesce(o.debits_posted, 0) + m.debits
            or c.credits_posted <> coalesce(o.credits_posted, 0) + m.credits
            or c.debits_pending <> coalesce(o.debits_pending, 0) + m.debits_held
            or c.credits_pending <> coalesce(o.credits_pending, 0) + m.credits_held
        limit 1;
        if found then
            perform ledger.refuse('chunks_add_up',
                format('account %s in batch %s of %s', stray, s.batch, s.book));
        end if;
    end loop;
    return null;
end
$function$;

CREATE OR REPLACE FUNCTION ledger.holds_agree()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
declare
    stray text;
begin
    select format('hold %s of %s', h.hold, h.book) into stray
    from fresh h
    left join ledger.batch b on b.book = h.book and b.no = h.batch and b.xact = pg_current_xact_id()
    left join ledger.transfer t on t.book = h.book and t.id = h.transfer and t.batch = h.batch
    left join ledger.hold o on o.book = h.book and o.hold = h.hold and o.remaining = h.was
    left join lateral (
        select coalesce(sum(amount) filter (where phase = 'hold'), 0) as held,
            coalesce(sum(amount) filter (where phase = 'settle'), 0) as settled,
            coalesce(sum(amount) filter (where phase = 'void'), 0) as voided,
            bool_and(debit = h.debit and credit = h.credit) filter (where phase <> 'post') as same
        from ledger.posting
        where book = h.book and no >= t.first_posting and no < t.first_posting + t.postings
    ) p on true
    where b.no is null or t.id is null or not coalesce(p.same, false)
        or p.held <> case when h.was is null then h.remaining else 0 end
        or p.settled <> h.settled or p.voided <> h.voided
        or h.was is not null and (
            o.hold is null or o.debit <> h.debit or o.credit <> h.credit
            or o.expires_at is distinct from h.expires_at
        )
    limit 1;
    if found then
        perform ledger.refuse('holds_agree', stray);
    end if;
    return null;
end
$function$;

CREATE OR REPLACE FUNCTION ledger.in_batch()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
declare
    s record;
begin
    for s in select distinct book, batch from fresh loop
        perform from ledger.batch where book = s.book and no = s.batch and xact = pg_current_xact_id();
        if not found then
            perform ledger.refuse('in_batch',
                format('ledger.%s of batch %s of %s', tg_table_name, s.batch, s.book));
        end if;
    end loop;
    return null;
end
$function$;

CREATE OR REPLACE FUNCTION ledger.postings_number()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
declare
    s record;
begin
    for s in
        select book, batch, count(*) as n, min(no) as low, max(no) as high from fresh group by book, batch
    loop
        perform from ledger.batch
        where book = s.book and no = s.batch and xact = pg_current_xact_id()
            and postings = s.n and first_posting = s.low and first_posting + postings - 1 = s.high;
        if not found then
            perform ledger.refuse('postings_number', format('postings of batch %s of %s', s.batch, s.book));
        end if;
    end loop;
    return null;
end
$function$;

CREATE OR REPLACE FUNCTION ledger.refuse(rule text, culprit text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
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
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
declare
    stray text;
begin
    select format('reversal %s of %s', r.transfer, r.book) into stray
    from fresh r
    left join ledger.batch b on b.book = r.book and b.no = r.batch and b.xact = pg_current_xact_id()
    left join ledger.transfer t on t.book = r.book and t.id = r.transfer and t.batch = r.batch
    left join ledger.transfer o on o.book = r.book and o.id = r.reverses
    where b.no is null or t.id is null
        or exists (select from ledger.reversal x where x.book = r.book and x.transfer = r.reverses)
        or (
            select array_agg(row(debit, credit, amount) order by debit, credit, amount) from ledger.posting
            where book = r.book and no >= t.first_posting and no < t.first_posting + t.postings
                and phase = 'post'
        ) is distinct from (
            select array_agg(row(credit, debit, amount) order by credit, debit, amount) from ledger.posting
            where book = r.book and no >= o.first_posting and no < o.first_posting + o.postings
                and phase in ('post', 'settle')
        )
    limit 1;
    if found then
        perform ledger.refuse('reversals_mirror', stray);
    end if;
    return null;
end
$function$;

CREATE OR REPLACE FUNCTION ledger.stamp_batch()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
    new.xact := pg_current_xact_id();
    return new;
end
$function$;

CREATE OR REPLACE FUNCTION ledger.transfers_share()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
declare
    s record;
    b record;
    stray uuid;
begin
    for s in select book, batch, count(*) as n from fresh group by book, batch loop
        select first_posting as low, first_posting + postings - 1 as high, transfers into b
        from ledger.batch where book = s.book and no = s.batch and xact = pg_current_xact_id();
        if not found or b.transfers <> s.n then
            perform ledger.refuse('transfers_share', format('transfers of batch %s of %s', s.batch, s.book));
        end if;
        select coalesce(t.id, p.transfer) into stray
        from (
            select transfer, count(*) as n, min(no) as low, max(no) as high
            from ledger.posting where book = s.book and no between b.low and b.high
            group by transfer
        ) p
        full join (select * from fresh where book = s.book and batch = s.batch) t on t.id = p.transfer
        where t.id is null or p.transfer is null
            or t.first_posting <> p.low or t.postings <> p.n or p.high <> p.low + p.n - 1
        limit 1;
        if found then
            perform ledger.refuse('transfers_share',
                format('transfer %s of batch %s of %s', stray, s.batch, s.book));
        end if;
    end loop;
    return null;
end
$function$;
