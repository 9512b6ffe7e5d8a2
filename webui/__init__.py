"""The web application: people's mail, and the settings of their workspaces. A face: nothing imports it.

`gunicorn 'webui:create_app()'` runs it; `SMAILOR_CONFIG` in the environment names the configuration.
"""

from webui.app import create_app as create_app
