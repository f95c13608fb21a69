-- Pull runs, how far each connector has been read, and the pace that providers ask for.

ALTER TABLE connectors ADD COLUMN synced_until timestamptz;
ALTER TABLE connectors ADD COLUMN failed_syncs integer NOT NULL DEFAULT 0;
CREATE INDEX connectors_due ON connectors (next_sync_at) WHERE next_sync_at IS NOT NULL AND deleted_at IS NULL;

CREATE TABLE syncs (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    status text NOT NULL,
    trigger text NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    -- Everything before this moment is stored: where a run that was cut short goes on.
    read_until timestamptz,
    received integer NOT NULL DEFAULT 0,
    created integer NOT NULL DEFAULT 0,
    duplicates integer NOT NULL DEFAULT 0,
    ignored integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    repeated integer NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    -- Whoever runs it now; a worker that was thought dead and wakes up finds another token and stops.
    run_token uuid,
    resumes_at timestamptz,
    error_code text,
    error_message text,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX syncs_one_at_a_time ON syncs (workspace_id, connector_id) WHERE status IN ('queued', 'running');
CREATE INDEX syncs_connector ON syncs (workspace_id, connector_id, id);

-- When a provider may next be called with a key; the key is known by its digest. Keys are counted by the provider, whoever
-- uses them here, so this is the one table without a workspace.
CREATE TABLE provider_paces (
    key text PRIMARY KEY,
    next_call_at timestamptz NOT NULL
);
