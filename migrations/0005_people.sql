-- People: who they are, how they prove it, and the state of a phone call with our USSD menu.
--
-- A person is a party (uuid) everywhere inside and a small integer at the edge, where `/api` shows it.
-- Names, phone and email are one sealed profile under the person's own key. To find somebody by phone or
-- email there are keyed fingerprints beside it ("blind index"); they are unique, so one phone is one person
-- however it was typed.

create schema people;
grant usage on schema people to amana_app;

create table people.person (
    party             uuid primary key,
    id                bigint generated always as identity unique,
    role              text not null,
    profile           privacy.sealed,
    phone_blind       bytea,
    email_blind       bytea,
    password_hash     text,                -- null: registered by phone, no password yet
    password_tries    smallint not null default 0,
    password_locked_until timestamptz,
    pin_hash          text,                -- null: never used the phone menu
    pin_tries         smallint not null default 0,
    pin_locked_until  timestamptz,
    payout_mode       text not null default 'mobile',
    stellar_account_id text,
    language          text not null default 'en',
    created_at        timestamptz not null,
    forgotten_at      timestamptz,
    constraint person_role check (role in
        ('employer', 'employee', 'operator', 'finance', 'approver', 'auditor', 'admin')),
    constraint person_payout_mode check (payout_mode in ('mobile', 'stellar')),
    constraint person_stellar_needs_account
        check (payout_mode <> 'stellar' or stellar_account_id is not null),
    constraint person_language check (language in ('en', 'sw')),
    constraint person_phone unique (phone_blind),
    constraint person_email unique (email_blind),
    -- Forgotten means: no profile, no fingerprints, no way to log in. The row stays, since the books point
    -- at it.
    constraint person_forgotten check (forgotten_at is null
        or (profile is null and phone_blind is null and email_blind is null
            and password_hash is null and pin_hash is null and stellar_account_id is null)),
    constraint person_known
        check (forgotten_at is not null or (profile is not null and phone_blind is not null))
);
grant select, insert, update on people.person to amana_app;

-- A session is the family of refresh tokens that follow one login. Each token works once. Using one again
-- means that two parties hold the family, one of them a thief, so the whole family ends.
create table people.session (
    id         uuid primary key,
    party      uuid not null references people.person (party),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    reason     text,
    constraint session_revoked check ((revoked_at is null) = (reason is null))
);
create index session_party on people.session (party) where revoked_at is null;

create table people.refresh (
    hash      bytea primary key,           -- SHA-256 of the token; 256 random bits need no salt
    session   uuid not null references people.session (id),
    issued_at timestamptz not null,
    used_at   timestamptz
);
create index refresh_session on people.refresh (session);
grant select, insert, update on people.session, people.refresh to amana_app;

-- Where a caller stands in the phone menu. The gateway repeats requests, so the last input and its answer
-- are kept; a dropped call can be taken up again for ten minutes by dialling anew (the phone's fingerprint
-- finds it).
create schema ussd;
grant usage on schema ussd to amana_app;

create table ussd.session (
    session    text not null,
    phone      bytea not null,             -- the blind index of the phone
    step       integer not null,           -- how many inputs have been answered
    -- The place in the menu and the screen last shown. A name being typed stands in it, a PIN never.
    memory     privacy.sealed not null,
    ended      boolean not null,
    touched_at timestamptz not null,
    primary key (session, phone)
);
create index session_phone on ussd.session (phone, touched_at);
grant select, insert, update, delete on ussd.session to amana_app;
