-- Connections: what providers let us do, the accounts that were chosen, and leads that were announced and are yet to be fetched.

CREATE TABLE connections (
    workspace_id uuid NOT NULL,
    connector_id uuid NOT NULL,
    -- 'oauth': somebody agreed; 'given': a token that was made elsewhere.
    kind text NOT NULL,
    -- Access and refresh token, and whatever else must not be read here.
    sealed bytea NOT NULL,
    scopes text[] NOT NULL DEFAULT '{}',
    authorized_at timestamptz NOT NULL,
    authorized_by text,
    -- When the present access token was made, and when it ends.
    issued_at timestamptz NOT NULL,
    expires_at timestamptz,
    -- From when on only a person can help.
    ends_at timestamptz,
    refresh_at timestamptz,
    check_at timestamptz,
    checked_at timestamptz,
    -- Whoever renews it now, and until when it is believed that they do.
    renewing_until timestamptz,
    lost_at timestamptz,
    problem_code text,
    problem_detail text,
    -- The fewest days before its end of which people were told.
    warned_days integer,
    -- What the provider counts calls by, as a digest: connectors that share it share a quota.
    pace_key text,
    PRIMARY KEY (workspace_id, connector_id),
    FOREIGN KEY (workspace_id, connector_id) REFERENCES connectors ON DELETE CASCADE
);
CREATE INDEX connections_refresh ON connections (refresh_at) WHERE refresh_at IS NOT NULL;
CREATE INDEX connections_check ON connections (check_at) WHERE check_at IS NOT NULL;

-- The accounts (pages, customers, channels) that a connector takes leads of.
CREATE TABLE connector_accounts (
    workspace_id uuid NOT NULL,
    connector_id uuid NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    sealed bytea,
    details jsonb NOT NULL DEFAULT '{}',
    chosen_at timestamptz NOT NULL DEFAULT now(),
    subscribed_at timestamptz,
    problem_code text,
    problem_detail text,
    PRIMARY KEY (workspace_id, connector_id, account_id),
    FOREIGN KEY (workspace_id, connector_id) REFERENCES connectors ON DELETE CASCADE
);
CREATE INDEX connector_accounts_account ON connector_accounts (account_id);

-- Authorizations under way. The state is known by its digest only, and whoever presents it takes the row away.
CREATE TABLE oauth_states (
    state_hash bytea PRIMARY KEY,
    workspace_id uuid NOT NULL,
    connector_id uuid NOT NULL,
    type text NOT NULL,
    -- The session or API key that began, and alone may end.
    caller text NOT NULL,
    sealed_verifier bytea,
    redirect_uri text NOT NULL,
    expires_at timestamptz NOT NULL,
    FOREIGN KEY (workspace_id, connector_id) REFERENCES connectors ON DELETE CASCADE
);

-- Units that a key has used of its provider's daily quota.
CREATE TABLE provider_quotas (
    key text NOT NULL,
    day date NOT NULL,
    used integer NOT NULL DEFAULT 0,
    PRIMARY KEY (key, day)
);

ALTER TABLE connectors ADD COLUMN challenged_at timestamptz;
ALTER TABLE connectors ADD COLUMN sync_state jsonb;
ALTER TABLE connectors ADD COLUMN recheck_at timestamptz;
CREATE INDEX connectors_recheck ON connectors (recheck_at) WHERE recheck_at IS NOT NULL AND deleted_at IS NULL;

-- The provider's account that a record came to.
ALTER TABLE events ADD COLUMN account text;
-- Whether the payload only names a lead, which has to be fetched.
ALTER TABLE events ADD COLUMN is_announced boolean NOT NULL DEFAULT false;
-- When an announced lead is to be fetched (again); NULL: nothing is to be fetched.
ALTER TABLE events ADD COLUMN resolve_at timestamptz;
-- The record that was fetched for an announcement, or the latest one of a record that is followed.
ALTER TABLE events ADD COLUMN resolved bytea;
ALTER TABLE events ADD COLUMN version text;
ALTER TABLE events ADD COLUMN twin text;
-- When its source last had the record still.
ALTER TABLE events ADD COLUMN confirmed_at timestamptz;
CREATE INDEX events_to_resolve ON events (workspace_id, connector_id, resolve_at) WHERE resolve_at IS NOT NULL;
CREATE INDEX events_twin ON events (workspace_id, connector_id, twin) WHERE twin IS NOT NULL;
