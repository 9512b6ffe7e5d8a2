"""What the workspace pages hand to their use cases: who acts, and what writes letters."""

from flask import Response, after_this_request
from flask_login import current_user

from smailor.accounts.authority import By
from smailor.accounts.posting import Post
from webui import people
from webui.context import context


def by() -> By:
    """Return who acts in this request: a member, bound by their role."""
    return By(people.actor(), int(current_user.get_id()))


def post() -> Post:
    """Return what writes to people from within a transaction; what it wrote leaves when the page is done."""
    desk, courier = context().desk, context().courier

    @after_this_request
    def send(response: Response) -> Response:
        courier.send_soon()
        return response

    return Post(desk.head, desk.sealer)
