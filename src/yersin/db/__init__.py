"""Pool, transactions, named SQL, migrations, embedded server."""
