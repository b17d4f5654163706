"""The page and its media, one command: streamlit run streamlit_app.py

The server imports this file to find `server`; each visit runs it as a script to draw the page.
"""

from starlette.middleware import Middleware
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from streamlit import config
from streamlit.components.v2 import manifest_scanner
from streamlit.starlette import App

from app import guard, page, wiring
from app.binding import own_names
from app.sending import Unpacked
from data.settings import Settings

if __name__ == "__main__":
    page.render(wiring.shared())
else:
    # The page has no components of other packages; looking for them reads what all packages say of themselves.
    manifest_scanner.scan_component_manifests = lambda max_workers=None: []  # .2 s
    address, port = config.get_option("server.address"), config.get_option("server.port")
    config.set_option("server.maxUploadSize", Settings.load().max_upload_mb)  # as the API's
    hosts = config.get_option("server.allowedHosts") or own_names(address or "")  # another name is a trap
    guards = guard.middleware(address or "", port=port, hosts=hosts, token=lambda: Settings.load().token)
    described = Route(  # else the page would be given
        "/api", lambda _: RedirectResponse("/api/openapi.json"), methods=["GET", "POST", "PUT", "DELETE"]
    )
    server = App(
        __file__,
        routes=[described, Mount("/api", wiring.late_api)],
        middleware=[*guards, Middleware(Unpacked)],
        lifespan=wiring.while_serving,
        on_script_error=page.say_fault,
    )
