"""The one way in: who, why and what; accounts, roles, care relationships, audit, keys."""
