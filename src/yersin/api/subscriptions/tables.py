"""Tables of subscriptions: those the server knows, and what is still to be told, or could not be."""

from __future__ import annotations

from yersin.db.migrate import Step

STEPS = (
    Step(
        number=72,
        name="api_subscriptions",
        sql="""
CREATE TABLE subscription (
  id uuid PRIMARY KEY, name text NOT NULL, owner text NOT NULL, tx bigint NOT NULL, seq bigint NOT NULL, type text NOT NULL,
  state text NOT NULL CHECK (state IN ('active', 'error', 'off')), failing boolean NOT NULL DEFAULT false, note text,
  ends timestamptz, told text);
COMMENT ON TABLE subscription IS 'Subscriptions as the server sees them; `told` is the state that the resource says.';
COMMENT ON COLUMN subscription.failing IS 'Whether the state error comes of its endpoint, which may answer again.';
CREATE TABLE subscription_delivery (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, subscription uuid NOT NULL REFERENCES subscription ON DELETE CASCADE,
  type smallint NOT NULL, id uuid NOT NULL, name text NOT NULL, ver int, at timestamptz NOT NULL,
  attempts int NOT NULL DEFAULT 0, due timestamptz NOT NULL DEFAULT now(), dead boolean NOT NULL DEFAULT false, note text);
CREATE INDEX subscription_delivery_order ON subscription_delivery (subscription, type, id, n);
CREATE INDEX subscription_delivery_due ON subscription_delivery (due) WHERE NOT dead;
CREATE INDEX subscription_delivery_dead ON subscription_delivery (n) WHERE dead;
COMMENT ON TABLE subscription_delivery IS 'What is to be told to whom; `dead` is what could not be told, until it is replayed.';
COMMENT ON COLUMN subscription_delivery.ver IS 'Version that matched; none where the present one is to be sent.';
""",
    ),
    Step(
        number=73,
        name="api_subscription_sockets",
        sql="""
ALTER TABLE subscription ADD kind text NOT NULL DEFAULT 'rest-hook';
COMMENT ON COLUMN subscription.kind IS 'Channel: what is to be told over a websocket waits until somebody binds it.';
""",
    ),
)
