"""Mail: reading, writing, and everything between the page and the mail servers.

Pure: sanitise, css, message, header, flowed, filename, plain, composing, folders. To the servers: connection, mailbox,
pool, submission, office. Pages: gate, reading, acting, writing.
"""
