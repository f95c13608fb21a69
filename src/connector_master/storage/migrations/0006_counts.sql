-- Events counted by quarters of an hour: what pages show of days and weeks must not be counted again for every look.
CREATE TABLE event_counts (
    workspace_id uuid NOT NULL,
    connector_id uuid NOT NULL,
    starts_at timestamptz NOT NULL,
    received integer NOT NULL,
    created integer NOT NULL,
    duplicates integer NOT NULL,
    ignored integer NOT NULL,
    failed integer NOT NULL,
    PRIMARY KEY (workspace_id, connector_id, starts_at)
);

-- Quarters of which events were settled anew since they were counted; taken away by whoever counts them again.
CREATE TABLE recounts (
    workspace_id uuid NOT NULL,
    connector_id uuid NOT NULL,
    starts_at timestamptz NOT NULL
);

-- Up to when everything is counted.
CREATE TABLE counted (until timestamptz NOT NULL);

CREATE FUNCTION quarter_of(moment timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT date_bin('15 minutes', moment, '2000-01-01 00:00:00+00') $$;

CREATE FUNCTION note_recount() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO recounts (workspace_id, connector_id, starts_at)
    SELECT DISTINCT now_rows.workspace_id, now_rows.connector_id, quarter_of(now_rows.received_at)
      FROM now_rows JOIN old_rows USING (workspace_id, id)
     WHERE now_rows.status <> old_rows.status;
    RETURN NULL;
END $$;
CREATE TRIGGER events_recount AFTER UPDATE ON events REFERENCING OLD TABLE AS old_rows NEW TABLE AS now_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_recount();

-- The smallest id (UUID of version 7) that could have been made at a moment.
CREATE FUNCTION first_id_at(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT (lpad(to_hex(greatest(0, floor(extract(epoch FROM moment) * 1000)::bigint)), 12, '0') || repeat('0', 20))::uuid $$;
