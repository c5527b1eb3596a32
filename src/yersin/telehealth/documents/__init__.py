"""Documents of telehealth: data shapes and their templates."""
