"""The page and its media, one command: streamlit run streamlit_app.py

The server imports this file to find `server`; each visit runs it as a script to draw the page.
"""

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from streamlit import config
from streamlit.starlette import App

from app import media_route, page, wiring

if __name__ == "__main__":
    page.render(wiring.shared())
else:
    hosts = config.get_option("server.allowedHosts") or ["*"]  # another name for this machine is a trap
    server = App(
        __file__,
        routes=media_route.routes(wiring.shared),
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
        lifespan=wiring.while_serving,
    )
