"""Mail: reading, writing, and everything between the page and the mail servers.

Pure: sanitise, css, message, parts, header, flowed, filename, plain, composing, answering, folders. To the servers:
connection, mailbox, pool, submission, office. Pages: gate, reading, acting, writing.
"""
