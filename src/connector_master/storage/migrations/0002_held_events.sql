-- Events held while their connector is paused: few, and taken up connector by connector. Rows of any other status cost
-- the index nothing.
CREATE INDEX events_held ON events (workspace_id, connector_id, id) WHERE status = 'received';

-- Jobs as lists show them, newest first, are read by the primary key; the sweep looks for the open ones of every workspace.
CREATE INDEX jobs_open ON jobs (id) WHERE status IN ('queued', 'running');
