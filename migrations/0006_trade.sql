-- Trade: jobs and who applied for them. Rows, rights, and which flow to start; no money stands here.
--
-- "in_progress" is not stored: a job is in progress when it is assigned and its escrow is funded, and the
-- escrow's status says the second. So funding after assignment changes nothing in this schema.

create schema trade;
grant usage on schema trade to amana_app;

create table trade.job (
    id                 bigint generated always as identity primary key,
    employer           uuid not null,
    employee           uuid,
    title              text not null,
    description        text not null,
    budget             bigint not null,    -- minor units of the book's asset
    book               text not null,
    status             text not null default 'open',
    escrow_contract_id text unique,        -- set in the transaction that creates the job
    created_at         timestamptz not null,
    assigned_at        timestamptz,
    completed_at       timestamptz,
    cancelled_at       timestamptz,
    constraint job_budget_positive check (budget > 0),
    constraint job_status check (status in ('open', 'assigned', 'completed', 'cancelled')),
    constraint job_assigned check (status not in ('assigned', 'completed') or employee is not null),
    constraint job_own check (employee is distinct from employer)
);
create index job_employer on trade.job (employer, id);
create index job_employee on trade.job (employee, id) where employee is not null;
create index job_open on trade.job (id) where status = 'open';
grant select, insert, update on trade.job to amana_app;

create table trade.application (
    job          bigint not null references trade.job (id),
    applicant    uuid not null,
    applied_at   timestamptz not null,
    withdrawn_at timestamptz,
    primary key (job, applicant)
);
create index application_applicant on trade.application (applicant);
grant select, insert, update on trade.application to amana_app;
