-- Who may do what.
--
-- Roles belong to the cluster, not to the database, and several databases may share a cluster (every test has
-- one of its own), so each role is made only if it is missing. None has a password: where the cluster trusts
-- its socket they can log in, elsewhere a deployment gives a password or grants the role to a log-in of its
-- own.
--
--   amana_owner     owns every schema; migrations make things in its name
--   amana_app       the gateway: posts, and reads everything. Not bound by row-level security, because
--                   `COPY FROM` is refused under it; what it may see is decided by the doors
--   amana_reader    auditors and dashboards: reads everything, writes nothing
--   amana_vendor    a vendor's people and
--   amana_retailer  a retailer's: they see only what row-level security shows them, and never post
--
-- Two migrations may run at once in two databases of one cluster; the one that comes second finds the role
-- there (`duplicate_object`) or collides with the first on its way (`unique_violation`). Both are fine.
do $$
declare
    role text;
begin
    foreach role in array
        array['amana_owner', 'amana_app', 'amana_reader', 'amana_vendor', 'amana_retailer']
    loop
        if not exists (select from pg_catalog.pg_roles where rolname = role) then
            begin
                execute format('create role %I login nosuperuser nocreatedb nocreaterole nobypassrls', role);
            exception when duplicate_object or unique_violation then
                null;
            end;
        end if;
    end loop;
end
$$;

-- Nobody makes things where everybody can put them.
revoke create on schema public from public;
