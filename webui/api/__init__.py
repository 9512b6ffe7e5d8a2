"""The JSON API, version 1: for programs with a key. Its pages know no cookie."""

from webui.api import description, v1
from webui.api.description import init_app as init_app
from webui.api.operations import blueprint as blueprint

__all__ = ["blueprint", "description", "init_app", "v1"]
