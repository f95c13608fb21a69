-- Files of leads that people bring. The file is kept until its import has ended.
CREATE TABLE imports (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    file_name text NOT NULL,
    content bytea,
    rows integer NOT NULL,
    job_id uuid,
    actor_name text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, connector_id) REFERENCES connectors ON DELETE CASCADE
);
CREATE INDEX imports_connector ON imports (workspace_id, connector_id, id);

-- Rows that could not become leads: which, and why.
CREATE TABLE import_failures (
    workspace_id uuid NOT NULL,
    import_id uuid NOT NULL,
    row_number integer NOT NULL,
    event_id uuid NOT NULL,
    code text NOT NULL,
    detail text,
    PRIMARY KEY (workspace_id, import_id, row_number),
    FOREIGN KEY (workspace_id, import_id) REFERENCES imports ON DELETE CASCADE
);
