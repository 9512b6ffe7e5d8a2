"""Where the state lives: engine, transactions, column types, migrations and the views that Postfix and Dovecot read."""
