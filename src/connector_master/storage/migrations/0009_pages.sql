-- Words to find leads by, split without a regular expression: that was most of what making a lead findable took.
CREATE FUNCTION split_words(said text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_remove(string_to_array(
        translate(lower(left(said, 500)), E' \t\n\r\f\v\u00a0!"#$%&''()*+,-./:;<=>?@[\\]^_`{|}~', repeat(' ', 39)), ' '), '')
$$;

CREATE OR REPLACE FUNCTION words_of(said text) RETURNS SETOF text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(word, 60) FROM unnest(split_words(said)) AS word
$$;

CREATE OR REPLACE FUNCTION words_of_lead(said text, phone text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_tsvector(
        split_words(said) || array(SELECT substr(phone, place) FROM generate_series(2, length(phone) - 2) AS place))
$$;

-- Running totals of each day in UTC, by quarters of an hour: how many there were up to the end of each.
CREATE TABLE event_days (
    workspace_id uuid NOT NULL,
    day date NOT NULL,
    connector_id uuid NOT NULL,
    received integer[] NOT NULL,
    created integer[] NOT NULL,
    duplicates integer[] NOT NULL,
    ignored integer[] NOT NULL,
    failed integer[] NOT NULL,
    PRIMARY KEY (workspace_id, day, connector_id)
    -- A row of two kilobytes stays whole: pages read many, of each a few numbers.
) WITH (toast_tuple_target = 4080);
-- Everything is counted once more, for the totals.
DELETE FROM counted;

-- Failures by cause are counted from the index alone.
CREATE INDEX events_failures ON events (workspace_id, connector_id, id) INCLUDE (code, received_at)
    WHERE status IN ('failed', 'dead');
