"""Boards/Drone/mavlink_bridge.py as a process: JSON lines in, MAVLink out, both by UDP; pymavlink's parser reads it.

usage: bridge.py     (a Python with pymavlink)
"""

import json
import math
import os
import select
import socket
import subprocess
import sys
import time

from pymavlink.dialects.v20 import common as mavlink

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def line(*segments):
    """A line of a picture of 640x480; each segment a name and its box."""
    entries = [
        {"name": name, "synonym": name, "score": 0.9, "area": box[2] * box[3], "box": box} for name, box in segments
    ]
    return json.dumps({"schema": 1, "size": {"width": 640, "height": 480}, "segments": entries}).encode()


class Parser:
    """The autopilot's end."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(10)
        self.mav = mavlink.MAVLink(None)
        self.waiting = []

    def next(self, kind):
        """The next message of a kind; heartbeats come all the time. Damaged ones raise an error."""
        while True:
            while self.waiting:
                message = self.waiting.pop(0)
                assert message.get_srcSystem() == 7 and message.get_srcComponent() == 191, message.get_header()
                if message.get_type() == kind:
                    return message
                assert message.get_type() == "HEARTBEAT", f"{kind} is expected: {message}"
            data = self.socket.recv(2000)
            assert data[0] == 0xFD, "not MAVLink 2"
            self.waiting += self.mav.parse_buffer(data) or []


def robot():
    """The program in Boards/Robot/README.md."""
    with open(os.path.join(ROOT, "Boards/Robot/README.md")) as page:
        code = page.read().split("    import json, socket\n")[1].split("\n\n")[0]
    text = "import json, socket\n" + "\n".join(row[4:] for row in code.splitlines())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", text.replace("5005", str(port))], stdout=subprocess.PIPE, text=True
    )
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as board:
            # Until it listens, datagrams are lost.
            while not select.select([process.stdout], [], [], 0.2)[0]:
                assert process.poll() is None, "the README's program ended"
                board.sendto(line(("person", [480, 0, 160, 480])), ("127.0.0.1", port))
        said = process.stdout.readline()
        assert said == "person 0.90, +0.38 of the picture's width from its middle\n", said
    finally:
        process.terminate()
        process.communicate()


def main():
    robot()
    bridge = os.path.join(ROOT, "Boards/Drone/mavlink_bridge.py")
    for wrong in (["--target", "star"], ["--rule", "star:x%"], ["--listen", "here"], []):
        vehicle = ["--vehicle", "udpout:127.0.0.1:9"] if wrong else []
        result = subprocess.run([sys.executable, bridge, *vehicle, *wrong], capture_output=True, text=True, timeout=60)
        assert result.returncode == 2 and "error: " in result.stderr and "Traceback" not in result.stderr, (
            wrong,
            result,
        )

    parser = Parser()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [
        "--vehicle",
        f"udpout:127.0.0.1:{parser.socket.getsockname()[1]}",
        "--listen",
        f"127.0.0.1:{port}",
        "--system",
        "7",
    ]
    options += ["--rule", "person:5%", "--target", "star", "--field-of-view", "60"]
    process = subprocess.Popen([sys.executable, bridge, *options], stderr=subprocess.PIPE, text=True)
    try:
        board = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

        def send(data):
            board.sendto(data, ("127.0.0.1", port))

        beat = parser.next("HEARTBEAT")
        assert (beat.type, beat.autopilot) == (mavlink.MAV_TYPE_ONBOARD_CONTROLLER, mavlink.MAV_AUTOPILOT_INVALID)
        assert beat.system_status == mavlink.MAV_STATE_CRITICAL, "no lines yet"
        # Neither lines of fcclip-edge nor a reason to end.
        for data in (
            b"",
            b"{",
            b"[]",
            b'{"segments": 3}',
            b"\xff\xfe",
            line().replace(b"640", b"0").replace(b"480", b"0"),
        ):
            send(data)
        send(line(("person", [0, 0, 64, 48])))
        send(line(("person", [0, 0, 320, 240]), ("star", [0, 0, 8, 8])))
        assert parser.next("STATUSTEXT").text == "fcclip: person 25%", "1% is less than the rule's 5%"
        found = parser.next("LANDING_TARGET")
        # The middle of the box is 316 left of the picture's middle and 236 above it; f = 320 / tan 30 degrees.
        focal = 320 / math.tan(math.radians(30))
        assert math.isclose(found.angle_x, math.atan(-316 / focal), abs_tol=1e-6) and math.isclose(
            found.angle_y, math.atan(-236 / focal), abs_tol=1e-6
        ), found
        assert (found.position_valid, found.distance, found.frame) == (0, 0, mavlink.MAV_FRAME_BODY_FRD), found
        # Of several the largest; at the edge of the picture it is half the field of view away.
        send(line(("star", [636, 236, 8, 8]), ("star", [100, 100, 4, 4])))
        assert math.isclose(parser.next("LANDING_TARGET").angle_x, math.radians(30), abs_tol=1e-6)
        for _ in range(2):
            send(line())
        assert parser.next("STATUSTEXT").text == "fcclip: person gone"
        time.sleep(1.5)
        while parser.waiting or parser.next("HEARTBEAT").system_status != mavlink.MAV_STATE_ACTIVE:
            pass
        assert process.poll() is None, process.communicate()
    finally:
        process.terminate()
        talk = process.communicate()[1]
    assert talk.count("not a line of fcclip-edge") >= 5 and "Traceback" not in talk, talk
    print("heartbeat, texts and landing target: as pymavlink's parser reads them; the robot's program runs")


if __name__ == "__main__":
    main()
