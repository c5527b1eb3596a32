"""The house put together: rooms, ASGI application, worker, command line."""
