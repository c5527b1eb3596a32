"""Tables of the calls. Rows that must outlive a call (chat, events, recordings) are never deleted with it.

Recordings of remote consultations are kept at least ten years: Circular 49/2017/TT-BYT, article 4.
"""

from __future__ import annotations

from typing import Final

DDL: Final = """
CREATE TABLE call (
  id uuid PRIMARY KEY,
  opened timestamptz NOT NULL DEFAULT clock_timestamp(),
  started timestamptz,
  ended timestamptz,
  recording text NOT NULL DEFAULT 'off' CHECK (recording IN ('off', 'asked', 'running'))
);
CREATE TABLE call_seat (
  id uuid PRIMARY KEY,
  call uuid NOT NULL REFERENCES call,
  person text NOT NULL,
  name text NOT NULL,
  place text NOT NULL,
  role text NOT NULL CHECK (role IN ('host', 'asker', 'guest')),
  may_host boolean NOT NULL DEFAULT false,
  state text NOT NULL CHECK (state IN ('waiting', 'admitted', 'left', 'removed')),
  page text NOT NULL DEFAULT '',
  token bytea UNIQUE,
  consent boolean,
  arrived timestamptz NOT NULL DEFAULT clock_timestamp(),
  admitted timestamptz,
  seen timestamptz,
  UNIQUE (call, person)
);
CREATE TABLE call_signal (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  call uuid NOT NULL REFERENCES call,
  target uuid NOT NULL,
  target_page text NOT NULL,
  sender uuid NOT NULL,
  sender_page text NOT NULL,
  number int NOT NULL,
  body bytea NOT NULL,
  made timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (sender_page, number)
);
CREATE INDEX call_signal_target ON call_signal (target, target_page);
CREATE TABLE call_invitation (
  id uuid PRIMARY KEY,
  call uuid NOT NULL REFERENCES call,
  token bytea NOT NULL UNIQUE,
  made_by uuid NOT NULL REFERENCES call_seat,
  made timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires timestamptz NOT NULL,
  used timestamptz,
  seat uuid REFERENCES call_seat
);
CREATE TABLE call_line (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  call uuid NOT NULL REFERENCES call,
  seat uuid NOT NULL REFERENCES call_seat,
  key text NOT NULL,
  text text NOT NULL,
  said timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (seat, key)
);
CREATE INDEX call_line_call ON call_line (call, id);
CREATE TABLE call_event (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  call uuid NOT NULL REFERENCES call,
  seat uuid REFERENCES call_seat,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  kind text NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX call_event_call ON call_event (call, id);
CREATE TABLE call_recording (
  id uuid PRIMARY KEY,
  call uuid NOT NULL REFERENCES call,
  seat uuid NOT NULL REFERENCES call_seat,
  media_type text NOT NULL,
  started timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished timestamptz,
  keep_until date NOT NULL DEFAULT (current_date + interval '10 years')
);
CREATE INDEX call_recording_call ON call_recording (call);
CREATE TABLE call_recording_chunk (
  recording uuid NOT NULL REFERENCES call_recording,
  number int NOT NULL CHECK (number >= 0),
  size int NOT NULL,
  digest bytea NOT NULL,
  sealed bytea NOT NULL,
  arrived timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (recording, number)
);
ALTER TABLE call_recording_chunk ALTER COLUMN sealed SET STORAGE EXTERNAL;
"""
