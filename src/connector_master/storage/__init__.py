"""The only place with SQL: tables, migrations, and one module per thing that is stored."""
