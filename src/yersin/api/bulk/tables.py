"""Tables of export jobs: what is asked, how far it has come, the files that are whole, and whom it is about."""

from __future__ import annotations

from yersin.db.migrate import Step

STEPS = (
    Step(
        number=71,
        name="api_bulk_export",
        sql="""
CREATE TABLE export_job (
  id uuid PRIMARY KEY, owner text NOT NULL, who bytea NOT NULL, plan bytea NOT NULL, at timestamptz NOT NULL, tx xid8 NOT NULL,
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'working', 'complete', 'failed', 'cancelled')),
  part int NOT NULL DEFAULT 0, last_pat uuid NOT NULL, last_id uuid NOT NULL, attempts int NOT NULL DEFAULT 0,
  folder text, failure bytea, made timestamptz NOT NULL DEFAULT now(), touched timestamptz NOT NULL DEFAULT now(),
  expires timestamptz);
CREATE INDEX export_job_owner ON export_job (owner);
COMMENT ON TABLE export_job IS 'Bulk exports: what each asks, as of when, and how far it has come.';
COMMENT ON COLUMN export_job.folder IS 'Folder of an export by the command line; the others lie sealed in the data folder.';
CREATE TABLE export_file (
  job uuid NOT NULL REFERENCES export_job ON DELETE CASCADE, n int NOT NULL, name text NOT NULL, kind text NOT NULL,
  type text NOT NULL, resources bigint NOT NULL, size bigint NOT NULL, PRIMARY KEY (job, n));
COMMENT ON TABLE export_file IS 'Files of bulk exports that are whole and on the disk.';
CREATE TABLE export_member (
  job uuid NOT NULL REFERENCES export_job ON DELETE CASCADE, n int NOT NULL, pat uuid NOT NULL, patient text NOT NULL,
  PRIMARY KEY (job, n), UNIQUE (job, pat));
COMMENT ON TABLE export_member IS 'Patients to whom a bulk export is narrowed.';
""",
    ),
)
