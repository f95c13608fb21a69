-- Words to find a lead by: beginnings of words of its name, e-mail address and company, and every run of its phone's digits.
-- Filled by a job, a moment after the lead: an index on the leads themselves would double what a push costs the database.
CREATE TABLE lead_words (
    workspace_id uuid NOT NULL,
    lead_id uuid NOT NULL,
    words tsvector NOT NULL,
    PRIMARY KEY (workspace_id, lead_id),
    FOREIGN KEY (workspace_id, lead_id) REFERENCES leads ON DELETE CASCADE
);
CREATE INDEX lead_words_words ON lead_words USING gin (words);

-- Up to which event's id the leads that events touched are in lead_words.
CREATE TABLE searchable (until uuid NOT NULL);

-- Leads that were touched by events of long ago; taken away by whoever makes them findable.
CREATE TABLE rewords (
    workspace_id uuid NOT NULL,
    lead_id uuid NOT NULL
);

-- What separates words is named, not left to the locale: in many scripts a letter's marks are no letters.
CREATE FUNCTION words_of(said text) RETURNS SETOF text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(word, 60) FROM regexp_split_to_table(lower(left(said, 1000)), '[\s!-/:-@\[-`{-~]+') AS word WHERE word <> ''
$$;

CREATE FUNCTION words_of_lead(said text, phone text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_tsvector(array(
        SELECT * FROM words_of(said)
        UNION
        SELECT substr(phone, place) FROM generate_series(2, length(phone) - 2) AS place))
$$;

-- Leads with words that begin like each of those that were said; NULL where nothing was.
CREATE FUNCTION words_query(said text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT string_agg('''' || word || ''':*', ' & ')::tsquery FROM words_of(said) AS word
$$;

CREATE FUNCTION note_reword() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO rewords (workspace_id, lead_id)
    SELECT DISTINCT now_rows.workspace_id, now_rows.lead_id
      FROM now_rows JOIN old_rows USING (workspace_id, id)
     WHERE now_rows.lead_id IS NOT NULL
       AND (now_rows.status <> old_rows.status OR now_rows.resolved IS DISTINCT FROM old_rows.resolved);
    RETURN NULL;
END $$;
CREATE TRIGGER events_reword AFTER UPDATE ON events REFERENCING OLD TABLE AS old_rows NEW TABLE AS now_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_reword();

-- Searches that a user keeps by name.
CREATE TABLE saved_views (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    query text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, user_id, name),
    FOREIGN KEY (workspace_id, user_id) REFERENCES users ON DELETE CASCADE
);
