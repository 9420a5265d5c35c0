"""GStreamer's RTSP server, run by Debian's Python: `gst_server.py PORT WIDTH HEIGHT [USER PASSWORD]`.

H.264 at 15 frames a second at /live, of a live source with noise; prints a line when it listens.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402


def main(port: str, width: str, height: str, *login: str) -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    size = f"video/x-raw,width={width},height={height},framerate=15/1"
    coded = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 bitrate=500"
    source = f"videotestsrc is-live=true pattern=ball ! {size}"
    factory.set_launch(f"( {source} ! {coded} ! rtph264pay name=pay0 pt=96 config-interval=1 )")
    factory.set_shared(True)
    if login:
        auth = GstRtspServer.RTSPAuth()
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        auth.add_digest(login[0], login[1], token)
        server.set_auth(auth)
        rights = GstRtspServer.RTSPPermissions()
        rights.add_permission_for_role("user", "media.factory.access", True)
        rights.add_permission_for_role("user", "media.factory.construct", True)
        factory.set_permissions(rights)
    server.get_mount_points().add_factory("/live", factory)
    if server.attach(None) == 0:
        sys.exit(f"port {port} is taken")
    print("listening", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
