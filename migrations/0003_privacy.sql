-- Personal data and secrets at rest.
--
-- Whatever names a person (phones, raw callbacks, message bodies) is stored as {key_id, nonce, ciphertext}.
-- Each data key is itself encrypted ("wrapped") under the master key, which never enters the database. A
-- person has one key; a raw body has a key of its own, because it is stored before anybody knows whose it is.
-- Destroying a key (wrapped := null) makes every byte sealed under it unreadable, wherever it was copied to.
-- Only copies of this very table from before have the key still, so they are to be kept for a short time.

create schema privacy;
grant usage on schema privacy to amana_app;

create type privacy.sealed as (key_id uuid, nonce bytea, ciphertext bytea);

create table privacy.data_key (
    id           uuid primary key,
    -- The person the key belongs to, once known. Destroying a person's data destroys all keys with this
    -- party.
    party        uuid,
    wrapped      bytea,
    created_at   timestamptz not null,
    destroyed_at timestamptz,
    constraint data_key_destroyed check ((wrapped is null) = (destroyed_at is not null))
);
create index data_key_party on privacy.data_key (party) where party is not null;
-- A person has one live key of their own; keys of raw bodies are tied to the person without being "the" key.
create table privacy.person_key (
    party  uuid primary key,
    key_id uuid not null references privacy.data_key (id)
);
grant select, insert, update on privacy.data_key to amana_app;
grant select, insert, delete on privacy.person_key to amana_app;
