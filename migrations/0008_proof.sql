-- What lets a stranger check the journal: how long a book's log was and what its root was (`checkpoint`),
-- where the chain keeps that (`anchor`), what was owed then (`liability`), and the middle of the log's tree
-- (`subtree`), so that a proof reads a few hundred rows however long the log is.
--
-- The log's leaves are the batches' roots, in order. Everything here can be computed again from them; what
-- the audit computes must be what stands here. Nothing is ever changed.
set local role amana_owner;

-- The log's first `size` batches. `edge` are the roots of the perfect trees it is made of, the largest first,
-- so that the next checkpoint reads only what came since. `note` is the signed text that is handed out.
create table ledger.checkpoint (
    size bigint not null,
    at timestamptz not null,
    book int not null,
    root bytea not null,
    edge bytea not null,
    note text not null,
    constraint checkpoint_pkey primary key (book, size),
    constraint checkpoint_root unique (book, size, root),
    constraint checkpoint_batch foreign key (book, size) references ledger.batch (book, no),
    constraint checkpoint_shape check (
        length(root) = 32 and length(edge) = 32 * length(replace(size::bit(64)::text, '0', ''))
    )
);

-- The root of a perfect tree of 2^height leaves, the one at `place` among those of its height, from 0.
-- Heights are 8, 16, 24 …: each is the root of 256 of those below it.
create table ledger.subtree (
    place bigint not null,
    book int not null,
    height smallint not null,
    root bytea not null,
    constraint subtree_pkey primary key (book, height, place),
    constraint subtree_shape check (
        height in (8, 16, 24, 32, 40, 48, 56) and place >= 0 and length(root) = 32
    )
);

-- Where the chain keeps a checkpoint: anybody may ask the contract. Only a checkpoint of ours, with its root.
create table ledger.anchor (
    size bigint not null,
    ledger bigint not null,
    at timestamptz not null,
    book int not null,
    root bytea not null,
    contract text not null,
    tx_hash text not null,
    constraint anchor_pkey primary key (book, size),
    constraint anchor_of_checkpoint foreign key (book, size, root)
        references ledger.checkpoint (book, size, root),
    constraint anchor_shape check (ledger > 0 and contract <> '' and tx_hash <> '')
);

-- What the book owed after the batches of a checkpoint, as the root of a tree in which each account that is
-- owed something finds itself. The leaves are computed from the chunks again when somebody asks.
create table ledger.liability (
    size bigint not null,
    leaves bigint not null,
    total bigint not null,
    at timestamptz not null,
    book int not null,
    root bytea not null,
    note text not null,
    constraint liability_pkey primary key (book, size),
    constraint liability_of_checkpoint foreign key (book, size) references ledger.checkpoint (book, size),
    constraint liability_shape check (leaves >= 0 and total >= 0 and length(root) = 32)
);

do $$
declare
    sealed text;
begin
    foreach sealed in array array['checkpoint', 'subtree', 'anchor', 'liability'] loop
        execute format('create trigger append_only before update or delete or truncate on ledger.%I
                        for each statement execute function ledger.append_only()', sealed);
        execute format('alter table ledger.%I enable always trigger append_only', sealed);
        execute format('revoke delete, truncate on ledger.%I from amana_owner', sealed);
        execute format('grant select on ledger.%I to amana_app, amana_reader', sealed);
        execute format('grant insert on ledger.%I to amana_app', sealed);
    end loop;
end
$$;

reset role;
