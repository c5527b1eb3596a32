-- name: cuts
-- Consultations asked for in a period, cut every way the page shows: one pass over the views. `mask` tells the cuts apart.
WITH asked AS (
  SELECT c.row_key, c.asked, c.urgency, c.activity, c.specialty, c.specialty_name, c.specialty_name_en, c.service, c.visit,
    c.person, c.asking_post, c.asking_facility, c.answering_facility, c.status
  FROM views.consultation c
  WHERE c.asked >= $2::date::timestamp AT TIME ZONE $1 AND c.asked < ($3::date + 1)::timestamp AT TIME ZONE $1
    AND ($5 = '' OR c.activity = $5)
), work AS (
  SELECT t.consultation, max(coalesce(t.ended, t.changed)) FILTER (WHERE t.status = 'completed') AS answered,
    (array_agg(coalesce(t.owning_facility, p.facility) ORDER BY t.authored DESC NULLS LAST))[1] AS owner
  FROM asked JOIN views.answering t ON t.consultation = asked.row_key LEFT JOIN views.post p ON p.row_key = t.owning_post
  GROUP BY t.consultation
), facts AS (
  SELECT (a.asked AT TIME ZONE $1)::date AS day, coalesce(a.urgency, 'routine') AS urgency, a.activity, a.specialty,
    a.specialty_name, a.specialty_name_en, f.row_key AS asker, f.province, coalesce(w.owner, a.answering_facility, s.facility) AS hub,
    w.answered, CASE WHEN w.answered >= a.asked THEN extract(epoch FROM w.answered - a.asked)::float8 / 60 END AS minutes,
    CASE WHEN who.birth_year IS NOT NULL THEN width_bucket(extract(year FROM a.asked)::int - who.birth_year, $7::bigint[]) END AS band,
    coalesce(who.sex, 'unknown') AS sex
  FROM asked a
  LEFT JOIN work w ON w.consultation = a.row_key
  LEFT JOIN views.post ap ON ap.row_key = a.asking_post
  LEFT JOIN views.visit v ON v.row_key = a.visit
  LEFT JOIN views.person who ON who.row_key = a.person
  LEFT JOIN views.service s ON s.row_key = a.service
  LEFT JOIN views.facility f ON f.row_key = coalesce(a.asking_facility, ap.facility, v.facility, who.facility)
  WHERE ($4 = '' OR f.province = $4) AND ($6::uuid IS NULL OR f.row_key = $6)
)
SELECT grouping(day, province, asker, hub, specialty, urgency, band, sex) AS mask, day, province, asker, hub, specialty,
  urgency, band, sex, count(*) AS asked, count(answered) AS answered, count(DISTINCT asker) AS facilities,
  max(specialty_name) AS name_vi, max(specialty_name_en) AS name_en,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY minutes) AS median,
  percentile_cont(0.9) WITHIN GROUP (ORDER BY minutes) AS slow
FROM facts
GROUP BY GROUPING SETS ((), (day), (province), (asker), (hub), (specialty), (urgency), (band, sex));

-- name: facilities
-- Names and places of facilities.
SELECT row_key, name, province, kind FROM views.facility WHERE row_key = ANY($1::uuid[]);

-- name: connected
-- Facilities that could ask: active, not an authority, not a central hospital.
SELECT count(*) FROM views.facility
WHERE coalesce(active, true) AND kind IN ('station', 'health-centre', 'provincial-hospital') AND ($1 = '' OR province = $1);

-- name: records
-- People registered by province, how many of them have a record with something in it, and people counted in households.
WITH people AS (
  SELECT coalesce(p.province, '') AS province, count(*) AS registered,
    count(*) FILTER (WHERE EXISTS (SELECT FROM views.visit v WHERE v.person = p.row_key)
      OR EXISTS (SELECT FROM views.measurement m WHERE m.person = p.row_key)) AS held,
    count(*) FILTER (WHERE p.invented) AS invented
  FROM views.person p WHERE p.active AND NOT coalesce(p.deceased, false) GROUP BY 1
), homes AS (
  SELECT coalesce(p.province, '') AS province, sum(h.people)::bigint AS counted
  FROM views.household h JOIN views.person p ON p.row_key = h.head GROUP BY 1
)
SELECT province, coalesce(registered, 0) AS registered, coalesce(held, 0) AS held, coalesce(invented, 0) AS invented, counted
FROM people FULL JOIN homes USING (province) WHERE $1 = '' OR province = $1;

-- name: activities
-- Kinds of activity that were ever asked for.
SELECT DISTINCT activity FROM views.consultation WHERE activity IS NOT NULL ORDER BY activity;

-- name: own
-- Requests of one facility, or to it, newest first: facts about the request, nothing about the patient.
SELECT c.row_key, c.asked, c.urgency, c.activity, c.specialty_name, c.specialty_name_en, c.status,
  f.name AS asker, h.name AS hub, w.answered
FROM views.consultation c
LEFT JOIN LATERAL (
  SELECT max(coalesce(t.ended, t.changed)) FILTER (WHERE t.status = 'completed') AS answered,
    (array_agg(coalesce(t.owning_facility, p.facility) ORDER BY t.authored DESC NULLS LAST))[1] AS owner
  FROM views.answering t LEFT JOIN views.post p ON p.row_key = t.owning_post WHERE t.consultation = c.row_key) w ON true
LEFT JOIN views.post ap ON ap.row_key = c.asking_post
LEFT JOIN views.visit v ON v.row_key = c.visit
LEFT JOIN views.service s ON s.row_key = c.service
LEFT JOIN views.facility f ON f.row_key = coalesce(c.asking_facility, ap.facility, v.facility)
LEFT JOIN views.facility h ON h.row_key = coalesce(w.owner, c.answering_facility, s.facility)
WHERE c.asked >= $2::date::timestamp AT TIME ZONE $1 AND c.asked < ($3::date + 1)::timestamp AT TIME ZONE $1
  AND $4::uuid IN (f.row_key, h.row_key) AND ($5 = '' OR c.activity = $5)
ORDER BY c.asked DESC LIMIT 200;
