//! The whole picture of a database, drawn from its catalogs: what `migrations/schema.sql` holds.
//!
//! Invariant: the same migrations give the same text on every Postgres the house runs on; `pg_dump` words
//! things differently from version to version.

use std::fmt::Write as _;

use sqlx::PgPool;

const OURS: &str = "n.nspname not like 'pg\\_%' and n.nspname not in ('information_schema', 'public')";

const ROLES: &str = "
    select format('-- role %s%s%s', r.rolname, case when r.rolcanlogin then ' login' else '' end,
        case when r.rolbypassrls then ' bypassrls' else '' end
        || coalesce((select ' in ' || string_agg(g.rolname, ', ' order by g.rolname)
            from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid), ''))
    from pg_roles r where r.rolname like 'amana%' order by r.rolname";

const SCHEMAS: &str = "
    select format('create schema %I;', n.nspname) || coalesce((
        select string_agg(format(E'\\ngrant %s on schema %I to %s;', x.rights, n.nspname, x.grantee), ''
            order by x.grantee)
        from (select a.grantee::regrole::text as grantee,
                lower(string_agg(a.privilege_type, ', ' order by a.privilege_type)) as rights
            from aclexplode(n.nspacl) a where a.grantee <> n.nspowner and a.grantee <> 0 group by 1) x), '')
    from pg_namespace n where OURS order by n.nspname";

const TYPES: &str = "
    select case t.typtype
        when 'e' then format('create type %s as enum (%s);', t.oid::regtype,
            (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
             from pg_enum e where e.enumtypid = t.oid))
        when 'd' then format('create domain %s as %s%s;', t.oid::regtype, format_type(t.typbasetype,
            t.typtypmod),
            coalesce((select string_agg(' ' || pg_get_constraintdef(c.oid), '' order by c.conname)
             from pg_constraint c where c.contypid = t.oid and c.contype <> 'n'), ''))
        else format('create type %s as (%s);', t.oid::regtype,
            (select string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' order by
                a.attnum)
             from pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped)) end
    from pg_type t join pg_namespace n on n.oid = t.typnamespace left join pg_class c on c.oid = t.typrelid
    where OURS and (t.typtype in ('e', 'd') or t.typtype = 'c' and c.relkind = 'c') order by
        t.oid::regtype::text";

const TABLES: &str = "
    select format(E'create table %s (\\n', c.oid::regclass)
        || (select string_agg(format('    %I %s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
                case when a.attnotnull then ' not null' else '' end,
                case when a.attidentity <> '' then ' generated ' || case a.attidentity
                        when 'a' then 'always' else 'by default' end || ' as identity'
                    when a.attgenerated <> '' then ' generated always as (' || pg_get_expr(d.adbin, d.adrelid)
                        || ') stored'
                    else coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') end),
                E',\\n' order by a.attnum)
            from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)
        || coalesce((select string_agg(format(E',\\n    constraint %I %s', k.conname,
            pg_get_constraintdef(k.oid)), ''
                order by k.contype desc, k.conname)
            from pg_constraint k where k.conrelid = c.oid and k.contype in ('p', 'u', 'c', 'f', 'x')), '')
        || E'\\n);'
        || coalesce((select string_agg(E'\\n' || pg_get_indexdef(i.indexrelid) || ';', '' order by x.relname)
            from pg_index i join pg_class x on x.oid = i.indexrelid
            where i.indrelid = c.oid and not exists (select from pg_constraint k where k.conindid =
                i.indexrelid)), '')
        || coalesce((select string_agg(E'\\n' || pg_get_triggerdef(t.oid) || ';', '' order by t.tgname)
            from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal), '')
        || case when c.relrowsecurity then E'\\nalter table ' || c.oid::regclass ||
            ' enable row level security;'
            else '' end
        || coalesce((select string_agg(format(E'\\ngrant %s on %s to %s;', x.rights, c.oid::regclass,
            x.grantee), ''
                order by x.grantee)
            from (select a.grantee::regrole::text as grantee,
                    lower(string_agg(a.privilege_type, ', ' order by a.privilege_type)) as rights
                from aclexplode(c.relacl) a where a.grantee <> c.relowner and a.grantee <> 0 group by 1) x),
                    '')
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where OURS and c.relkind in ('r', 'p') order by n.nspname, c.relname";

const VIEWS: &str = "
    select format(E'create %s %s as\\n%s',
        case c.relkind when 'm' then 'materialized view' else 'view' end, c.oid::regclass,
            pg_get_viewdef(c.oid))
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where OURS and c.relkind in ('v', 'm') order by n.nspname, c.relname";

const FUNCTIONS: &str = "
    select rtrim(pg_get_functiondef(p.oid), E'\\n') || ';'
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where OURS and p.prokind in ('f', 'p') order by n.nspname, p.proname, p.oid::regprocedure::text";

/// The picture: roles, schemas, types, tables with everything that hangs on them, views, functions.
pub async fn draw(database: &PgPool) -> String {
    let mut out = String::from(
        "-- The whole picture: what the migrations give. Written by `make schema`, proved equal by a test.\n",
    );
    for query in [ROLES, SCHEMAS, TYPES, TABLES, VIEWS, FUNCTIONS] {
        let query = sqlx::AssertSqlSafe(query.replace("OURS", OURS));
        let pieces: Vec<String> =
            sqlx::query_scalar(query).fetch_all(database).await.expect("the catalogs are read");
        for piece in pieces {
            writeln!(out, "\n{piece}").expect("a string takes text");
        }
    }
    out
}
