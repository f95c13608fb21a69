-- The first schema. Every key begins with the workspace, so that a distributed PostgreSQL can shard by it.
-- Times are timestamptz in UTC. Ids are UUIDs of version 7: they sort by the time they were made.

CREATE TABLE workspaces (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE users (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    password_hash text NOT NULL,
    must_change_password boolean NOT NULL DEFAULT false,
    disabled_at timestamptz,
    last_sign_in_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, email)
);

CREATE TABLE api_keys (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    id uuid NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    key_hash bytea NOT NULL UNIQUE,
    hint text NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (workspace_id, id)
);

-- One row a sealing key that has ever sealed something here: opened at start, it proves that the key is the right one.
CREATE TABLE key_checks (
    key_id text PRIMARY KEY,
    sealed bytea NOT NULL
);

CREATE TABLE connectors (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    id uuid NOT NULL,
    type text NOT NULL,
    name text NOT NULL,
    description text,
    status text NOT NULL,
    webhook_id text UNIQUE,
    settings jsonb NOT NULL DEFAULT '{}',
    -- json, not jsonb: the order of a mapping's entries matters and jsonb forgets it.
    field_mapping json,
    last_sync_at timestamptz,
    next_sync_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    PRIMARY KEY (workspace_id, id)
);

-- A connector's webhook secrets: the present one, and older ones until valid_until. Sealed where an HMAC needs the secret
-- itself; only hashed where the sender presents it.
CREATE TABLE webhook_secrets (
    workspace_id uuid NOT NULL,
    connector_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL DEFAULT 'webhook_secret',
    sealed bytea,
    hash bytea,
    fingerprint text NOT NULL,
    valid_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, connector_id, id),
    FOREIGN KEY (workspace_id, connector_id) REFERENCES connectors ON DELETE CASCADE,
    CHECK (sealed IS NOT NULL OR hash IS NOT NULL)
);

CREATE TABLE credentials (
    workspace_id uuid NOT NULL,
    connector_id uuid NOT NULL,
    name text NOT NULL,
    sealed bytea NOT NULL,
    hint text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, connector_id, name),
    FOREIGN KEY (workspace_id, connector_id) REFERENCES connectors ON DELETE CASCADE
);

CREATE TABLE rate_limits (
    workspace_id uuid NOT NULL,
    connector_id uuid NOT NULL,
    tokens double precision NOT NULL,
    refilled_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, connector_id)
);

CREATE TABLE leads (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    -- Begins with the phone number (E.164), so a prefix search finds every lead of a number.
    deduplication_key text COLLATE "C" NOT NULL,
    phone_number text NOT NULL,
    name text,
    email text,
    source text,
    business_name text,
    address_line1 text,
    address_line2 text,
    city text,
    state text,
    country text,
    pincode text,
    product_name text,
    notes text,
    campaign text,
    external_id text,
    attributes jsonb NOT NULL DEFAULT '{}',
    connector_id uuid NOT NULL,
    enquired_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    times_seen integer NOT NULL,
    PRIMARY KEY (workspace_id, id)
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX leads_deduplication_key ON leads (workspace_id, deduplication_key);
CREATE INDEX leads_connector ON leads (workspace_id, connector_id, id);

-- Attributes of several records of one lead, the earlier ones winning.
CREATE FUNCTION fill_blanks(known jsonb, more jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT coalesce(more, '{}') || coalesce(known, '{}') $$;
CREATE AGGREGATE fill_blanks_over (jsonb) (sfunc = fill_blanks, stype = jsonb, initcond = '{}');

-- Partitioned by id, whose first 48 bits are the time: one month a partition, so retention drops a table.
CREATE TABLE events (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    origin text NOT NULL,
    status text NOT NULL,
    lead_id uuid,
    code text,
    detail text,
    external_id text,
    idempotency_key text,
    received_at timestamptz NOT NULL,
    processed_at timestamptz,
    enquired_at timestamptz,
    attempts integer NOT NULL DEFAULT 1,
    -- Several records of one request share request_id; position counts them, and the first keeps the whole body.
    request_id uuid,
    position integer,
    content_type text,
    payload bytea NOT NULL,
    body bytea,
    headers json,
    ip text,
    warnings json,
    PRIMARY KEY (workspace_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX events_connector ON events (workspace_id, connector_id, id);
CREATE INDEX events_lead ON events (workspace_id, lead_id, id) WHERE lead_id IS NOT NULL;
CREATE INDEX events_unsettled ON events (workspace_id, status, id) WHERE status IN ('received', 'failed', 'dead');
CREATE TABLE events_default PARTITION OF events DEFAULT;

-- A unique index can't span partitions: idempotency keys live here, unique for ever.
CREATE TABLE event_keys (
    workspace_id uuid NOT NULL,
    connector_id uuid NOT NULL,
    key text COLLATE "C" NOT NULL,
    event_id uuid NOT NULL,
    PRIMARY KEY (workspace_id, connector_id, key)
);

-- What people and the system did. What arrived is told by events; the activity log shows both.
CREATE TABLE activity (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    connector_id uuid,
    kind text NOT NULL,
    level text NOT NULL,
    message text NOT NULL,
    actor_kind text NOT NULL,
    actor_id uuid,
    actor_name text,
    ip text,
    event_id uuid,
    lead_id uuid,
    data jsonb,
    PRIMARY KEY (workspace_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX activity_connector ON activity (workspace_id, connector_id, id) WHERE connector_id IS NOT NULL;
CREATE TABLE activity_default PARTITION OF activity DEFAULT;

-- Work that a person started and can watch: retrying many events, and later backfills and replays.
CREATE TABLE jobs (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    filter jsonb NOT NULL DEFAULT '{}',
    total integer,
    done integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    actor_id uuid,
    actor_name text,
    error text,
    cancel_requested boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (workspace_id, id)
);
