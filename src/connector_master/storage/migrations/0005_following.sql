-- Sessions: whoever signed in with a browser. The cookie's token is known by its digest only.
CREATE TABLE sessions (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ip text,
    user_agent text,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX sessions_user ON sessions (workspace_id, user_id);

-- Attempts to sign in, by a digest of who and from where.
CREATE TABLE sign_in_failures (
    workspace_id uuid NOT NULL,
    key bytea NOT NULL,
    count integer NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, key)
);

-- How a user wants pages to look; NULL: as their browser asks for.
ALTER TABLE users ADD COLUMN language text;
ALTER TABLE users ADD COLUMN time_zone text;
ALTER TABLE users ADD COLUMN theme text;

-- Field mappings as they were: each that was saved is a version, so that two who edit one notice each other, and one can
-- go back. json, for the order of the entries counts; NULL is the type's own.
ALTER TABLE connectors ADD COLUMN mapping_version integer NOT NULL DEFAULT 1;
CREATE TABLE field_mapping_versions (
    workspace_id uuid NOT NULL,
    connector_id uuid NOT NULL,
    version integer NOT NULL,
    field_mapping json,
    note text,
    restored_from integer,
    made_at timestamptz NOT NULL DEFAULT now(),
    made_by uuid,
    made_by_name text,
    PRIMARY KEY (workspace_id, connector_id, version),
    FOREIGN KEY (workspace_id, connector_id) REFERENCES connectors ON DELETE CASCADE
);
INSERT INTO field_mapping_versions (workspace_id, connector_id, version, field_mapping, made_at)
SELECT workspace_id, id, 1, field_mapping, updated_at FROM connectors;

-- Pulls: when one was last deep, and what a run costs of the daily calls that connectors of one key share.
ALTER TABLE connectors ADD COLUMN deep_at timestamptz;
ALTER TABLE connectors ADD COLUMN pace_key text;
ALTER TABLE connectors ADD COLUMN calls_per_run integer;
CREATE INDEX connectors_pace ON connectors (pace_key) WHERE pace_key IS NOT NULL;
-- Nothing has ever used it: connectors without a connection share quotas, too.
ALTER TABLE connections DROP COLUMN pace_key;
ALTER TABLE syncs ADD COLUMN is_deep boolean NOT NULL DEFAULT false;
ALTER TABLE syncs ADD COLUMN calls integer NOT NULL DEFAULT 0;

-- When the provider is asked again whether it still pushes a connector's accounts.
ALTER TABLE connectors ADD COLUMN subscribe_at timestamptz NOT NULL DEFAULT now() + interval '1 day';
CREATE INDEX connectors_subscribe ON connectors (subscribe_at) WHERE deleted_at IS NULL;

-- Deleting a connector forgets its connection; what was deleted before that was so still had its tokens.
DELETE FROM connections n USING connectors c
 WHERE c.workspace_id = n.workspace_id AND c.id = n.connector_id AND c.deleted_at IS NOT NULL;
DELETE FROM connector_accounts a USING connectors c
 WHERE c.workspace_id = a.workspace_id AND c.id = a.connector_id AND c.deleted_at IS NOT NULL;
UPDATE connections SET check_at = now() WHERE lost_at IS NULL;
-- Who agreed, as the provider's app knows them: it may tell that this person took the app away.
ALTER TABLE connections ADD COLUMN person text;
CREATE INDEX connections_person ON connections (person) WHERE person IS NOT NULL;

-- Leads that a reconciliation brought and no push had.
ALTER TABLE syncs ADD COLUMN recovered integer NOT NULL DEFAULT 0;
