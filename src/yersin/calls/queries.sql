-- name: open_call
-- Make a call; one that exists is left as it is.
INSERT INTO call (id) VALUES ($1) ON CONFLICT (id) DO NOTHING;

-- name: lock_call
-- One call, held until the transaction ends.
SELECT id, recording, ended IS NOT NULL AS ended FROM call WHERE id = $1 FOR UPDATE;

-- name: share_call
-- One call, kept from changing until the transaction ends.
SELECT id, recording, ended IS NOT NULL AS ended FROM call WHERE id = $1 FOR SHARE;

-- name: find_call
-- One call as it is now, and for how long it has been going on.
SELECT id, recording, ended IS NOT NULL AS ended,
  extract(epoch FROM coalesce(ended, clock_timestamp()) - started)::float8 AS elapsed
FROM call WHERE id = $1;

-- name: find_seats
-- The seats of a call in the order of arrival; a page not heard of for 25 seconds is gone.
SELECT id, person, name, place, role, may_host, state, page, consent,
  coalesce(seen > clock_timestamp() - interval '25 seconds', false) AS present
FROM call_seat WHERE call = $1 ORDER BY arrived, id;

-- name: save_call
-- Keep what has become of a call; it has started when two are in it.
UPDATE call SET recording = $2,
  ended = CASE WHEN $3 THEN coalesce(ended, clock_timestamp()) END,
  started = CASE WHEN $4 THEN coalesce(started, clock_timestamp()) ELSE started END
WHERE id = $1;

-- name: save_seat
-- Keep a seat, new or changed.
INSERT INTO call_seat (id, call, person, name, place, role, may_host, state, page, consent, seen, admitted)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, CASE WHEN $11 THEN clock_timestamp() END,
  CASE WHEN $8 = 'admitted' THEN clock_timestamp() END)
ON CONFLICT (id) DO UPDATE SET role = $6, state = $8, page = $9, consent = $10,
  seen = CASE WHEN $11 THEN clock_timestamp() END,
  admitted = CASE WHEN $8 <> 'admitted' THEN NULL ELSE coalesce(call_seat.admitted, clock_timestamp()) END;

-- name: note_event
-- Write a line of the call's log.
INSERT INTO call_event (call, seat, kind, detail) VALUES ($1, $2, $3, $4);

-- name: find_events
-- The log of a call in order.
SELECT seat, at, kind, detail FROM call_event WHERE call = $1 ORDER BY id;

-- name: touch_seat
-- Note that the page in a seat is still connected.
UPDATE call_seat SET seen = clock_timestamp() WHERE id = $1 AND page = $2;

-- name: find_token
-- The seat a guest's cookie belongs to.
SELECT id, person, name, place, role, may_host FROM call_seat WHERE call = $1 AND token = $2 AND state <> 'removed';

-- name: post_signal
-- Put a signal into the mailbox of a page; the same one again is not put twice.
INSERT INTO call_signal (call, target, target_page, sender, sender_page, number, body)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (sender_page, number) DO NOTHING;

-- name: find_signals
-- What lies in the mailbox of a page.
SELECT id, sender, sender_page, body FROM call_signal WHERE target = $1 AND target_page = $2 ORDER BY id LIMIT 200;

-- name: took_signals
-- Forget signals that have arrived.
DELETE FROM call_signal WHERE target = $1 AND target_page = $2 AND id = ANY($3::bigint[]);

-- name: drop_signals
-- Empty the mailboxes to and from a seat that may not arrange media any more.
DELETE FROM call_signal WHERE call = $1 AND (target = $2 OR sender = $2);

-- name: drop_old_signals
-- Forget what nobody fetched within two minutes.
DELETE FROM call_signal WHERE call = $1 AND made < clock_timestamp() - interval '2 minutes';

-- name: say_line
-- Keep a line of chat; the same one again is not kept twice.
INSERT INTO call_line (call, seat, key, text) VALUES ($1, $2, $3, $4) ON CONFLICT (seat, key) DO NOTHING;

-- name: find_lines
-- Lines of chat after one, as far as a seat may read them: a guest from the moment of admission.
SELECT l.id, l.key, l.seat, s.name, l.text, l.said FROM call_line l JOIN call_seat s ON s.id = l.seat
JOIN call_seat reader ON reader.id = $2
WHERE l.call = $1 AND l.id > $3 AND (reader.role <> 'guest' OR l.said >= reader.admitted) ORDER BY l.id LIMIT 500;

-- name: add_invitation
-- Keep an invitation by the hash of its token.
INSERT INTO call_invitation (id, call, token, made_by, expires)
VALUES ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5)) RETURNING expires;

-- name: find_invitation
-- An invitation that still serves.
SELECT i.id, i.call, s.name AS host_name, s.place AS host_place FROM call_invitation i
JOIN call c ON c.id = i.call JOIN call_seat s ON s.id = i.made_by
WHERE i.token = $1 AND i.used IS NULL AND i.expires > clock_timestamp() AND c.ended IS NULL;

-- name: use_invitation
-- Use an invitation up; nobody else gets a row.
UPDATE call_invitation i SET used = clock_timestamp() FROM call c
WHERE i.token = $1 AND i.used IS NULL AND i.expires > clock_timestamp() AND c.id = i.call AND c.ended IS NULL
RETURNING i.id, i.call;

-- name: seat_guest
-- The seat an invitation gives: in the waiting room, its token known to one browser only.
INSERT INTO call_seat (id, call, person, name, place, role, state, token)
VALUES ($1, $2, $3, $4, $5, 'guest', 'waiting', $6);

-- name: seat_invitation
-- Note which seat an invitation gave.
UPDATE call_invitation SET seat = $2 WHERE id = $1;

-- name: add_recording
-- Begin a recording.
INSERT INTO call_recording (id, call, seat, media_type) VALUES ($1, $2, $3, $4);

-- name: find_recording
-- One recording of a call.
SELECT id, seat, media_type, started, finished FROM call_recording WHERE call = $1 AND id = $2;

-- name: find_recordings
-- The recordings of a call that have something in them, in order.
SELECT r.id, r.media_type, r.started, r.finished, r.keep_until, sum(c.size)::bigint AS size FROM call_recording r
JOIN call_recording_chunk c ON c.recording = r.id WHERE r.call = $1 GROUP BY r.id ORDER BY r.started;

-- name: add_chunk
-- Keep a chunk; the same one again is not kept twice.
INSERT INTO call_recording_chunk (recording, number, size, digest, sealed)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT (recording, number) DO NOTHING;

-- name: find_digest
-- Fingerprint of a chunk that has come.
SELECT digest FROM call_recording_chunk WHERE recording = $1 AND number = $2;

-- name: find_numbers
-- Which chunks of a recording have come.
SELECT number FROM call_recording_chunk WHERE recording = $1 ORDER BY number;

-- name: find_chunk
-- One chunk as it was sealed.
SELECT sealed FROM call_recording_chunk WHERE recording = $1 AND number = $2;

-- name: finish_recording
-- Close a recording.
UPDATE call_recording SET finished = coalesce(finished, clock_timestamp()) WHERE id = $1;
