"""The page and its media, one command: streamlit run streamlit_app.py

The server imports this file to find `server`; each visit runs it as a script to draw the page.
"""

from starlette.routing import Mount
from streamlit import config
from streamlit.starlette import App

from app import guard, page, wiring
from data.settings import Settings

if __name__ == "__main__":
    page.render(wiring.shared())
else:
    address, port = config.get_option("server.address"), config.get_option("server.port")
    config.set_option("server.maxUploadSize", Settings.load().max_upload_mb)  # as the API's
    hosts = config.get_option("server.allowedHosts") or ["*"]  # another name for this machine is a trap
    server = App(
        __file__,
        routes=[Mount("/api", wiring.late_api)],
        middleware=guard.middleware(address or "", port=port, hosts=hosts, token=lambda: Settings.load().token),
        lifespan=wiring.while_serving,
    )
