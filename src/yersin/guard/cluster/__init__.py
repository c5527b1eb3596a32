"""Whether every statement and table can be spread over machines by Citus: known without one, from their text."""
