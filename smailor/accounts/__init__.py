"""Who there is: people, workspaces, members and their roles, web sessions, app passwords."""
