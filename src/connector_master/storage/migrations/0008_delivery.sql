-- Where leads are sent, what is due there, and what came of it.

CREATE TABLE destinations (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    id uuid NOT NULL,
    type text NOT NULL,
    name text NOT NULL,
    description text,
    -- active, paused (by a person) or disabled (the receiver is gone); leads become due for all of them.
    status text NOT NULL,
    settings jsonb NOT NULL DEFAULT '{}',
    -- Of the settings, what the hot statement asks for: which occasions are delivered.
    occasions text[] NOT NULL,
    -- All credentials as one sealed JSON object, and how each ends.
    credentials bytea,
    credential_hints jsonb NOT NULL DEFAULT '{}',
    secret bytea,
    secret_fingerprint text,
    previous_secret bytea,
    previous_secret_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    PRIMARY KEY (workspace_id, id)
);

-- How it goes at a destination. Written all the time, so it lies apart from what the hot statement reads.
CREATE TABLE destination_gates (
    workspace_id uuid NOT NULL,
    destination_id uuid NOT NULL,
    -- Failures in a row; pauses in a row since the breaker opened, 0 while it is closed.
    failures integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    pauses integer NOT NULL DEFAULT 0,
    opened_at timestamptz,
    -- Nothing is sent before: the breaker pauses, or the receiver asked for a rest.
    rests_until timestamptz,
    problem_code text,
    problem_detail text,
    last_delivered_at timestamptz,
    -- When the next call may be made, where calls are spread out.
    next_call_at timestamptz,
    -- Whoever delivers there now, and until when it is believed that they do.
    runner uuid,
    runs_until timestamptz,
    ran_at timestamptz,
    PRIMARY KEY (workspace_id, destination_id),
    FOREIGN KEY (workspace_id, destination_id) REFERENCES destinations ON DELETE CASCADE
) WITH (fillfactor = 50);

-- One lead on its way to one destination.
CREATE TABLE deliveries (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    -- Of one lead and destination the lower number goes first.
    number bigint GENERATED ALWAYS AS IDENTITY,
    destination_id uuid NOT NULL,
    lead_id uuid NOT NULL,
    event_id uuid,
    occasion text NOT NULL,
    status text NOT NULL DEFAULT 'queued',
    created_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    -- Retries of the schedule that are used up, and since when it fails.
    retries integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    last_attempt_at timestamptz,
    settled_at timestamptz,
    code text,
    detail text,
    external_id text,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX deliveries_due ON deliveries (workspace_id, destination_id, due_at, number) WHERE status IN ('queued', 'retrying');
CREATE INDEX deliveries_dead ON deliveries (workspace_id, destination_id, id) WHERE status = 'dead';
CREATE INDEX deliveries_destination ON deliveries (workspace_id, destination_id, id);
CREATE INDEX deliveries_lead ON deliveries (workspace_id, lead_id, destination_id, number);

-- What came of each try. `answer` can repeat what was sent, so it goes with the lead.
CREATE TABLE delivery_attempts (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    number integer NOT NULL,
    at timestamptz NOT NULL,
    milliseconds integer NOT NULL,
    request json,
    status integer,
    answer text,
    code text,
    detail text,
    PRIMARY KEY (workspace_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX delivery_attempts_delivery ON delivery_attempts (workspace_id, delivery_id, id);
CREATE TABLE delivery_attempts_default PARTITION OF delivery_attempts DEFAULT;

-- The id that the record would have made a lead of which filled blanks last: so a statement knows what it changed.
ALTER TABLE leads ADD COLUMN filled_by uuid;

-- A new id: a UUID of version 7.
CREATE FUNCTION new_id_at(moment timestamptz) RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
        substring(int8send(floor(extract(epoch FROM moment) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;
