-- Names that look alike, names that need quotes, the same names in several schemas, overloads. search_path: app, public

create schema app;
create schema archive;
create schema "Sales";
create schema stats;
create schema legacy;

create type app.order_state as enum ('new', 'paid', 'shipped', 'cancelled');
create domain app.email_address as text check (value like '%@%');
create domain app.cents as integer;
create type app.money_amount as (value numeric, currency text);

create table app.categories (category_id integer primary key, name text, parent_id integer);
create table app.customers (
    customer_id integer generated always as identity primary key,
    "firstName" text,
    "lastName" text,
    email app.email_address,
    country_code char(2),
    created_at timestamptz default now(),
    vip boolean,
    tags text[],
    prefs jsonb
);
create table app.products (
    product_id integer primary key,
    title text,
    sku text,
    price numeric(10, 2),
    weight_kg real,
    category_id integer references app.categories
);
create table app.orders (
    order_id integer primary key,
    customer_id integer references app.customers,
    state app.order_state,
    placed_at timestamptz,
    total_cents app.cents,
    note text
);
create table app.order_items (
    order_id integer references app.orders,
    line_no integer,
    product_id integer references app.products,
    qty integer,
    unit_price numeric(10, 2),
    primary key (order_id, line_no)
);
create table app."Users" ("Id" integer primary key, "UserName" text, "eMail" text, login_count integer);
create table app."order" (id integer, "group" text, "from" date);
create table app.addr (addr_id integer primary key, cust_id integer references app.customers, street text, zip text, city text);
create table app.x1 (id integer, v1 integer, v2 integer, v3 integer);
create table app.x2 (id integer, v1 integer, v2 integer, v3 integer);
create table app.sensor_a (id integer, value real);
create table app.sensor_b (id integer, value real);
create table app."Größen" (id integer, "Maß" numeric);
create table app.preise (id integer, betrag numeric, währung text);
create view app.v_order_totals as select order_id, sum(qty * unit_price) as total from app.order_items group by order_id;
create sequence app.order_no_seq;
create index orders_placed_at_idx on app.orders (placed_at);

create table archive.orders (order_id integer, customer_id integer, state text, archived_at timestamptz);
create table archive.orders_2019 (order_id integer, total numeric);
create table archive.orders_2020 (order_id integer, total numeric);
create table archive.orders_2021 (order_id integer, total numeric);
create table archive.invoices (invoice_id integer, amount numeric);
create table archive.shipments (shipment_id integer, sent_at timestamptz);
create table legacy.shipments (id integer, "sentAt" timestamptz);
create table legacy.kunden (id integer, name text);
create table "Sales"."Regions" ("RegionId" integer, "Name" text);
create table "Sales".targets (region text, target numeric);
create table stats.daily_totals (day date, n integer);
create table stats.monthly_totals (month date, n integer);
create materialized view stats.mv_revenue as select 1 as revenue;
create table public.emp (emp_id integer, ename text, sal numeric, dept_no integer);
create table public.dept (dept_no integer, dname text, loc text);
create table public.tbl_log_2023 (id integer, msg text);
create table public.tbl_log_2024 (id integer, msg text);

create function app.net_price(price numeric, rate numeric) returns numeric language sql as 'select price / (1 + rate)';
create function app.net_price(price numeric) returns numeric language sql as 'select price / 1.19';
create function app.slugify(value text) returns text language sql as 'select lower(value)';
create function app.days_between(a date, b date) returns integer language sql as 'select b - a';
create function app.customer_name(id integer) returns text language sql as $$select 'x'::text$$;
create function app.enc_a(text) returns text language sql as 'select $1';
create function app.enc_b(text) returns text language sql as 'select $1';
create function legacy.to_cents(amount numeric) returns integer language sql as 'select (amount * 100)::int';
create function stats.running_total(day date) returns numeric language sql as 'select 1.0';
create function app."calcTax"(amount numeric) returns numeric language sql as 'select amount * 0.19';
create procedure app.close_order(id integer) language sql as 'select 1';
create procedure legacy.purge_all() language sql as 'select 1';
