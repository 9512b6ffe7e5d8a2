"""All parts of pages in each of their states: /styleguide, where `web.styleguide` is on. Shows, does nothing."""

from datetime import timedelta

from flask import Blueprint, render_template
from flask_wtf import FlaskForm
from wtforms import BooleanField, PasswordField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice

from webui.access import public
from webui.context import context

blueprint = Blueprint("styleguide", __name__)
ROLES = [SelectChoice("owner", "Owner"), SelectChoice("admin", "Admin"), SelectChoice("read-only", "Read-only")]


class ExampleForm(FlaskForm):  # type: ignore[misc] # flask-wtf has no annotations
    """One field of each kind."""

    name = StringField("Name")
    email = StringField("E-mail address")
    password = PasswordField("Password")
    role = SelectField("Role", choices=ROLES)
    access = RadioField("Access", choices=ROLES, default="admin")
    reason = TextAreaField("Reason")
    agree = BooleanField("Tell them by e-mail")


@blueprint.get("/styleguide")
@public
def index() -> str:
    """Show every part."""
    good = ExampleForm(formdata=None, name="Ada Lovelace", email="ada@acme.test", role="admin")
    wrong = ExampleForm(formdata=None, prefix="wrong-", email="ada at acme")
    wrong.name.errors = ["Enter a name."]
    wrong.email.errors = ["An address looks like name@example.com."]
    wrong.reason.errors = ["Say why: it is shown to the people concerned."]
    now = context().clock()
    return render_template(
        "styleguide/index.html",
        good=good,
        wrong=wrong,
        times=(now, now - timedelta(days=3), now - timedelta(days=500)),
    )


@blueprint.get("/styleguide/question")
@public
def question() -> str:
    """Show a question as a page of its own; /styleguide shows the same as a dialog."""
    return render_template("styleguide/question.html")
